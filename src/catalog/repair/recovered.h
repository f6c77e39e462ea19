/*
 * Entries for forks that have lost theirs: the id and the branches are on the store, the time of
 * the creation is in the id, the parent in the lineage, the fork point in the snapshots
 * (origin.h); the name is "recovered-<ULID>", with "-2" and so on behind it where another fork has
 * that one, and there is no expiry.
 *
 * No state.
 */
#ifndef FORKFS_CATALOG_REPAIR_RECOVERED_H
#define FORKFS_CATALOG_REPAIR_RECOVERED_H

#include "catalog/registry/registry.h"
#include "catalog/repair/remains.h"

/* An active entry for each of the remains (struct remains) whose lineage is known and leads to the
 * primary graph, to an active fork of the registry, or to another one of them; others are left out.
 * *ret: struct fork_entry, parents before their children, g_ptr_array_unref(). Errors of the store.
 */
int recovered_entries(struct store *store, const struct layout *layout,
                      const struct registry *registry, const GPtrArray *remains,
                      struct operation *operation, GPtrArray **ret, struct error *err);

/* Gives those an empty overlay that have none, which Uni takes for the same: each fork has one.
 * What is no file in its place stays, for the check to find. Errors of the store. */
int recovered_complete(struct store *store, const struct layout *layout, const GPtrArray *entries,
                       struct operation *operation, struct error *err);

/* "fork \"recovered-...\" of 3 datasets, a child of main": what an entry says, for a person.
 * g_free().
 */
char *recovered_text(const struct fork_entry *entry);

#endif

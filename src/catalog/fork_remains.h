/*
 * Removing what a fork has on the store, once its entry says that it is going: branches with all
 * that is under their tree/, ref files, allocator, snapshots, fork WAL, overlay. Not the tombstone
 * and not the registry entry, which are what makes the removal repeatable.
 *
 * No state; any thread.
 */
#ifndef FORKFS_CATALOG_FORK_REMAINS_H
#define FORKFS_CATALOG_FORK_REMAINS_H

#include <glib.h>

#include "base/log.h"
#include "base/operation.h"
#include "catalog/layout.h"
#include "catalog/registry.h"
#include "store/store.h"

/* Whether every dataset and branch of a document can be used in keys. ERR_CORRUPT names the first
 * that cannot: a hostile or damaged document, on whose word nothing is deleted. */
int fork_remains_check_names(const GPtrArray *branches, struct error *err);

/* Deletes everything of fork `id`: `branches` are struct dataset_branch, whose names must have been
 * checked; branches that the registry protects (registry_protects_branch) are left alone, with a
 * line in the log. Three waves, all durable when it returns 0. Repeatable. Errors of the store. */
int fork_remains_delete(struct store *store, const struct layout *layout, struct log *log,
                        const struct registry *registry, const struct ulid *id,
                        const GPtrArray *branches, struct operation *operation, struct error *err);

#endif

/*
 * Databases below several prefixes of a bucket share one registry, in which nothing says whose a
 * fork is. Whoever finishes what somebody else has left unfinished and finds no branch of it looks
 * here first whether another database has them.
 *
 * Thread-safe; no state.
 */
#ifndef FORKFS_CATALOG_FORK_FOREIGN_BRANCHES_H
#define FORKFS_CATALOG_FORK_FOREIGN_BRANCHES_H

#include <glib.h>

#include "base/operation.h"
#include "catalog/format/layout.h"
#include "store/store.h"

/* ERR_AWAY when none of the branches (struct dataset_branch, names checked) that an entry records
 * is there, and below another prefix, at the top of the bucket or beside the datasets', there is
 * one of them. 0 for a directory, which has one database. One wave where a branch is there, else up
 * to three. Errors of the store. */
int foreign_branches_check(struct store *store, const struct layout *layout,
                           const GPtrArray *branches, struct operation *operation,
                           struct error *err);

/* Which of the ids (texts of ids, a set) have a ref of a branch below another prefix, as above: id
 * -> that prefix, both owned by *ret, g_hash_table_unref(). Empty for a directory, and without
 * ids; else lists the branches of all other databases, in up to three waves. Errors of the store.
 */
int foreign_branches_of_ids(struct store *store, const struct layout *layout, GHashTable *ids,
                            struct operation *operation, GHashTable **ret, struct error *err);

#endif

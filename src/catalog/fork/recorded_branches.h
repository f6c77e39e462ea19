/*
 * Whether the branches that entries of the registry record are on the store at all. Where none is,
 * the registry is that of another database, or what holds them is away; to take them for deleted
 * would leave them behind for ever.
 *
 * Thread-safe; no state.
 */
#ifndef FORKFS_CATALOG_FORK_RECORDED_BRANCHES_H
#define FORKFS_CATALOG_FORK_RECORDED_BRANCHES_H

#include <glib.h>

#include "base/operation.h"
#include "catalog/fork_point/fork_point.h"
#include "catalog/format/layout.h"
#include "catalog/registry/registry.h"
#include "store/store.h"

/* Whether any of the branches (struct dataset_branch, names checked) has a ref or a file below its
 * tree. One wave. Errors of the store. */
int recorded_branches_find(struct store *store, const struct layout *layout,
                           const GPtrArray *branches, struct operation *operation, bool *ret,
                           struct error *err);

/* Whether any branch that an active entry of the registry records is there; true when none records
 * any. One small wave, unless the branches that are looked for first are not there. Errors of the
 * store. */
int recorded_branches_are_here(struct store *store, const struct layout *layout,
                               const struct registry *registry, struct operation *operation,
                               bool *ret, struct error *err);

/* For a fork that somebody has begun to delete: ERR_AWAY when the dataset of one of the branches
 * (struct dataset_branch, names checked) is not among the `datasets` (char *) that were listed,
 * although this mount has seen it. What was deleted before it began is none of its business. */
int recorded_branches_check_seen(struct fork_point_reader *reader, const GPtrArray *branches,
                                 const GPtrArray *datasets, struct error *err);

/* For any other: ERR_AWAY when the dataset of one of the branches (struct dataset_branch, names
 * checked) is not among the `datasets` (char *) that were listed. */
int recorded_branches_check_datasets(const struct layout *layout, const GPtrArray *branches,
                                     const GPtrArray *datasets, struct error *err);

#endif

/*
 * Which branches go with a fork that is deleted (change/deletion.h), and whether they can.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_CATALOG_FORK_DELETION_BRANCHES_H
#define FORKFS_CATALOG_FORK_DELETION_BRANCHES_H

#include <glib.h>

#include "catalog/fork_point/fork_point.h"
#include "catalog/registry/fork_entry.h"
#include "store/store.h"

/* Whether every dataset and branch (struct dataset_branch) of a document can be used in keys.
 * ERR_CORRUPT names the first that cannot: a hostile or damaged document, on whose word nothing is
 * deleted. */
int deletion_check_names(const GPtrArray *branches, struct error *err);

/* The names of the datasets on the store in which a fork may have branches that its entry does not
 * record (char *, owned). Errors of the store. */
int deletion_candidates(struct fork_point_reader *reader, struct operation *operation,
                        GPtrArray **ret, struct error *err);

/* deletion_candidates() from an answered shallow listing of the storage prefix. */
GPtrArray *deletion_candidates_listed(const struct store_request *storage);

/* The branches that a fork may have (struct dataset_branch): those that its entry records, and its
 * branch of every candidate. Creators before forkfs recorded nothing until the end, and a branch
 * may have been made for an active fork by someone who died before it was recorded. */
GPtrArray *deletion_branches(const struct fork_entry *entry, const GPtrArray *candidates);

/* The branches of a fork of which only a tombstone is left: of those that it records the ones that
 * carry its own id. */
GPtrArray *deletion_branches_by_id(const struct fork_entry *entry);

#endif

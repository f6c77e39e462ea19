/*
 * Finishing a tombstoned fork: everything deleted, then the tombstone, then the entry. Shared by
 * drop and recovery.
 */
#ifndef FORKFS_CATALOG_BURIAL_H
#define FORKFS_CATALOG_BURIAL_H

#include "catalog/catalog_private.h"

/* Deletes what the fork has, its tombstone, and its entry, in this order, each durable before the
 * next. `entry` is tombstoned; its names must have been checked (fork_remains_check_names).
 * `branches`: those to delete, usually entry->datasets. Repeatable; on failure the entry stays. */
int bury(struct catalog *catalog, const struct fork_entry *entry, const GPtrArray *branches,
         struct operation *operation, struct error *err);

/* The names of the datasets on the store in which a fork may have branches that its entry does not
 * record (char *, owned). Errors of the store. */
int burial_candidates(struct catalog *catalog, struct operation *operation, GPtrArray **ret,
                      struct error *err);

/* The branches that a fork may have (struct dataset_branch): those that its entry records, and its
 * branch of every candidate. Creators before forkfs recorded nothing until the end, so candidates
 * matter for every fork that may never have become active. */
GPtrArray *burial_branches(const struct fork_entry *entry, const GPtrArray *candidates);

/* Deletes the tombstone object `key` and its leftovers, durably, and forgets it. */
int bury_tombstone(struct catalog *catalog, const char *key, struct operation *operation,
                   struct error *err);

#endif

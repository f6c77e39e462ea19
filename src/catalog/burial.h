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

/* Deletes the tombstone object `key` and its leftovers, durably, and forgets it. */
int bury_tombstone(struct catalog *catalog, const char *key, struct operation *operation,
                   struct error *err);

#endif

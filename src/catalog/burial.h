/*
 * Finishing tombstoned forks: everything deleted, then the tombstones; the entries are the
 * caller's. Shared by drop and recovery.
 */
#ifndef FORKFS_CATALOG_BURIAL_H
#define FORKFS_CATALOG_BURIAL_H

#include "catalog/catalog_private.h"

/* A fork to be buried. */
struct burial {
    const struct ulid *id;
    const GPtrArray *branches; /* struct dataset_branch, names checked (fork_remains.h) */
    int code;                  /* the answer; same as error.code */
    struct error error;
};

/* Deletes what the forks have, then their tombstones, each durable before the next, in four waves
 * for all of the list; each succeeds or fails on its own. Repeatable. Errors of the store. */
void bury(struct catalog *catalog, struct burial *list, size_t count, struct operation *operation);

/* The names of the datasets on the store in which a fork may have branches that its entry does not
 * record (char *, owned). Errors of the store. */
int burial_candidates(struct catalog *catalog, struct operation *operation, GPtrArray **ret,
                      struct error *err);

/* The same from an answered shallow listing of the storage prefix. */
GPtrArray *burial_candidates_listed(const struct store_request *storage);

/* The branches that a fork may have (struct dataset_branch): those that its entry records, and its
 * branch of every candidate. Creators before forkfs recorded nothing until the end, and a branch
 * may have been made for an active fork by someone who died before it was recorded. */
GPtrArray *burial_branches(const struct fork_entry *entry, const GPtrArray *candidates);

/* Deletes the tombstone object `key` and its leftovers, durably, and forgets it. */
int bury_tombstone(struct catalog *catalog, const char *key, struct operation *operation,
                   struct error *err);

#endif

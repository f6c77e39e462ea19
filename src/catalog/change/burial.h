/*
 * Finishing tombstoned forks: everything deleted, then the tombstones; the entries are the
 * caller's. Shared by drop and recovery.
 */
#ifndef FORKFS_CATALOG_CHANGE_BURIAL_H
#define FORKFS_CATALOG_CHANGE_BURIAL_H

#include "catalog/catalog_private.h"

/* A fork to be buried. */
struct burial {
    const struct ulid *id;
    const GPtrArray *branches;  /* struct dataset_branch, names checked (fork_remains.h) */
    const GPtrArray *looked_at; /* as in struct fork_remains; may be NULL */
    int code;                   /* the answer; same as error.code */
    struct error error;
};

/* Burials under way, whose first wave a caller shares with other requests. The list and what it
 * points at must outlive them; its answers are cleared. Those with a code are left alone from then
 * on, also when the caller set it. */
struct burials;
struct burials *burials_new(struct catalog *catalog, struct burial *list, size_t count);
void burials_free(struct burials *burials); /* NULL: nothing */

/* Asks what there is to delete. The set must outlive burials_carry_out(); run_code: what
 * store_run() returned for it. */
void burials_add_listings(struct burials *burials, struct store_set *set);
void burials_take_listings(struct burials *burials, struct store_set *set, int run_code);

/* Deletes it, durably, and then the tombstones, in two waves for all of the list; each succeeds or
 * fails on its own. Only for forks that have an entry, by which all of this can be repeated. */
void burials_carry_out(struct burials *burials, struct operation *operation);

/* All of that for forks with an entry or without, in four waves. Repeatable. Errors of the store.
 */
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

/* The branches of a fork of which only a tombstone is left: of those that it records the ones that
 * carry its own id. */
GPtrArray *burial_branches_by_id(const struct fork_entry *entry);

/* Deletes the tombstone object `key` and its leftovers, durably, and forgets it. */
int bury_tombstone(struct catalog *catalog, const char *key, struct operation *operation,
                   struct error *err);

#endif

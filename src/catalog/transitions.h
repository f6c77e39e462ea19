/*
 * The commits in the life of a fork: pending, active, tombstoned, removed. Each re-validates, on
 * the state that it is committed to, what its caller has seen before.
 *
 * Any thread; each waits for the committer. Besides the errors named, those of
 * committer_commit().
 */
#ifndef FORKFS_CATALOG_TRANSITIONS_H
#define FORKFS_CATALOG_TRANSITIONS_H

#include "catalog/committer.h"
#include "catalog/fork_entry.h"

/* Inserts a pending entry. ERR_EXISTS when the name is taken, in any status; with a parent,
 * ERR_NOT_FOUND or ERR_STALE when the parent is gone or not active any more. */
int transition_insert(struct committer *committer, struct fork_entry *entry,
                      struct operation *operation, struct error *err);

/* Pending to active. ERR_STALE when the entry is gone or not pending any more: someone else has
 * taken it over. */
int transition_activate(struct committer *committer, const struct ulid *id,
                        struct operation *operation, struct error *err);

/* Active to tombstoned, the decision to drop. ERR_STALE when the entry is gone or not active;
 * ERR_NOT_EMPTY names its children, whatever their status. */
int transition_tombstone(struct committer *committer, const struct ulid *id,
                         struct operation *operation, struct error *err);

/* 0 when the fork has no child forks in `state`; ERR_NOT_EMPTY names them, whatever their status.
 */
int transition_check_childless(const struct registry *state, const struct ulid *id,
                               struct error *err);

/* Pending to tombstoned: fences off whoever makes the fork. 0 also when it is tombstoned or gone
 * already; ERR_EXISTS when it is active: the creation was finished. */
int transition_fence(struct committer *committer, const struct ulid *id,
                     struct operation *operation, struct error *err);

/* Removes the entry, by id; 0 also when it is gone. ERR_STALE when it is not tombstoned. */
int transition_remove(struct committer *committer, const struct ulid *id,
                      struct operation *operation, struct error *err);

#endif

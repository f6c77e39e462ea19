/*
 * The commits in the life of a fork: pending, active, tombstoned, removed; and changes of one
 * member. Each re-validates, on the state that it is committed to, what its caller has seen before.
 * Transitions committed together share one write of the registry.
 *
 * Any thread; each call waits for the committer.
 *
 * Transition, fence, landed, image: in the words of docs/architecture.md.
 */
#ifndef FORKFS_CATALOG_REGISTRY_TRANSITIONS_H
#define FORKFS_CATALOG_REGISTRY_TRANSITIONS_H

#include "catalog/registry/committer.h"
#include "catalog/registry/fork_entry.h"

enum transition_kind {
    /* Inserts `entry`, pending. ERR_EXISTS when the name is taken, in any status; ERR_BUDGET at
     * max_forks; with a parent, ERR_NOT_FOUND when it is gone, transition_refuse_parent(), or
     * ERR_CHANGED when it has got further datasets since `parent` was looked at. */
    TRANSITION_INSERT,
    /* Pending to active. ERR_STALE when the entry is gone or not pending any more: someone else
     * has taken it over. */
    TRANSITION_ACTIVATE,
    /* Active to tombstoned, the decision to drop. ERR_STALE when the entry is gone or not active,
     * or when `expired` is set and that fork has not expired (any more); ERR_NOT_EMPTY names its
     * children, whatever their status. With `decided_at` the entry gets that as its expiry, so
     * that no two decisions look alike. */
    TRANSITION_TOMBSTONE,
    /* Tombstoned to active again, with the expiry that `entry` has: another mount holds the fork.
     * ERR_STALE when it is not tombstoned by the decision of `decided_at` (any more). */
    TRANSITION_RESTORE,
    /* Pending to tombstoned: fences off whoever makes the fork. 0 also when it is tombstoned or
     * gone already; ERR_EXISTS when it is active: the creation was finished. With `decided_at`
     * also tombstoned to tombstoned, with that as its expiry: takes it over from whoever decided
     * on it, so that it cannot be restored any more; ERR_STALE when it is not `entry` any more.
     * With `decided_at` and no `entry` only its own: ERR_STALE when another decision has tombstoned
     * it. With `ret_active` an active fork is left as it is, and told there: 0 says that it is
     * durably so. */
    TRANSITION_FENCE,
    /* Removes the entry, by id; 0 also when it is gone. ERR_STALE when it is not tombstoned. */
    TRANSITION_REMOVE,
    /* Sets or clears the expiry of an active fork. ERR_STALE. */
    TRANSITION_EXPIRY,
    /* Adds datasets (struct dataset_branch in `datasets`) to an active fork; those already mapped
     * to the same branch are fine. ERR_CONFLICT, ERR_STALE; ERR_CONFLICT also for a branch that
     * another fork names. */
    TRANSITION_DATASETS,
    /* Corrects the parent of a fork of any status to `new_parent`. ERR_STALE when the entry is not
     * `entry` any more; ERR_NOT_FOUND when there is no entry of the new parent. */
    TRANSITION_PARENT,
};

struct transition {
    enum transition_kind kind;
    const struct ulid *id;             /* all but INSERT */
    const struct fork_entry *parent;   /* INSERT: as it was when the fork was planned; NULL: none */
    struct fork_entry *entry;          /* INSERT, RESTORE, FENCE (may be NULL), PARENT: borrowed */
    size_t max_forks;                  /* INSERT: 0 means no limit */
    const struct ulid *expired;        /* TOMBSTONE: whose expiry is the reason; NULL: none */
    const struct timespec *expires_at; /* EXPIRY: NULL clears */
    const struct timespec *decided_at; /* INSERT (any), TOMBSTONE, FENCE, RESTORE: see above;
                                          NULL: the catalog has one writer only */
    const GPtrArray *datasets;         /* DATASETS */
    const struct ulid *new_parent;     /* PARENT: NULL: the primary graph */
    struct fork_entry **ret_before;    /* TOMBSTONE: takes the entry as it was; fork_entry_unref().
                                          NULL: nobody wants it */
    bool *ret_active;                  /* FENCE: see above; NULL: ERR_EXISTS */
    struct error *err;                 /* the caller's, never NULL: takes the answer, code 0 for
                                          success */
};

/* Commits all of the list, each on its own merits: one that is refused does not hold up the others.
 * Besides the errors above those of committer_commit_all(). */
void transitions_commit(struct committer *committer, struct transition *list, size_t count,
                        struct operation *operation);

/* One transition, whose own `err` is not used; returns its code. */
int transition_commit(struct committer *committer, struct transition transition,
                      struct operation *operation, struct error *err);

/* Why a fork that is not active can have no children (now): ERR_PENDING; when it is tombstoned
 * ERR_STALE, or ERR_HELD in a shared catalog, where its drop may be taken back. */
int transition_refuse_parent(const struct fork_entry *parent, bool shared, struct error *err);

/* 0 when the fork has no child forks in `state`; ERR_NOT_EMPTY names them, whatever their status.
 */
int transition_check_childless(const struct registry *state, const struct ulid *id,
                               struct error *err);

#endif

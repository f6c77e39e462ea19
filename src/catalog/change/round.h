/*
 * A round: creates and drops of a list that take the steps of their lives together, so that they
 * share its waves and its two writes of the registry. round.c has the table of steps; this is what
 * a create (create.h) and a drop (drop.h) do in each, in this order:
 *
 *   prepare     reads all that decides, plans     looks what hangs on it, closes the door
 *               everything: nothing that can      to new holds
 *               fail is left but writing
 *   wait        -                                 until nobody holds it on other mounts
 *   1st commit  enters it, pending                decides: tombstoned
 *   files       branches, allocator, overlay      tombstone; lists what there is to delete, and
 *                                                 the leases of other mounts
 *   leases      lets Uni compact again            looks who has to agree
 *   agree       -                                 the other mounts do, or the decision is taken
 *                                                 back; lists again what they may have made
 *   delete      -                                 all that was listed, then the tombstone
 *   2nd commit  active: there it is               removes the entry: gone
 *   undo        what failed after it was entered  -
 *   end         leaves to recovery what is        opens the door; the same
 *               unfinished
 *
 * A create that has failed takes no part in what follows until it is undone; a drop that was
 * decided on goes on although its caller has lost interest. Where drops have to wait for other
 * mounts, creates do not wait with them: they take the 2nd commit before.
 *
 * One thread.
 *
 * Round, task, decision, door, tombstone: in the words of docs/architecture.md.
 */
#ifndef FORKFS_CATALOG_CHANGE_ROUND_H
#define FORKFS_CATALOG_CHANGE_ROUND_H

#include "base/timestamp.h"
#include "catalog/catalog_private.h"
#include "catalog/registry/transitions.h"

/* What a create and a drop have in common; their first member. */
struct task {
    struct change *change;
    struct error *err; /* change->error: whatever fails below is told there, once */
    char *lock_name;   /* the name that is locked for it, */
    bool is_locked;    /* if it could be */
    /* The task's requests in the wave at hand: first to end - 1. */
    size_t first;
    size_t end;
    bool late_writes; /* puts of its files were given up, and may still arrive */
};

struct round {
    struct catalog *catalog;
    GPtrArray *tasks;   /* struct task, in the order of the list */
    GPtrArray *creates; /* those of them that are: struct create */
    GPtrArray *drops;   /* struct drop */
    GPtrArray *sets;    /* struct store_set: all waves, whose answers are read until the end */
    /* The caller's: can be cancelled; ends early when there may be something to undo afterwards. */
    struct operation *operation;
    int64_t deadline_ns; /* of the whole operation */
    /* After a decision to drop: goes on although the caller lost interest. */
    struct operation finishing;
    struct timespec decided_at; /* in a shared catalog: what the decisions are known by */

    /* Creates */
    GArray *points; /* struct fork_point_query, one for all creates with the same parent */
    bool has_compaction_lock;
    GHashTable *branched; /* datasets (char *) that active forks have branches in; NULL: not yet */

    /* Drops */
    GPtrArray *candidates; /* datasets in which a fork may have branches that are not recorded */
    struct deletions *deletions;
    int64_t drain_until_ns; /* monotonic_now_ns(): how long to wait for holders */
    const struct store_request *lease_listing; /* NULL: nobody has to agree */
    int64_t looked_ns;                         /* when that began: leases_now_ns() */
    bool has_others;                           /* other mounts that have to agree */
};

static inline bool task_is_well(const struct task *task)
{
    return task->err->code == 0;
}

/* Fails all tasks of the list (struct task) that are well so far. */
static inline void tasks_fail(const GPtrArray *tasks, const struct error *failure)
{
    for (guint i = 0; i < tasks->len; i++) {
        const struct task *task = g_ptr_array_index(tasks, i);
        if (task_is_well(task))
            error_copy(task->err, failure);
    }
}

/* Something is left of the fork, or (until_ns) may come to be: the caretaker goes on with it.
 * `is_own`: only this mount could bring the entry to life, so it need not be watched. After
 * abandoned puts neither begins before these can no longer arrive. */
static inline void task_leave(const struct task *task, struct catalog *catalog,
                              const struct ulid *id, bool is_own, int64_t until_ns)
{
    const int64_t now_ns = monotonic_now_ns();
    const int64_t not_before_ns = now_ns + (task->late_writes ? STORE_LATE_NS : 0);
    const struct leftover left = {.kind = LEFTOVER_ENTRY, .id = *id, .until_ns = until_ns};
    task->change->left = true;
    if (is_own)
        takeover_add_own(catalog->takeover, TAKEOVER_ENTRY, id->text, not_before_ns);
    leftovers_add(catalog->leftovers, &left, not_before_ns);
}

/* What one kind of change does in a commit: for each task which transition, if any, and for those
 * that had one what has come of it, which is in the task's error. */
struct commit_part {
    bool (*choose)(struct round *round, struct task *task, struct transition *transition);
    void (*done)(struct round *round, struct task *task);
};

/* What one kind of change does in a wave; any may be NULL. */
struct wave_part {
    int bearable; /* the failure of a task's own request with this code is none; 0: there is none */
    /* For each task that is well: its own requests; and what follows from their answers, of which
     * the first failure is in its error by then. */
    void (*add)(struct round *round, struct task *task, struct store_set *set);
    void (*take)(struct round *round, struct task *task, struct store_set *set);
    /* For all tasks of the kind at once. */
    void (*add_common)(struct round *round, struct store_set *set);
    void (*take_common)(struct round *round, struct store_set *set, int run_code);
};

/* Carries out one round of a list: struct change. */
void round_run(struct catalog *catalog, const GPtrArray *changes, struct operation *operation);

/* The name that is locked for a change; g_free(). Whoever drops by id must not work beside one who
 * uses the name. */
char *round_lock_name(struct catalog *catalog, const struct change *change);

#endif

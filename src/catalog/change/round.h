/*
 * One round of changes in progress: what create.c, drop.c and drop_agreement.c share with
 * change.c, which drives them.
 *
 * A step looks at the tasks that are well so far (code 0) and leaves a code and an error in those
 * that fail. One thread.
 */
#ifndef FORKFS_CATALOG_CHANGE_ROUND_H
#define FORKFS_CATALOG_CHANGE_ROUND_H

#include "catalog/catalog_private.h"
#include "catalog/registry/transitions.h"

/* A fork point, or why there is none; read once for all tasks with the same parent. */
struct round_point {
    struct fork_entry *parent; /* NULL: the primary graph */
    struct fork_point *point;  /* NULL: see `error` */
    struct error error;
};

/* A change being carried out. */
struct task {
    struct change *change;
    char *lock_name;          /* the name that is locked for it */
    struct fork_entry *entry; /* CREATE: pending; DROP: as it was before the decision */
    int code;
    struct error error;

    /* CREATE */
    struct ulid id;
    struct fork_entry *parent;      /* NULL: the primary graph */
    const struct fork_point *point; /* owned by the round */
    GPtrArray *plans;               /* struct branch_plan */
    bool entered;                   /* the pending entry was written, or may have been */
    bool late_entry;                /* it had no known outcome, and may still arrive */
    bool taken_over;                /* another mount has tombstoned it */
    struct bytes *overlay;

    /* DROP */
    bool door_closed;
    bool elsewhere; /* another mount is dropping it */
    bool decided;   /* tombstoned */
    bool agreed;    /* so do the other mounts */
    bool objected;  /* something depends on the fork after all: the decision is to be taken back */
    char *tombstone_key;
    struct bytes *tombstone;

    /* Its requests in the wave of files: first to end - 1. */
    size_t first;
    size_t end;
    bool late_writes; /* puts of files were abandoned, and may still arrive */
};

struct round {
    struct catalog *catalog;
    struct task *tasks;
    size_t count;
    GPtrArray *points; /* struct round_point */
    bool has_compaction_lock;
    /* The caller's: can be cancelled; ends early when there may be something to undo afterwards. */
    struct operation *operation;
    int64_t deadline_ns; /* of the whole operation, undoing included */
    /* After a decision to drop, and for undoing: goes on although the caller lost interest. */
    struct operation finishing;
    struct drops *drops; /* what the drops share; NULL: there is none */

    /* DROP in a shared catalog */
    struct timespec decided_at;                /* what the decisions are known by */
    const struct store_request *lease_listing; /* NULL: nobody has to agree */
    bool has_others;                           /* other mounts that have to */
    int64_t looked_ns;                         /* when it began: leases_now_ns() */
};

/* ---- Creating, in the order of use ---- */

/* Names, parents, fork points, plans, entries; takes the lock on compaction for that. */
void create_prepare(struct round *round);
bool create_transition(struct round *round, struct task *task,
                       struct transition *transition); /* enter as pending */
void create_entered(struct round *round, struct task *task, const struct transition *transition);
void create_add_files(struct round *round, struct task *task, struct store_set *set);
void create_files_put(struct round *round, struct task *task, struct store_set *set);
/* The refs are there, or never will be: lets go of the lock. */
void create_let_compact(struct round *round);
bool create_activation(struct round *round, struct task *task, struct transition *transition);
void create_activated(struct round *round, struct task *task, const struct transition *transition);
void create_undo(struct round *round); /* all that failed after they were entered */

/* ---- Dropping, in the order of use ---- */

void drop_prepare(struct round *round); /* entries, names, descendants, datasets, doors */
/* Waits for holders on other mounts, as far as they are known; ERR_HELD. */
int drop_await_others(struct round *round, struct task *task, int64_t drain_until_ns);
bool drop_transition(struct round *round, struct task *task,
                     struct transition *transition); /* the decision */
void drop_decided(struct round *round, struct task *task, const struct transition *transition);
void drop_add_files(struct round *round, struct task *task, struct store_set *set);
/* Listings of what there is to delete, in the same wave; the set then belongs to the round. */
void drop_add_listings(struct round *round, struct store_set *set);
/* A listing of the leases of the other mounts, for drop_look_at_leases(). */
void drop_add_lease_listing(struct round *round, struct store_set *set);
/* Runs the set; in a shared catalog also looks in the same wave for tags made since the first look.
 * Returns as store_run(). */
int drop_run_files(struct round *round, struct store_set *set, struct operation *operation);
void drop_files_put(struct round *round, struct task *task);
void drop_take_listings(struct round *round, struct store_set *set, int run_code);
/* True when there are other mounts, which have to agree, or nobody knows. */
bool drop_look_at_leases(struct round *round);
/* Waits until they do, and looks once more at what there is to delete and whether anything depends
 * on the forks; or takes the decision back. */
void drop_agree(struct round *round);
void drop_delete(struct round *round); /* what the forks have, then their tombstones */
bool drop_removal(struct round *round, struct task *task, struct transition *transition);
void drop_removed(struct round *round, struct task *task, const struct transition *transition);
void drop_end(struct round *round); /* opens the doors */

#endif

/*
 * A create: one fork in the making, as part of a round (round.h has its steps).
 */
#ifndef FORKFS_CATALOG_CHANGE_CREATE_H
#define FORKFS_CATALOG_CHANGE_CREATE_H

#include "catalog/change/round.h"

/* How far it has come; its error says whether it goes on. Allowed successors:
 *
 *     WISHED -> PLANNED -> ENTERED -> FILED -> ACTIVE
 *
 * and of one that has failed after it was entered:
 *
 *     ENTERED, FILED -> FENCED -> GONE
 *     ENTERED, FILED, FENCED -> LEFT
 *     ENTERED, FILED -> TAKEN
 *     ENTERED, FILED -> ACTIVE
 */
enum create_state {
    CREATE_WISHED,
    CREATE_PLANNED, /* nothing is written, and nothing stands in the way */
    CREATE_ENTERED, /* the pending entry was written, or may have been */
    CREATE_FILED,   /* its files are on the store */
    CREATE_ACTIVE,  /* done, perhaps by an activation whose answer was lost */
    CREATE_FENCED,  /* tombstoned: nobody can activate it any more */
    CREATE_GONE,    /* undone: nothing is left of it */
    CREATE_LEFT,    /* something is left, for recovery */
    CREATE_TAKEN    /* another mount has tombstoned it, and goes on */
};

struct create {
    struct task task; /* the fork's id is in its change */
    enum create_state state;
    struct fork_entry *parent;      /* NULL: the primary graph */
    const struct fork_point *point; /* owned by the round */
    GPtrArray *plans;               /* struct branch_plan */
    struct fork_entry *entry;       /* pending */
    struct bytes *overlay;          /* NULL: no files have been written yet */
    GPtrArray *written;   /* struct dataset_branch: those of which something was written, or may
                             have been; NULL: none */
    bool late_entry;      /* the entry's commit had no known outcome: it may still arrive */
    bool is_active;       /* when it was to be undone it was seen to be active */
    struct error problem; /* what could not be undone */
};

/* Moves the create on to a state that may follow its own. */
void create_move(struct create *create, enum create_state next);

/* ---- In the order of the steps ---- */

/* Names, parents, fork points, plans, entries; takes the lock on compaction for that. */
void create_prepare(struct round *round);
extern const struct commit_part create_enter;
extern const struct wave_part create_files;
/* The refs are there, or never will be: lets go of the lock. */
void create_let_compact(struct round *round);
extern const struct commit_part create_activate;
/* Fences all that failed once they were entered, deletes their files, removes their entries; what
 * cannot be undone is added to the failure. */
void create_undo(struct round *round);
/* Tells recovery what is left of creates. */
void create_leave(struct round *round);

void create_free(struct create *create);

#endif

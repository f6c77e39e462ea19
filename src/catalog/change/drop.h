/*
 * A drop: one fork that goes, as part of a round (round.h has its steps).
 */
#ifndef FORKFS_CATALOG_CHANGE_DROP_H
#define FORKFS_CATALOG_CHANGE_DROP_H

#include "catalog/change/round.h"

/* How far it has come; its error says whether it goes on. Allowed successors:
 *
 *     WISHED -> CLOSED -> DECIDED -> AGREED -> DELETED -> GONE
 *
 * and of one that another mount, a holder or a tag objects to:
 *
 *     DECIDED, AGREED -> REFUSED -> RESTORED
 *     REFUSED -> LEFT
 */
enum drop_state {
    DROP_WISHED,
    DROP_CLOSED,   /* nothing hangs on it, and this mount takes no new holds */
    DROP_DECIDED,  /* tombstoned */
    DROP_AGREED,   /* so do all other mounts: nothing takes it back any more */
    DROP_DELETED,  /* nothing but its entry is left */
    DROP_GONE,     /* done */
    DROP_REFUSED,  /* the decision is to be taken back */
    DROP_RESTORED, /* active again */
    DROP_LEFT      /* it could not be taken back: the fork stays tombstoned */
};

struct drop {
    struct task task;
    enum drop_state state;
    struct fork_entry *entry;  /* as it was before the decision; NULL: there is none */
    struct fork_entry *before; /* as the decision has found it; NULL: not told */
    GPtrArray *branches;       /* struct dataset_branch: those that go */
    bool has_refs;             /* of an active fork: a recorded branch was seen */
    char *tombstone_key;
    struct bytes *tombstone;
};

/* Moves the drop on to a state that may follow its own. */
void drop_move(struct drop *drop, enum drop_state next);
/* Whether the fork is tombstoned by this drop, or was before and is to be finished by it. */
bool drop_is_decided(const struct drop *drop);

/* ---- In the order of the steps ---- */

void drop_prepare(struct round *round); /* entries, names, descendants, datasets, doors */
/* Its last part, with the datasets listed and the refs of active forks looked at: ERR_AWAY for
 * those of which a dataset is not there, or, unless somebody has begun to delete them, no branch.
 * No requests as long as all is there. */
void drop_check_away(struct round *round);
/* After ERR_STALE: what another mount has just decided to drop is not gone, and ERR_HELD. */
void drop_blame_other_mount(const struct round *round, struct drop *drop);
/* Waits for holders on other mounts, as far as they are known; ERR_HELD. */
void drop_await_holders(struct round *round);
extern const struct commit_part drop_decide;
extern const struct wave_part drop_files; /* the tombstones, and listings of what to delete */
/* Runs the wave. In a shared catalog it also lists the leases of other mounts, if anybody has to
 * agree, and looks whether anything depends on the forks; those of which that is so are refused.
 * Returns as store_run(). */
int drop_run_and_look(struct round *round, struct store_set *set, struct operation *operation);
/* Finds out whether there are other mounts, which have to agree, or nobody knows. */
void drop_look_at_leases(struct round *round);
/* Waits until they do; those that they do not agree to are refused and restored. */
void drop_agree(struct round *round);
extern const struct wave_part drop_list_again; /* what holders have made until they let go */
void drop_take_back(struct round *round);      /* restores those that were refused */
void drop_delete(struct round *round);         /* what the forks have, then their tombstones */
extern const struct commit_part drop_remove;
/* Opens the doors, and tells recovery what is left. */
void drop_end(struct round *round);

void drop_free(struct drop *drop);

#endif

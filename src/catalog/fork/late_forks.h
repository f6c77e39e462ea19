/*
 * The forks for which something may still arrive: requests of theirs were given up, and a server,
 * or the network before it, may carry them out later. As long as a fork is there that does no harm.
 * One that has gone meanwhile is looked at a second time when nothing can arrive any more.
 *
 * In memory only: what a mount that ends does not come to is found by recovery/remnants.h.
 *
 * Thread-safe; the lock is a leaf. Times: nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef FORKFS_CATALOG_FORK_LATE_FORKS_H
#define FORKFS_CATALOG_FORK_LATE_FORKS_H

#include <glib.h>
#include <stdint.h>

#include "base/ulid.h"

struct late_forks;

struct late_fork {
    struct ulid id;
    GPtrArray *branches; /* struct dataset_branch: where something may arrive */
    int64_t due_ns;      /* from then on nothing does */
};

struct late_forks *late_forks_new(void);
void late_forks_free(struct late_forks *late); /* NULL: nothing */

/* Requests of the fork that may have put these branches (struct dataset_branch) were given up
 * before `now_ns`. Adds to what is known of it. */
void late_forks_add(struct late_forks *late, const struct ulid *id, const GPtrArray *branches,
                    int64_t now_ns);

/* Those for which nothing can arrive any more: copies (struct late_fork), owned by the array. They
 * stay in the list. */
GPtrArray *late_forks_due(struct late_forks *late, int64_t now_ns);

/* Forgets a fork that late_forks_due() gave; unless more of it has been given up since. */
void late_forks_forget(struct late_forks *late, const struct late_fork *fork);

#endif

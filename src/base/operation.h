/*
 * What one user-visible operation (an mkdir, a recovery) carries through all layers: a deadline
 * and a way to be cancelled while it waits.
 *
 * Threading: the owner initialises and destroys it; any thread may cancel or query it. A wait that
 * wants to be woken by a cancel registers its condition with operation_watch() before it takes the
 * condition's mutex, and removes it with operation_unwatch() after releasing it (lock order:
 * operation first, watched mutex second). Only one watch at a time.
 *
 * The time while the machine is suspended counts, although waits do not notice it: CLOCK_MONOTONIC
 * stands still, but others take over what seems to be left. So an operation whose machine slept
 * ends before its next step.
 *
 * Everywhere a `struct operation *` is taken, NULL means: no deadline, never cancelled.
 */
#ifndef FORKFS_BASE_OPERATION_H
#define FORKFS_BASE_OPERATION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct operation {
    int64_t timeout_ms;   /* the time that it was given; negative: no deadline */
    int64_t deadline_ns;  /* CLOCK_MONOTONIC; INT64_MAX: none */
    int64_t suspended_ns; /* by how much CLOCK_BOOTTIME was ahead of that at the beginning */
    int64_t begun_ns;     /* CLOCK_MONOTONIC */
    int64_t silence_ms;   /* operation_give_up_early(); 0: it goes on until its deadline */
    bool cancelled;       /* atomic */
    pthread_mutex_t lock;
    pthread_cond_t *watched_cond;
    pthread_mutex_t *watched_mutex;
};

/* timeout_ms < 0: no deadline. */
void operation_init(struct operation *operation, int64_t timeout_ms);
void operation_destroy(struct operation *operation);
/* Usage: auto_operation struct operation operation; operation_init(&operation, ...); */
#define auto_operation __attribute__((cleanup(operation_destroy)))

/* For taking back what `of` (NULL: no deadline) has begun: that has a time of its own, as long as
 * was given to `of`, and goes on when `of` is cancelled. longest_ms: for so long both together may
 * take, unless `of` was given more; negative: there is no such limit. operation_destroy(). */
void operation_init_undoing(struct operation *undoing, const struct operation *of,
                            int64_t longest_ms);

/* Gives it its whole time again, from now on. For the owner, while nobody waits with it. */
void operation_renew(struct operation *operation);

/* Marks it cancelled and wakes the registered wait. May be called from any thread, repeatedly. */
void operation_cancel(struct operation *operation);
bool operation_is_cancelled(const struct operation *operation);

/* 0, ERR_INTERRUPTED or ERR_DEADLINE (with a text that names `stage`). */
int operation_check(const struct operation *operation, const char *stage, struct error *err);

/* Milliseconds left, never negative; INT64_MAX without a deadline. 0 when the deadline has passed,
 * perhaps before CLOCK_MONOTONIC says so. */
int64_t operation_remaining_ms(const struct operation *operation);

/* Shortens the deadline by a quarter of the time left, so that undoing what was begun fits, unless
 * it is slow, into the time that the user was promised. Returns the deadline as it was. For the
 * owner. */
int64_t operation_reserve(struct operation *operation);

/* For an operation that begins with asking and takes several steps: would a first answer take more
 * than a third of its time, it would not come to its end. So it is given up when the other side has
 * answered nothing at all, to nobody, for so long since it began (but for OPERATION_SILENCE_MS at
 * least); nothing has been changed by then. Whoever asks a server minds that. For the owner, before
 * the first step; NULL and without deadline: nothing. */
#define OPERATION_SILENCE_MS 5000
void operation_give_up_early(struct operation *operation);

void operation_watch(struct operation *operation, pthread_cond_t *cond, pthread_mutex_t *mutex);
void operation_unwatch(struct operation *operation);

/* Initialises a condition variable that times out on CLOCK_MONOTONIC. */
void monotonic_cond_init(pthread_cond_t *cond);

/* pthread_cond_timedwait until `deadline_ns` (CLOCK_MONOTONIC; INT64_MAX: no limit). Returns false
 * when the time has passed. Spurious wake-ups happen; callers loop. */
bool monotonic_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns);

#endif

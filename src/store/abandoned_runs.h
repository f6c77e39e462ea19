/*
 * How many runs of sets were abandoned and have not ended: their calls are stuck, or only slow.
 *
 * Thread-safe; the lock is a leaf.
 */
#ifndef FORKFS_STORE_ABANDONED_RUNS_H
#define FORKFS_STORE_ABANDONED_RUNS_H

#include <stdbool.h>
#include <stdint.h>

struct abandoned_runs;

struct abandoned_runs *abandoned_runs_new(void);
void abandoned_runs_free(struct abandoned_runs *runs); /* all have ended; NULL: nothing */

/* A run is abandoned; it has ended. */
void abandoned_runs_add(struct abandoned_runs *runs);
void abandoned_runs_end(struct abandoned_runs *runs);

/* Waits until all have ended, at most so many milliseconds. Whether they have. */
bool abandoned_runs_await(struct abandoned_runs *runs, int64_t timeout_ms);

#endif

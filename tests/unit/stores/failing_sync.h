/*
 * Syncs of directories that fail, and what a power failure would leave then. For programs that are
 * linked with -Wl,--wrap=fsync; nothing is really synced in them.
 *
 * As in Linux, what a failed sync did not write counts as written afterwards: an entry that was new
 * at that time is durable only when another file has taken its place by the next sync that
 * succeeds.
 *
 * Thread-safe.
 */
#ifndef FORKFS_UNIT_STORES_FAILING_SYNC_H
#define FORKFS_UNIT_STORES_FAILING_SYNC_H

#include <stdbool.h>

/* From now on fails the syncs number `first` to `last`, counted from 1, of directories whose paths
 * contain `part`, with EIO. */
void failing_sync_arm(const char *part, unsigned first, unsigned last);
void failing_sync_disarm(void);

/* Holds up all syncs of directories whose paths contain `wanted`, until failing_sync_release();
 * calls `when_held` for each. */
void failing_sync_hold(const char *wanted, void (*when_held)(void));
void failing_sync_release(void);

/* How many have failed since arming. */
unsigned failing_sync_count(void);

/* Whether what is at that path survives a power failure: a file, or that there is none. */
bool failing_sync_is_durable(const char *path);

/* The path of something that does not, and does not contain `except`; NULL when there is nothing.
 * g_free(). */
char *failing_sync_lost(const char *except);

#endif

/*
 * Tells the kernel to forget cached attributes, and to wake who waits in poll(2); the only caller
 * of fuse_lowlevel_notify_*.
 *
 * One thread works through a queue. A notification can wait for the kernel, so nobody notifies
 * from a handler or with a lock held.
 *
 * Only attributes are invalidated, never directory entries: an entry's invalidation needs the lock
 * of its directory, which the kernel keeps during a whole mkdir or rmdir there, and it is not
 * needed. Whoever uses a cached entry of a fork that is gone asks for its attributes first, is
 * answered ESTALE, and the kernel then looks the whole path up again.
 *
 * Thread-safe; the lock inside is a leaf.
 */
#ifndef FORKFS_FS_STATE_NOTIFIER_H
#define FORKFS_FS_STATE_NOTIFIER_H

#include <stdbool.h>
#include <stdint.h>

struct notifier;
struct fuse_pollhandle;
struct fuse_session;

struct notifier *notifier_new(void);
void notifier_free(struct notifier *notifier); /* stops it first; NULL: nothing */

/* Starts the thread. What was queued before is dropped: nothing is cached yet. Returns false when
 * there can be no thread. */
bool notifier_start(struct notifier *notifier, struct fuse_session *fuse);
/* Drops what waits and ends the thread, which must happen before the session goes. */
void notifier_stop(struct notifier *notifier);

void notifier_attributes_changed(struct notifier *notifier, uint64_t node_id);

/* Takes over the poll handle. */
void notifier_wake(struct notifier *notifier, struct fuse_pollhandle *poll);

/* Waits until all that was queued before has been delivered, at most timeout_ms. */
void notifier_flush(struct notifier *notifier, int64_t timeout_ms);

#endif

/*
 * Uni's lock against compacting a local database twice at a time, storage/compaction.lock.
 *
 * Uni has it exclusively (flock) while it compacts, which removes versions of datasets; and every
 * writable open of Uni wants it for a moment, looks for it 100 times a second, and gives up after
 * 30 s. Whoever makes branches has it shared, from the reading of the fork point until the refs are
 * there, which protect what they name. One descriptor serves all users in a process.
 *
 * So that Uni gets its turn however many branches are made, nobody joins users who have had it for
 * as long as one may wait, and when it has been had for that long with hardly a break, a break is
 * made.
 *
 * Only where the file exists: it is Uni's, and versions before 5 do not have it.
 *
 * Thread-safe; waits on a condition and tries again from time to time, on the caller's thread.
 */
#ifndef FORKFS_CATALOG_UNI_COMPACTION_LOCK_H
#define FORKFS_CATALOG_UNI_COMPACTION_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/operation.h"

#define COMPACTION_LOCK_WAIT_MS 5000

struct compaction_lock;

/* path: of the file; NULL: there is none, and nothing is ever locked. longest_ms: how long to wait,
 * and how long to have it without a break; COMPACTION_LOCK_WAIT_MS but for tests. */
struct compaction_lock *compaction_lock_new(const char *path, int64_t longest_ms);
void compaction_lock_free(struct compaction_lock *lock); /* nobody may have it; NULL: nothing */

/* *ret_held: whether there is something to release. ERR_CONTENDED (somebody else had it all the
 * time), ERR_INTERRUPTED, ERR_DEADLINE, errors of open() and flock(). operation may be NULL. */
int compaction_lock_acquire(struct compaction_lock *lock, struct operation *operation,
                            bool *ret_held, struct error *err);
void compaction_lock_release(struct compaction_lock *lock);

#endif

/*
 * Marks that allow a fork to be dropped, where the mount asks for them (confirm_drop).
 *
 * Writing `drop` to the status of a fork marks it: within DROP_MARK_NS the same user may drop it. A
 * mark allows any number of attempts and one drop: the one that succeeds uses it up, and with it
 * those of other users, since the fork is gone.
 *
 * Marks are in memory, so they do not outlive the mount, nor are they known to other mounts.
 *
 * Thread-safe; the lock inside is a leaf. Times are CLOCK_MONOTONIC, in nanoseconds.
 */
#ifndef FORKFS_FS_STATE_DROP_MARKS_H
#define FORKFS_FS_STATE_DROP_MARKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timestamp.h"
#include "base/ulid.h"

#define DROP_MARK_NS (60 * NS_PER_SECOND)

struct drop_marks;

struct drop_marks *drop_marks_new(void);
void drop_marks_free(struct drop_marks *marks); /* NULL: nothing */

/* What was written to a status: `drop`, and nothing else but blanks and newlines behind it.
 * ERR_INVALID. */
int drop_marks_parse(const struct bytes *text, struct error *err);

/* `user` marks the fork `id`; anew, when that has been done before. */
void drop_marks_set(struct drop_marks *marks, const struct ulid *id, uid_t user, int64_t now_ns);

/* Before `user` has the fork dropped: ERR_NOT_PERMITTED without a mark of the last DROP_MARK_NS. */
int drop_marks_check(struct drop_marks *marks, const struct ulid *id, uid_t user, int64_t now_ns,
                     struct error *err);

/* The fork has been dropped. */
void drop_marks_use(struct drop_marks *marks, const struct ulid *id);

#endif

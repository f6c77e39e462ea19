/*
 * Keeps recursive deletes from dropping forks.
 *
 * A program that deletes a tree goes on to rmdir although the unlinks inside were refused
 * (find -delete, rmtree with errors ignored). So an rmdir of a fork is refused when the same
 * process was refused a deletion inside that fork a moment ago.
 *
 * What is refused in a directory counts for every fork that the directory's path goes through:
 * deleting forks/P with everything in it starts deep inside, at forks/P/children/C/tags/T/versions
 * perhaps, and must then spare C with its tags, and P. It counts for the fork, not for the path: C
 * is spared in forks/ as well.
 *
 * Thread-safe; the lock inside is a leaf. Times are CLOCK_MONOTONIC, in nanoseconds.
 */
#ifndef FORKFS_FS_STATE_DELETE_GUARD_H
#define FORKFS_FS_STATE_DELETE_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/timestamp.h"
#include "fs/tree/node_table.h"

#define DELETE_GUARD_NS (2 * NS_PER_SECOND)

struct delete_guard;

struct delete_guard *delete_guard_new(void);
void delete_guard_free(struct delete_guard *guard); /* NULL: nothing */

/* `process` was refused a deletion inside the fork `id`. */
void delete_guard_note(struct delete_guard *guard, pid_t process, const struct ulid *id,
                       int64_t now_ns);

/* Whether that happened within the last DELETE_GUARD_NS. */
bool delete_guard_refuses(struct delete_guard *guard, pid_t process, const struct ulid *id,
                          int64_t now_ns);

/* The process of `thread`, which sent a request, was refused to delete something in the directory
 * `directory`. */
void delete_guard_note_path(struct delete_guard *guard, pid_t thread, const struct node *directory);

/* Before `thread` has the fork `id`, or a tag of it, deleted. ERR_NOT_PERMITTED. */
int delete_guard_check(struct delete_guard *guard, pid_t thread, const struct ulid *id,
                       struct error *err);

#endif

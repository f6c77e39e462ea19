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
 * Other programs try the directory first, and go into it when that is refused. So the refused
 * rmdir of a directory counts for all forks that are reached through it: of forks/ for all there
 * are, of forks/P, P/children or P/tags for those whose path goes through P. Each fork that is
 * spared for that reason begins the time anew: with many of them the walk takes longer.
 *
 * Processes are told apart because a shell runs each rmdir in one of its own, so that what somebody
 * types after a refusal works. A program that makes all its calls itself has to wait.
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

/* `process` was refused the rmdir of the directory of the fork `id`, or (NULL) of one with all
 * forks, and may go into it now. */
void delete_guard_note_tree(struct delete_guard *guard, pid_t process, const struct ulid *id,
                            int64_t now_ns);

/* Whether one of these happened within the last DELETE_GUARD_NS. directory: that of the fork `id`,
 * or of its tag, that is about to go; NULL: on no path. */
bool delete_guard_refuses(struct delete_guard *guard, pid_t process, const struct node *directory,
                          const struct ulid *id, int64_t now_ns);

/* The process of `thread`, which sent a request, was refused to delete a file in `directory`. */
void delete_guard_file_refused(struct delete_guard *guard, pid_t thread,
                               const struct node *directory);

/* It was refused to remove a directory in `directory`: the one of the fork `id`, or (NULL) one that
 * the mount consists of. */
void delete_guard_directory_refused(struct delete_guard *guard, pid_t thread,
                                    const struct node *directory, const struct ulid *id);

/* Whether the process of `thread` was refused a directory that `directory` is in, or is. */
bool delete_guard_covers(struct delete_guard *guard, pid_t thread, const struct node *directory);

/* Before `thread` has a fork in `directory`, or (in tags/) a tag, deleted; id: that fork's, or the
 * tag's. ERR_NOT_PERMITTED. */
int delete_guard_check(struct delete_guard *guard, pid_t thread, const struct node *directory,
                       const struct ulid *id, struct error *err);

#endif

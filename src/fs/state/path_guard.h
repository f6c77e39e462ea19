/*
 * The guard against recursive deletes (delete_guard.h), for paths.
 *
 * What is refused in a directory counts for every fork that the directory's path goes through:
 * deleting forks/P with everything in it starts deep inside, at forks/P/children/C/tags/T/versions
 * perhaps, and must then spare C with its tags, and P. It counts for the fork, not for the path: C
 * is spared in forks/ as well.
 */
#ifndef FORKFS_FS_STATE_PATH_GUARD_H
#define FORKFS_FS_STATE_PATH_GUARD_H

#include "fs/state/session_state.h"

/* The request's process was refused to delete something in the directory `directory`. */
void path_guard_note(struct session *session, fuse_req_t request, const struct node *directory);

/* Before a fork, or a tag of it, is deleted. ERR_NOT_PERMITTED. */
int path_guard_check(struct session *session, fuse_req_t request, const struct ulid *fork_id,
                     struct error *err);

#endif

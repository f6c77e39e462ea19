/*
 * Taking our own mount away, wherever it is by now: the directories above a mountpoint can be
 * renamed, and mount(8) can move a mount. libfuse only knows where it was.
 *
 * No state; one thread.
 */
#ifndef FORKFS_FS_UNMOUNT_H
#define FORKFS_FS_UNMOUNT_H

#include "base/error.h"

/* What tells the mount that is seen at a path from all others, as long as its file system is in
 * use: then both may be another's. NULL when that cannot be told. g_free(). */
char *unmount_mark(const char *path);

/* Where the mount with a mark is by now, when that is another path than `path`; else (also when it
 * is gone, or the mark is NULL) NULL. g_free(). */
char *unmount_moved_path(const char *path, const char *mark);

/* Unmounts what is seen at a path, at once for those who look, later for those who have files open
 * in it; as a user, through fusermount3. ERR_IO and others, with the path. */
int unmount_path(const char *path, struct error *err);

#endif

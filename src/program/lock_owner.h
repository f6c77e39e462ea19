/*
 * Who has the lock on one of a catalog's directories, for the one line that tells why it cannot be
 * had.
 *
 * Looks into /proc, changes nothing, and may be wrong when the owner goes meanwhile. Of another
 * container it knows less.
 */
#ifndef FORKFS_PROGRAM_LOCK_OWNER_H
#define FORKFS_PROGRAM_LOCK_OWNER_H

#include <sys/types.h>

/* " (pid 12, forkfs, mounted at /mnt/graph)", or less of it; "" when nothing is known. `path`: of
 * the locked directory. g_free(). */
char *lock_owner_text(const char *path);

/* As /proc/locks tells: the process that has locked a file with flock(2). 0: not known. `locks` is
 * the text of that file; for tests. */
pid_t lock_owner_pid(const char *locks, dev_t device, ino_t inode);

#endif

/*
 * SIGHUP: what was read at the start is read again, credentials for S3 and the level of the log.
 *
 * A thread of its own waits for it. In the foreground on a terminal it is not for us: the terminal
 * is gone then, and libfuse's handler ends the mount.
 */
#ifndef FORKFS_PROGRAM_HANGUP_H
#define FORKFS_PROGRAM_HANGUP_H

#include <stdbool.h>

#include "base/log.h"
#include "base/thread.h"
#include "store/s3/credentials/s3_profile.h"

struct hangup {
    struct log *log;
    enum log_level level;       /* where no file says another */
    const char *level_file;     /* NULL: none */
    struct s3_profile *profile; /* outlives the thread; NULL: no credentials */
    int fd;                     /* signalfd; -1: none */
    struct thread thread;
};

/* Whether SIGHUP means "read again", for a process in the background or not. Blocks it then, for
 * this thread and those that it starts; so it is called before there are others. */
bool hangup_claim(bool background);

/* The level that `file` (NULL: none) has in its first line, or `otherwise` where there is no such
 * file. ERR_INVALID when it says no level, ERR_ACCESS and others when it cannot be read. */
int hangup_log_level(const char *file, enum log_level otherwise, enum log_level *ret,
                     struct error *err);

/* Starts the thread; all but fd and thread is filled in. ERR_IO. */
int hangup_start(struct hangup *hangup, struct error *err);
/* Waits for its end. One that was not started (zeroed): nothing. */
void hangup_stop(struct hangup *hangup);

#endif

/*
 * Going to the background: a parent that waits until the child is ready, and passes on how it went.
 *
 * The process splits before any thread, store or mount exists; the child does all the work. Until
 * it is ready it belongs to its parent: same session and terminal, and it dies with it, so that
 * interrupting a start leaves nothing behind.
 *
 * Threading: for main's thread before others exist, but daemon_ready() at any time.
 */
#ifndef FORKFS_PROGRAM_DAEMON_H
#define FORKFS_PROGRAM_DAEMON_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"

struct daemon {
    bool is_parent;  /* nothing left to do but to exit with exit_status */
    int exit_status; /* parent: of the start */
    int ready_fd;    /* child: where the parent listens; -1 otherwise */
};

/* For a process that stays in the foreground. */
#define DAEMON_FOREGROUND ((struct daemon){.ready_fd = -1})

/* Opens /dev/null for each of descriptors 0 to 2 that is closed, lest a file of ours takes its
 * place. */
void daemon_open_standard_descriptors(void);

/* Splits. Returns 0 in the child at once, in the parent as soon as the child is ready (exit_status
 * 0) or has exited (its status). ERR_IO: no child, or it was killed; *daemon is then a parent's. */
int daemon_split(struct daemon *daemon, struct error *err);

/* The child works: leaves session and terminal, logs to syslog from now on, and lets the parent go.
 * Nothing in the foreground. */
void daemon_ready(struct daemon *daemon, struct log *log);

#endif

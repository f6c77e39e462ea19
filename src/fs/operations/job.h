/*
 * Requests that wait for the store: they leave the FUSE thread, run on the worker pool, and are
 * answered from there. A job can be interrupted by its caller and has a deadline.
 *
 * A job goes through two steps on one worker thread: work() does what can take long and can be
 * interrupted; answer() replies. Between them the caller's interrupts are cut off, so that nothing
 * touches the job when the reply has freed the request.
 *
 * Embed struct job as the first member of a structure made with g_new0(); job_start() takes it
 * over.
 */
#ifndef FORKFS_FS_OPERATIONS_JOB_H
#define FORKFS_FS_OPERATIONS_JOB_H

#include "base/operation.h"
#include "fs/fuse.h"
#include "fs/state/session_state.h"

struct job {
    const char *name; /* under which it is counted and timed; NULL: it is not */
    struct session *session;
    fuse_req_t request;
    int64_t started_ns; /* CLOCK_MONOTONIC */
    struct operation operation;
    int code; /* what work() returned */
    struct error error;
    int (*work)(struct job *job, struct error *err);
    void (*answer)(struct job *job);  /* must reply, also when code is not 0 */
    void (*release)(struct job *job); /* frees the job and what it keeps */
};

/* Fills request and operation, and queues the job; what cannot be queued is answered at once, with
 * the code set. */
void job_start(struct job *job, struct session *session, fuse_req_t request);

#endif

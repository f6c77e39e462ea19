/*
 * Contents that have to be read from the store first: a lookup, getattr or open of schema.json
 * whose overlay is not in memory yet. The request waits on the worker pool and is answered from
 * there.
 */
#ifndef FORKFS_FS_OVERLAY_JOB_H
#define FORKFS_FS_OVERLAY_JOB_H

#include "fs/job.h"

struct overlay_job {
    struct job job;
    struct node *node;   /* that the request is about: the file, or its directory in a lookup */
    enum node_kind kind; /* of the file */
    struct document document;   /* the contents, when job.code is 0 */
    struct hold *hold;          /* open only; taken by its answer */
    struct fuse_file_info file; /* open only */
    void (*answer)(struct overlay_job *job);
};

/* hold and file may be NULL. `answer` replies, gets view->node as job->node, and takes the hold. */
void overlay_job_start(const struct view *view, fuse_req_t request, enum node_kind kind,
                       struct hold *hold, const struct fuse_file_info *file,
                       void (*answer)(struct overlay_job *job));

/* For lookups and getattr: takes an overlay that does not parse for an empty one. Any other failure
 * is noted in the file `errors`. Returns the code that is left. */
int overlay_job_tolerate(struct overlay_job *job, const char *operation);

#endif

/*
 * Requests on the file `batch`, which operations_file.c and operations_write.c pass on: what has to
 * be carried out is on the worker pool. See batch.h for what the file does.
 */
#ifndef FORKFS_FS_OPERATIONS_OPERATIONS_BATCH_H
#define FORKFS_FS_OPERATIONS_OPERATIONS_BATCH_H

#include "fs/fuse.h"
#include "fs/state/session_state.h"

/* Takes some of the answers, after what was written has been carried out. */
void batch_answer_read(fuse_req_t request, struct handle *handle, size_t size);
void batch_answer_write(fuse_req_t request, struct handle *handle, const char *data, size_t size);
/* FLUSH (`closes`) and FSYNC. Fails with the first line that failed if the handle cannot read the
 * answers; FLUSH also when what was written does not end in a newline. */
void batch_answer_settle(fuse_req_t request, struct handle *handle, bool closes);

#endif

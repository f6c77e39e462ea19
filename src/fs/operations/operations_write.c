/*
 * write, flush, fsync: ttl, datasets, schema.json and status, which are taken over when they are
 * closed or synced.
 */
#include <fcntl.h>

#include "fs/content/ttl.h"
#include "fs/operations/job.h"
#include "fs/operations/operations.h"
#include "fs/operations/operations_batch.h"

/* What a handle has written, on its way to the store. */
struct commit_job {
    struct job job;
    struct node *node;
    struct write_buffer *buffer; /* of the handle, which stays open until the job has replied */
};

static void refuse_write(fuse_req_t request, fuse_ino_t node_id, const struct error *err)
{
    struct session *session = fuse_req_userdata(request);
    auto_node struct node *node = node_table_get(session->nodes, node_id);
    refuse(session, request, "write", node, NULL, err);
}

void operation_write(fuse_req_t request, fuse_ino_t node, const char *data, size_t size,
                     off_t offset, struct fuse_file_info *file)
{
    struct handle *handle = (struct handle *)(uintptr_t)file->fh;
    struct error err = {0};
    if (handle->batch) {
        batch_answer_write(request, handle, data, size);
        return;
    }
    /* The kernel's idea of the end is that of some other handle. */
    bool append = file->flags & O_APPEND;
    if (write_buffer_write(handle->buffer, data, size, offset, append, &err) == 0)
        fuse_reply_write(request, size);
    else
        refuse_write(request, node, &err);
}

static int commit_ttl(struct catalog *catalog, const struct ulid *fork_id, const struct bytes *text,
                      struct operation *operation, struct error *err)
{
    bool has_ttl = false;
    uint64_t seconds = 0;
    int code = ttl_parse(text, &has_ttl, &seconds, err);
    if (code != 0)
        return code;
    return catalog_set_ttl(catalog, fork_id, has_ttl, seconds, operation, err);
}

/* The mark of who closes the file. */
static int commit_mark(const struct commit_job *commit, const struct bytes *text, struct error *err)
{
    int code = drop_marks_parse(text, err);
    if (code == 0)
        drop_marks_set(commit->job.session->drop_marks, &commit->node->fork_id,
                       fuse_req_ctx(commit->job.request)->uid, monotonic_now_ns());
    return code;
}

static int commit_text(const struct commit_job *commit, const struct write_attempt *attempt,
                       struct operation *operation, char **ret_version, struct error *err)
{
    struct catalog *catalog = commit->job.session->catalog;
    const struct ulid *fork_id = &commit->node->fork_id;
    switch (commit->node->kind) {
    case NODE_TTL:
        return commit_ttl(catalog, fork_id, attempt->text, operation, err);
    case NODE_DATASETS:
        return catalog_register_datasets(catalog, fork_id, attempt->text, operation, err);
    case NODE_SCHEMA_JSON:
        return catalog_write_overlay(catalog, fork_id, attempt->text, attempt->version, operation,
                                     ret_version, err);
    case NODE_STATUS:
        return commit_mark(commit, attempt->text, err);
    default:
        return error_set(err, ERR_NOT_PERMITTED, "this file cannot be written");
    }
}

static int commit_write(struct job *job, struct error *err)
{
    struct commit_job *commit = (struct commit_job *)job;
    struct write_attempt attempt;
    char *version = NULL;
    int code = write_buffer_begin(commit->buffer, &job->operation, &attempt, err);
    if (code != 0)
        return code;
    if (attempt.text)
        code = commit_text(commit, &attempt, &job->operation, &version, err);
    if (attempt.text && code == 0 && commit->node->kind == NODE_SCHEMA_JSON)
        session_overlay_changed(job->session, &commit->node->fork_id);
    write_buffer_end(commit->buffer, &attempt, code, version);
    wait_until_forgotten(job->session);
    return code;
}

static void answer_commit(struct job *job)
{
    struct commit_job *commit = (struct commit_job *)job;
    if (job->code == 0)
        fuse_reply_err(job->request, 0);
    else
        refuse(job->session, job->request, "write", commit->node, NULL, &job->error);
}

static void release_commit(struct job *job)
{
    struct commit_job *commit = (struct commit_job *)job;
    node_unref(commit->node);
    g_free(commit);
}

/* The answer to FLUSH and FSYNC. */
static void settle_write(fuse_req_t request, fuse_ino_t node_id, const struct fuse_file_info *file,
                         bool closes)
{
    struct session *session = fuse_req_userdata(request);
    struct handle *handle = (struct handle *)(uintptr_t)file->fh;
    struct write_buffer *buffer = handle->buffer;
    struct node *node = NULL;
    if (handle->batch) {
        batch_answer_settle(request, handle, closes);
        return;
    }
    if (buffer && !write_buffer_is_settled(buffer))
        node = node_table_get(session->nodes, node_id);
    if (!node) {
        fuse_reply_err(request, 0);
        return;
    }
    struct commit_job *commit_job = g_new0(struct commit_job, 1);
    commit_job->node = node;
    commit_job->buffer = buffer;
    commit_job->job.name = "write";
    commit_job->job.work = commit_write;
    commit_job->job.answer = answer_commit;
    commit_job->job.release = release_commit;
    job_start(&commit_job->job, session, request);
}

/* Also sent for handles that only read, by kernels before 5.16. ENOSYS would stop flushes for the
 * whole mount. */
void operation_flush(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file)
{
    settle_write(request, node, file, true);
}

void operation_fsync(fuse_req_t request, fuse_ino_t node, int data_only,
                     struct fuse_file_info *file)
{
    settle_write(request, node, file, false);
}

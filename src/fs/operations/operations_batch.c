#include "fs/operations/operations_batch.h"

#include "fs/operations/job.h"

/* Complete lines being carried out. */
struct batch_job {
    struct job job;
    struct batch *batch;
    size_t size;                /* READ: of the buffer; 0 for FLUSH and FSYNC */
    bool closes;                /* FLUSH */
    bool tells_failure;         /* FLUSH and FSYNC of a handle that cannot read */
    struct error first_failure; /* of a line */
};

static void refuse_batch(struct session *session, fuse_req_t request, const struct error *failure)
{
    refuse(session, request, "batch", NULL, "batch", failure);
}

/* Lines are counted by command, and told of in `errors` as a failed mkdir is. */
static void note_line(void *argument, const struct batch_line *line, const struct error *failure)
{
    struct session *session = argument;
    const char *command = line->kind == CHANGE_CREATE ? "batch_create" : "batch_drop";
    if (line->is_command)
        call_metrics_count(operation_counts_of(session->operations, command),
                           failure ? failure->code : 0);
    if (!failure)
        return;
    g_autofree char *path = g_strconcat("forks/", line->word, NULL);
    session_note_failure(session, "batch", line->is_command ? path : "batch", failure);
}

static void reply_answers(fuse_req_t request, struct batch *batch, size_t size)
{
    g_autofree char *buffer = g_malloc(size);
    fuse_reply_buf(request, buffer, batch_read(batch, buffer, size));
}

/* The answer to FLUSH, after the lines have been carried out. */
static void reply_closed(struct session *session, fuse_req_t request, struct batch *batch)
{
    struct error err = {0};
    bool is_news = false;
    if (batch_check_end(batch, &is_news, &err) == 0)
        fuse_reply_err(request, 0);
    else if (is_news)
        refuse_batch(session, request, &err);
    else
        reply_failure(request, err.code);
}

/* Who reads gets the answers as they come, also while another thread carries out the lines. */
static int carry_out(struct job *job, struct error *err)
{
    struct batch_job *batch_job = (struct batch_job *)job;
    struct batch *batch = batch_job->batch;
    struct session *session = job->session;
    const bool reads = batch_job->size > 0;
    int code = reads ? batch_await_answers(batch, &job->operation, err) : 0;
    if (code == 0 && !(reads && batch_is_running(batch)))
        code = batch_run(batch, session->catalog, note_line, session, &job->operation,
                         &batch_job->first_failure, err);
    wait_until_forgotten(session);
    return code;
}

static void answer_batch(struct job *job)
{
    struct batch_job *batch_job = (struct batch_job *)job;
    if (job->code != 0)
        refuse_batch(job->session, job->request, &job->error);
    else if (batch_job->size > 0)
        reply_answers(job->request, batch_job->batch, batch_job->size);
    else if (batch_job->tells_failure && batch_job->first_failure.code != 0)
        reply_failure(job->request, batch_job->first_failure.code);
    else if (batch_job->closes)
        reply_closed(job->session, job->request, batch_job->batch);
    else
        fuse_reply_err(job->request, 0);
}

static void release_batch(struct job *job)
{
    struct batch_job *batch_job = (struct batch_job *)job;
    batch_unref(batch_job->batch);
    g_free(batch_job);
}

/* size: of a READ; 0: FLUSH (`closes`) or FSYNC. */
static void start_batch(fuse_req_t request, struct handle *handle, size_t size, bool closes)
{
    struct batch_job *batch_job = g_new0(struct batch_job, 1);
    batch_job->batch = batch_ref(handle->batch);
    batch_job->size = size;
    batch_job->closes = closes;
    batch_job->tells_failure = !handle->reads_answers;
    batch_job->job.name = "batch";
    batch_job->job.work = carry_out;
    batch_job->job.answer = answer_batch;
    batch_job->job.release = release_batch;
    job_start(&batch_job->job, fuse_req_userdata(request), request);
}

void batch_answer_read(fuse_req_t request, struct handle *handle, size_t size)
{
    if (batch_has_work(handle->batch))
        start_batch(request, handle, size, false);
    else
        reply_answers(request, handle->batch, size);
}

void batch_answer_write(fuse_req_t request, struct handle *handle, const char *data, size_t size)
{
    struct error err = {0};
    if (batch_write(handle->batch, data, size, &err) == 0)
        fuse_reply_write(request, size);
    else
        refuse_batch(fuse_req_userdata(request), request, &err);
}

void batch_answer_settle(fuse_req_t request, struct handle *handle, bool closes)
{
    if (batch_has_work(handle->batch))
        start_batch(request, handle, 0, closes);
    else if (closes)
        reply_closed(fuse_req_userdata(request), request, handle->batch);
    else
        fuse_reply_err(request, 0);
}

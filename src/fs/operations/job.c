#include "fs/operations/job.h"

#include "base/timestamp.h"

static void interrupt_job(fuse_req_t request, void *argument)
{
    struct job *job = argument;
    operation_cancel(&job->operation);
}

/* Before the answer, so that who has it finds it counted. Failures are counted where they are
 * noted, see refuse(). */
static void count_job(const struct job *job)
{
    if (!job->name)
        return;
    struct call_metrics *metrics = operation_counts_of(job->session->operations, job->name);
    call_metrics_time(metrics, monotonic_now_ns() - job->started_ns);
    if (job->code == 0)
        call_metrics_count(metrics, 0);
}

static void finish_job(struct job *job)
{
    /* Waits for an interrupt_job() that is running. */
    fuse_req_interrupt_func(job->request, NULL, NULL);
    count_job(job);
    job->answer(job);
    operation_destroy(&job->operation);
    job->release(job);
}

static void run_job(void *argument)
{
    struct job *job = argument;
    job->code = job->work(job, &job->error);
    finish_job(job);
}

void job_start(struct job *job, struct session *session, fuse_req_t request)
{
    job->session = session;
    job->request = request;
    job->started_ns = monotonic_now_ns();
    operation_init(&job->operation, session->operation_timeout_ms);
    /* Calls interrupt_job() at once when the interrupt came first. */
    fuse_req_interrupt_func(request, interrupt_job, job);
    struct error err;
    if (worker_pool_submit(session->workers, run_job, job, &err) != 0) {
        job->code = error_copy(&job->error, &err);
        finish_job(job);
    }
}

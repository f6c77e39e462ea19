#include "base/worker_pool.h"

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/operation.h"
#include "base/thread.h"
#include "base/timestamp.h"

struct job {
    worker_function *function;
    void *argument;
};

struct worker_pool {
    const char *name;
    unsigned max_threads;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;  /* a job was queued, or the pool ends */
    pthread_cond_t calm;  /* nothing queued, nothing running */
    GQueue jobs;          /* struct job */
    GArray *threads;      /* pthread_t */
    unsigned idle;        /* threads that wait for work */
    unsigned running;     /* jobs being run */
    bool ending;
};

struct worker_pool *worker_pool_new(const char *name, unsigned max_threads)
{
    struct worker_pool *pool = g_new0(struct worker_pool, 1);
    pool->name = name;
    pool->max_threads = MAX(max_threads, 1);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    monotonic_cond_init(&pool->calm);
    g_queue_init(&pool->jobs);
    pool->threads = g_array_new(FALSE, FALSE, sizeof(pthread_t));
    return pool;
}

/* Waits for the next job. NULL: the pool ends. Called and left with the lock held. */
static struct job *next_job(struct worker_pool *pool)
{
    while (g_queue_is_empty(&pool->jobs) && !pool->ending) {
        pool->idle++;
        pthread_cond_wait(&pool->work, &pool->lock);
        pool->idle--;
    }
    return g_queue_pop_head(&pool->jobs);
}

static void *thread_main(void *argument)
{
    struct worker_pool *pool = argument;
    LOCK_SCOPE(&pool->lock);
    struct job *job;
    while ((job = next_job(pool))) {
        pool->running++;
        pthread_mutex_unlock(&pool->lock);
        job->function(job->argument);
        g_free(job);
        pthread_mutex_lock(&pool->lock);
        pool->running--;
        if (pool->running == 0 && g_queue_is_empty(&pool->jobs))
            pthread_cond_broadcast(&pool->calm);
    }
    return NULL;
}

/* Starts a thread, with the lock held. Returns 0 or an errno. */
static int start_thread(struct worker_pool *pool)
{
    pthread_t thread;
    int failure = thread_create(&thread, pool->name, thread_main, pool);
    if (failure == 0)
        g_array_append_val(pool->threads, thread);
    return failure;
}

int worker_pool_submit(struct worker_pool *pool, worker_function *function, void *argument,
                       struct error *err)
{
    LOCK_SCOPE(&pool->lock);
    /* A thread just woken still counts as idle, hence the comparison with the queue. */
    if (pool->idle <= g_queue_get_length(&pool->jobs) && pool->threads->len < pool->max_threads) {
        int failure = start_thread(pool);
        if (failure && pool->threads->len == 0)
            return error_set(err, ERR_IO, "cannot start a thread of pool %s: %s", pool->name,
                             g_strerror(failure));
    }
    struct job *job = g_new(struct job, 1);
    *job = (struct job){function, argument};
    g_queue_push_tail(&pool->jobs, job);
    pthread_cond_signal(&pool->work);
    return 0;
}

/* deadline_ns: CLOCK_MONOTONIC; INT64_MAX: none. */
static bool drain_until(struct worker_pool *pool, int64_t deadline_ns)
{
    LOCK_SCOPE(&pool->lock);
    while (pool->running > 0 || !g_queue_is_empty(&pool->jobs))
        if (!monotonic_cond_wait(&pool->calm, &pool->lock, deadline_ns))
            return pool->running == 0 && g_queue_is_empty(&pool->jobs);
    return true;
}

void worker_pool_drain(struct worker_pool *pool)
{
    drain_until(pool, INT64_MAX);
}

bool worker_pool_drain_within(struct worker_pool *pool, int64_t timeout_ms)
{
    return drain_until(pool, monotonic_now_ns() + timeout_ms * NS_PER_MS);
}

void worker_pool_free(struct worker_pool *pool)
{
    if (!pool)
        return;
    worker_pool_drain(pool);
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (guint i = 0; i < pool->threads->len; i++)
        pthread_join(g_array_index(pool->threads, pthread_t, i), NULL);
    g_array_unref(pool->threads);
    pthread_cond_destroy(&pool->calm);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    g_free(pool);
}

/*
 * A pool of threads that run queued jobs, first in, first out.
 *
 * Threads are started when a job finds none idle, up to the limit given, and stay. Jobs must not
 * wait for other jobs of the same pool. Signals are blocked in the threads.
 */
#ifndef FORKFS_BASE_WORKER_POOL_H
#define FORKFS_BASE_WORKER_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct worker_pool;
typedef void worker_function(void *argument);

/* `name` (static, at most 15 bytes) is the threads' name; max_threads at least 1. Starts no
 * thread yet. Never NULL. */
struct worker_pool *worker_pool_new(const char *name, unsigned max_threads);

/* Queues a job. ERR_IO when no thread exists and none can be started; the job is then not queued.*/
int worker_pool_submit(struct worker_pool *pool, worker_function *function, void *argument,
                       struct error *err);

/* Waits until all queued jobs have run. */
void worker_pool_drain(struct worker_pool *pool);
/* worker_pool_drain() for so many milliseconds at most; false: some jobs still have to end. */
bool worker_pool_drain_within(struct worker_pool *pool, int64_t timeout_ms);

/* Drains, ends the threads, frees. NULL: nothing. Not from a job. */
void worker_pool_free(struct worker_pool *pool);

#endif

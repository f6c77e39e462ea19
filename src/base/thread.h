/*
 * Threads. Every one of the program is started here, with a name and with all signals blocked, for
 * those belong to the thread that serves the mount.
 *
 * A struct thread is one with duties: it waits for the time of the next one, or for a descriptor,
 * and can be told to end, also in the middle of an operation on the catalog. Of its functions those
 * below thread_stop() are for the thread itself, the others for who owns it.
 */
#ifndef FORKFS_BASE_THREAD_H
#define FORKFS_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/operation.h"

/* Starts `run` on a thread called `name` (at most 15 bytes are taken). Returns 0 or an errno. */
int thread_create(pthread_t *ret, const char *name, void *(*run)(void *argument), void *argument);

struct thread {
    pthread_t thread;
    bool started;
    int wake; /* eventfd, readable when it is time to end */
    pthread_mutex_t lock;
    bool ending;                /* guarded by lock */
    struct operation *underway; /* guarded by lock; may be NULL */
    void (*run)(void *argument);
    void *argument;
};

/* Runs `run` on a thread called `name` (at most 15 bytes), with all signals blocked. ERR_IO; there
 * is then nothing to stop. */
int thread_start(struct thread *thread, const char *name, void (*run)(void *argument),
                 void *argument, struct error *err);
/* Tells it to end, cancels its operation, waits. One that was never started: nothing. */
void thread_stop(struct thread *thread);

bool thread_is_ending(struct thread *thread);

/* Waits until until_ns (CLOCK_MONOTONIC; INT64_MAX: no limit), until `fd` (-1: none) can be read,
 * or until it is time to end. True when `fd` can be read. */
bool thread_wait(struct thread *thread, int fd, int64_t until_ns);

/* Begins an operation that thread_stop() cancels; false when it is time to end. Followed by
 * _end_operation() in any case. timeout_ms < 0: no deadline. */
bool thread_begin_operation(struct thread *thread, struct operation *operation, int64_t timeout_ms);
void thread_end_operation(struct thread *thread, struct operation *operation);

#endif

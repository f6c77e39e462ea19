/*
 * A thread of the caretaker or the lease keeper: it waits for the time of its next duty, or for a
 * descriptor, and can be told to end, also in the middle of an operation on the catalog.
 *
 * The functions below _stop() are for the thread itself; the others for who owns it.
 */
#ifndef FORKFS_BASE_THREAD_H
#define FORKFS_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/operation.h"

struct care_thread {
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
int care_thread_start(struct care_thread *thread, const char *name, void (*run)(void *argument),
                      void *argument, struct error *err);
/* Tells it to end, cancels its operation, waits. One that was never started: nothing. */
void care_thread_stop(struct care_thread *thread);

bool care_thread_is_ending(struct care_thread *thread);

/* Waits until until_ns (CLOCK_MONOTONIC; INT64_MAX: no limit), until `fd` (-1: none) can be read,
 * or until it is time to end. True when `fd` can be read. */
bool care_thread_wait(struct care_thread *thread, int fd, int64_t until_ns);

/* Begins an operation that care_thread_stop() cancels; false when it is time to end. Followed by
 * _end_operation() in any case. timeout_ms < 0: no deadline. */
bool care_thread_begin_operation(struct care_thread *thread, struct operation *operation,
                                 int64_t timeout_ms);
void care_thread_end_operation(struct care_thread *thread, struct operation *operation);

#endif

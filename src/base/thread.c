#include "base/thread.h"

#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

static void *run(void *argument)
{
    struct care_thread *thread = argument;
    thread->run(thread->argument);
    return NULL;
}

static int create(struct care_thread *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&thread->thread, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static void release(struct care_thread *thread)
{
    if (thread->wake >= 0)
        close(thread->wake);
    pthread_mutex_destroy(&thread->lock);
}

int care_thread_start(struct care_thread *thread, const char *name, void (*body)(void *argument),
                      void *argument, struct error *err)
{
    *thread = (struct care_thread){.run = body, .argument = argument};
    pthread_mutex_init(&thread->lock, NULL);
    thread->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failure = thread->wake < 0 ? errno : create(thread);
    if (failure != 0) {
        release(thread);
        return error_set_errno(err, failure, "starting the thread '%s'", name);
    }
    pthread_setname_np(thread->thread, name);
    thread->started = true;
    return 0;
}

void care_thread_stop(struct care_thread *thread)
{
    if (!thread->started)
        return;
    {
        LOCK_SCOPE(&thread->lock);
        thread->ending = true;
        if (thread->underway)
            operation_cancel(thread->underway);
    }
    eventfd_write(thread->wake, 1);
    pthread_join(thread->thread, NULL);
    release(thread);
    thread->started = false;
}

bool care_thread_is_ending(struct care_thread *thread)
{
    LOCK_SCOPE(&thread->lock);
    return thread->ending;
}

static int timeout_ms(int64_t until_ns)
{
    if (until_ns == INT64_MAX)
        return -1;
    int64_t left_ms = (until_ns - monotonic_now_ns() + NS_PER_MS - 1) / NS_PER_MS;
    return (int)CLAMP(left_ms, 0, INT32_MAX);
}

bool care_thread_wait(struct care_thread *thread, int fd, int64_t until_ns)
{
    struct pollfd waits[] = {{.fd = thread->wake, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    return poll(waits, G_N_ELEMENTS(waits), timeout_ms(until_ns)) > 0 && waits[1].revents;
}

bool care_thread_begin_operation(struct care_thread *thread, struct operation *operation,
                                 int64_t timeout_ms)
{
    operation_init(operation, timeout_ms);
    LOCK_SCOPE(&thread->lock);
    thread->underway = operation;
    return !thread->ending;
}

void care_thread_end_operation(struct care_thread *thread, struct operation *operation)
{
    {
        LOCK_SCOPE(&thread->lock);
        thread->underway = NULL;
    }
    operation_destroy(operation);
}

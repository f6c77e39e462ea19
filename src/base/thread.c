#include "base/thread.h"

#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

#define NAME_SIZE 16 /* what the kernel takes, with its NUL */

int thread_create(pthread_t *ret, const char *name, void *(*run)(void *argument), void *argument)
{
    char taken[NAME_SIZE];
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(ret, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    g_strlcpy(taken, name, sizeof taken);
    if (failure == 0)
        pthread_setname_np(*ret, taken);
    return failure;
}

static void *run(void *argument)
{
    struct thread *thread = argument;
    thread->run(thread->argument);
    return NULL;
}

static void release(struct thread *thread)
{
    if (thread->wake >= 0)
        close(thread->wake);
    pthread_mutex_destroy(&thread->lock);
}

int thread_start(struct thread *thread, const char *name, void (*body)(void *argument),
                 void *argument, struct error *err)
{
    *thread = (struct thread){.run = body, .argument = argument};
    pthread_mutex_init(&thread->lock, NULL);
    thread->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failure = thread->wake < 0 ? errno : thread_create(&thread->thread, name, run, thread);
    if (failure != 0) {
        release(thread);
        return error_set_errno(err, failure, "starting the thread '%s'", name);
    }
    thread->started = true;
    return 0;
}

void thread_stop(struct thread *thread)
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

bool thread_is_ending(struct thread *thread)
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

bool thread_wait(struct thread *thread, int fd, int64_t until_ns)
{
    struct pollfd waits[] = {{.fd = thread->wake, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    return poll(waits, G_N_ELEMENTS(waits), timeout_ms(until_ns)) > 0 && waits[1].revents;
}

bool thread_begin_operation(struct thread *thread, struct operation *operation, int64_t timeout_ms)
{
    operation_init(operation, timeout_ms);
    LOCK_SCOPE(&thread->lock);
    thread->underway = operation;
    return !thread->ending;
}

void thread_end_operation(struct thread *thread, struct operation *operation)
{
    {
        LOCK_SCOPE(&thread->lock);
        thread->underway = NULL;
    }
    operation_destroy(operation);
}

#include "unit/virtual_clock.h"

#include <dlfcn.h>
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

/* How long a wait sleeps without looking. */
#define LOOK_NS (5 * NS_PER_MS)
#define STANDSTILL_LONGEST_S 120

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static int64_t ahead_ns;                                 /* of the true clock, while that goes on */
static bool stands;
static int64_t stopped_ns; /* the true CLOCK_MONOTONIC when it stopped */

typedef int clock_function(clockid_t, struct timespec *);

/* The C library's, which makes no system call where the kernel lets it. */
static int true_clock(clockid_t clock, struct timespec *ret)
{
    static clock_function *library; /* atomic */
    clock_function *function = __atomic_load_n(&library, __ATOMIC_RELAXED);
    if (!function) {
        function = (clock_function *)dlsym(RTLD_NEXT, "clock_gettime");
        __atomic_store_n(&library, function, __ATOMIC_RELAXED);
    }
    return function(clock, ret);
}

static int64_t true_now_ns(clockid_t clock)
{
    struct timespec now;
    true_clock(clock, &now);
    return timespec_ns(now);
}

static int64_t virtual_of(int64_t true_ns)
{
    LOCK_SCOPE(&lock);
    int64_t lost_ns = stands ? true_now_ns(CLOCK_MONOTONIC) - stopped_ns : 0;
    return true_ns + ahead_ns - lost_ns;
}

static struct timespec to_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND};
}

void virtual_clock_jump(int64_t ms)
{
    LOCK_SCOPE(&lock);
    ahead_ns += ms * NS_PER_MS;
}

void virtual_clock_stop(void)
{
    LOCK_SCOPE(&lock);
    stands = true;
    stopped_ns = true_now_ns(CLOCK_MONOTONIC);
    alarm(STANDSTILL_LONGEST_S);
}

void virtual_clock_go_on(void)
{
    LOCK_SCOPE(&lock);
    alarm(0);
    ahead_ns -= true_now_ns(CLOCK_MONOTONIC) - stopped_ns;
    stands = false;
}

/* ---- In place of the C library's ---- */

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *ret = to_timespec(virtual_of(true_now_ns(clock)));
        return 0;
    default:
        return true_clock(clock, ret);
    }
}

typedef int timedwait(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

/* All conditions of the code under test are those of monotonic_cond_init(). What this takes the
 * place of is asked to wait, since ThreadSanitizer knows it: pthread_cond_clockwait() is not as
 * well known. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                           const struct timespec *until)
{
    int64_t true_ns = true_now_ns(CLOCK_MONOTONIC);
    int64_t left_ns = timespec_ns(*until) - virtual_of(true_ns);
    if (left_ns <= 0)
        return ETIMEDOUT;
    struct timespec look = to_timespec(true_ns + MIN(left_ns, LOOK_NS));
    timedwait *next = (timedwait *)dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    int code = next(cond, mutex, &look);
    /* The next call sees whether the time is over; callers have to bear waking up for nothing. */
    return code == ETIMEDOUT ? 0 : code;
}

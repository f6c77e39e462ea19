#include "base/operation.h"

#include <errno.h>
#include <glib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

/* The clocks are not read at the same instant: less than this is no sleep. */
#define SLEEP_SHORTEST_NS NS_PER_SECOND

/* For so long the machine has been suspended since its start. */
static int64_t suspended_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return timespec_ns(now) - monotonic_now_ns();
}

static int64_t slept_ns(const struct operation *operation)
{
    int64_t slept_ns = suspended_now_ns() - operation->suspended_ns;
    return slept_ns < SLEEP_SHORTEST_NS ? 0 : slept_ns;
}

void operation_renew(struct operation *operation)
{
    int64_t now = monotonic_now_ns(), timeout_ms = operation->timeout_ms;
    operation->deadline_ns = INT64_MAX;
    if (timeout_ms >= 0 && timeout_ms < (INT64_MAX - now) / NS_PER_MS)
        operation->deadline_ns = now + timeout_ms * NS_PER_MS;
    operation->suspended_ns = suspended_now_ns();
    operation->begun_ns = now;
}

void operation_init(struct operation *operation, int64_t timeout_ms)
{
    operation->timeout_ms = timeout_ms;
    operation_renew(operation);
    operation->silence_ms = 0;
    operation->cancelled = false;
    pthread_mutex_init(&operation->lock, NULL);
    operation->watched_cond = NULL;
    operation->watched_mutex = NULL;
}

void operation_init_undoing(struct operation *undoing, const struct operation *of,
                            int64_t longest_ms)
{
    operation_init(undoing, of ? of->timeout_ms : -1);
    if (longest_ms < 0 || undoing->deadline_ns == INT64_MAX)
        return;
    int64_t limit_ns = of->begun_ns + MAX(longest_ms, of->timeout_ms) * NS_PER_MS;
    undoing->deadline_ns = MIN(undoing->deadline_ns, limit_ns);
}

void operation_destroy(struct operation *operation)
{
    pthread_mutex_destroy(&operation->lock);
}

void operation_cancel(struct operation *operation)
{
    LOCK_SCOPE(&operation->lock);
    __atomic_store_n(&operation->cancelled, true, __ATOMIC_RELEASE);
    if (!operation->watched_cond)
        return;
    /* Holding the mutex closes the gap between the waiter's last look and its wait. */
    pthread_mutex_lock(operation->watched_mutex);
    pthread_cond_broadcast(operation->watched_cond);
    pthread_mutex_unlock(operation->watched_mutex);
}

bool operation_is_cancelled(const struct operation *operation)
{
    return operation && __atomic_load_n(&operation->cancelled, __ATOMIC_ACQUIRE);
}

int operation_check(const struct operation *operation, const char *stage, struct error *err)
{
    if (operation_is_cancelled(operation))
        return error_set(err, ERR_INTERRUPTED, "%s: interrupted", stage);
    if (operation_remaining_ms(operation) == 0)
        return error_set(err, ERR_DEADLINE, "%s: the time allowed is over", stage);
    return 0;
}

int64_t operation_remaining_ms(const struct operation *operation)
{
    if (!operation || operation->deadline_ns == INT64_MAX)
        return INT64_MAX;
    int64_t left = operation->deadline_ns - monotonic_now_ns() - slept_ns(operation);
    /* Rounded up: 0 says that the deadline has passed. */
    return left <= 0 ? 0 : (left + NS_PER_MS - 1) / NS_PER_MS;
}

int64_t operation_reserve(struct operation *operation)
{
    int64_t deadline_ns = operation->deadline_ns;
    if (deadline_ns != INT64_MAX)
        operation->deadline_ns -= MAX(0, deadline_ns - monotonic_now_ns()) / 4;
    return deadline_ns;
}

void operation_give_up_early(struct operation *operation)
{
    if (!operation || operation->deadline_ns == INT64_MAX)
        return;
    operation->silence_ms = MAX(operation_remaining_ms(operation) / 3, OPERATION_SILENCE_MS);
}

void operation_watch(struct operation *operation, pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (!operation)
        return;
    LOCK_SCOPE(&operation->lock);
    g_assert(operation->watched_cond == NULL);
    operation->watched_cond = cond;
    operation->watched_mutex = mutex;
}

void operation_unwatch(struct operation *operation)
{
    if (!operation)
        return;
    LOCK_SCOPE(&operation->lock);
    operation->watched_cond = NULL;
    operation->watched_mutex = NULL;
}

void monotonic_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool monotonic_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX) {
        pthread_cond_wait(cond, mutex);
        return true;
    }
    if (deadline_ns <= 0)
        return false;
    struct timespec deadline = timespec_from_ns(deadline_ns);
    return pthread_cond_timedwait(cond, mutex, &deadline) != ETIMEDOUT;
}

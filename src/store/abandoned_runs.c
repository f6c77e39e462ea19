#include "store/abandoned_runs.h"

#include <glib.h>
#include <pthread.h>

#include "base/cleanup.h"
#include "base/operation.h"
#include "base/timestamp.h"

struct abandoned_runs {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    unsigned count;
};

struct abandoned_runs *abandoned_runs_new(void)
{
    struct abandoned_runs *runs = g_new0(struct abandoned_runs, 1);
    pthread_mutex_init(&runs->lock, NULL);
    monotonic_cond_init(&runs->ended);
    return runs;
}

void abandoned_runs_free(struct abandoned_runs *runs)
{
    if (!runs)
        return;
    pthread_cond_destroy(&runs->ended);
    pthread_mutex_destroy(&runs->lock);
    g_free(runs);
}

void abandoned_runs_add(struct abandoned_runs *runs)
{
    LOCK_SCOPE(&runs->lock);
    runs->count++;
}

void abandoned_runs_end(struct abandoned_runs *runs)
{
    LOCK_SCOPE(&runs->lock);
    if (--runs->count == 0)
        pthread_cond_broadcast(&runs->ended);
}

bool abandoned_runs_await(struct abandoned_runs *runs, int64_t timeout_ms)
{
    int64_t until_ns = monotonic_now_ns() + timeout_ms * NS_PER_MS;
    LOCK_SCOPE(&runs->lock);
    while (runs->count > 0 && monotonic_cond_wait(&runs->ended, &runs->lock, until_ns))
        continue;
    return runs->count == 0;
}

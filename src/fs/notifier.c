#include "fs/notifier.h"

#include <glib.h>
#include <pthread.h>
#include <signal.h>

#include "base/cleanup.h"
#include "base/operation.h"
#include "base/timestamp.h"
#include "fs/fuse.h"

struct notifier {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fuse_session *fuse; /* NULL: not running */
    pthread_t thread;
    GArray *queue;      /* uint64_t, node ids */
    uint64_t queued;    /* how many were ever queued */
    uint64_t delivered; /* and delivered */
};

struct notifier *notifier_new(void)
{
    struct notifier *notifier = g_new0(struct notifier, 1);
    pthread_mutex_init(&notifier->lock, NULL);
    monotonic_cond_init(&notifier->changed);
    notifier->queue = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    return notifier;
}

void notifier_free(struct notifier *notifier)
{
    if (!notifier)
        return;
    notifier_stop(notifier);
    g_array_unref(notifier->queue);
    pthread_cond_destroy(&notifier->changed);
    pthread_mutex_destroy(&notifier->lock);
    g_free(notifier);
}

/* Waits for work and takes all of it; NULL when the thread shall end. */
static GArray *take_queue(struct notifier *notifier, struct fuse_session **ret_fuse)
{
    LOCK_SCOPE(&notifier->lock);
    while (notifier->fuse && notifier->queue->len == 0)
        pthread_cond_wait(&notifier->changed, &notifier->lock);
    if (!notifier->fuse)
        return NULL;
    *ret_fuse = notifier->fuse;
    GArray *batch = notifier->queue;
    notifier->queue = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    return batch;
}

static void count_delivered(struct notifier *notifier, size_t count)
{
    LOCK_SCOPE(&notifier->lock);
    notifier->delivered += count;
    pthread_cond_broadcast(&notifier->changed);
}

static void *run(void *argument)
{
    struct notifier *notifier = argument;
    struct fuse_session *fuse;
    GArray *batch;
    while ((batch = take_queue(notifier, &fuse))) {
        /* A negative offset means attributes only. Failure means that nothing was cached. */
        for (guint i = 0; i < batch->len; i++)
            fuse_lowlevel_notify_inval_inode(fuse, g_array_index(batch, uint64_t, i), -1, 0);
        count_delivered(notifier, batch->len);
        g_array_unref(batch);
    }
    return NULL;
}

bool notifier_start(struct notifier *notifier, struct fuse_session *fuse)
{
    sigset_t all;
    sigset_t saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    LOCK_SCOPE(&notifier->lock);
    notifier->fuse = fuse;
    bool started = pthread_create(&notifier->thread, NULL, run, notifier) == 0;
    if (!started)
        notifier->fuse = NULL;
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return started;
}

void notifier_stop(struct notifier *notifier)
{
    {
        LOCK_SCOPE(&notifier->lock);
        if (!notifier->fuse)
            return;
        notifier->fuse = NULL;
        notifier->delivered += notifier->queue->len;
        g_array_set_size(notifier->queue, 0);
        pthread_cond_broadcast(&notifier->changed);
    }
    pthread_join(notifier->thread, NULL);
}

void notifier_attributes_changed(struct notifier *notifier, uint64_t node_id)
{
    LOCK_SCOPE(&notifier->lock);
    if (!notifier->fuse)
        return;
    g_array_append_val(notifier->queue, node_id);
    notifier->queued++;
    pthread_cond_broadcast(&notifier->changed);
}

void notifier_flush(struct notifier *notifier, int64_t timeout_ms)
{
    int64_t deadline_ns = monotonic_now_ns() + timeout_ms * 1000 * 1000;
    LOCK_SCOPE(&notifier->lock);
    uint64_t target = notifier->queued;
    while (notifier->delivered < target)
        if (!monotonic_cond_wait(&notifier->changed, &notifier->lock, deadline_ns))
            return;
}

#include "fs/state/notifier.h"

#include <glib.h>
#include <pthread.h>

#include "base/cleanup.h"
#include "base/operation.h"
#include "base/thread.h"
#include "base/timestamp.h"
#include "fs/fuse.h"

/* What the kernel is to be told: one of the two. */
struct notice {
    uint64_t node_id;             /* 0: none */
    struct fuse_pollhandle *poll; /* NULL: none */
};

struct notifier {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fuse_session *fuse; /* NULL: not running */
    pthread_t thread;
    GArray *queue;      /* struct notice */
    uint64_t queued;    /* how many were ever queued */
    uint64_t delivered; /* and delivered */
};

static void clear_notice(gpointer data)
{
    struct notice *notice = data;
    if (notice->poll)
        fuse_pollhandle_destroy(notice->poll);
}

static GArray *queue_new(void)
{
    GArray *queue = g_array_new(FALSE, FALSE, sizeof(struct notice));
    g_array_set_clear_func(queue, clear_notice);
    return queue;
}

struct notifier *notifier_new(void)
{
    struct notifier *notifier = g_new0(struct notifier, 1);
    pthread_mutex_init(&notifier->lock, NULL);
    monotonic_cond_init(&notifier->changed);
    notifier->queue = queue_new();
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
    notifier->queue = queue_new();
    return batch;
}

static void count_delivered(struct notifier *notifier, size_t count)
{
    LOCK_SCOPE(&notifier->lock);
    notifier->delivered += count;
    pthread_cond_broadcast(&notifier->changed);
}

/* Failure means that nothing was cached, or that nobody waits any more. */
static void deliver_news(struct fuse_session *fuse, const struct notice *notice)
{
    if (notice->poll)
        fuse_lowlevel_notify_poll(notice->poll);
    else
        fuse_lowlevel_notify_inval_inode(fuse, notice->node_id, -1, 0); /* attributes only */
}

static void *run_notifier(void *argument)
{
    struct notifier *notifier = argument;
    struct fuse_session *fuse;
    GArray *batch;
    while ((batch = take_queue(notifier, &fuse))) {
        for (guint i = 0; i < batch->len; i++)
            deliver_news(fuse, &g_array_index(batch, struct notice, i));
        count_delivered(notifier, batch->len);
        g_array_unref(batch);
    }
    return NULL;
}

bool notifier_start(struct notifier *notifier, struct fuse_session *fuse)
{
    LOCK_SCOPE(&notifier->lock);
    notifier->fuse = fuse;
    bool started = thread_create(&notifier->thread, "forkfs-notifier", run_notifier, notifier) == 0;
    if (!started)
        notifier->fuse = NULL;
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

static void queue_notice(struct notifier *notifier, struct notice notice)
{
    LOCK_SCOPE(&notifier->lock);
    if (!notifier->fuse) {
        clear_notice(&notice);
        return;
    }
    g_array_append_val(notifier->queue, notice);
    notifier->queued++;
    pthread_cond_broadcast(&notifier->changed);
}

void notifier_attributes_changed(struct notifier *notifier, uint64_t node_id)
{
    queue_notice(notifier, (struct notice){.node_id = node_id});
}

void notifier_wake(struct notifier *notifier, struct fuse_pollhandle *poll)
{
    queue_notice(notifier, (struct notice){.poll = poll});
}

void notifier_flush(struct notifier *notifier, int64_t timeout_ms)
{
    int64_t deadline_ns = monotonic_now_ns() + timeout_ms * NS_PER_MS;
    LOCK_SCOPE(&notifier->lock);
    uint64_t target = notifier->queued;
    while (notifier->delivered < target)
        if (!monotonic_cond_wait(&notifier->changed, &notifier->lock, deadline_ns))
            return;
}

#include "fs/state/pollers.h"

#include <glib.h>
#include <pthread.h>

#include "base/cleanup.h"
#include "fs/fuse.h"

struct pollers {
    pthread_mutex_t lock;
    GHashTable *waiting; /* file to struct fuse_pollhandle */
};

static GHashTable *table_new(void)
{
    return g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)fuse_pollhandle_destroy);
}

struct pollers *pollers_new(void)
{
    struct pollers *pollers = g_new0(struct pollers, 1);
    pthread_mutex_init(&pollers->lock, NULL);
    pollers->waiting = table_new();
    return pollers;
}

void pollers_free(struct pollers *pollers)
{
    if (!pollers)
        return;
    g_hash_table_unref(pollers->waiting);
    pthread_mutex_destroy(&pollers->lock);
    g_free(pollers);
}

void pollers_add(struct pollers *pollers, const void *file, struct fuse_pollhandle *poll)
{
    LOCK_SCOPE(&pollers->lock);
    g_hash_table_replace(pollers->waiting, (gpointer)file, poll);
}

void pollers_remove(struct pollers *pollers, const void *file)
{
    LOCK_SCOPE(&pollers->lock);
    g_hash_table_remove(pollers->waiting, file);
}

void pollers_wake(struct pollers *pollers, struct notifier *notifier)
{
    g_autoptr(GHashTable) woken = table_new();
    GHashTableIter iterator;
    gpointer poll;
    {
        LOCK_SCOPE(&pollers->lock);
        GHashTable *waiting = pollers->waiting;
        pollers->waiting = woken;
        woken = waiting;
    }
    g_hash_table_iter_init(&iterator, woken);
    while (g_hash_table_iter_next(&iterator, NULL, &poll)) {
        g_hash_table_iter_steal(&iterator);
        notifier_wake(notifier, poll);
    }
}

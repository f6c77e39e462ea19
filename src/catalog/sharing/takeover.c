#include "catalog/sharing/takeover.h"

#include <glib.h>
#include <pthread.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "store/store.h"

/* An object that is watched, or this mount's own. */
struct watched {
    char *version; /* as last seen; NULL: not seen so far */
    int64_t since_ns;
    uint64_t look; /* the last that saw it */
    bool own;
    int64_t not_before_ns; /* own */
};

struct takeover {
    int64_t takeover_ns;
    pthread_mutex_t lock;
    struct {
        GHashTable *objects; /* id -> struct watched */
        uint64_t looks;
    } kinds[TAKEOVER_KINDS];
};

static void watched_free(void *pointer)
{
    struct watched *watched = pointer;
    g_free(watched->version);
    g_free(watched);
}

struct takeover *takeover_new(int64_t takeover_ms)
{
    struct takeover *takeover = g_new0(struct takeover, 1);
    takeover->takeover_ns = takeover_ms * NS_PER_MS;
    pthread_mutex_init(&takeover->lock, NULL);
    for (int kind = 0; kind < TAKEOVER_KINDS; kind++)
        takeover->kinds[kind].objects =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, watched_free);
    return takeover;
}

void takeover_free(struct takeover *takeover)
{
    if (!takeover)
        return;
    for (int kind = 0; kind < TAKEOVER_KINDS; kind++)
        g_hash_table_unref(takeover->kinds[kind].objects);
    pthread_mutex_destroy(&takeover->lock);
    g_free(takeover);
}

/* The caller holds the lock. */
static struct watched *obtain_watched(struct takeover *takeover, enum takeover_kind kind,
                                      const char *id)
{
    GHashTable *objects = takeover->kinds[kind].objects;
    struct watched *watched = g_hash_table_lookup(objects, id);
    if (!watched) {
        watched = g_new0(struct watched, 1);
        g_hash_table_insert(objects, g_strdup(id), watched);
    }
    watched->look = takeover->kinds[kind].looks;
    return watched;
}

int64_t takeover_wait_ms(struct takeover *takeover, enum takeover_kind kind, const char *id,
                         const char *version, int64_t now_ns)
{
    if (!takeover)
        return 0;
    LOCK_SCOPE(&takeover->lock);
    struct watched *watched = obtain_watched(takeover, kind, id);
    if (!watched->version || g_strcmp0(watched->version, version) != 0) {
        g_free(watched->version);
        watched->version = g_strdup(version);
        watched->since_ns = now_ns;
    }
    int64_t due_ns =
        watched->own ? watched->not_before_ns : watched->since_ns + takeover->takeover_ns;
    return now_ns >= due_ns ? 0 : (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
}

void takeover_begin_look(struct takeover *takeover, enum takeover_kind kind)
{
    if (!takeover)
        return;
    LOCK_SCOPE(&takeover->lock);
    takeover->kinds[kind].looks++;
}

void takeover_end_look(struct takeover *takeover, enum takeover_kind kind, int64_t now_ns)
{
    if (!takeover)
        return;
    LOCK_SCOPE(&takeover->lock);
    GHashTableIter iterator;
    void *value;
    g_hash_table_iter_init(&iterator, takeover->kinds[kind].objects);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        const struct watched *watched = value;
        /* This mount's own may still be going to arrive. */
        bool expected = watched->own && now_ns < watched->since_ns + STORE_LATE_NS;
        if (watched->look != takeover->kinds[kind].looks && !expected)
            g_hash_table_iter_remove(&iterator);
    }
}

void takeover_add_own(struct takeover *takeover, enum takeover_kind kind, const char *id,
                      int64_t not_before_ns)
{
    if (!takeover)
        return;
    LOCK_SCOPE(&takeover->lock);
    struct watched *watched = obtain_watched(takeover, kind, id);
    watched->own = true;
    watched->not_before_ns = not_before_ns;
    watched->since_ns = MAX(watched->since_ns, not_before_ns);
}

void takeover_forget(struct takeover *takeover, enum takeover_kind kind, const char *id)
{
    if (!takeover)
        return;
    LOCK_SCOPE(&takeover->lock);
    g_hash_table_remove(takeover->kinds[kind].objects, id);
}

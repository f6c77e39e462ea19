/*
 * Settling: makes durable what a set of requests has changed in directories, and what is done when
 * that fails.
 *
 * After a failed fsync the kernel may count what it could not write as written, so that a second
 * fsync of the same proves nothing. Therefore each put that is concerned is made anew, by a new
 * file that replaces its own, and the directory gets new content, too (local_sync.c). Only if that
 * fails as well is an answer ERR_NOT_DURABLE. The directory stays doubted then: whoever changes,
 * deletes or prunes something in it later makes it durable, or is told so.
 */
#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

/* How often what could not be made durable is made anew. */
#define REPAIRS 2

struct sync {
    struct sync_group *group;
    const char *directory;
    int failure; /* errno value */
};

struct sync_group {
    struct local_store *store;
    pthread_mutex_t lock; /* guards `open` */
    pthread_cond_t done;
    size_t open;
};

static void sync_job(void *argument)
{
    struct sync *sync = argument;
    sync->failure = local_sync_directory(sync->group->store, sync->directory);
    LOCK_SCOPE(&sync->group->lock);
    if (--sync->group->open == 0)
        pthread_cond_signal(&sync->group->done);
}

/* All at once: the journal of a file system commits for many about as fast as for one. */
static void run_syncs(struct local_store *store, GArray *syncs)
{
    struct sync_group group = {.store = store, .open = syncs->len};
    pthread_mutex_init(&group.lock, NULL);
    pthread_cond_init(&group.done, NULL);
    for (guint i = 0; i < syncs->len; i++) {
        struct sync *sync = &g_array_index(syncs, struct sync, i);
        sync->group = &group;
        bool last = i + 1 == syncs->len;
        if (last || worker_pool_submit(store->sync_pool, sync_job, sync, NULL) != 0)
            sync_job(sync);
    }
    pthread_mutex_lock(&group.lock);
    while (group.open > 0)
        pthread_cond_wait(&group.done, &group.lock);
    pthread_mutex_unlock(&group.lock);
    pthread_cond_destroy(&group.done);
    pthread_mutex_destroy(&group.lock);
}

/* Every directory touched, once. The names belong to the answers. */
static GArray *collect_syncs(struct store_wave *wave)
{
    GArray *syncs = g_array_new(FALSE, TRUE, sizeof(struct sync));
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; i < store_wave_size(wave); i++) {
        if (!store_method_writes(store_wave_request(wave, i)->method))
            continue;
        GPtrArray *touched = store_wave_answer(wave, i)->touched;
        for (guint j = 0; touched && j < touched->len; j++) {
            struct sync sync = {.directory = g_ptr_array_index(touched, j)};
            if (g_hash_table_add(seen, (gpointer)sync.directory))
                g_array_append_val(syncs, sync);
        }
    }
    return syncs;
}

static bool has_touched(const struct store_answer *answer, const char *directory)
{
    for (guint i = 0; answer->touched && i < answer->touched->len; i++)
        if (strcmp(g_ptr_array_index(answer->touched, i), directory) == 0)
            return true;
    return false;
}

/* The changes that a failed sync concerns: calls `act` for each of them that is well so far. */
static void for_touching(struct local_store *store, struct store_wave *wave,
                         const struct sync *sync,
                         void (*act)(struct local_store *, const struct store_request *,
                                     struct store_answer *, const struct sync *))
{
    for (size_t i = 0; i < store_wave_size(wave); i++) {
        const struct store_request *request = store_wave_request(wave, i);
        if (!store_method_writes(request->method))
            continue;
        struct store_answer *answer = store_wave_answer(wave, i);
        if (answer->code == 0 && has_touched(answer, sync->directory))
            act(store, request, answer, sync);
    }
}

static void fail(struct local_store *store, const struct store_request *request,
                 struct store_answer *answer, const struct sync *sync)
{
    local_fail_undurable(answer, request, sync->failure, "sync the directory");
}

/* Puts the same in place of what was put, unless somebody else has done so with something else. */
static void put_anew(struct local_store *store, const struct store_request *request,
                     struct store_answer *answer, const struct sync *sync)
{
    struct store_request again = *request;
    struct store_answer anew = {0};
    if (request->method != STORE_PUT)
        return;
    again.precondition = STORE_IF_MATCH;
    again.etag = answer->etag;
    local_put(store, &again, &anew);
    if (anew.code) {
        store_answer_fail(answer, ERR_NOT_DURABLE, "put %s: sync the directory: %s; again: %.700s",
                          request->key, g_strerror(sync->failure), anew.error.text);
    } else {
        g_free(answer->etag);
        answer->etag = g_steal_pointer(&anew.etag);
        for (guint i = 0; i < anew.touched->len; i++)
            local_touch(answer, g_ptr_array_index(anew.touched, i));
    }
    store_answer_clear(&anew);
}

/* What was synced need not be synced again. Leaves alone the names of directories that were not. */
static void forget_synced(struct store_wave *wave, const GArray *syncs)
{
    g_autoptr(GHashTable) failed = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < syncs->len; i++) {
        const struct sync *sync = &g_array_index(syncs, struct sync, i);
        if (sync->failure)
            g_hash_table_add(failed, (gpointer)sync->directory);
    }
    for (size_t i = 0; i < store_wave_size(wave); i++) {
        if (!store_method_writes(store_wave_request(wave, i)->method))
            continue;
        GPtrArray *touched = store_wave_answer(wave, i)->touched;
        for (guint j = touched ? touched->len : 0; j > 0; j--)
            if (!g_hash_table_contains(failed, g_ptr_array_index(touched, j - 1)))
                g_ptr_array_remove_index(touched, j - 1);
    }
}

/* Whether any has failed. */
static bool sync_all(struct local_store *store, GArray *syncs)
{
    if (syncs->len == 0)
        return false;
    run_syncs(store, syncs);
    for (guint i = 0; i < syncs->len; i++)
        if (g_array_index(syncs, struct sync, i).failure)
            return true;
    return false;
}

void local_settle(struct store *base, struct store_wave *wave)
{
    struct local_store *store = (struct local_store *)base;
    for (int repairs = 0;; repairs++) {
        g_autoptr(GArray) syncs = collect_syncs(wave);
        if (!sync_all(store, syncs))
            return;
        forget_synced(wave, syncs);
        for (guint i = 0; i < syncs->len; i++) {
            const struct sync *sync = &g_array_index(syncs, struct sync, i);
            if (sync->failure)
                for_touching(store, wave, sync, repairs < REPAIRS ? put_anew : fail);
        }
        if (repairs == REPAIRS)
            return;
    }
}

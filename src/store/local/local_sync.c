/*
 * Durability of directories in the local store.
 *
 * A file is durable when its own content is, and the entry in its directory, and the entry of that
 * directory in its parent, and so on. Each answer lists the directories whose entries it has
 * changed; settle() syncs each of them once per set.
 *
 * A directory that one set has just made may be used by another set before the first has settled.
 * So the store remembers the directories in which sub-directories were made that are not known to
 * be durable ("unsettled"), and every put somewhere below one syncs it, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

void local_touch(struct store_answer *answer, const char *directory)
{
    if (!answer->touched)
        answer->touched = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(answer->touched, g_strdup(directory));
}

void local_touch_unsettled(struct local_store *store, struct store_answer *answer,
                           const char *directory)
{
    g_autofree char *at = g_strdup(directory);
    LOCK_SCOPE(&store->lock);
    while (at[0] && g_hash_table_size(store->unsettled) > 0) {
        char *parent = local_parent(at);
        if (g_hash_table_contains(store->unsettled, parent))
            local_touch(answer, parent);
        g_free(at);
        at = parent;
    }
}

/* Makes one level. Making and remembering are one step under the lock, so that nobody who finds the
 * directory misses that it may not be durable. */
static int make_directory(struct local_store *store, const char *directory)
{
    LOCK_SCOPE(&store->lock);
    if (mkdirat(store->root, directory, 0755) != 0)
        return errno == EEXIST ? 0 : errno;
    uint64_t *serial = g_new(uint64_t, 1);
    *serial = ++store->last_serial;
    g_hash_table_replace(store->unsettled, local_parent(directory), serial);
    return 0;
}

int local_make_directories(struct local_store *store, const char *directory)
{
    g_autofree char *path = g_strdup(directory);
    int failure = make_directory(store, directory);
    if (failure != ENOENT)
        return failure;
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        failure = make_directory(store, path);
        *slash = '/';
        if (failure)
            return failure;
    }
    return make_directory(store, directory);
}

/* The number of the last sub-directory made in `directory`; 0: settled. */
static uint64_t unsettled_serial(struct local_store *store, const char *directory)
{
    LOCK_SCOPE(&store->lock);
    const uint64_t *serial = g_hash_table_lookup(store->unsettled, directory);
    return serial ? *serial : 0;
}

/* What was made in `directory` up to `serial` is durable. */
static void forget_unsettled(struct local_store *store, const char *directory, uint64_t serial)
{
    LOCK_SCOPE(&store->lock);
    const uint64_t *now = g_hash_table_lookup(store->unsettled, directory);
    if (now && *now == serial)
        g_hash_table_remove(store->unsettled, directory);
}

/* The directory, or what is left above it: then it is the removal that has to be durable. */
static int open_existing(struct local_store *store, const char *directory)
{
    g_autofree char *at = g_strdup(directory);
    for (;;) {
        int fd = TEMP_FAILURE_RETRY(
            openat(store->root, local_path(at), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (fd >= 0 || !at[0] || !local_is_absent(errno))
            return fd;
        char *parent = local_parent(at);
        g_free(at);
        at = parent;
    }
}

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

static int sync_directory(struct local_store *store, const char *directory)
{
    uint64_t serial = unsettled_serial(store, directory);
    auto_close int fd = open_existing(store, directory);
    if (fd < 0)
        return errno;
    /* EINVAL: the file system knows no such thing as syncing a directory. */
    if (TEMP_FAILURE_RETRY(fsync(fd)) != 0 && errno != EINVAL)
        return errno;
    forget_unsettled(store, directory, serial);
    return 0;
}

static void sync_job(void *argument)
{
    struct sync *sync = argument;
    sync->failure = sync_directory(sync->group->store, sync->directory);
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

static void fail_touching(struct store_wave *wave, const struct sync *sync)
{
    for (size_t i = 0; i < store_wave_size(wave); i++) {
        const struct store_request *request = store_wave_request(wave, i);
        if (!store_method_writes(request->method))
            continue;
        struct store_answer *answer = store_wave_answer(wave, i);
        for (guint j = 0; answer->touched && j < answer->touched->len; j++) {
            if (answer->code == 0 &&
                strcmp(g_ptr_array_index(answer->touched, j), sync->directory) == 0)
                local_fail_unknown(answer, request, sync->failure, "sync the directory");
        }
    }
}

void local_settle(struct store *base, struct store_wave *wave)
{
    g_autoptr(GArray) syncs = collect_syncs(wave);
    if (syncs->len == 0)
        return;
    run_syncs((struct local_store *)base, syncs);
    for (guint i = 0; i < syncs->len; i++) {
        const struct sync *sync = &g_array_index(syncs, struct sync, i);
        if (sync->failure)
            fail_touching(wave, sync);
    }
}

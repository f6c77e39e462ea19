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
 *
 * It also remembers the directories of which a sync has failed ("doubted"), until one has succeeded
 * for which they had got something new to write.
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

/* With the lock held, in one of the tables. */
static void note(struct local_store *store, GHashTable *table, char *directory)
{
    uint64_t *serial = g_new(uint64_t, 1);
    *serial = ++store->last_serial;
    g_hash_table_replace(table, directory, serial);
}

static void give_directory(struct local_store *store, const char *directory,
                           const struct local_ownership *ownership)
{
    auto_close int fd = TEMP_FAILURE_RETRY(
        openat(store->root, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd >= 0)
        local_give(fd, ownership);
}

/* One level. Making and remembering are one step under the lock, so that nobody who finds the
 * directory misses that it may not be durable. */
static int make_directory(struct local_store *store, const char *directory)
{
    g_autofree char *parent = local_parent(directory);
    struct local_ownership ownership;
    int failure = local_ownership_of_directory(store, parent, &ownership);
    LOCK_SCOPE(&store->lock);
    if (failure || mkdirat(store->root, directory, ownership.mode) != 0) {
        failure = failure ? failure : errno;
        return failure == EEXIST ? 0 : failure;
    }
    give_directory(store, directory, &ownership);
    note(store, store->unsettled, g_steal_pointer(&parent));
    return 0;
}

/* What has been seen is never made: it may be moved away at any time. */
static int obtain_directory(struct local_store *store, const char *directory)
{
    bool is_gone = false;
    if (local_has_been(store, directory, &is_gone))
        return is_gone ? ESTALE : 0;
    return make_directory(store, directory);
}

/* Before the first is made, so that of what has gone nothing is made above it, either. */
static int check_seen(struct local_store *store, const char *directory)
{
    g_autofree char *path = g_strconcat(directory, "/", NULL);
    bool is_gone = false;
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (local_has_been(store, path, &is_gone) && is_gone)
            return ESTALE;
        *slash = '/';
    }
    return 0;
}

int local_make_directories(struct local_store *store, const char *directory)
{
    g_autofree char *path = g_strdup(directory);
    int failure = check_seen(store, directory);
    if (failure == 0)
        failure = obtain_directory(store, directory);
    if (failure != ENOENT)
        return failure;
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        failure = obtain_directory(store, path);
        *slash = '/';
        if (failure)
            return failure;
    }
    return obtain_directory(store, directory);
}

void local_touch_doubted(struct local_store *store, struct store_answer *answer, const char *prefix)
{
    g_autofree char *itself = local_parent(prefix); /* without the slash */
    g_autofree char *parent = local_parent(itself);
    GHashTableIter iterator;
    void *directory;
    LOCK_SCOPE(&store->lock);
    g_hash_table_iter_init(&iterator, store->doubted);
    while (g_hash_table_iter_next(&iterator, &directory, NULL))
        if (g_str_has_prefix(directory, prefix) || strcmp(directory, itself) == 0 ||
            strcmp(directory, parent) == 0)
            local_touch(answer, directory);
}

/* The number under which `directory` was noted last; 0: it is not. */
static uint64_t serial_of(struct local_store *store, GHashTable *table, const char *directory)
{
    LOCK_SCOPE(&store->lock);
    const uint64_t *serial = g_hash_table_lookup(table, directory);
    return serial ? *serial : 0;
}

/* What was noted up to `serial` is durable. */
static void forget(struct local_store *store, GHashTable *table, const char *directory,
                   uint64_t serial)
{
    LOCK_SCOPE(&store->lock);
    const uint64_t *now = g_hash_table_lookup(table, directory);
    if (now && *now == serial)
        g_hash_table_remove(table, directory);
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

/* Gives a directory something new to write: a file under a temporary name that comes and goes. */
static void renew(struct local_store *store, int fd)
{
    uint64_t number = __atomic_add_fetch(&store->counter, 1, __ATOMIC_RELAXED);
    g_autofree char *name = g_strdup_printf("sync#%" G_GUINT64_FORMAT, number);
    auto_close int file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0)
        unlinkat(fd, name, 0);
    else
        futimens(fd, NULL); /* there is no room for a name */
}

/* EINVAL: the file system knows no such thing as syncing a directory. */
static int sync_descriptor(int fd)
{
    return TEMP_FAILURE_RETRY(fsync(fd)) == 0 || errno == EINVAL ? 0 : errno;
}

static int doubt(struct local_store *store, const char *directory, int failure)
{
    LOCK_SCOPE(&store->lock);
    note(store, store->doubted, g_strdup(directory));
    return failure;
}

int local_sync_directory(struct local_store *store, const char *directory)
{
    uint64_t unsettled = serial_of(store, store->unsettled, directory);
    uint64_t doubted = serial_of(store, store->doubted, directory);
    auto_close int fd = open_existing(store, directory);
    if (fd < 0)
        return doubt(store, directory, errno);
    if (doubted)
        renew(store, fd);
    int failure = sync_descriptor(fd);
    if (failure)
        return doubt(store, directory, failure);
    forget(store, store->unsettled, directory, unsettled);
    forget(store, store->doubted, directory, doubted);
    return 0;
}

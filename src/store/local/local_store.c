#include "store/local/local_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

/* More threads than this do not make a disk faster. */
#define MOST_JOBS 16

/* Everything goes through the descriptor of the root, also when the directory has another name by
 * now and the path is that of another one. */
static int check_place(const struct local_store *store, struct error *err)
{
    struct stat opened, named;
    if (fstat(store->root, &opened) != 0)
        return error_set_errno(err, errno, "looking at the directory that was opened as %s",
                               store->path);
    bool is_there = stat(store->path, &named) == 0;
    if (!is_there && !local_is_absent(errno) && errno != ELOOP)
        return error_set_errno(err, errno, "looking whether %s is still what was opened",
                               store->path);
    if (is_there && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino)
        return 0;
    return error_set(err, ERR_AWAY,
                     "the directory that was opened as %s has been renamed or removed, and %s is "
                     "there now: put it back, or mount it where it is",
                     store->path, is_there ? "another one" : "nothing");
}

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    static void (*const methods[STORE_METHODS])(struct local_store *, const struct store_request *,
                                                struct store_answer *) = {
        [STORE_GET] = local_get,        [STORE_HEAD] = local_head,     [STORE_LIST] = local_list,
        [STORE_PUT] = local_put,        [STORE_DELETE] = local_delete, [STORE_PRUNE] = local_prune,
        [STORE_RESERVE] = local_reserve};
    struct local_store *store = (struct local_store *)base;
    struct error away = {0};
    int code = request->in_place ? check_place(store, &away) : 0;
    if (code == 0)
        code = local_check_expected(store, request, &away);
    if (code) {
        store_answer_fail(answer, code, "%s", away.text);
        return;
    }
    methods[request->method](store, request, answer);
    if (request->method == STORE_PUT && answer->code == 0)
        local_note_made(store, request);
}

static void destroy(struct store *base)
{
    struct local_store *store = (struct local_store *)base;
    worker_pool_free(store->sync_pool);
    close(store->root);
    g_array_unref(store->locks);
    g_hash_table_unref(store->unsettled);
    g_hash_table_unref(store->doubted);
    g_hash_table_unref(store->writing);
    g_hash_table_unref(store->reserves);
    pthread_mutex_destroy(&store->reserves_lock);
    g_hash_table_unref(store->looked);
    g_hash_table_unref(store->leftovers);
    pthread_cond_destroy(&store->leftovers_changed);
    pthread_mutex_destroy(&store->leftovers_lock);
    pthread_mutex_destroy(&store->lock);
    g_hash_table_unref(store->versions);
    g_queue_clear_full(&store->versions_order, g_free);
    pthread_mutex_destroy(&store->versions_lock);
    g_hash_table_unref(store->seen);
    pthread_mutex_destroy(&store->seen_lock);
    local_memory_free(store->memory);
    g_free(store->path);
}

static void close_lock(gpointer fd)
{
    cleanup_close(fd);
}

int local_store_open(const char *root, unsigned jobs, struct store **ret, struct error *err)
{
    static const struct store_operations operations = {
        .perform = perform, .settle = local_settle, .destroy = destroy};
    int fd = TEMP_FAILURE_RETRY(open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0 && errno == ENOTDIR)
        return error_set(err, ERR_INVALID, "%s is not a directory", root);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the directory %s", root);
    struct local_store *store = g_new0(struct local_store, 1);
    unsigned threads = CLAMP(jobs, 1, MOST_JOBS);
    store_initialize(&store->base, &operations, threads);
    store->path = g_strdup(root);
    store->root = fd;
    store->locks = g_array_new(FALSE, FALSE, sizeof(int));
    g_array_set_clear_func(store->locks, close_lock);
    store->sync_pool = worker_pool_new("store-sync", threads);
    pthread_mutex_init(&store->lock, NULL);
    store->unsettled = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    store->doubted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    store->writing = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    pthread_mutex_init(&store->reserves_lock, NULL);
    store->reserves = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    pthread_mutex_init(&store->leftovers_lock, NULL);
    pthread_cond_init(&store->leftovers_changed, NULL);
    store->looked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    store->leftovers =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
    pthread_mutex_init(&store->seen_lock, NULL);
    store->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    store->memory = local_memory_new();
    pthread_mutex_init(&store->versions_lock, NULL);
    store->versions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, local_version_free);
    g_queue_init(&store->versions_order);
    *ret = &store->base;
    return 0;
}

/* ---- The lock ---- */

static bool is_same_file(int fd, int other)
{
    struct stat status, others;
    return fstat(fd, &status) == 0 && fstat(other, &others) == 0 &&
           status.st_dev == others.st_dev && status.st_ino == others.st_ino;
}

/* By another descriptor it would be refused to ourselves. */
static bool is_locked(const struct local_store *store, int fd)
{
    bool found = false;
    for (guint i = 0; !found && i < store->locks->len; i++)
        found = is_same_file(fd, g_array_index(store->locks, int, i));
    return found;
}

int local_store_lock(struct store *base, const char *directory, struct error *err)
{
    struct local_store *store = (struct local_store *)base;
    g_autofree char *path = g_build_filename(store->path, directory, NULL);
    auto_close int fd = TEMP_FAILURE_RETRY(
        openat(store->root, local_path(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0 && (local_is_absent(errno) || errno == ELOOP))
        return 0;
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s to lock it", path);
    if (is_locked(store, fd))
        return 0;
    if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | LOCK_NB)) == 0) {
        g_array_append_val(store->locks, fd);
        fd = -1;
        return 0;
    }
    if (errno == EWOULDBLOCK)
        return error_set(err, ERR_HELD, "%s is locked by another process", path);
    return error_set_errno(err, errno, "cannot lock %s", path);
}

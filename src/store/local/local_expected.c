/*
 * Directories that a request takes to be there: see store_request_expect(). One that this store has
 * seen once is missed ever after.
 *
 * So it is when another one is in its place that lies on another file system: the empty mountpoint
 * below a file system that is not mounted any more, or what has been mounted over it. One that was
 * replaced on its own file system is as good as the first.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

/* A file system may have another number when it is mounted again, as those without a device have;
 * then its directories are known by their own. */
static bool is_elsewhere(const struct stat *seen, const struct stat *status)
{
    return seen->st_dev != status->st_dev && seen->st_ino != status->st_ino;
}

/* Notes where a directory is. False, and nothing noted: it was seen elsewhere. */
static bool note_seen(struct local_store *store, const char *directory, const struct stat *status)
{
    LOCK_SCOPE(&store->seen_lock);
    struct stat *seen = g_hash_table_lookup(store->seen, directory);
    if (seen && is_elsewhere(seen, status))
        return false;
    if (seen)
        *seen = *status;
    else
        g_hash_table_insert(store->seen, g_strdup(directory), g_memdup2(status, sizeof *status));
    return true;
}

bool local_forget_directory(struct local_store *store, const char *directory)
{
    g_autofree char *key = g_strconcat(directory, "/", NULL);
    LOCK_SCOPE(&store->seen_lock);
    return g_hash_table_remove(store->seen, key);
}

void local_restore_directory(struct local_store *store, const char *directory,
                             const struct stat *status)
{
    g_autofree char *key = g_strconcat(directory, "/", NULL);
    note_seen(store, key, status);
}

static bool was_seen(struct local_store *store, const char *directory)
{
    LOCK_SCOPE(&store->seen_lock);
    return g_hash_table_contains(store->seen, directory);
}

static bool was_seen_elsewhere(struct local_store *store, const char *directory,
                               const struct stat *status)
{
    LOCK_SCOPE(&store->seen_lock);
    const struct stat *seen = g_hash_table_lookup(store->seen, directory);
    return seen && is_elsewhere(seen, status);
}

void local_learn_directory(struct local_store *store, const char *directory)
{
    struct stat status;
    if (!was_seen(store, directory) && fstatat(store->root, directory, &status, 0) == 0)
        note_seen(store, directory, &status);
}

static int refuse_elsewhere(const char *directory, struct error *err)
{
    return error_set(err, ERR_AWAY,
                     "the directory %s is on another file system than the one that was there: "
                     "mount that, or mount again if it is gone on purpose",
                     directory);
}

/* *ret: there, and empty. ERR_AWAY when it is another one than that which was seen. */
static int look_whether_empty(struct local_store *store, const char *directory, bool *ret,
                              struct error *err)
{
    g_autoptr(GArray) entries = NULL;
    struct stat status;
    *ret = false;
    int fd = TEMP_FAILURE_RETRY(openat(store->root, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    bool is_other =
        fd >= 0 && fstat(fd, &status) == 0 && was_seen_elsewhere(store, directory, &status);
    if (fd >= 0)
        *ret = local_read_directory(fd, &entries) == 0 && entries->len == 0;
    return is_other ? refuse_elsewhere(directory, err) : 0;
}

bool local_has_been(struct local_store *store, const char *directory, bool *ret_gone)
{
    g_autofree char *key = g_strconcat(directory, "/", NULL);
    struct stat status;
    if (!was_seen(store, key))
        return false;
    bool is_there = fstatat(store->root, directory, &status, 0) == 0;
    *ret_gone = is_there ? was_seen_elsewhere(store, key, &status) : local_is_absent(errno);
    return was_seen(store, key); /* else the store has pruned it */
}

/* has_been: before it was looked for. */
static int check_absent(struct local_store *store, const struct store_expectation *expected,
                        bool has_been, struct error *err)
{
    const char *directory = expected->directory;
    struct stat status;
    bool is_dispensable = false;
    int code =
        expected->unless ? look_whether_empty(store, expected->unless, &is_dispensable, err) : 0;
    if (code || is_dispensable)
        return code;
    if (expected->is_sure)
        return error_set(err, ERR_AWAY,
                         "the directory %s is not there, but forks have branches in it: put it "
                         "back",
                         directory);
    if (has_been && was_seen(store, directory) &&
        fstatat(store->root, directory, &status, 0) != 0) /* nor has the store pruned it */
        return error_set(err, ERR_AWAY,
                         "the directory %s was there and is not now: put it back, or mount again "
                         "if it is gone on purpose",
                         directory);
    return 0;
}

static int check_one(struct local_store *store, const struct store_expectation *expected,
                     struct error *err)
{
    const char *directory = expected->directory;
    struct stat status;
    /* Before the look: others may make it right after that. */
    bool has_been = was_seen(store, directory);
    if (fstatat(store->root, directory, &status, 0) != 0) {
        if (local_is_absent(errno))
            return check_absent(store, expected, has_been, err);
        return error_set_errno(err, errno, "looking for the directory %s", directory);
    }
    if (!note_seen(store, directory, &status))
        return refuse_elsewhere(directory, err);
    if (!has_been && expected->unless)
        local_learn_directory(store, expected->unless);
    return 0;
}

int local_check_expected(struct local_store *store, const struct store_request *request,
                         struct error *err)
{
    int code = 0;
    for (guint i = 0; code == 0 && request->expected && i < request->expected->len; i++)
        code = check_one(store, g_ptr_array_index(request->expected, i), err);
    return code;
}

void local_note_made(struct local_store *store, const struct store_request *request)
{
    for (guint i = 0; request->expected && i < request->expected->len; i++) {
        const struct store_expectation *expected = g_ptr_array_index(request->expected, i);
        if (g_str_has_prefix(request->key, expected->directory)) {
            local_learn_directory(store, expected->directory);
            if (expected->unless)
                local_learn_directory(store, expected->unless);
        }
    }
}

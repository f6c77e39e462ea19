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
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

/* Where a directory was seen. */
struct place {
    dev_t device;
    ino_t inode;
    uint64_t file_system; /* 0: not known */
};

static uint64_t file_system_of(struct local_store *store, const char *directory)
{
    struct statfs status;
    uint64_t id = 0;
    auto_close int fd =
        TEMP_FAILURE_RETRY(openat(store->root, directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (fd >= 0 && fstatfs(fd, &status) == 0)
        memcpy(&id, &status.f_fsid, sizeof id);
    return id;
}

static bool find_seen(struct local_store *store, const char *directory, struct place *ret)
{
    LOCK_SCOPE(&store->seen_lock);
    const struct place *seen = g_hash_table_lookup(store->seen, directory);
    if (seen)
        *ret = *seen;
    return seen;
}

/* A file system may have another number when it is mounted again, as those without a device have;
 * then it is known by its id, or, of one that has none, the directory by its own number. */
static bool is_elsewhere(struct local_store *store, const char *directory, const struct place *seen,
                         const struct stat *status)
{
    if (seen->device == status->st_dev)
        return false;
    uint64_t file_system = file_system_of(store, directory);
    return seen->file_system && file_system ? seen->file_system != file_system
                                            : seen->inode != status->st_ino;
}

static bool was_seen(struct local_store *store, const char *directory)
{
    struct place seen;
    return find_seen(store, directory, &seen);
}

static bool was_seen_elsewhere(struct local_store *store, const char *directory,
                               const struct stat *status)
{
    struct place seen;
    return find_seen(store, directory, &seen) && is_elsewhere(store, directory, &seen, status);
}

/* Notes where a directory is. False, and nothing noted: it was seen elsewhere. */
static bool note_seen(struct local_store *store, const char *directory, const struct stat *status)
{
    struct place place;
    if (find_seen(store, directory, &place)) {
        if (place.device == status->st_dev && place.inode == status->st_ino)
            return true;
        if (is_elsewhere(store, directory, &place, status))
            return false;
    }
    place = (struct place){status->st_dev, status->st_ino, file_system_of(store, directory)};
    LOCK_SCOPE(&store->seen_lock);
    g_hash_table_replace(store->seen, g_strdup(directory), g_memdup2(&place, sizeof place));
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

static int refuse_elsewhere(const char *directory, struct error *err)
{
    return error_set(err, ERR_AWAY,
                     "the directory %s is on another file system than the one that was there: "
                     "mount that, or mount again if it is gone on purpose",
                     directory);
}

/* Before a directory is seen for the first time: none above it is elsewhere than it was seen. */
static int check_above(struct local_store *store, const char *directory, struct error *err)
{
    g_autofree char *above = g_strdup(directory);
    size_t length;
    while ((length = store_key_above(above)) > 0) {
        struct place seen;
        struct stat status;
        above[length] = '\0';
        if (find_seen(store, above, &seen) && fstatat(store->root, above, &status, 0) == 0 &&
            is_elsewhere(store, above, &seen, &status))
            return refuse_elsewhere(above, err);
    }
    return 0;
}

void local_learn_directory(struct local_store *store, const char *directory)
{
    struct stat status;
    if (!was_seen(store, directory) && check_above(store, directory, NULL) == 0 &&
        fstatat(store->root, directory, &status, 0) == 0)
        note_seen(store, directory, &status);
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

/* Whether a directory, which was just found absent, is missed on behalf of one that was expected:
 * that itself, which may be back by now, or one above it. */
static bool is_gone_with(struct local_store *store, const char *directory, const char *expected)
{
    struct stat status;
    if (!g_str_has_prefix(directory, expected) || !was_seen(store, expected))
        return false;
    return strcmp(directory, expected) == 0 || fstatat(store->root, expected, &status, 0) != 0;
}

/* Whether a request that found a directory absent has expected it, or one above, and that is no
 * accident. */
static bool is_missed(struct local_store *store, const struct store_request *request,
                      const char *directory)
{
    for (guint i = 0; request->expected && i < request->expected->len; i++) {
        const struct store_expectation *expected = g_ptr_array_index(request->expected, i);
        bool is_dispensable = false;
        if (!is_gone_with(store, directory, expected->directory))
            continue;
        return !expected->unless ||
               look_whether_empty(store, expected->unless, &is_dispensable, NULL) != 0 ||
               !is_dispensable;
    }
    return false;
}

int local_open_seen(struct local_store *store, const struct store_request *request, const char *key,
                    size_t length)
{
    g_autofree char *directory = g_strndup(key, length);
    int fd = TEMP_FAILURE_RETRY(
        openat(store->root, local_path(directory), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0 && local_is_absent(errno))
        errno = is_missed(store, request, directory) ? ESTALE : ENOENT;
    return fd;
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
    int code = has_been ? 0 : check_above(store, directory, err);
    if (code)
        return code;
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

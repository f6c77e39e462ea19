/*
 * Directories that a request takes to be there: see store_request_expect(). One that this store has
 * seen once is missed ever after.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

static void note_seen(struct local_store *store, const char *directory)
{
    LOCK_SCOPE(&store->seen_lock);
    if (!g_hash_table_contains(store->seen, directory))
        g_hash_table_add(store->seen, g_strdup(directory));
}

bool local_forget_directory(struct local_store *store, const char *directory)
{
    g_autofree char *key = g_strconcat(directory, "/", NULL);
    LOCK_SCOPE(&store->seen_lock);
    return g_hash_table_remove(store->seen, key);
}

void local_restore_directory(struct local_store *store, const char *directory)
{
    g_autofree char *key = g_strconcat(directory, "/", NULL);
    note_seen(store, key);
}

static bool was_seen(struct local_store *store, const char *directory)
{
    LOCK_SCOPE(&store->seen_lock);
    return g_hash_table_contains(store->seen, directory);
}

static bool is_empty(struct local_store *store, const char *directory)
{
    g_autoptr(GArray) entries = NULL;
    int fd = TEMP_FAILURE_RETRY(openat(store->root, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return fd >= 0 && local_read_directory(fd, &entries) == 0 && entries->len == 0;
}

bool local_has_been(struct local_store *store, const char *directory, bool *ret_gone)
{
    g_autofree char *key = g_strconcat(directory, "/", NULL);
    struct stat status;
    if (!was_seen(store, key))
        return false;
    *ret_gone = fstatat(store->root, directory, &status, 0) != 0 && local_is_absent(errno);
    return was_seen(store, key); /* else the store has pruned it */
}

static int check_one(struct local_store *store, const struct store_expectation *expected,
                     struct error *err)
{
    const char *directory = expected->directory;
    struct stat status;
    /* Before the look: others may make it right after that. */
    bool has_been = was_seen(store, directory);
    bool is_there = fstatat(store->root, directory, &status, 0) == 0;
    if (!is_there && !local_is_absent(errno))
        return error_set_errno(err, errno, "looking for the directory %s", directory);
    if (is_there)
        note_seen(store, directory);
    else if (expected->unless && is_empty(store, expected->unless))
        return 0;
    else if (expected->is_sure)
        return error_set(err, ERR_AWAY,
                         "the directory %s is not there, but forks have branches in it: put it "
                         "back",
                         directory);
    else if (has_been && was_seen(store, directory) &&
             fstatat(store->root, directory, &status, 0) != 0) /* nor has the store pruned it */
        return error_set(err, ERR_AWAY,
                         "the directory %s was there and is not now: put it back, or mount again "
                         "if it is gone on purpose",
                         directory);
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
        if (g_str_has_prefix(request->key, expected->directory))
            note_seen(store, expected->directory);
    }
}

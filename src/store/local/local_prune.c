/*
 * Removing: an object (delete), and what is no object (prune), which are temporary files that
 * crashed writers left, and empty directories. Regular files under temporary names and empty
 * directories are all that a prune ever removes. Links it leaves alone, and does not follow below
 * the prefix.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

/* ---- Deleting ---- */

static int delete_own(struct local_store *store, const struct store_request *request)
{
    auto_close int above = local_open_own(store, request, request->key);
    if (above < 0)
        return errno;
    LOCK_SCOPE(&store->lock);
    return unlinkat(above, request->key + store_key_above(request->key), 0) == 0 ? 0 : errno;
}

/* By the directory, for what is not there while that is away is not deleted. */
static int delete_any(struct local_store *store, const struct store_request *request)
{
    const size_t length = store_key_above(request->key);
    auto_close int above = local_open_seen(store, request, request->key, length);
    if (above < 0)
        return errno;
    LOCK_SCOPE(&store->lock);
    return unlinkat(above, request->key + length, 0) == 0 ? 0 : errno;
}

void local_delete(struct local_store *store, const struct store_request *request,
                  struct store_answer *answer)
{
    g_autofree char *directory = local_parent(request->key);
    /* An absent object is touched, too: an earlier delete of it may not have become durable. */
    local_touch(answer, directory);
    int failure = request->own ? delete_own(store, request) : delete_any(store, request);
    if (failure == 0 || local_is_absent(failure) || failure == EISDIR)
        return;
    if (failure == ESTALE || (request->own && failure == EXDEV))
        local_fail_within(answer, request, failure, directory);
    else if (!request->own || failure != ELOOP)
        local_fail(answer, request, failure, "unlink");
}

/* ---- Pruning ---- */

struct prune {
    struct local_store *store;
    const struct store_request *request;
    struct store_answer *answer;
    GHashTable
        *changed; /* set of char *: directories that are still there, and have lost entries */
};

/* What goes with its directory need not be made durable on its own. */
static void note_removed(struct prune *prune, const char *key)
{
    g_hash_table_remove(prune->changed, key);
    g_hash_table_add(prune->changed, local_parent(key));
}

/* unlinkat() that takes in its stride what does not want to go. */
static int remove_name(struct prune *prune, int directory, const char *name, const char *key,
                       int flags)
{
    if (unlinkat(directory, name, flags) == 0)
        note_removed(prune, key);
    else if (!local_is_absent(errno) && errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY)
        return errno;
    return 0;
}

static bool is_abandoned(struct prune *prune, const struct local_entry *entry, const char *key)
{
    return entry->type == DT_REG && store_name_is_temporary(entry->name) &&
           !local_is_being_written(prune->store, key);
}

static int prune_leaf(void *data, int directory, const struct local_entry *entry, const char *key)
{
    struct prune *prune = data;
    return is_abandoned(prune, entry, key) ? remove_name(prune, directory, entry->name, key, 0) : 0;
}

static int prune_directory(void *data, int directory, const char *name, const char *key)
{
    struct prune *prune = data;
    struct stat status;
    bool was_seen = local_forget_directory(prune->store, key);
    int failure = remove_name(prune, directory, name, key, AT_REMOVEDIR);
    if (was_seen && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
        local_restore_directory(prune->store, key, &status);
    return failure;
}

/* ---- Pruning what is kept within: what stays is told ---- */

static int prune_own_leaf(void *data, int directory, const struct local_entry *entry,
                          const char *key)
{
    struct prune *prune = data;
    if (entry->type == DT_DIR)
        return EXDEV;
    if (is_abandoned(prune, entry, key))
        return remove_name(prune, directory, entry->name, key, 0);
    if (entry->type == DT_REG && store_name_is_temporary(entry->name))
        return EBUSY;
    local_add_key(prune->answer, key);
    return 0;
}

/* Whether it was told that something stays in the directory that was left just now. */
static bool has_rows(const struct prune *prune, const char *key)
{
    const GPtrArray *rows = prune->answer->objects;
    const struct store_object *last = rows->len ? g_ptr_array_index(rows, rows->len - 1) : NULL;
    size_t length = strlen(key);
    return last && strncmp(last->key, key, length) == 0 && last->key[length] == '/';
}

static int prune_own_directory(void *data, int directory, const char *name, const char *key)
{
    struct prune *prune = data;
    if (has_rows(prune, key))
        return 0;
    if (unlinkat(directory, name, AT_REMOVEDIR) == 0) {
        note_removed(prune, key);
        return 0;
    }
    if (errno == ENOTEMPTY || errno == EEXIST)
        return EAGAIN; /* somebody has just put something there */
    return local_is_absent(errno) ? 0 : errno;
}

/* ---- All of it ---- */

/* Below and including the directory `place`. */
static void prune_any(struct prune *prune, const char *place)
{
    static const struct local_visitor visitor = {
        .follows_first = true, .leaf = prune_leaf, .leave = prune_directory};
    size_t length = store_key_above(place);
    g_autoptr(GString) key = g_string_new_len(place, (gssize)length);
    auto_close int above = local_open_above(prune->store, place, length);
    int failure = above < 0 ? errno : local_walk(above, place + length, &visitor, prune, key);
    if (failure && !local_is_absent(failure))
        local_fail(prune->answer, prune->request, failure, key->str);
}

/* As a prefix (`is_prefix`) it tells of the place itself, too, when that is no directory. */
static void prune_own(struct prune *prune, const char *place, bool is_prefix)
{
    static const struct local_visitor visitor = {.leaf = prune_own_leaf,
                                                 .leave = prune_own_directory};
    size_t length = store_key_above(place);
    g_autoptr(GString) key = g_string_new_len(place, (gssize)length);
    auto_close int above = local_open_own(prune->store, prune->request, place);
    int failure = above < 0 ? errno : 0;
    prune->answer->objects = store_objects_new();
    if (failure == 0) {
        failure = local_walk(above, place + length, &visitor, prune, key);
        if (failure == ENOTDIR || failure == ELOOP)
            failure = is_prefix ? local_add_place(above, place + length, place, prune->answer) : 0;
    }
    if (failure && !local_is_absent(failure))
        local_fail_within(prune->answer, prune->request, failure, key->str);
    if (prune->answer->code || prune->answer->objects->len == 0)
        g_clear_pointer(&prune->answer->objects, g_ptr_array_unref);
}

/* The temporary files of a key. */
static void prune_siblings(struct prune *prune)
{
    struct local_store *store = prune->store;
    g_autoptr(GPtrArray) leftovers = NULL;
    int failure = local_leftovers(store, prune->request->key, &leftovers);
    for (guint i = 0; failure == 0 && i < leftovers->len; i++) {
        const char *key = g_ptr_array_index(leftovers, i);
        if (local_is_being_written(store, key))
            continue;
        failure = remove_name(prune, store->root, key, key, 0);
        if (failure == 0)
            local_forget_leftover(store, key);
    }
    if (failure)
        local_fail(prune->answer, prune->request, failure, "prune");
}

void local_prune(struct local_store *store, const struct store_request *request,
                 struct store_answer *answer)
{
    g_autoptr(GHashTable) changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct prune prune = {store, request, answer, changed};
    GHashTableIter iterator;
    void *directory;
    size_t length = strlen(request->key);
    bool is_prefix = request->key[length - 1] == '/';
    g_autofree char *place = g_strndup(request->key, is_prefix ? length - 1 : length);
    if (is_prefix)
        local_touch_doubted(store, answer, request->key);
    else
        prune_siblings(&prune);
    if (answer->code == 0 && request->own)
        prune_own(&prune, place, is_prefix);
    else if (answer->code == 0 && is_prefix)
        prune_any(&prune, place);
    if (answer->code == 0 && is_prefix && !request->own)
        local_note_looked(store, place);
    g_hash_table_iter_init(&iterator, changed);
    while (g_hash_table_iter_next(&iterator, &directory, NULL))
        local_touch(answer, directory);
}

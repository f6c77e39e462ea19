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

void local_delete(struct local_store *store, const struct store_request *request,
                  struct store_answer *answer)
{
    g_autofree char *directory = local_parent(request->key);
    /* An absent object is touched, too: an earlier delete of it may not have become durable. */
    local_touch(answer, directory);
    LOCK_SCOPE(&store->lock);
    if (unlinkat(store->root, request->key, 0) == 0)
        return;
    if (!local_is_absent(errno) && errno != EISDIR)
        local_fail(answer, request, errno, "unlink");
}

struct prune {
    struct local_store *store;
    const struct store_request *request;
    struct store_answer *answer;
};

/* unlinkat() that takes in its stride what does not want to go. `directory` holds the name. */
static void remove_name(struct prune *prune, const char *directory, const char *key, int flags)
{
    if (unlinkat(prune->store->root, key, flags) == 0)
        local_touch(prune->answer, directory);
    else if (!local_is_absent(errno) && errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY)
        local_fail(prune->answer, prune->request, errno, key);
}

/* The entries of a directory; NULL when there is none, or after a failure. */
static GArray *read_entries(struct prune *prune, const char *directory, int flags)
{
    GArray *entries = NULL;
    int fd = TEMP_FAILURE_RETRY(openat(prune->store->root, local_path(directory),
                                       O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags));
    if (fd < 0 && local_is_absent(errno))
        return NULL;
    int failure = fd < 0 ? errno : local_read_directory(fd, &entries);
    if (failure)
        local_fail(prune->answer, prune->request, failure, "read the directory");
    return entries;
}

static char *join_path(const char *directory, const char *name)
{
    return directory[0] ? g_strconcat(directory, "/", name, NULL) : g_strdup(name);
}

static bool is_abandoned(struct prune *prune, const struct local_entry *entry, const char *key)
{
    return entry->type == DT_REG && store_name_is_temporary(entry->name) &&
           !local_is_being_written(prune->store, key);
}

static void prune_tree(struct prune *prune, const char *directory, int flags)
{
    g_autofree char *parent = local_parent(directory);
    g_autoptr(GArray) entries = read_entries(prune, directory, flags);
    if (!entries)
        return;
    for (guint i = 0; i < entries->len && prune->answer->code == 0; i++) {
        const struct local_entry *entry = &g_array_index(entries, struct local_entry, i);
        g_autofree char *key = join_path(directory, entry->name);
        if (entry->type == DT_DIR)
            prune_tree(prune, key, O_NOFOLLOW);
        else if (is_abandoned(prune, entry, key))
            remove_name(prune, directory, key, 0);
    }
    if (prune->answer->code == 0)
        remove_name(prune, parent, directory, AT_REMOVEDIR);
}

static void prune_siblings(struct prune *prune)
{
    g_autofree char *directory = local_parent(prune->request->key);
    const char *slash = strrchr(prune->request->key, '/');
    const char *target = slash ? slash + 1 : prune->request->key;
    g_autoptr(GArray) entries = read_entries(prune, directory, 0);
    for (guint i = 0; entries && i < entries->len && prune->answer->code == 0; i++) {
        const struct local_entry *entry = &g_array_index(entries, struct local_entry, i);
        g_autofree char *key = join_path(directory, entry->name);
        if (store_name_is_temporary_of(entry->name, target) && is_abandoned(prune, entry, key))
            remove_name(prune, directory, key, 0);
    }
}

void local_prune(struct local_store *store, const struct store_request *request,
                 struct store_answer *answer)
{
    struct prune prune = {store, request, answer};
    size_t length = strlen(request->key);
    if (request->key[length - 1] == '/') {
        local_touch_doubted(store, answer, request->key);
        g_autofree char *directory = g_strndup(request->key, length - 1);
        prune_tree(&prune, directory, 0);
    } else
        prune_siblings(&prune);
}

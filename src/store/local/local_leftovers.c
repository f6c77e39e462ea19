/*
 * Temporary files that crashed writers have left, by what they were to become: so that pruning a
 * key need not read the whole directory that it is in.
 *
 * A directory is read once for that, if no prune of all of it has been before. From then on this
 * store leaves nothing there that it does not note; and what others leave is noted when a listing
 * or a prune meets it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

enum look { NOT_LOOKED, LOOKING, LOOKED };

/* With the lock held. */
static enum look look_of(struct local_store *store, const char *directory)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(store->looked, directory));
}

static void set_look(struct local_store *store, const char *directory, enum look look)
{
    LOCK_SCOPE(&store->leftovers_lock);
    if (look == NOT_LOOKED)
        g_hash_table_remove(store->looked, directory);
    else
        g_hash_table_replace(store->looked, g_strdup(directory), GINT_TO_POINTER(look));
    pthread_cond_broadcast(&store->leftovers_changed);
}

void local_note_looked(struct local_store *store, const char *directory)
{
    set_look(store, directory, LOOKED);
}

/* With the lock held. Takes the key over. */
static void note_key(struct local_store *store, char *key)
{
    size_t above = store_key_above(key);
    g_autofree char *target = g_strndup(key, above + store_temporary_target(key + above));
    GHashTable *keys = g_hash_table_lookup(store->leftovers, target);
    if (!keys) {
        keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_hash_table_insert(store->leftovers, g_steal_pointer(&target), keys);
    }
    g_hash_table_add(keys, key);
}

void local_note_leftover(struct local_store *store, const char *key)
{
    LOCK_SCOPE(&store->leftovers_lock);
    note_key(store, g_strdup(key));
}

void local_note_met(struct local_store *store, const char *directory, const char *name)
{
    g_autofree char *path = g_strndup(directory, strlen(directory) - (directory[0] != '\0'));
    LOCK_SCOPE(&store->leftovers_lock);
    if (look_of(store, path) != NOT_LOOKED)
        note_key(store, g_strconcat(directory, name, NULL));
}

void local_forget_leftover(struct local_store *store, const char *key)
{
    size_t above = store_key_above(key);
    g_autofree char *target = g_strndup(key, above + store_temporary_target(key + above));
    LOCK_SCOPE(&store->leftovers_lock);
    GHashTable *keys = g_hash_table_lookup(store->leftovers, target);
    if (keys && g_hash_table_remove(keys, key) && g_hash_table_size(keys) == 0)
        g_hash_table_remove(store->leftovers, target);
}

/* ---- The first look ---- */

/* Whether the caller is to look; others who want to know meanwhile wait for it. */
static bool begin_look(struct local_store *store, const char *directory)
{
    LOCK_SCOPE(&store->leftovers_lock);
    while (look_of(store, directory) == LOOKING)
        pthread_cond_wait(&store->leftovers_changed, &store->leftovers_lock);
    if (look_of(store, directory) == LOOKED)
        return false;
    g_hash_table_replace(store->looked, g_strdup(directory), GINT_TO_POINTER(LOOKING));
    return true;
}

static int look(struct local_store *store, const char *directory)
{
    g_autofree char *prefix =
        directory[0] ? g_strconcat(directory, "/", NULL) : g_strdup(directory);
    g_autoptr(GArray) entries = NULL;
    int fd = TEMP_FAILURE_RETRY(
        openat(store->root, local_path(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int failure = fd < 0 ? errno : local_read_directory(fd, &entries);
    for (guint i = 0; failure == 0 && i < entries->len; i++) {
        const struct local_entry *entry = &g_array_index(entries, struct local_entry, i);
        if (entry->type == DT_REG && store_name_is_temporary(entry->name))
            local_note_met(store, prefix, entry->name);
    }
    return local_is_absent(failure) ? 0 : failure;
}

int local_leftovers(struct local_store *store, const char *key, GPtrArray **ret)
{
    g_autofree char *directory = local_parent(key);
    if (begin_look(store, directory)) {
        int failure = look(store, directory);
        set_look(store, directory, failure ? NOT_LOOKED : LOOKED);
        if (failure)
            return failure;
    }
    *ret = g_ptr_array_new_with_free_func(g_free);
    LOCK_SCOPE(&store->leftovers_lock);
    GHashTable *keys = g_hash_table_lookup(store->leftovers, key);
    GHashTableIter iterator;
    void *leftover;
    if (keys)
        g_hash_table_iter_init(&iterator, keys);
    while (keys && g_hash_table_iter_next(&iterator, &leftover, NULL))
        g_ptr_array_add(*ret, g_strdup(leftover));
    return 0;
}

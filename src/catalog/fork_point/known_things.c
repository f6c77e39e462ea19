#include "catalog/fork_point/known_things.h"

#include <glib.h>

#include "base/cleanup.h"

/* What is known of a dataset. */
enum {
    SEEN_LISTED = 1U << 0,   /* its directory */
    SEEN_VERSION = 1U << 1,  /* its newest version */
    SEEN_RECORDED = 1U << 2, /* in an entry of the registry */
};

struct known_things {
    pthread_mutex_t lock;
    GHashTable *objects;  /* set of keys */
    GHashTable *datasets; /* name -> the flags */
};

struct known_things *known_things_new(void)
{
    struct known_things *known = g_new0(struct known_things, 1);
    pthread_mutex_init(&known->lock, NULL);
    known->objects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    known->datasets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return known;
}

void known_things_free(struct known_things *known)
{
    if (!known)
        return;
    g_hash_table_unref(known->objects);
    g_hash_table_unref(known->datasets);
    pthread_mutex_destroy(&known->lock);
    g_free(known);
}

void known_things_add_object(struct known_things *known, const char *key)
{
    LOCK_SCOPE(&known->lock);
    if (!g_hash_table_contains(known->objects, key))
        g_hash_table_add(known->objects, g_strdup(key));
}

/* With the lock held. */
static guint seen_of(const struct known_things *known, const char *dataset)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(known->datasets, dataset));
}

/* With the lock held. */
static void add_seen(struct known_things *known, const char *dataset, guint flags)
{
    guint seen = seen_of(known, dataset);
    if ((seen | flags) != seen)
        g_hash_table_replace(known->datasets, g_strdup(dataset), GUINT_TO_POINTER(seen | flags));
}

void known_things_add_dataset(struct known_things *known, const char *dataset, bool with_version)
{
    LOCK_SCOPE(&known->lock);
    add_seen(known, dataset, SEEN_LISTED | (with_version ? SEEN_VERSION : 0));
}

void known_things_add_entry(struct known_things *known, const struct fork_entry *entry)
{
    LOCK_SCOPE(&known->lock);
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        add_seen(known, pair->dataset, SEEN_RECORDED);
    }
}

bool known_things_has_datasets(struct known_things *known)
{
    LOCK_SCOPE(&known->lock);
    return g_hash_table_size(known->datasets) > 0;
}

static int refuse(const char *what, struct error *err)
{
    return error_set(err, ERR_AWAY,
                     "%s was there and is not now: nothing was changed; put it back, or mount "
                     "again if it is gone on purpose",
                     what);
}

int known_things_check_object(struct known_things *known, const char *key, struct error *err)
{
    LOCK_SCOPE(&known->lock);
    return g_hash_table_contains(known->objects, key) ? refuse(key, err) : 0;
}

int known_things_check_dataset(struct known_things *known, const char *dataset, const char *key,
                               struct error *err)
{
    LOCK_SCOPE(&known->lock);
    guint seen = seen_of(known, dataset);
    if (seen & SEEN_RECORDED)
        return error_set(err, ERR_AWAY,
                         "%s is not there, but the registry records branches in it: nothing was "
                         "changed; put it back",
                         key);
    return seen ? refuse(key, err) : 0;
}

int known_things_check_version(struct known_things *known, const char *dataset, const char *key,
                               struct error *err)
{
    g_autofree char *versions = g_strconcat(key, "/_versions/", NULL);
    LOCK_SCOPE(&known->lock);
    return seen_of(known, dataset) & SEEN_VERSION ? refuse(versions, err) : 0;
}

int known_things_check_listed(struct known_things *known, const char *dataset, const char *key,
                              struct error *err)
{
    LOCK_SCOPE(&known->lock);
    return seen_of(known, dataset) & SEEN_LISTED ? refuse(key, err) : 0;
}

int known_things_refuse_storage(const char *prefix, struct error *err)
{
    return error_set(err, ERR_AWAY,
                     "there were datasets below '%s' and there is none now: nothing was changed; "
                     "put them back",
                     prefix);
}

int known_things_refuse_branchless(const char *key, const char *branch, struct error *err)
{
    return error_set(err, ERR_AWAY,
                     "%s is not there, but the fork has the branch %s in it, which would be left "
                     "behind: put it back",
                     key, branch);
}

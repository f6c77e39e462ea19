#include "catalog/fork/known_forks.h"

#include <string.h>

#include "catalog/format/layout.h"

struct known_forks {
    int references; /* atomic */
    struct registry *registry;
    GHashTable *ids; /* set of the entries' ids as they are spelled, not terminated */
};

/* The end of an id is random. */
static guint hash_of_id(gconstpointer id)
{
    guint hash;
    memcpy(&hash, (const char *)id + ULID_LENGTH - sizeof hash, sizeof hash);
    return hash * 2654435769u;
}

static gboolean ids_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, ULID_LENGTH) == 0;
}

struct known_forks *known_forks_new(const struct registry *registry)
{
    struct known_forks *known = g_new0(struct known_forks, 1);
    known->references = 1;
    known->registry = registry_ref(registry);
    known->ids = g_hash_table_new(hash_of_id, ids_equal);
    for (guint i = 0; i < registry->entries->len; i++)
        g_hash_table_add(known->ids,
                         ((struct fork_entry *)g_ptr_array_index(registry->entries, i))->id.text);
    return known;
}

struct known_forks *known_forks_ref(struct known_forks *known)
{
    __atomic_fetch_add(&known->references, 1, __ATOMIC_RELAXED);
    return known;
}

void known_forks_unref(struct known_forks *known)
{
    if (!known || __atomic_sub_fetch(&known->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    g_hash_table_unref(known->ids);
    registry_unref(known->registry);
    g_free(known);
}

bool known_forks_have(const struct known_forks *known, const char *branch)
{
    const char *text = layout_id_in_branch(branch);
    if (!text)
        return false;
    struct ulid id; /* other programs may spell it in lower case */
    return g_hash_table_contains(known->ids, text) ||
           (ulid_parse(text, ULID_LENGTH, &id) && g_hash_table_contains(known->ids, id.text));
}

#include "catalog/fork/known_forks.h"

#include <string.h>

#include "catalog/format/layout.h"

struct known_forks {
    int references;   /* atomic */
    struct ulid *ids; /* side by side, as that is where all looking up looks */
    GHashTable *set;  /* of them */
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
    known->ids = g_new(struct ulid, registry->entries->len);
    known->set = g_hash_table_new(hash_of_id, ids_equal);
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        known->ids[i] = entry->id;
        if (!entry->had_other_parent)
            g_hash_table_add(known->set, known->ids[i].text);
    }
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
    g_hash_table_unref(known->set);
    g_free(known->ids);
    g_free(known);
}

bool known_forks_have(const struct known_forks *known, const char *branch)
{
    const char *text = layout_id_in_branch(branch);
    if (!text)
        return false;
    struct ulid id; /* other programs may spell it in lower case */
    return g_hash_table_contains(known->set, text) ||
           (ulid_parse(text, ULID_LENGTH, &id) && g_hash_table_contains(known->set, id.text));
}

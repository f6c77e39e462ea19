/*
 * Finding entries of an image: by key, by id, by parent, and whose a branch is.
 */
#include <string.h>

#include "catalog/format/layout.h"
#include "catalog/registry/registry_private.h"

struct fork_entry *registry_find(const struct registry *registry, const char *key)
{
    const struct fork_entry probe = {.key = (char *)key};
    guint at = order_lower_bound(registry->entries, order_by_key, &probe);
    if (at == registry->entries->len)
        return NULL;
    struct fork_entry *entry = registry->entries->pdata[at];
    return order_by_key(entry, &probe) == 0 ? entry : NULL;
}

struct fork_entry *registry_find_id(const struct registry *registry, const struct ulid *id)
{
    const struct fork_entry probe = {.id = *id};
    guint at = order_lower_bound(registry->by_id, order_by_id, &probe);
    if (at == registry->by_id->len)
        return NULL;
    struct fork_entry *entry = registry->by_id->pdata[at];
    return order_by_id(entry, &probe) == 0 ? entry : NULL;
}

bool registry_id_is_ambiguous(const struct registry *registry, const struct ulid *id)
{
    const struct fork_entry probe = {.id = *id};
    guint second = order_lower_bound(registry->by_id, order_by_id, &probe) + 1;
    return second < registry->by_id->len &&
           order_by_id(registry->by_id->pdata[second], &probe) == 0;
}

struct fork_entry *registry_parent(const struct registry *registry, const struct fork_entry *entry)
{
    return entry->has_parent ? registry_find_id(registry, &entry->parent_id) : NULL;
}

/* In a lineage that has no end the second walker, half as fast, is met. */
bool registry_is_ancestor(const struct registry *registry, const struct ulid *id,
                          const struct fork_entry *entry)
{
    const struct fork_entry *at = entry, *slow = entry;
    for (bool is_even = false; at && at->has_parent; is_even = !is_even) {
        if (ulid_equal(&at->parent_id, id))
            return true;
        at = registry_parent(registry, at);
        slow = is_even ? registry_parent(registry, slow) : slow;
        if (at == slow)
            return false;
    }
    return false;
}

GHashTable *registry_circular_entries(const struct registry *registry)
{
    GHashTable *circular = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) walks = g_hash_table_new(NULL, NULL); /* entry -> walk that met it */
    for (guint i = 0; i < registry->entries->len; i++) {
        void *walk = GUINT_TO_POINTER(i + 1);
        struct fork_entry *at = registry->entries->pdata[i];
        for (; at && !g_hash_table_contains(walks, at); at = registry_parent(registry, at))
            g_hash_table_insert(walks, at, walk);
        if (!at || g_hash_table_lookup(walks, at) != walk)
            continue;
        for (; !g_hash_table_contains(circular, at); at = registry_parent(registry, at))
            g_hash_table_add(circular, at);
    }
    return circular;
}

/* Children of the same parent come before the probe: the lower bound is where they end. */
static int order_after_children(const struct fork_entry *a, const struct fork_entry *b)
{
    return order_by_parent(a, b) > 0 ? 1 : -1;
}

bool registry_allows_children(const struct registry *registry, const struct fork_entry *entry)
{
    for (unsigned ancestors = 0; ancestors <= FORK_ANCESTORS_MAX; ancestors++) {
        if (!entry || !entry->has_parent)
            return true;
        entry = registry_find_id(registry, &entry->parent_id);
    }
    return false;
}

size_t registry_children(const struct registry *registry, const struct ulid *id, size_t *first)
{
    const struct fork_entry probe = {.parent_id = *id};
    *first = order_lower_bound(registry->by_parent, order_by_parent, &probe);
    return order_lower_bound(registry->by_parent, order_after_children, &probe) - *first;
}

/* Whether a branch has the mark of another id than `own`, known here or not. */
static bool is_marked_by_other(const struct ulid *own, const char *branch)
{
    struct ulid id;
    return layout_id_of_branch(branch, &id) && !ulid_equal(&id, own);
}

/* Whether any 26 characters of the name are the id of another entry. */
static bool carries_id_of_other(const struct registry *registry, const struct ulid *own,
                                const char *branch)
{
    size_t run = 0;
    for (const char *at = branch; *at != '\0'; at++) {
        run = g_ascii_isalnum(*at) ? run + 1 : 0;
        struct ulid id;
        if (run >= ULID_LENGTH && ulid_parse(at + 1 - ULID_LENGTH, ULID_LENGTH, &id) &&
            !ulid_equal(&id, own) && registry_find_id(registry, &id))
            return true;
    }
    return false;
}

/* Only entries with foreign branches are searched: the branches of all others carry their ids. */
static bool is_named_by_other(const struct registry *registry, const struct ulid *own,
                              const char *branch)
{
    for (guint i = 0; i < registry->by_foreign->len; i++) {
        const struct fork_entry *entry = registry->by_foreign->pdata[i];
        if (ulid_equal(&entry->id, own))
            continue;
        for (guint j = 0; j < entry->datasets->len; j++) {
            const struct dataset_branch *pair = entry->datasets->pdata[j];
            if (strcmp(pair->branch, branch) == 0)
                return true;
        }
    }
    return false;
}

bool registry_protects_branch(const struct registry *registry, const struct ulid *own,
                              const char *branch)
{
    return is_marked_by_other(own, branch) || carries_id_of_other(registry, own, branch) ||
           registry_id_is_ambiguous(registry, own) || is_named_by_other(registry, own, branch);
}

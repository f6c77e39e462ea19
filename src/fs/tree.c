#include "fs/tree.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "catalog/fork_name.h"

/* The entries of a directory that are named after forks. */
struct fork_listing {
    enum node_kind directory;
    enum node_kind child;
    struct fork_entry *(*find)(const struct registry *registry, const char *name);
    /* NULL to skip this position. */
    struct fork_entry *(*at)(const struct registry *registry, size_t index);
    size_t (*count)(const struct registry *registry);
    void (*name)(const struct fork_entry *entry, char name[static ENTRY_NAME_SIZE]);
};

static struct fork_entry *fork_at(const struct registry *registry, size_t index)
{
    struct fork_entry *entry = g_ptr_array_index(registry->entries, index);
    if (entry->key && fork_name_check(entry->key, NULL) == 0)
        return entry;
    /* Of several forks with one id and bad names only one can appear. */
    char name[ENTRY_NAME_SIZE];
    entry_name_of(entry, name);
    return entry_name_find(registry, name) == entry ? entry : NULL;
}

static size_t fork_count(const struct registry *registry)
{
    return registry->entries->len;
}

static struct fork_entry *find_id(const struct registry *registry, const char *name)
{
    struct ulid id;
    if (!ulid_parse(name, strlen(name), &id) || strcmp(id.text, name) != 0)
        return NULL;
    return registry_find_id(registry, &id);
}

static struct fork_entry *id_at(const struct registry *registry, size_t index)
{
    struct fork_entry *entry = g_ptr_array_index(registry->by_id, index);
    return registry_find_id(registry, &entry->id) == entry ? entry : NULL;
}

static size_t id_count(const struct registry *registry)
{
    return registry->by_id->len;
}

static void id_name(const struct fork_entry *entry, char name[static ENTRY_NAME_SIZE])
{
    snprintf(name, ENTRY_NAME_SIZE, "%s", entry->id.text);
}

static const struct fork_listing listings[] = {
    {NODE_FORKS, NODE_FORK, entry_name_find, fork_at, fork_count, entry_name_of},
    {NODE_BY_ID, NODE_ID_LINK, find_id, id_at, id_count, id_name},
};

static const struct fork_listing *listing_of(enum node_kind directory)
{
    for (size_t i = 0; i < G_N_ELEMENTS(listings); i++)
        if (listings[i].directory == directory)
            return &listings[i];
    return NULL;
}

static const struct fork_listing *listing_with(enum node_kind child)
{
    for (size_t i = 0; i < G_N_ELEMENTS(listings); i++)
        if (listings[i].child == child)
            return &listings[i];
    return NULL;
}

struct fork_entry *tree_entry(const struct registry *registry, const struct node *node)
{
    const struct fork_listing *listing = NULL;
    while (node && !(listing = listing_with(node->kind)))
        node = node->parent;
    if (!node)
        return NULL;
    struct fork_entry *entry = listing->find(registry, node->name);
    return entry && ulid_equal(&entry->id, &node->fork_id) ? entry : NULL;
}

static bool is_fixed_child(enum node_kind kind, enum node_kind directory)
{
    return kind != NODE_ROOT && node_rules(kind)->name && node_rules(kind)->parent == directory;
}

static void set_child(struct tree_child *child, enum node_kind kind, struct fork_entry *entry)
{
    child->kind = kind;
    child->entry = entry;
    if (node_rules(kind)->name)
        snprintf(child->name, sizeof child->name, "%s", node_rules(kind)->name);
    else
        listing_with(kind)->name(entry, child->name);
}

bool tree_find(const struct registry *registry, enum node_kind directory, struct fork_entry *entry,
               const char *name, struct tree_child *ret)
{
    for (enum node_kind kind = 0; kind < NODE_KINDS; kind++) {
        if (is_fixed_child(kind, directory) && strcmp(node_rules(kind)->name, name) == 0) {
            set_child(ret, kind, entry);
            return true;
        }
    }
    const struct fork_listing *listing = listing_of(directory);
    struct fork_entry *found = listing ? listing->find(registry, name) : NULL;
    if (found)
        set_child(ret, listing->child, found);
    return found;
}

/* Positions: first one for each kind, then one for each fork. */
size_t tree_next(const struct registry *registry, enum node_kind directory,
                 struct fork_entry *entry, size_t position, struct tree_child *ret)
{
    for (; position < NODE_KINDS; position++) {
        if (is_fixed_child((enum node_kind)position, directory)) {
            set_child(ret, (enum node_kind)position, entry);
            return position + 1;
        }
    }
    const struct fork_listing *listing = listing_of(directory);
    for (; listing && position - NODE_KINDS < listing->count(registry); position++) {
        struct fork_entry *found = listing->at(registry, position - NODE_KINDS);
        if (found) {
            set_child(ret, listing->child, found);
            return position + 1;
        }
    }
    return 0;
}

char *tree_link_target(enum node_kind kind, const struct fork_entry *entry)
{
    char name[ENTRY_NAME_SIZE];
    assert(kind == NODE_ID_LINK);
    entry_name_of(entry, name);
    return g_strdup_printf("../forks/%s", name);
}

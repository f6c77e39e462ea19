#include "fs/tree/tree.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "catalog/format/fork_name.h"

/* The entries of a directory that are named after forks. `own` is the directory's fork. */
struct fork_listing {
    enum node_kind directory;
    enum node_kind child;
    struct fork_entry *(*find)(const struct registry *registry, const struct fork_entry *own,
                               const char *name);
    /* NULL to skip this position. */
    struct fork_entry *(*at)(const struct registry *registry, const struct fork_entry *own,
                             size_t index);
    size_t (*count)(const struct registry *registry, const struct fork_entry *own);
    void (*name)(const struct fork_entry *entry, char name[static ENTRY_NAME_SIZE]);
};

/* ---- forks/ ---- */

static struct fork_entry *find_fork(const struct registry *registry, const struct fork_entry *own,
                                    const char *name)
{
    return entry_name_find(registry, name);
}

/* Of several forks with one id and bad names only one can appear. */
static bool can_appear(const struct registry *registry, const struct fork_entry *entry)
{
    if (entry->key && fork_name_check(entry->key, NULL) == 0)
        return true;
    char name[ENTRY_NAME_SIZE];
    entry_name_of(entry, name);
    return entry_name_find(registry, name) == entry;
}

static struct fork_entry *fork_at(const struct registry *registry, const struct fork_entry *own,
                                  size_t index)
{
    struct fork_entry *entry = g_ptr_array_index(registry->entries, index);
    return can_appear(registry, entry) ? entry : NULL;
}

static size_t fork_count(const struct registry *registry, const struct fork_entry *own)
{
    return registry->entries->len;
}

/* ---- by-id/ ---- */

static struct fork_entry *find_id(const struct registry *registry, const struct fork_entry *own,
                                  const char *name)
{
    struct ulid id;
    if (!ulid_parse(name, strlen(name), &id) || strcmp(id.text, name) != 0)
        return NULL;
    return registry_find_id(registry, &id);
}

static struct fork_entry *id_at(const struct registry *registry, const struct fork_entry *own,
                                size_t index)
{
    struct fork_entry *entry = g_ptr_array_index(registry->by_id, index);
    return registry_find_id(registry, &entry->id) == entry ? entry : NULL;
}

static size_t id_count(const struct registry *registry, const struct fork_entry *own)
{
    return registry->by_id->len;
}

static void id_name(const struct fork_entry *entry, char name[static ENTRY_NAME_SIZE])
{
    snprintf(name, ENTRY_NAME_SIZE, "%s", entry->id.text);
}

/* ---- children/ ---- */

static bool is_child(const struct fork_entry *entry, const struct fork_entry *parent)
{
    return entry->has_parent && ulid_equal(&entry->parent_id, &parent->id);
}

static struct fork_entry *find_child(const struct registry *registry, const struct fork_entry *own,
                                     const char *name)
{
    struct fork_entry *entry = entry_name_find(registry, name);
    return entry && is_child(entry, own) && registry_allows_children(registry, own) ? entry : NULL;
}

static struct fork_entry *child_at(const struct registry *registry, const struct fork_entry *own,
                                   size_t index)
{
    size_t first = 0;
    registry_children(registry, &own->id, &first);
    struct fork_entry *entry = g_ptr_array_index(registry->by_parent, first + index);
    return can_appear(registry, entry) ? entry : NULL;
}

static size_t child_count(const struct registry *registry, const struct fork_entry *own)
{
    size_t first = 0;
    return registry_allows_children(registry, own) ? registry_children(registry, &own->id, &first)
                                                   : 0;
}

static const struct fork_listing listings[] = {
    {NODE_FORKS, NODE_FORK, find_fork, fork_at, fork_count, entry_name_of},
    {NODE_BY_ID, NODE_ID_LINK, find_id, id_at, id_count, id_name},
    {NODE_CHILDREN, NODE_FORK, find_child, child_at, child_count, entry_name_of},
};

static const struct fork_listing *listing_of(enum node_kind directory)
{
    for (size_t i = 0; i < G_N_ELEMENTS(listings); i++)
        if (listings[i].directory == directory)
            return &listings[i];
    return NULL;
}

/* ---- Nodes ---- */

/* The fork that a node of a listing stands for, judged by this node alone. */
static struct fork_entry *entry_of_step(const struct registry *registry, const struct node *node)
{
    struct fork_entry *entry = node->kind == NODE_ID_LINK ? find_id(registry, NULL, node->name)
                                                          : entry_name_find(registry, node->name);
    return entry && ulid_equal(&entry->id, &node->fork_id) ? entry : NULL;
}

struct fork_entry *tree_entry(const struct registry *registry, const struct node *node)
{
    while (node && node->kind != NODE_FORK && node->kind != NODE_ID_LINK)
        node = node->parent;
    if (!node)
        return NULL;
    struct fork_entry *entry = entry_of_step(registry, node);
    /* Up the path, which each fork has to continue. */
    for (const struct fork_entry *below = entry; below && node->parent->kind == NODE_CHILDREN;) {
        node = node->parent->parent;
        const struct fork_entry *above = entry_of_step(registry, node);
        if (!above || !is_child(below, above))
            return NULL;
        below = above;
    }
    return entry;
}

const char *tree_tag_name(const struct node *node)
{
    if (node->kind == NODE_VERSIONS)
        node = node->parent;
    return node->kind == NODE_TAG ? node->name : NULL;
}

/* ---- Tags ---- */

/* A tag that another program made may have a name that a directory entry cannot carry. */
static bool tag_can_appear(const struct fork_tag *tag)
{
    return tag->name[0] && strlen(tag->name) < ENTRY_NAME_SIZE && !strchr(tag->name, '/') &&
           strcmp(tag->name, ".") != 0 && strcmp(tag->name, "..") != 0;
}

static const struct fork_tag *find_tag(const GPtrArray *tags, const char *name)
{
    for (guint i = 0; tags && name && i < tags->len; i++) {
        const struct fork_tag *tag = g_ptr_array_index(tags, i);
        if (strcmp(tag->name, name) == 0)
            return tag_can_appear(tag) ? tag : NULL;
    }
    return NULL;
}

static const struct fork_tag *tag_at(const struct tree_place *place, size_t index)
{
    const struct fork_tag *tag = g_ptr_array_index(place->tags, index);
    return tag_can_appear(tag) ? tag : NULL;
}

static size_t tag_count(const struct tree_place *place)
{
    return place->node->kind == NODE_TAGS && place->tags ? place->tags->len : 0;
}

/* ---- Entries ---- */

static bool is_fixed_child(const struct tree_place *place, enum node_kind kind)
{
    const struct node_rules *rules = node_rules(kind);
    if (kind == NODE_ROOT || !rules->name || rules->parent != place->node->kind)
        return false;
    return kind != NODE_PARENT || (place->entry->has_parent &&
                                   registry_find_id(place->registry, &place->entry->parent_id));
}

static void set_child(const struct tree_place *place, enum node_kind kind, const char *name,
                      struct tree_child *ret)
{
    const struct node *above = place->node->parent;
    ret->kind = kind;
    ret->entry = place->entry;
    ret->tag = find_tag(place->tags, tree_tag_name(place->node));
    ret->nested = above && above->kind == NODE_CHILDREN;
    snprintf(ret->name, sizeof ret->name, "%s", name);
}

static void set_fork(const struct tree_place *place, const struct fork_listing *listing,
                     struct fork_entry *entry, struct tree_child *ret)
{
    char name[ENTRY_NAME_SIZE];
    listing->name(entry, name);
    set_child(place, listing->child, name, ret);
    ret->entry = entry;
}

static void set_tag(const struct tree_place *place, const struct fork_tag *tag,
                    struct tree_child *ret)
{
    set_child(place, NODE_TAG, tag->name, ret);
    ret->tag = tag;
}

void tree_self(const struct tree_place *place, struct tree_child *ret)
{
    struct tree_place directory = *place;
    if (place->node->parent)
        directory.node = place->node->parent;
    set_child(&directory, place->node->kind, place->node->name, ret);
    ret->tag = find_tag(place->tags, tree_tag_name(place->node));
}

bool tree_find(const struct tree_place *place, const char *name, struct tree_child *ret)
{
    for (enum node_kind kind = 0; kind < NODE_KINDS; kind++) {
        if (is_fixed_child(place, kind) && strcmp(node_rules(kind)->name, name) == 0) {
            set_child(place, kind, name, ret);
            return true;
        }
    }
    if (place->node->kind == NODE_TAGS) {
        const struct fork_tag *tag = find_tag(place->tags, name);
        if (tag)
            set_tag(place, tag, ret);
        return tag;
    }
    const struct fork_listing *listing = listing_of(place->node->kind);
    struct fork_entry *found = listing ? listing->find(place->registry, place->entry, name) : NULL;
    if (found)
        set_fork(place, listing, found, ret);
    return found;
}

static size_t next_fixed(const struct tree_place *place, size_t position, struct tree_child *ret)
{
    for (; position < NODE_KINDS; position++) {
        enum node_kind kind = (enum node_kind)position;
        if (is_fixed_child(place, kind)) {
            set_child(place, kind, node_rules(kind)->name, ret);
            return position + 1;
        }
    }
    return 0;
}

static size_t next_fork(const struct tree_place *place, const struct fork_listing *listing,
                        size_t index, struct tree_child *ret)
{
    size_t count = listing->count(place->registry, place->entry);
    for (; index < count; index++) {
        struct fork_entry *found = listing->at(place->registry, place->entry, index);
        if (found) {
            set_fork(place, listing, found, ret);
            return index + 1;
        }
    }
    return 0;
}

static size_t next_tag(const struct tree_place *place, size_t index, struct tree_child *ret)
{
    for (; index < tag_count(place); index++) {
        const struct fork_tag *tag = tag_at(place, index);
        if (tag) {
            set_tag(place, tag, ret);
            return index + 1;
        }
    }
    return 0;
}

/* Positions: first one for each kind, then one for each fork or tag. */
size_t tree_next(const struct tree_place *place, size_t position, struct tree_child *ret)
{
    size_t next = next_fixed(place, position, ret);
    if (next > 0)
        return next;
    size_t index = position > NODE_KINDS ? position - NODE_KINDS : 0;
    const struct fork_listing *listing = listing_of(place->node->kind);
    next = listing ? next_fork(place, listing, index, ret) : next_tag(place, index, ret);
    return next > 0 ? next + NODE_KINDS : 0;
}

char *tree_link_target(const struct registry *registry, const struct tree_child *link)
{
    assert(link->kind == NODE_ID_LINK || link->kind == NODE_PARENT);
    char name[ENTRY_NAME_SIZE];
    if (link->kind == NODE_ID_LINK) {
        entry_name_of(link->entry, name);
        return g_strdup_printf("../forks/%s", name);
    }
    const struct fork_entry *parent =
        link->entry->has_parent ? registry_find_id(registry, &link->entry->parent_id) : NULL;
    if (!parent)
        return NULL;
    entry_name_of(parent, name);
    return link->nested ? g_strdup("../..") : g_strdup_printf("../%s", name);
}

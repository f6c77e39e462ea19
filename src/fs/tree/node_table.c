#include "fs/tree/node_table.h"

#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"

struct node_table {
    pthread_mutex_t lock;
    uint64_t next_id;
    GHashTable *by_id;   /* &node->id to node; owns a reference */
    GHashTable *by_path; /* node (parent, name, fork) to node */
    GHashTable *by_fork; /* &node->fork_id (empty: no fork) to the first node of a list */
};

static struct node *node_new(uint64_t id, struct node *parent, enum node_kind kind,
                             const char *name, const struct ulid *fork_id)
{
    struct node *node = g_new0(struct node, 1);
    node->references = 1;
    node->id = id;
    node->kind = kind;
    node->parent = parent ? node_ref(parent) : NULL;
    node->name = g_strdup(name);
    node->has_fork = fork_id != NULL;
    if (fork_id)
        node->fork_id = *fork_id;
    return node;
}

struct node *node_ref(struct node *node)
{
    __atomic_add_fetch(&node->references, 1, __ATOMIC_RELAXED);
    return node;
}

void node_unref(struct node *node)
{
    if (!node || __atomic_sub_fetch(&node->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    node_unref(node->parent);
    g_free(node->name);
    g_free(node);
}

static guint hash_fork(gconstpointer key)
{
    const struct ulid *id = key;
    return id->text[0] ? (guint)ulid_hash(id) : 0;
}

static gboolean equal_fork(gconstpointer a, gconstpointer b)
{
    return ulid_equal(a, b);
}

static guint hash_path(gconstpointer key)
{
    const struct node *node = key;
    guint hash = g_str_hash(node->name) * 31 + (guint)node->parent->id;
    return node->has_fork ? hash ^ hash_fork(&node->fork_id) : hash;
}

static gboolean equal_path(gconstpointer left, gconstpointer right)
{
    const struct node *a = left;
    const struct node *b = right;
    return a->parent->id == b->parent->id && a->has_fork == b->has_fork &&
           (!a->has_fork || ulid_equal(&a->fork_id, &b->fork_id)) && strcmp(a->name, b->name) == 0;
}

struct node_table *node_table_new(void)
{
    struct node_table *table = g_new0(struct node_table, 1);
    pthread_mutex_init(&table->lock, NULL);
    table->by_id =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, (GDestroyNotify)node_unref);
    table->by_path = g_hash_table_new(hash_path, equal_path);
    table->by_fork = g_hash_table_new(hash_fork, equal_fork);
    table->next_id = NODE_TABLE_ROOT + 1;
    struct node *root = node_new(NODE_TABLE_ROOT, NULL, NODE_ROOT, "", NULL);
    g_hash_table_insert(table->by_id, &root->id, root);
    return table;
}

void node_table_free(struct node_table *table)
{
    if (!table)
        return;
    g_hash_table_destroy(table->by_fork);
    g_hash_table_destroy(table->by_path);
    g_hash_table_destroy(table->by_id);
    pthread_mutex_destroy(&table->lock);
    g_free(table);
}

struct node *node_table_get(struct node_table *table, uint64_t id)
{
    LOCK_SCOPE(&table->lock);
    struct node *node = g_hash_table_lookup(table->by_id, &id);
    return node ? node_ref(node) : NULL;
}

static void link_to_fork(struct node_table *table, struct node *node)
{
    struct node *first = g_hash_table_lookup(table->by_fork, &node->fork_id);
    node->next_of_fork = first;
    if (first)
        first->previous_of_fork = node;
    /* The key must be memory of the first node, so it is replaced as well. */
    g_hash_table_replace(table->by_fork, &node->fork_id, node);
}

static void unlink_from_fork(struct node_table *table, struct node *node)
{
    struct node *next = node->next_of_fork;
    struct node *previous = node->previous_of_fork;
    if (next)
        next->previous_of_fork = previous;
    if (previous)
        previous->next_of_fork = next;
    else if (next)
        g_hash_table_replace(table->by_fork, &next->fork_id, next);
    else
        g_hash_table_remove(table->by_fork, &node->fork_id);
}

static struct node *insert_node(struct node_table *table, struct node *node)
{
    g_hash_table_insert(table->by_id, &node->id, node);
    g_hash_table_add(table->by_path, node);
    link_to_fork(table, node);
    return node;
}

struct node *node_table_enter(struct node_table *table, struct node *parent, enum node_kind kind,
                              const char *name, const struct ulid *fork_id)
{
    struct node wanted = {.parent = parent, .name = (char *)name, .has_fork = fork_id != NULL};
    if (fork_id)
        wanted.fork_id = *fork_id;

    LOCK_SCOPE(&table->lock);
    struct node *node = g_hash_table_lookup(table->by_path, &wanted);
    if (!node)
        node = insert_node(table, node_new(table->next_id++, parent, kind, name, fork_id));
    node->lookups++;
    return node_ref(node);
}

void node_table_forget(struct node_table *table, uint64_t id, uint64_t lookups)
{
    auto_node struct node *forgotten = NULL; /* released after the lock */
    LOCK_SCOPE(&table->lock);
    struct node *node = g_hash_table_lookup(table->by_id, &id);
    if (!node || node->id == NODE_TABLE_ROOT)
        return;
    node->lookups -= MIN(lookups, node->lookups);
    if (node->lookups > 0)
        return;
    forgotten = node_ref(node);
    unlink_from_fork(table, node);
    g_hash_table_remove(table->by_path, node);
    g_hash_table_remove(table->by_id, &id);
}

GPtrArray *node_table_of_fork(struct node_table *table, const struct ulid *fork_id)
{
    const struct ulid none = {""};
    GPtrArray *nodes = g_ptr_array_new_with_free_func((GDestroyNotify)node_unref);
    LOCK_SCOPE(&table->lock);
    struct node *node = g_hash_table_lookup(table->by_fork, fork_id ? fork_id : &none);
    for (; node; node = node->next_of_fork)
        g_ptr_array_add(nodes, node_ref(node));
    return nodes;
}

char *node_path(const struct node *node, const char *name)
{
    g_autoptr(GString) path = g_string_new(name);
    for (; node->parent; node = node->parent) {
        if (path->len > 0)
            g_string_prepend_c(path, '/');
        g_string_prepend(path, node->name);
    }
    return g_string_free(g_steal_pointer(&path), FALSE);
}

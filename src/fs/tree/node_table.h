/*
 * The nodes that the kernel knows: which number stands for which path.
 *
 * A node is one path (forks/N and, later, another path to the same fork are two nodes), and it
 * stands for one fork for ever: a fork made anew under an old name gets a new node. Numbers are
 * counted up and never used again while mounted. The kernel counts how often it was told of a node
 * and gives these lookups back with FORGET; at zero the node leaves the table.
 *
 * Nodes are immutable and reference-counted, so a handler may keep one while the kernel forgets it.
 * A node keeps its parent.
 *
 * Thread-safe; the lock inside is a leaf.
 */
#ifndef FORKFS_FS_TREE_NODE_TABLE_H
#define FORKFS_FS_TREE_NODE_TABLE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ulid.h"
#include "fs/tree/node_kind.h"

#define NODE_TABLE_ROOT 1

struct node {
    unsigned references; /* atomic; node_ref, node_unref */
    uint64_t id;
    enum node_kind kind;
    struct node *parent; /* NULL: the root */
    char *name;          /* as it stands in the parent; "" for the root */
    bool has_fork;
    struct ulid fork_id; /* the fork that it shows, or is inside of */
    uint64_t lookups;    /* private to the table */
    struct node *next_of_fork;
    struct node *previous_of_fork;
};

struct node_table;

struct node_table *node_table_new(void);        /* with the root, which is never forgotten */
void node_table_free(struct node_table *table); /* NULL: nothing */

/* NULL for a number that the kernel should not know. node_unref(). */
struct node *node_table_get(struct node_table *table, uint64_t id);

/* The node of that name in `parent`, made if need be, with one more lookup. fork_id: NULL for what
 * belongs to no fork. Never NULL; node_unref(). */
struct node *node_table_enter(struct node_table *table, struct node *parent, enum node_kind kind,
                              const char *name, const struct ulid *fork_id);

/* Gives `lookups` of a node back. */
void node_table_forget(struct node_table *table, uint64_t id, uint64_t lookups);

/* The nodes that show the fork or are inside it, or (fork_id NULL) that belong to no fork: struct
 * node, released with the array. */
GPtrArray *node_table_of_fork(struct node_table *table, const struct ulid *fork_id);

struct node *node_ref(struct node *node);
void node_unref(struct node *node); /* NULL: nothing */

/* The path relative to the mount ("forks/N/status"); name (may be NULL) is put behind it.
 * g_free().*/
char *node_path(const struct node *node, const char *name);

static inline void cleanup_node(struct node **node)
{
    node_unref(*node);
}
#define auto_node __attribute__((cleanup(cleanup_node)))

#endif

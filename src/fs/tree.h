/*
 * What is in which directory, as of one image of the registry.
 *
 * Directories hold entries with fixed names (node_kind.h) and, some of them, one entry for each
 * fork. Nothing here remembers anything: the same registry gives the same tree.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_FS_TREE_H
#define FORKFS_FS_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "catalog/registry.h"
#include "fs/entry_name.h"
#include "fs/node_table.h"

struct tree_child {
    enum node_kind kind;
    struct fork_entry *entry; /* the fork that it shows or is inside of; lives as the registry does;
                                 NULL: none */
    char name[ENTRY_NAME_SIZE];
};

/* The fork that a node shows or is inside of; NULL when it belongs to none, or when that fork is
 * not there any more. Lives as long as the registry. */
struct fork_entry *tree_entry(const struct registry *registry, const struct node *node);

/* Finds `name` in a directory that is current. `entry` is the directory's own tree_entry(). */
bool tree_find(const struct registry *registry, enum node_kind directory, struct fork_entry *entry,
               const char *name, struct tree_child *ret);

/* Walks a directory without "." and "..": gives a child at or after `position` (start with 0) and
 * returns where to go on, or 0 at the end. */
size_t tree_next(const struct registry *registry, enum node_kind directory,
                 struct fork_entry *entry, size_t position, struct tree_child *ret);

/* Where a symbolic link points to, g_free(). */
char *tree_link_target(enum node_kind kind, const struct fork_entry *entry);

#endif

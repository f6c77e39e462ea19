/*
 * What is in which directory, as of one image of the registry and of the fork's tags.
 *
 * Directories hold entries with fixed names (node_kind.h) and, some of them, one entry for each
 * fork, child fork or tag. Nothing here remembers anything: the same registry and tags give the
 * same tree.
 *
 * A fork with a parent is shown in forks/ and in the children/ of its parent, and so by as many
 * paths as it has ancestors, and one. A registry can claim that two forks descend from each other;
 * so that no path goes on for ever, children/ shows nothing when the directory's own fork has more
 * than FORK_ANCESTORS_MAX ancestors, or ancestors without end. In forks/ all are shown.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_FS_TREE_TREE_H
#define FORKFS_FS_TREE_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "catalog/catalog.h"
#include "catalog/registry/registry.h"
#include "fs/tree/entry_name.h"
#include "fs/tree/node_table.h"

/* A node, and what decides what it is and holds. */
struct tree_place {
    const struct registry *registry;
    const struct node *node;
    struct fork_entry *entry; /* tree_entry() of the node */
    GPtrArray *tags;          /* struct fork_tag, of that fork; NULL: not known */
};

/* An entry of a directory. */
struct tree_child {
    enum node_kind kind;
    struct fork_entry *entry;   /* the fork that it shows or is inside of; lives as the registry
                                   does; NULL: none */
    const struct fork_tag *tag; /* the tag that it shows or is inside of; lives as the tags do;
                                   NULL: none, or not known */
    bool nested;                /* its directory is in children/ */
    char name[ENTRY_NAME_SIZE];
};

/* The fork that a node shows or is inside of; NULL when it belongs to none, or when that fork, or
 * one that the path goes through, is not there any more. Lives as long as the registry. */
struct fork_entry *tree_entry(const struct registry *registry, const struct node *node);

/* The name of the tag that a node shows or is inside of; NULL: none. Lives as long as the node. */
const char *tree_tag_name(const struct node *node);

/* The node itself, as an entry of its directory. */
void tree_self(const struct tree_place *place, struct tree_child *ret);

/* Finds `name` in a directory that is current. Where tags are not known there are none. */
bool tree_find(const struct tree_place *place, const char *name, struct tree_child *ret);

/* Walks a directory without "." and "..": gives a child at or after `position` (start with 0) and
 * returns where to go on, or 0 at the end. */
size_t tree_next(const struct tree_place *place, size_t position, struct tree_child *ret);

/* Where a symbolic link points to, g_free(); NULL when what it leads to is not there any more. The
 * link to the parent is "../P" in forks/, and "../.." in a children/ directory: each is right at
 * its own path. */
char *tree_link_target(const struct registry *registry, const struct tree_child *link);

#endif

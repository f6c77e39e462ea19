/*
 * Telling the kernel of a directory entry: its node, its attributes, and how long it may believe
 * them.
 */
#ifndef FORKFS_FS_OPERATIONS_ENTRIES_H
#define FORKFS_FS_OPERATIONS_ENTRIES_H

#include "fs/state/session_state.h"
#include "fs/tree/tree.h"

/* For how long the kernel may keep what it was told, unless a notification comes first. Absent
 * names are never cached, nor are attributes that change without notice. */
#define ENTRY_TIMEOUT_SECONDS 60.0

double entries_attribute_timeout(enum node_kind kind);

/* Attributes of a child, or of the node (tree_self()). document: its contents, if it is a file. */
void entries_attributes(const struct view *view, const struct tree_child *child,
                        const struct document *document, struct stat *ret);

/* Counts one lookup of `child` of the view's directory and fills *ret with all that a reply
 * needs. The caller gives the lookup back if the reply fails. */
void entries_enter(const struct view *view, const struct tree_child *child,
                   const struct document *document, struct fuse_entry_param *ret);

/* Enters the entry as entries_enter() does, and replies. */
void entries_reply(const struct view *view, fuse_req_t request, const struct tree_child *child,
                   const struct document *document);

#endif

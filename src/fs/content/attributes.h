/*
 * What stat shows.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_FS_CONTENT_ATTRIBUTES_H
#define FORKFS_FS_CONTENT_ATTRIBUTES_H

#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "catalog/registry/registry.h"
#include "fs/content/document.h"
#include "fs/tree/node_kind.h"
#include "fs/tree/tree.h"

/* Attributes that everything in the mount has alike. */
struct attribute_settings {
    uid_t uid;
    gid_t gid;
    mode_t umask;
    bool read_only;             /* no file can be written */
    bool confirm_drop;          /* status can be written, to mark the fork */
    struct timespec mounted_at; /* stands for a time that is unknown */
};

/* Stable over remounts, neither zero nor above INT64_MAX, and the same by every path. */
uint64_t attributes_inode(const struct tree_child *child);

/* Whether a file can be opened for writing, by those whom its mode lets. */
bool attributes_let_write(const struct attribute_settings *settings, enum node_kind kind);

/* Attributes of a directory or symbolic link. */
void attributes_of_node(const struct attribute_settings *settings, const struct registry *registry,
                        const struct tree_child *child, struct stat *ret);

/* Attributes of a file with these contents. */
void attributes_of_file(const struct attribute_settings *settings, const struct tree_child *child,
                        const struct document *document, struct stat *ret);

/* The length of a file in bytes, and the blocks that go with it: a file that has fewer is taken for
 * one with holes, which programs do not read. */
void attributes_set_size(struct stat *attributes, size_t size);

#endif

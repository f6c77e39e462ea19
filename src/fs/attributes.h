/*
 * What stat shows.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_FS_ATTRIBUTES_H
#define FORKFS_FS_ATTRIBUTES_H

#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "catalog/registry.h"
#include "fs/document.h"
#include "fs/node_kind.h"

/* The same for everything in the mount. */
struct attribute_settings {
    uid_t uid;
    gid_t gid;
    mode_t umask;
    struct timespec mounted_at; /* stands for a time that is unknown */
};

/* Stable over remounts and not zero. entry NULL: what belongs to no fork. */
uint64_t attributes_inode(enum node_kind kind, const struct fork_entry *entry);

/* Attributes of a directory or symbolic link. */
void attributes_of_node(const struct attribute_settings *settings, const struct registry *registry,
                        enum node_kind kind, const struct fork_entry *entry, struct stat *ret);

/* Attributes of a file with these contents. */
void attributes_of_file(const struct attribute_settings *settings, enum node_kind kind,
                        const struct fork_entry *entry, const struct document *document,
                        struct stat *ret);

#endif

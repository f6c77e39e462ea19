/*
 * Names of forks as names of directory entries, one-to-one.
 *
 * A fork's name may hold what a directory entry cannot carry: '%' is written as "%25", '/' as
 * "%2F", and the whole names "." and ".." as "%2E" and "%2E%2E". A fork whose key breaks the rule
 * for names (fork_name.h) appears as '%' and its ULID. A '%' sequence that is none of these
 * belongs to no fork.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_FS_TREE_ENTRY_NAME_H
#define FORKFS_FS_TREE_ENTRY_NAME_H

#include "base/error.h"
#include "catalog/format/fork_name.h"
#include "catalog/registry/registry.h"

/* The room for the entry of a fork's name, with the final NUL. */
#define ENTRY_NAME_SIZE (3 * FORK_NAME_MAX + 1)

/* `key` has at most FORK_NAME_MAX bytes. */
void entry_name_encode(const char *key, char name[static ENTRY_NAME_SIZE]);

/* The name that `name` stands for; whether a fork may be called so is not checked. ERR_INVALID for
 * a '%' sequence that entry_name_encode() does not write, ERR_NAME_TOO_LONG. *ret_key: g_free(). */
int entry_name_decode(const char *name, char **ret_key, struct error *err);

/* The name under which `entry` appears. */
void entry_name_of(const struct fork_entry *entry, char name[static ENTRY_NAME_SIZE]);

/* The entry that appears as `name`; NULL when there is none. Lives as long as the registry. */
struct fork_entry *entry_name_find(const struct registry *registry, const char *name);

#endif

/*
 * The refs that a fork's tag is made of: finding and deleting them.
 *
 * Any thread; waits for the store. Who deletes some holds the name lock of the fork.
 */
#ifndef FORKFS_CATALOG_EDIT_TAG_REFS_H
#define FORKFS_CATALOG_EDIT_TAG_REFS_H

#include "catalog/catalog_private.h"

/* The keys (char *) of the tag's refs as the store has them now; g_ptr_array_unref().
 * ERR_NOT_FOUND when there is none; ERR_AWAY when a dataset of the fork is not there;
 * ERR_UNSUPPORTED where the refs that count are others; errors of the store. */
int tag_refs_find(struct catalog *catalog, const struct fork_entry *entry, const char *tag,
                  struct operation *operation, GPtrArray **ret, struct error *err);

/* Deletes the refs of these keys. Errors of the store. */
int tag_refs_delete(struct catalog *catalog, const struct fork_entry *entry, const GPtrArray *keys,
                    struct operation *operation, struct error *err);

/* Deletes the refs of a tag without an intent, and only if there are fewer than `whole`: what
 * recovery does for the intent of a crash. */
int tag_refs_delete_partial(struct catalog *catalog, const struct fork_entry *entry,
                            const char *tag, size_t whole, struct operation *operation,
                            struct error *err);

#endif

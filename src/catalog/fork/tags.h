/*
 * Tags of forks: one Lance tag "fork_<tag>_<dataset>" on each dataset of a fork, pinned to the tip
 * of its branch. (Uni's names; they are not per fork, so two forks cannot use the same tag name.)
 *
 * Tags are read on demand and kept in memory for a second. A fork that gets further datasets after
 * it was tagged has tags with fewer versions than datasets.
 *
 * Thread-safe; the lock is a leaf and never held over a store call. Who makes tags of a fork,
 * removes them, or looks for them to drop it holds the fork's name lock.
 */
#ifndef FORKFS_CATALOG_FORK_TAGS_H
#define FORKFS_CATALOG_FORK_TAGS_H

#include <glib.h>

#include "base/operation.h"
#include "catalog/fork/ref_cache.h"
#include "catalog/format/layout.h"
#include "catalog/registry/fork_entry.h"
#include "store/store.h"

struct tags;

struct tag_version {
    char *dataset;
    uint64_t version; /* of the fork's branch */
};

struct fork_tag {
    char *name;
    GPtrArray *versions; /* struct tag_version, sorted by dataset */
};

/* Store, layout and cache must outlive the tags. */
struct tags *tags_new(struct store *store, const struct layout *layout, struct ref_cache *cache);
void tags_free(struct tags *tags); /* NULL: nothing */

/* What is in memory: struct fork_tag, sorted by name; an array that nobody changes any more, to be
 * unreferenced. NULL when it has to be read. */
GPtrArray *tags_cached(struct tags *tags, const struct ulid *id);

/* From memory or from the store, in two waves. ERR_CORRUPT for a tag ref that does not parse. */
int tags_read(struct tags *tags, const struct fork_entry *entry, struct operation *operation,
              GPtrArray **ret, struct error *err);

/* Forgets the tags of a fork of which one came or went. */
void tags_forget(struct tags *tags, const struct ulid *id);

#endif

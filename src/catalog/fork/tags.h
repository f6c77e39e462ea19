/*
 * Tags of forks: one Lance tag "fork_<tag>_<dataset>" on each dataset of a fork, pinned to the tip
 * of its branch. (Uni's names; they are not per fork, so two forks cannot use the same tag name.)
 *
 * An intent (tag_intent.h) is on the store while a tag is being made or removed, so that recovery
 * can remove what a crash has left of it.
 *
 * Tags are read on demand and kept in memory for a second. A fork that gets further datasets after
 * it was tagged has tags with fewer versions than datasets.
 *
 * Thread-safe; the lock is a leaf and never held over a store call. Who makes, removes or looks for
 * tags of a fork to drop it holds the fork's name lock.
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

/* All must outlive it. */
struct tags *tags_new(struct store *store, const struct layout *layout, struct ref_cache *cache);
void tags_free(struct tags *tags); /* NULL: nothing */

/* Before anybody uses them: tags_create() asks, when the tag refs are there and before it decides,
 * whether the fork still lives; a failure takes them back. For catalogs that other mounts write:
 * who drops the fork there looks for tags after deciding so, and one of the two sees the other. */
typedef int tag_confirmation(void *argument, const struct fork_entry *fork,
                             struct operation *operation, struct error *err);
void tags_confirm_with(struct tags *tags, tag_confirmation *confirm, void *argument);

/* What is in memory: struct fork_tag, sorted by name; an array that nobody changes any more, to be
 * unreferenced. NULL when it has to be read. */
GPtrArray *tags_cached(struct tags *tags, const struct ulid *id);

/* From memory or from the store, in two waves. ERR_CORRUPT for a tag ref that does not parse. */
int tags_read(struct tags *tags, const struct fork_entry *entry, struct operation *operation,
              GPtrArray **ret, struct error *err);

/* Pins every branch of the fork. Nothing is written before all is known to be free: ERR_EXISTS. If
 * a put fails, those made are taken back; not so after ERR_OUTCOME_UNKNOWN. ERR_INVALID,
 * ERR_UNSUPPORTED (no datasets), ERR_CORRUPT (a branch without tip). */
int tags_create(struct tags *tags, const struct fork_entry *entry, const char *tag,
                struct operation *operation, struct error *err);

/* Removes the tag from every branch of the fork. ERR_NOT_FOUND when the fork has no such tag. */
int tags_remove(struct tags *tags, const struct fork_entry *entry, const char *tag,
                struct operation *operation, struct error *err);

void tags_forget(struct tags *tags, const struct ulid *id);

#endif

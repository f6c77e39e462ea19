/*
 * What the fork point reader remembers between creates, so that a create needs one wave of reads:
 * the datasets seen last and that they have no catalog of refs; snapshot manifests and their marks
 * (immutable); and the manifests of main's tips, valid for one key and etag.
 *
 * Thread-safe; the lock is a leaf. What is returned belongs to the caller.
 */
#ifndef FORKFS_CATALOG_FORK_POINT_FORK_POINT_CACHE_H
#define FORKFS_CATALOG_FORK_POINT_FORK_POINT_CACHE_H

#include <glib.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "catalog/format/documents.h"
#include "lance/dataset.h"

struct fork_point_cache;

struct fork_point_cache *fork_point_cache_new(void);
void fork_point_cache_free(struct fork_point_cache *cache); /* NULL: nothing */

/* Candidate datasets that existed last time (char *, owned); empty at first. */
GPtrArray *fork_point_cache_datasets(struct fork_point_cache *cache);
void fork_point_cache_set_datasets(struct fork_point_cache *cache, const GPtrArray *datasets);

/* The manifest of a tip whose key and etag are exactly these, or NULL. bytes_unref(). */
struct bytes *fork_point_cache_manifest(struct fork_point_cache *cache,
                                        const struct lance_tip *tip);
/* Forgets older manifests of the same directory. */
void fork_point_cache_keep_manifest(struct fork_point_cache *cache, const struct lance_tip *tip,
                                    struct bytes *manifest);

/* Whether a dataset was seen to have no catalog of refs (lance/ref_catalog.h). What keeps it known
 * is that its manifests are looked at again when they change. */
bool fork_point_cache_has_plain_refs(struct fork_point_cache *cache, const char *dataset);
void fork_point_cache_keep_plain_refs(struct fork_point_cache *cache, const char *dataset);

/* A copy of a snapshot manifest, or NULL. snapshot_free(). */
struct snapshot *fork_point_cache_snapshot(struct fork_point_cache *cache, const char *id);
void fork_point_cache_keep_snapshot(struct fork_point_cache *cache,
                                    const struct snapshot *snapshot);

/* The version mark of a fork's snapshot manifest of that key. False: not known. */
bool fork_point_cache_mark(struct fork_point_cache *cache, const char *manifest_key, uint64_t *ret);
void fork_point_cache_keep_mark(struct fork_point_cache *cache, const char *manifest_key,
                                uint64_t mark);
/* The highest mark of all manifests of the fork whose newest one has that key. */
bool fork_point_cache_highest_mark(struct fork_point_cache *cache, const char *newest_key,
                                   uint64_t *ret);
void fork_point_cache_keep_highest_mark(struct fork_point_cache *cache, const char *newest_key,
                                        uint64_t mark);

#endif

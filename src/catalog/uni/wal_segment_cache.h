/*
 * What WAL segments were found to hold. They never change, so each is read once.
 *
 * Thread-safe; the lock is a leaf.
 */
#ifndef FORKFS_CATALOG_UNI_WAL_SEGMENT_CACHE_H
#define FORKFS_CATALOG_UNI_WAL_SEGMENT_CACHE_H

#include <stdbool.h>

#include "catalog/uni/wal_segment.h"

struct wal_segment_cache;

struct wal_segment_cache *wal_segment_cache_new(void);
void wal_segment_cache_free(struct wal_segment_cache *cache); /* NULL: nothing */

/* What the WAL segment of that key and etag holds. False: not known. etag may be NULL. */
bool wal_segment_cache_find(struct wal_segment_cache *cache, const char *key, const char *etag,
                            enum wal_segment_content *ret);
void wal_segment_cache_keep(struct wal_segment_cache *cache, const char *key, const char *etag,
                            enum wal_segment_content content);

#endif

/*
 * Bodies of ref files, kept by key and etag: branches and tags that are no fork's own are looked
 * into at every drop, but seldom change.
 *
 * Thread-safe; the lock is a leaf. Bounded: when too many are kept, all are read again.
 */
#ifndef FORKFS_CATALOG_FORK_REF_CACHE_H
#define FORKFS_CATALOG_FORK_REF_CACHE_H

#include "base/bytes.h"
#include "store/store.h"

struct ref_cache;

struct ref_cache *ref_cache_new(void);
void ref_cache_free(struct ref_cache *cache); /* NULL: nothing */

/* The body of a listed object as it is now, or NULL; bytes_unref(). */
struct bytes *ref_cache_find(struct ref_cache *cache, const struct store_object *object);

/* Keeps what a get has answered with success. */
void ref_cache_keep(struct ref_cache *cache, const struct store_request *get);

#endif

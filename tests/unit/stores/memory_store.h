/*
 * An object store in memory, for unit tests: the same contract, no medium, nothing temporary.
 *
 * As on S3, the etag comes from the content: putting the same bytes again brings the same etag
 * back.
 */
#ifndef FORKFS_UNIT_STORES_MEMORY_STORE_H
#define FORKFS_UNIT_STORES_MEMORY_STORE_H

#include "store/store.h"

/* jobs 1 makes the order of requests within a set that of their creation. */
struct store *memory_store_new(unsigned jobs);

#endif

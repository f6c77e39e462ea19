/*
 * What the files of this folder share. Nobody else includes this.
 */
#ifndef FORKFS_STORE_STORE_PRIVATE_H
#define FORKFS_STORE_STORE_PRIVATE_H

#include "store/store.h"

/* The store itself or the one that it wraps which makes sets durable; NULL: each answer is. */
struct store *store_settling(struct store *store);

/* That its requests run on: its own, or that of what it wraps. */
struct worker_pool *store_pool(const struct store *store);

/* Where its runs that were abandoned are counted: as the pool. */
struct abandoned_runs *store_abandoned(const struct store *store);

#endif

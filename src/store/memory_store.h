/*
 * An object store in memory, for unit tests: the same contract, no medium, nothing temporary.
 *
 * Etags are a counter, so every put gives a new one.
 */
#ifndef FORKFS_STORE_MEMORY_STORE_H
#define FORKFS_STORE_MEMORY_STORE_H

#include "store/store.h"

/* jobs 1 makes the order of requests within a set that of their creation. */
struct store *memory_store_new(unsigned jobs);

#endif

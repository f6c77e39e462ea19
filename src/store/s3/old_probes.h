/*
 * Keys on which conditional puts were tried out, left by processes that were killed meanwhile.
 */
#ifndef FORKFS_STORE_S3_OLD_PROBES_H
#define FORKFS_STORE_S3_OLD_PROBES_H

#include <stdint.h>

#include "store/store.h"

/* Removes the objects below `prefix` that were last changed before `before_ns` (since 1970). Tries
 * to: that some stay hurts nobody. */
void old_probes_remove(struct store *store, const char *prefix, int64_t before_ns,
                       struct operation *operation);

#endif

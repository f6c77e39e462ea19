/*
 * A wrapper that takes some keys of a store from a directory of this machine instead, to be read
 * only: a part of a database that does not lie where the rest does.
 *
 * The routed keys start with a prefix, which is not part of their paths in the directory. What the
 * wrapped store has under a routed key is not seen. A listing is routed when its prefix is; one of
 * a shorter prefix shows what the wrapped store has, and nothing of the directory.
 *
 * Reads are those of the local store (local_store.h), at the path as it leads at that moment: the
 * directory may be replaced. When it is not there nothing can be said to be absent: that is ERR_IO.
 * Puts, deletes and prunes of routed keys are ERR_READ_ONLY. All other requests, the beginning and
 * the settling of sets are the wrapped store's; so are the threads.
 */
#ifndef FORKFS_STORE_LOCAL_ROUTED_STORE_H
#define FORKFS_STORE_LOCAL_ROUTED_STORE_H

#include "store/store.h"

struct store_routing {
    const char *directory;   /* an absolute path without "." and ".." */
    const char *prefix;      /* "" or ending in '/' */
    const char *const *keys; /* NULL-terminated, each with the prefix: of one object, or ending in
                                '/': all that are below */
};

/* Wraps `inner`, which it takes over after success, and frees at the end. The routing is copied;
 * whether the directory is there is not looked at. *ret: store_free(). */
int routed_store_new(struct store *inner, const struct store_routing *routing, struct store **ret,
                     struct error *err);

#endif

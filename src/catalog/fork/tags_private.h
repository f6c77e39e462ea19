/*
 * The inside of struct tags, for the two files that implement tags.h: reading (tags.c) and changing
 * (tags_change.c).
 */
#ifndef FORKFS_CATALOG_FORK_TAGS_PRIVATE_H
#define FORKFS_CATALOG_FORK_TAGS_PRIVATE_H

#include <pthread.h>

#include "catalog/fork/tags.h"

struct tags {
    struct store *store;
    const struct layout *layout;
    struct ref_cache *cache;
    tag_confirmation *confirm; /* NULL: nobody need be asked */
    void *confirm_argument;
    pthread_mutex_t lock; /* guards all below */
    GHashTable *by_id;    /* id text -> struct kept_tags */
    uint64_t changes;     /* counts what was forgotten */
};

#endif

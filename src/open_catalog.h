/*
 * From where a catalog lies to its store and layout.
 */
#ifndef FORKFS_OPEN_CATALOG_H
#define FORKFS_OPEN_CATALOG_H

#include <stdbool.h>

#include "base/error.h"
#include "catalog/layout.h"
#include "store/local_watch.h"
#include "store/store.h"

struct catalog_location {
    const char *path;     /* absolute, see catalog_path_resolve() */
    const char *metadata; /* key prefix, "" or ending in '/' */
    const char *storage;  /* the same */
    unsigned jobs;        /* requests to the store at a time */
    bool lock;            /* keep other writers out, as long as the store is open */
};

/* ERR_NOT_FOUND, ERR_ACCESS, ERR_INVALID (no directory), ERR_HELD (somebody else has the lock).
 * *ret_store: store_free(); *ret_layout: layout_free(). */
int open_catalog(const struct catalog_location *location, struct store **ret_store,
                 struct layout **ret_layout, struct error *err);

/* Watches what the catalog keeps in memory for changes by others. Errors of local_watch_new(). */
int open_watch(const struct catalog_location *location, const struct layout *layout,
               struct local_watch **ret, struct error *err);

#endif

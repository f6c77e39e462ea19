/*
 * A catalog's store and layout, as opening it gives them.
 */
#ifndef FORKFS_PROGRAM_OPENED_CATALOG_H
#define FORKFS_PROGRAM_OPENED_CATALOG_H

#include <stdbool.h>

#include "catalog/format/layout.h"
#include "store/s3/credentials/s3_profile.h"
#include "store/store.h"

struct opened_catalog {
    struct store *store;
    struct layout *layout;
    struct s3_profile *profile; /* the store's; NULL: it needs no credentials */
    bool needs_single_writer;   /* its server ignores preconditions */
};

/* Unless a struct catalog has taken it over. Does not wait long for a store that is stuck:
 * store_free_within(). A NULL store or layout: nothing. */
void opened_catalog_close(struct opened_catalog *opened);

#endif

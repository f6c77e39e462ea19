/*
 * The datasets of a database, from one shallow listing of the storage prefix.
 *
 * Pure; any thread.
 */
#ifndef FORKFS_CATALOG_FORK_POINT_DATASET_LISTING_H
#define FORKFS_CATALOG_FORK_POINT_DATASET_LISTING_H

#include <glib.h>

#include "catalog/format/documents.h"
#include "store/store.h"

/* Names of the datasets ("NAME.lance/" in the listing), in the listing's order: char *, owned by
 * the array. With `schema` (may be NULL) only its candidates. */
GPtrArray *dataset_listing_read(const struct store_request *storage, const struct schema *schema);

/* Refuses (ERR_UNSUPPORTED) a candidate that is in a bucket only with its name encoded as %XX, as
 * Lance 7 does it there: a fork would silently miss it. (In a directory Uni makes empty directories
 * with such names.) `present`: the set of all datasets that were listed below `prefix`. */
int dataset_listing_check_encoded(GHashTable *present, const char *prefix,
                                  const struct schema *schema, struct error *err);

/* A set of the names, which it does not own. */
GHashTable *dataset_listing_set(const GPtrArray *names);

#endif

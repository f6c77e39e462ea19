/*
 * Datasets whose refs lie in a catalog of a newer layout, "_refs/catalog/". What branches and tags
 * such a dataset has, this code cannot know: it makes none there, and deletes none.
 *
 * Threading: no state.
 */
#ifndef FORKFS_LANCE_REF_CATALOG_H
#define FORKFS_LANCE_REF_CATALOG_H

#include "store/store.h"

/* Lists the first object of the catalog. */
struct store_request *lance_ref_catalog_request(struct store_set *set, const char *dataset);

/* Reads the answer, or that of lance_refs_request(). ERR_UNSUPPORTED when there is a catalog; the
 * request's own error. */
int lance_ref_catalog_check(const struct store_request *listing, const char *dataset,
                            struct error *err);

#endif

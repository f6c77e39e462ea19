/*
 * Refs of tags that have arrived late (fork/late_tags.h), after this mount had removed the tag, or
 * when the fork had gone.
 */
#ifndef FORKFS_CATALOG_RECOVERY_REMNANT_TAGS_H
#define FORKFS_CATALOG_RECOVERY_REMNANT_TAGS_H

#include "catalog/catalog_private.h"

/* Deletes those of which nothing can arrive any more. What somebody has put in the place of one is
 * left. No request when there are none. Errors of the store. */
int remnant_tags_remove(struct catalog *catalog, struct operation *operation, struct error *err);

#endif

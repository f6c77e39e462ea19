/*
 * Names of the Lance tags that make up a fork's tag: "fork_<tag>_<dataset>". Pure, thread-safe.
 */
#ifndef FORKFS_CATALOG_FORK_TAG_NAMES_H
#define FORKFS_CATALOG_FORK_TAG_NAMES_H

#include "catalog/format/layout.h"
#include "catalog/registry/fork_entry.h"

/* Whether a fork can have a tag of that name: ERR_INVALID for characters that Lance does not take,
 * ERR_NAME_TOO_LONG, ERR_UNSUPPORTED for a fork without datasets, or with one whose name is not
 * ASCII. */
int tag_name_check(const char *tag, const struct fork_entry *entry, struct error *err);

/* Key of the tag's ref in a dataset. g_free(). */
char *tag_name_key(const struct layout *layout, const char *tag, const char *dataset);

/* The tag whose ref in `dataset` has that key, or NULL. g_free(). */
char *tag_name_of_key(const char *key, const char *dataset);

#endif

/*
 * The tags of all datasets, and whether what they pin is there.
 *
 * No state.
 */
#ifndef FORKFS_CATALOG_REPAIR_TAG_SURVEY_H
#define FORKFS_CATALOG_REPAIR_TAG_SURVEY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/operation.h"
#include "catalog/format/layout.h"
#include "store/store.h"

struct tag_found {
    char *dataset, *name;
    char *key;
    char *branch; /* NULL: main */
    uint64_t version;
    bool is_branch_gone; /* it has neither a ref nor any file */
    bool pins_nothing;   /* the branch is gone; or it is there, whole, and the version is not */
};

/* Those that can be read: struct tag_found, g_ptr_array_unref(). Errors of the store. */
int tag_survey(struct store *store, const struct layout *layout, struct operation *operation,
               GPtrArray **ret, struct error *err);

/* Deletes the tag, durably. Errors of the store. */
int tag_found_delete(struct store *store, const struct layout *layout, const struct tag_found *tag,
                     struct operation *operation, struct error *err);

#endif

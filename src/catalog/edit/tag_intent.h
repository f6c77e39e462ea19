/*
 * The intent to make or remove a tag of a fork: a tag is many refs, and a crash between them must
 * not leave half of it. Recovery removes what is left of the tag of every intent that is there,
 * unless the tag is whole: then it was made after all, or its removal had not begun, or a delayed
 * copy of the intent's put arrived after all was done. Facts: docs/formats.md.
 *
 * No state; any thread. Who writes one holds the name lock of the fork.
 */
#ifndef FORKFS_CATALOG_EDIT_TAG_INTENT_H
#define FORKFS_CATALOG_EDIT_TAG_INTENT_H

#include "catalog/edit/intents.h"

extern const struct intent_kind tag_intents;

/* `refs`: how many refs the tag has when it is whole. *ret: what was put, bytes_unref(); NULL after
 * a failure. ERR_HELD, see intents.h; errors of the store. */
int tag_intent_put(struct catalog *catalog, const struct ulid *id, const char *tag, size_t refs,
                   struct operation *operation, struct bytes **ret, struct error *err);
/* Deletes the intent: see intent_delete(). */
int tag_intent_delete(struct catalog *catalog, const struct ulid *id, const struct bytes *intent,
                      struct operation *operation, struct operation *undoing, struct error *err);

#endif

/*
 * The intent to make or remove a tag of a fork: a tag is many refs, and a crash between them must
 * not leave half of it. Recovery removes the tag of every intent that is left; so making a tag is
 * decided when its intent is deleted, and removing one when it is written. Facts: docs/formats.md.
 *
 * No state; any thread. Who writes one holds the name lock of the fork.
 */
#ifndef FORKFS_CATALOG_TAG_INTENT_H
#define FORKFS_CATALOG_TAG_INTENT_H

#include "catalog/intents.h"

extern const struct intent_kind tag_intents;

/* ERR_HELD, see intents.h; errors of the store. */
int tag_intent_put(struct store *store, const struct layout *layout, const struct ulid *id,
                   const char *tag, struct operation *operation, struct error *err);
int tag_intent_delete(struct store *store, const struct layout *layout, const struct ulid *id,
                      struct operation *operation, struct error *err);

#endif

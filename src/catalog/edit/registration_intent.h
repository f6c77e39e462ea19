/*
 * What a registration of datasets is about to make, written down before: unlike a new fork, a
 * living one has no pending entry that would tell recovery of branches which nobody came to
 * register. One object per fork, whose member "datasets" maps dataset -> branch. It goes when the
 * registration is decided, or has been taken back. Recovery takes back the branches that the fork's
 * entry does not name.
 *
 * No state; any thread. Who writes one holds the name lock of the fork.
 */
#ifndef FORKFS_CATALOG_EDIT_REGISTRATION_INTENT_H
#define FORKFS_CATALOG_EDIT_REGISTRATION_INTENT_H

#include "catalog/edit/intents.h"

extern const struct intent_kind registration_intents;

/* Writes the intent to make those branches (struct dataset_branch) of the fork. *ret: what was put,
 * bytes_unref(); NULL after a failure. ERR_HELD, see intents.h; errors of the store. */
int registration_intent_put(struct catalog *catalog, const struct ulid *id,
                            const GPtrArray *branches, struct operation *operation,
                            struct bytes **ret, struct error *err);
int registration_intent_delete(struct catalog *catalog, const struct ulid *id,
                               struct operation *operation, struct error *err);

#endif

/*
 * What a registration of datasets is about to make, written down before: unlike a new fork, a
 * living one has no pending entry that would tell recovery of branches which nobody came to
 * register. One object per fork: dataset -> branch, as JSON. It goes when the registration is
 * decided, or has been taken back.
 *
 * No state; any thread. Who writes one holds the name lock of the fork.
 */
#ifndef FORKFS_CATALOG_REGISTRATION_INTENT_H
#define FORKFS_CATALOG_REGISTRATION_INTENT_H

#include "catalog/catalog_private.h"

/* Writes the intent to make those branches (struct dataset_branch) of the fork. Errors of the
 * store. */
int registration_intent_put(struct catalog *catalog, const struct ulid *id,
                            const GPtrArray *branches, struct operation *operation,
                            struct error *err);
int registration_intent_delete(struct catalog *catalog, const struct ulid *id,
                               struct operation *operation, struct error *err);

/* For recovery: takes back the branches of every intent that their fork's entry does not name, then
 * the intent. One that does not parse is left and reported. Errors of the store. */
int registration_intents_recover(struct catalog *catalog, struct operation *operation,
                                 struct recovery_report *report, struct error *err);

#endif

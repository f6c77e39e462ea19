/*
 * Intents: objects that say what is about to be done to a living fork, named "<prefix><ULID>.json".
 * Unlike a new fork, a living one has no pending entry that would tell recovery of what a crash
 * left half done. An intent goes when the work is decided or has been taken back.
 *
 * No state; any thread. Who writes one holds the name lock of the fork.
 */
#ifndef FORKFS_CATALOG_INTENTS_H
#define FORKFS_CATALOG_INTENTS_H

#include "catalog/catalog_private.h"

/* Takes back or finishes what one intent says; the intent itself is deleted by the caller. `entry`:
 * the fork's, NULL when it is gone. ERR_CORRUPT for a document that does not parse; errors of the
 * store. */
typedef int intent_recovery(struct catalog *catalog, const struct ulid *id,
                            const struct fork_entry *entry, const struct bytes *body,
                            struct operation *operation, struct error *err);

/* Writes an intent; errors of the store. */
int intent_put(struct store *store, const char *key, struct bytes *body,
               struct operation *operation, struct error *err);

/* Recovers all intents below a prefix and deletes them; one that cannot be recovered is left and
 * reported as "<what> ... was left alone". Errors of the store. */
int intents_recover(struct catalog *catalog, const char *prefix, const char *what,
                    intent_recovery *recover, struct operation *operation,
                    struct recovery_report *report, struct error *err);

#endif

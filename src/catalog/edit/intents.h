/*
 * Intents: objects that say what is about to be done to a living fork, named "<prefix><ULID>.json".
 * Unlike a new fork, a living one has no pending entry that would tell recovery of what a crash
 * left half done. An intent goes when the work is decided or has been taken back.
 *
 * There is one of a kind for a fork at a time, so an intent also keeps other mounts from doing the
 * same to the fork. Each is a JSON object with the member "writer", a new ULID, so that no two are
 * alike and each can be told from all others by its etag.
 *
 * Who recovers one on a catalog that several mounts write claims it first: replaces exactly the
 * version that was due by another of the same text. So only one mount goes on, and the fork stays
 * closed to makers until the intent is deleted. A claim is watched anew by all others. What is to
 * be taken back is decided after that, by the registry as it is then.
 *
 * No state; any thread. Who writes one holds the name lock of the fork.
 *
 * Intent, take over, precondition: in the words of docs/architecture.md.
 */
#ifndef FORKFS_CATALOG_EDIT_INTENTS_H
#define FORKFS_CATALOG_EDIT_INTENTS_H

#include "catalog/catalog_private.h"

/* Whether the document says what an intent of the kind has to; ERR_CORRUPT. What does not is not
 * touched. */
typedef int intent_check(const struct ulid *id, const struct bytes *body, struct error *err);

/* Takes back or finishes what one intent says; the intent itself is deleted by the caller. `entry`:
 * the fork's, as it is on the store now; NULL when it is gone. ERR_CORRUPT for a document that does
 * not parse; errors of the store. */
typedef int intent_recovery(struct catalog *catalog, const struct ulid *id,
                            const struct fork_entry *entry, const struct bytes *body,
                            struct operation *operation, struct error *err);

/* A kind of intents. */
struct intent_kind {
    const char *what; /* "<what> ... was left alone" */
    enum takeover_kind takeover;
    enum leftover_kind leftover;
    char *(*prefix)(const struct layout *layout);                     /* g_free() */
    char *(*key)(const struct layout *layout, const struct ulid *id); /* g_free() */
    intent_check *check;
    intent_recovery *recover;
};

/* Writes an intent whose text nobody else writes. ERR_HELD when the fork has one of that kind;
 * ERR_OUTCOME_UNKNOWN when none is there, but ours may still arrive; ERR_NOT_DURABLE; other errors
 * of the store. If ours is there after all, or may come to be, it is left for recovery. */
int intent_put(struct catalog *catalog, const struct intent_kind *kind, const struct ulid *id,
               struct bytes *body, struct operation *operation, struct error *err);

/* The caller has put the intent and leaves it: the caretaker goes on with it. `late`: what was
 * abandoned may still arrive, so not before it has. */
void intent_leave(struct catalog *catalog, const struct intent_kind *kind, const struct ulid *id,
                  struct bytes *body, bool late);

/* Deletes the caller's own intent of that text; time for what follows on a lost answer is that of
 * `undoing`. ERR_OUTCOME_UNKNOWN: it may be gone, or go yet; ERR_NOT_DURABLE: it is gone, and may
 * come back in a power failure; after any other error it is there. */
int intent_delete(struct store *store, const char *key, const struct bytes *body,
                  struct operation *operation, struct operation *undoing, struct error *err);

/* For who was told ERR_HELD: recovers the intent that is there, if this mount may take it over
 * (takeover.h), and deletes it. ERR_HELD while another mount may be at work; ERR_CORRUPT; errors of
 * the store. */
int intent_clear(struct catalog *catalog, const struct intent_kind *kind, const struct ulid *id,
                 struct operation *operation, struct error *err);

/* Recovers all intents of a kind that this mount may take over, and deletes them; one that cannot
 * be recovered is left and reported. Errors of the store. */
int intents_recover(struct catalog *catalog, const struct intent_kind *kind,
                    struct operation *operation, struct recovery_report *report, struct error *err);

/* Recovers one that this mount left, and deletes it: at once, for on a shared catalog `left` tells
 * by its text that it is this mount's. *ret_ends: nothing is left of it. One that cannot be
 * recovered is left and reported. Errors of the store. */
int intent_recover_left(struct catalog *catalog, const struct intent_kind *kind,
                        const struct leftover *left, struct operation *operation,
                        struct recovery_report *report, bool *ret_ends, struct error *err);

#endif

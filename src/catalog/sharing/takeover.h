/*
 * Unfinished work on a catalog that several mounts write: whose it is, and whether this mount may
 * finish it.
 *
 * Nobody can ask another mount whether it is still at work. So what another mount left unfinished
 * may be taken over once this mount has watched it unchanged for takeover_ms, by its own monotonic
 * clock; that is longer than any operation and any request under way lasts. What this mount left
 * itself may be finished at once, or, where it abandoned requests that may still arrive, when they
 * no longer can.
 *
 * Every function takes NULL for a catalog that nobody else writes: all unfinished work is then this
 * mount's to finish. Thread-safe; the lock is a leaf. All times: nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef FORKFS_CATALOG_SHARING_TAKEOVER_H
#define FORKFS_CATALOG_SHARING_TAKEOVER_H

#include <stdint.h>

enum takeover_kind {
    TAKEOVER_ENTRY,        /* that is not active; by the fork's id */
    TAKEOVER_TOMBSTONE,    /* by key */
    TAKEOVER_REGISTRATION, /* an intent; by key */
    TAKEOVER_TAGGING,      /* an intent; by key */
    TAKEOVER_ORPHAN,       /* files of a fork that nobody knows; by the id */
    TAKEOVER_REMNANT,      /* branches of such a fork; by the id */
};
#define TAKEOVER_KINDS 6

struct takeover;

struct takeover *takeover_new(int64_t takeover_ms);
void takeover_free(struct takeover *takeover); /* NULL: nothing */

/* This object was seen at this version: how long it has to stay so until it may be taken over
 * (milliseconds, rounded up); 0: it may. Watching begins anew when the version has changed. */
int64_t takeover_wait_ms(struct takeover *takeover, enum takeover_kind kind, const char *id,
                         const char *version, int64_t now_ns);

/* Around a look at all objects of a kind, each of which is told to takeover_wait_ms(): what was not
 * is forgotten at the end. One look at a kind at a time. */
void takeover_begin_look(struct takeover *takeover, enum takeover_kind kind);
void takeover_end_look(struct takeover *takeover, enum takeover_kind kind, int64_t now_ns);

/* This mount left the object, which no other mount can bring back to life, whatever its version, or
 * may have left it; it may be finished from not_before_ns on. */
void takeover_add_own(struct takeover *takeover, enum takeover_kind kind, const char *id,
                      int64_t not_before_ns);
/* The work on that object is finished. */
void takeover_forget(struct takeover *takeover, enum takeover_kind kind, const char *id);

#endif

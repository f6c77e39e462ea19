/*
 * What changes of this mount have left unfinished, and nobody works on: forks that are half made or
 * half dropped, and intents. The caretaker goes on with it: after a moment, and while that fails
 * again and again, more and more seldom.
 *
 * In memory only; the next mount finds the same on the store. Whoever adds or ends a leftover has
 * the name of the fork locked, or does it for who has.
 *
 * Thread-safe; the lock is a leaf. All times: nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef FORKFS_CATALOG_SHARING_LEFTOVERS_H
#define FORKFS_CATALOG_SHARING_LEFTOVERS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/ulid.h"

enum leftover_kind {
    LEFTOVER_TAGGING,      /* an intent */
    LEFTOVER_REGISTRATION, /* an intent */
    LEFTOVER_ENTRY,        /* one that is not active, or may come to be so */
};
#define LEFTOVER_KINDS 3

struct leftover {
    enum leftover_kind kind;
    struct ulid id;       /* of the fork */
    struct bytes *intent; /* its text as this mount wrote it; NULL: whatever is there, or none */
    int64_t until_ns;     /* for so long it may still arrive; 0: it is there */
    /* For leftovers.c */
    int64_t due_ns;
    int64_t pause_ns;
    uint64_t serial; /* which time it was added */
};

struct leftovers;

struct leftovers *leftovers_new(void);
void leftovers_free(struct leftovers *leftovers); /* NULL: nothing */

/* What was left: kind, id, intent (is referenced) and until_ns are taken. It is due in a second,
 * but not before `not_before_ns`, when all that was abandoned has arrived (0: nothing was). */
void leftovers_add(struct leftovers *leftovers, const struct leftover *left, int64_t not_before_ns);

/* Whether this mount has left that. */
bool leftovers_has(struct leftovers *leftovers, enum leftover_kind kind, const struct ulid *id);

/* A descriptor that can be read once something was added since leftovers_due_ns() was asked;
 * -1: there is none. Belongs to the leftovers. */
int leftovers_fd(const struct leftovers *leftovers);
/* When the next one is due; INT64_MAX: there is none. */
int64_t leftovers_due_ns(struct leftovers *leftovers);

/* Copies of all that are due: struct leftover, by kind. g_ptr_array_unref(). */
GPtrArray *leftovers_due(struct leftovers *leftovers, int64_t now_ns);
/* Nothing is left of it; or it is to be tried again, later than last time. `rests`: what keeps it
 * does not go away by itself, so there is no hurry. Neither counts when it has been added anew. */
void leftovers_end(struct leftovers *leftovers, const struct leftover *due);
void leftovers_again(struct leftovers *leftovers, const struct leftover *due, bool rests,
                     int64_t now_ns);

#endif

/*
 * Refs of tags that may still arrive: puts of theirs were given up and sent again, and a server, or
 * the network before it, may carry them out later. While the tag is there that does no harm. One
 * that has been removed meanwhile, or whose fork has gone, would be back, and is looked at a second
 * time when nothing can arrive any more.
 *
 * In memory only. Thread-safe; the lock is a leaf. Times: nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef FORKFS_CATALOG_FORK_LATE_TAGS_H
#define FORKFS_CATALOG_FORK_LATE_TAGS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/ulid.h"

struct late_tags;

struct late_tag {
    char *key;          /* of the ref */
    struct ulid fork;   /* whose tag it is */
    struct bytes *body; /* what may arrive */
    bool is_removed;    /* by this mount, since */
    int64_t due_ns;     /* from then on nothing arrives */
};

struct late_tags *late_tags_new(void);
void late_tags_free(struct late_tags *late); /* NULL: nothing */

/* A put of that ref (body is referenced) was given up before `now_ns`. */
void late_tags_add(struct late_tags *late, const char *key, const struct ulid *fork,
                   struct bytes *body, int64_t now_ns);
/* This mount has removed the ref. Nothing where none of it can arrive. */
void late_tags_note_removed(struct late_tags *late, const char *key);

/* Those of which nothing can arrive any more, out of the list: struct late_tag, owned by the array.
 */
GPtrArray *late_tags_take_due(struct late_tags *late, int64_t now_ns);
/* Puts one back that could not be looked at. */
void late_tags_put_back(struct late_tags *late, const struct late_tag *tag);

#endif

/*
 * Creating and dropping forks, one or many at a time.
 *
 * A list of changes is carried out in rounds: a round takes every change that does not depend on an
 * earlier one of the list (same name, one's parent is the other's name, or a budget
 * that an earlier drop frees). The changes of a round
 * go through the steps of docs/architecture.md ("The life of a fork") in step with each other and
 * share the two writes of the registry; each succeeds or fails on its own.
 *
 * Any thread; waits for the store. A single mkdir or rmdir is a list of one.
 */
#ifndef FORKFS_CATALOG_CHANGE_CHANGE_H
#define FORKFS_CATALOG_CHANGE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/operation.h"
#include "base/ulid.h"

struct catalog;

enum change_kind { CHANGE_CREATE, CHANGE_DROP };
enum change_expiry { EXPIRY_DEFAULT, EXPIRY_NONE, EXPIRY_SECONDS };

struct change {
    enum change_kind kind;
    const char *name; /* CREATE: the new fork's name. DROP: the key; NULL: found by `expected_id` */
    /* CREATE */
    const char *parent;           /* key of the parent fork; NULL: the primary graph */
    const struct ulid *parent_id; /* NULL: whichever fork has that key */
    enum change_expiry expiry;    /* EXPIRY_DEFAULT: the mount's default_ttl, if it has one */
    uint64_t ttl_seconds;         /* EXPIRY_SECONDS */
    /* DROP */
    const struct ulid *expected_id; /* NULL: whichever fork has the name */
    bool no_drain;                  /* do not wait for holders */
    /* Only as long as this fork (it, or one above it) has expired; ERR_STALE. NULL: anyway */
    const struct ulid *expired;
    /* The answer */
    struct ulid id; /* of the fork made */
    int code;       /* same as error.code */
    bool elsewhere; /* DROP: another mount is at it */
    struct error error;
};

/* Carries out the list; see catalog.h for the errors of a change. */
void catalog_change(struct catalog *catalog, struct change *changes, size_t count,
                    struct operation *operation);

#endif

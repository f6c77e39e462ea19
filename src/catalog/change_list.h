/*
 * A list of forks to be created and dropped, for catalog_change() (catalog.h): what is wished, and
 * what has come of it.
 */
#ifndef FORKFS_CATALOG_CHANGE_LIST_H
#define FORKFS_CATALOG_CHANGE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ulid.h"

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
    bool is_unfinished;             /* only while its status is not active; ERR_EXISTS */
    /* Only as long as this fork (it, or one above it) has expired; ERR_STALE. NULL: anyway */
    const struct ulid *expired;
    /* The answer */
    struct error error; /* code 0: done */
    struct ulid id;     /* CREATE: of the fork made */
    bool elsewhere;     /* DROP: another mount is at it */
    bool left;          /* something of it is left, which the caretaker goes on with */
};

/* Told of each change once its answer stands, on the thread of who has the list carried out. */
typedef void change_observer(void *argument, const struct change *change);

#endif

/*
 * The steps of a repair, which repair.c takes in order. Each tells what it has done with
 * repair_did(), after it was done; what it cannot prove or do it leaves, for the check to find.
 * Errors of the store end the repair.
 */
#ifndef FORKFS_CATALOG_REPAIR_REPAIR_PRIVATE_H
#define FORKFS_CATALOG_REPAIR_REPAIR_PRIVATE_H

#include "catalog/catalog_private.h"
#include "catalog/repair/repair.h"

/* A repair in progress. */
struct repair {
    struct store *store;
    const struct layout *layout;
    const struct repair_settings *settings;
    struct operation *operation;
    struct catalog *catalog; /* NULL until it is open */
    GPtrArray *actions;      /* the report's */
};

/* Control characters come out as \xNN. */
void repair_did(struct repair *repair, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* On the bare store. Of a bucket: waits until nobody else can be at work on it, and deletes the
 * leases of mounts that are gone. ERR_HELD. */
int repair_guard(struct repair *repair, struct error *err);

/* On the bare store: a registry that is absent or does not parse is made anew of the branches on
 * the store; one that does not parse is kept beside it. */
int repair_registry(struct repair *repair, struct error *err);

/* On the open catalog. Forks that descend from themselves, from none that exists, or from others
 * than the fork that their branches were made from, get the parent that their lineage tells. */
int repair_parents(struct repair *repair, struct error *err);
/* Tags go that pin nothing: whose branch is gone, or whose version. */
int repair_tags(struct repair *repair, struct error *err);
/* What a mount recovers. */
int repair_unfinished(struct repair *repair, struct error *err);
/* With REPAIR_ADOPT orphans become forks. */
int repair_adopt(struct repair *repair, struct error *err);
/* Orphans are removed that may be. */
int repair_purge(struct repair *repair, struct error *err);

#endif

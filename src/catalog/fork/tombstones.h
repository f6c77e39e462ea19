/*
 * The tombstones that lie on the store: the intents to drop, as last seen or written by this mount.
 *
 * The table is memory only: who puts or deletes a tombstone on the store says so here afterwards.
 * Thread-safe; the lock is a leaf.
 */
#ifndef FORKFS_CATALOG_FORK_TOMBSTONES_H
#define FORKFS_CATALOG_FORK_TOMBSTONES_H

#include <glib.h>

#include "base/bytes.h"
#include "base/operation.h"
#include "catalog/fork/kept_forks.h"
#include "catalog/format/layout.h"
#include "catalog/registry/fork_entry.h"
#include "catalog/registry/registry.h"
#include "store/store.h"

struct tombstones;

/* One object below the tombstones' prefix. */
struct tombstone {
    char *key;  /* on the store */
    char *etag; /* of the version that was read or put; NULL: the store did not tell */
    struct bytes *body;
    struct fork_entry *entry; /* NULL: the object does not parse */
    struct error problem;     /* set when entry is NULL */
};

struct tombstones *tombstones_new(void);
void tombstones_free(struct tombstones *tombstones); /* NULL: nothing */

/* Replaces the table by what is on the store: one listing, one wave of gets for those that are not
 * known at their etag. One that does not parse is kept with its problem; one that vanishes
 * meanwhile is skipped; what this mount puts or deletes meanwhile counts more than what was read.
 * Errors of the store. */
int tombstones_load(struct tombstones *tombstones, struct store *store, const struct layout *layout,
                    struct operation *operation, struct error *err);

/* Takes the tombstones from a listing of their prefix that the caller has made in a wave of its
 * own, between _begin_load() and _end_load(); answered with success. */
void tombstones_begin_load(struct tombstones *tombstones);
int tombstones_take_listing(struct tombstones *tombstones, struct store *store,
                            const struct store_request *listing, struct operation *operation,
                            struct error *err);
void tombstones_end_load(struct tombstones *tombstones);

/* etag: as the put's answer tells it; NULL: it does not. */
void tombstones_note_put(struct tombstones *tombstones, const char *key, const char *etag,
                         struct bytes *body);
void tombstones_note_deleted(struct tombstones *tombstones, const char *key);

/* A copy of the table, sorted by key: struct tombstone *, owned by the array. */
GPtrArray *tombstones_list(struct tombstones *tombstones);

/* Whether some tombstone names a fork `name` (a create under that name would not be safe from Uni's
 * recovery, which removes entries by name). */
bool tombstones_name_is_taken(struct tombstones *tombstones, const char *name);

/* The table as one JSON array, pretty, without newline at the end. An object that does not parse
 * appears as {"file": key, "error": text}. Where it is known why a fork's drop could not be
 * finished, its object has one more member, "kept_by", with the text of that, and a tombstoned
 * entry of the registry appears that has no tombstone of its own. */
struct bytes *tombstones_render(struct tombstones *tombstones, const struct registry *registry,
                                struct kept_forks *kept);

#endif

/*
 * The schema overlays of the forks, read on demand and kept in memory.
 *
 * Thread-safe; the lock is a leaf and never held over a store call.
 */
#ifndef FORKFS_CATALOG_FORK_OVERLAYS_H
#define FORKFS_CATALOG_FORK_OVERLAYS_H

#include "base/bytes.h"
#include "base/operation.h"
#include "base/ulid.h"
#include "catalog/format/layout.h"
#include "store/store.h"

struct overlays;

/* One overlay as it was read. */
struct overlay {
    struct bytes *text;  /* pretty, without newline at the end */
    char *version;       /* names what the store holds; NULL: absent there */
    int64_t modified_ns; /* since 1970; 0 when unknown */
};
void overlay_free(struct overlay *overlay); /* NULL: nothing */

/* store and layout must outlive it. shared: other mounts may write the overlays,
 * see unique_body.h. */
struct overlays *overlays_new(struct store *store, const struct layout *layout, bool shared);
void overlays_free(struct overlays *overlays); /* NULL: nothing */

/* A copy of what is in memory, or NULL. */
struct overlay *overlays_cached(struct overlays *overlays, const struct ulid *id);

/* From memory or from the store. A definitely absent object is an empty overlay (which is not
 * written), but ERR_AWAY where there has been one, or the registry is not there either; one that
 * does not parse is ERR_CORRUPT and is not kept. */
int overlays_read(struct overlays *overlays, const struct ulid *id, struct operation *operation,
                  struct overlay **ret, struct error *err);

/* ERR_AWAY where the overlay of a fork that was found absent has been there. */
int overlays_check_absent(struct overlays *overlays, const struct ulid *id, struct error *err);

/* Replaces the stored overlay, if it still is `version` (NULL: absent). ERR_CHANGED when it is not;
 * ERR_AWAY when it is not there, nor the registry; ERR_OUTCOME_UNKNOWN even after re-reading;
 * ERR_NOT_DURABLE. What is in memory is forgotten on failure. One call for a fork at a time.
 * *ret_version (may be NULL): the new one; g_free(). The text must have been validated. */
int overlays_write(struct overlays *overlays, const struct ulid *id, struct bytes *text,
                   const char *version, struct operation *operation, char **ret_version,
                   struct error *err);

/* Notes what this mount wrote; etag NULL when the store did not tell. */
void overlays_note_put(struct overlays *overlays, const struct ulid *id, struct bytes *body,
                       const char *etag);
/* Forgets the overlay of a fork that went away, and that there was one. */
void overlays_forget(struct overlays *overlays, const struct ulid *id);

/* Around the looks below, and the requests that they look at: between the two is remembered what
 * this mount puts or forgets. */
void overlays_begin_listing(struct overlays *overlays);
void overlays_end_listing(struct overlays *overlays);

/* Forgets what differs from a listing of all overlays on the store: struct store_object. Returns
 * the ids (struct ulid, owned by the array, unref) of those that somebody else has changed since
 * they were last listed, put, or read as absent. What this mount is writing, and what it has put or
 * forgotten since _begin_listing(), is left out. */
GPtrArray *overlays_compare(struct overlays *overlays, const GPtrArray *objects);

/* The same for one object, with its etag (NULL: absent). */
enum overlay_look {
    OVERLAY_SAME,    /* as what is kept */
    OVERLAY_CHANGED, /* by somebody else, as far as is known; it is forgotten */
    OVERLAY_OWN,     /* left out: look again */
};
enum overlay_look overlays_compare_one(struct overlays *overlays, const struct ulid *id,
                                       const char *etag);

#endif

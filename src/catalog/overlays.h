/*
 * The schema overlays of the forks, read on demand and kept in memory.
 *
 * Thread-safe; the lock is a leaf and never held over a store call.
 */
#ifndef FORKFS_CATALOG_OVERLAYS_H
#define FORKFS_CATALOG_OVERLAYS_H

#include "base/bytes.h"
#include "base/operation.h"
#include "base/ulid.h"
#include "catalog/layout.h"
#include "store/store.h"

struct overlays;

/* store and layout must outlive it. */
struct overlays *overlays_new(struct store *store, const struct layout *layout);
void overlays_free(struct overlays *overlays); /* NULL: nothing */

/* The overlay in pretty form; NULL when it is not in memory. modified_ns (may be NULL): since 1970,
 * 0 when unknown. */
struct bytes *overlays_cached(struct overlays *overlays, const struct ulid *id,
                              int64_t *modified_ns);

/* From memory or from the store. A definitely absent object is an empty overlay (its kept form is
 * not written); one that does not parse is ERR_CORRUPT and is not kept. */
int overlays_read(struct overlays *overlays, const struct ulid *id, struct operation *operation,
                  struct bytes **ret, struct error *err);

/* After this mount wrote one. */
void overlays_note_put(struct overlays *overlays, const struct ulid *id, struct bytes *body,
                       const char *etag);
/* After a fork went away, or its overlay changed elsewhere. */
void overlays_forget(struct overlays *overlays, const struct ulid *id);

#endif

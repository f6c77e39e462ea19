/*
 * The leases of the other mounts, as this mount has last seen them.
 *
 * A lease that does not change runs out. Only this mount's own monotonic clock counts for that:
 * clocks of different machines are never compared. So a lease that this mount has just seen for the
 * first time is believed for its whole time. One that does not parse counts, until it runs out, as
 * that of a mount that holds every fork.
 *
 * Thread-safe; the lock inside is a leaf, held over no call out.
 *
 * Lease, hold, close, agree: in the words of docs/architecture.md.
 */
#ifndef FORKFS_CATALOG_SHARING_LEASES_H
#define FORKFS_CATALOG_SHARING_LEASES_H

#include <stdint.h>

#include "base/operation.h"
#include "base/ulid.h"
#include "catalog/format/layout.h"
#include "store/store.h"

struct leases;

struct leases_settings {
    struct store *store; /* both must outlive the leases */
    const struct layout *layout;
    int64_t lease_ms;        /* a mount that has not renewed its lease for so long is dead */
    int64_t delete_ms;       /* after so long unchanged, its lease is deleted */
    int64_t (*now_ns)(void); /* monotonic_now_ns(), but for tests */
    void (*appeared)(void *argument); /* there are other mounts now; may be NULL */
    void *argument;
};

struct leases *leases_new(const struct leases_settings *settings);
void leases_free(struct leases *leases); /* NULL: nothing */

/* Which lease is this mount's own, and left out from now on. */
void leases_set_own(struct leases *leases, const struct ulid *id);

/* A look at all leases, whose listing can share a wave of the caller's. `begun_ns`:
 * leases_now_ns() before the wave was run. Taking the answer gets what has changed, in another wave
 * if there is anything, and deletes what has run out long ago. Errors of the store. */
struct store_request *leases_add_listing(struct leases *leases, struct store_set *set);
int leases_take_listing(struct leases *leases, const struct store_request *listing,
                        int64_t begun_ns, struct operation *operation, struct error *err);
/* Lists the leases and takes the listing. */
int leases_refresh(struct leases *leases, struct operation *operation, struct error *err);
int64_t leases_now_ns(const struct leases *leases);

/* How many other mounts are alive, as far as the last look could tell. */
size_t leases_others(struct leases *leases);

/* 0, or ERR_HELD naming the mounts that hold the fork as far as the last look could tell. */
int leases_check_held(struct leases *leases, const struct ulid *fork, struct error *err);

enum lease_verdict {
    LEASES_AGREE,    /* every live mount has closed the fork, and none holds it */
    LEASES_HOLD,     /* some hold it */
    LEASES_TO_ANSWER /* some have not closed it yet, or the leases could not be looked at */
};

/* What the other mounts say about a fork that has been tombstoned, by looks that began at
 * `since_ns` (leases_now_ns()) or later. *err (may be NULL): ERR_HELD naming who holds it or has
 * not answered.
 */
enum lease_verdict leases_ask(struct leases *leases, const struct ulid *fork, int64_t since_ns,
                              struct error *err);

#endif

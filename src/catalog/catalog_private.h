/*
 * The inside of struct catalog, for the files that implement catalog.h.
 *
 * Everything here is set once by catalog_open() and thread-safe in itself.
 */
#ifndef FORKFS_CATALOG_CATALOG_PRIVATE_H
#define FORKFS_CATALOG_CATALOG_PRIVATE_H

#include "catalog/catalog.h"
#include "catalog/fork/descendants.h"
#include "catalog/fork/kept_forks.h"
#include "catalog/fork/late_forks.h"
#include "catalog/fork/late_tags.h"
#include "catalog/fork/overlays.h"
#include "catalog/fork/tags.h"
#include "catalog/fork/tombstones.h"
#include "catalog/fork_point/fork_point.h"
#include "catalog/registry/committer.h"
#include "catalog/sharing/lease_keeper.h"
#include "catalog/sharing/leases.h"
#include "catalog/sharing/leftovers.h"
#include "catalog/sharing/name_locks.h"
#include "catalog/sharing/takeover.h"
#include "catalog/uni/compaction_lock.h"

struct catalog {
    struct store *store;
    struct layout *layout;
    struct catalog_settings settings;
    struct committer *committer;
    struct holders *holders;
    struct leases *leases;       /* of the other mounts; NULL: as the keeper */
    struct lease_keeper *keeper; /* of our own lease; NULL: not shared, read-only, or no leases */
    struct name_locks *names;
    struct leftovers *leftovers;
    struct compaction_lock *compaction; /* of Uni; is had while branches are made */
    struct tombstones *tombstones;
    struct kept_forks *kept;
    struct overlays *overlays;
    struct fork_point_reader *fork_points;
    struct ref_cache *refs;
    struct descendants *descendants;
    struct tags *tags;
    struct takeover *takeover;     /* NULL: the catalog is not shared */
    struct late_forks *late_forks; /* what may still arrive, in a bucket */
    struct late_tags *late_tags;   /* as that */
    struct takeover *watched;      /* remnants of forks, whoever left them; NULL: no bucket */
    /* When recovery looks at everything, and for remnants; for the thread that recovers. */
    int64_t full_look_due_ns, remnants_due_ns;
    uint64_t rolled_back, finished, orphans, swept; /* atomic counters */
};

/* Whether other mounts may write the same catalog: the one answer to that. What is below is told it
 * once, when it is made. */
static inline bool catalog_is_shared(const struct catalog *catalog)
{
    return catalog->settings.shared;
}

/* Whether it lies in a bucket, or is written as if it did: what is given up may arrive later. */
static inline bool catalog_is_in_bucket(const struct catalog *catalog)
{
    return catalog_is_shared(catalog) || layout_is_remote(catalog->layout);
}

/* The longest time of an operation, of which taking over makes sure that it has ended (takeover.h).
 */
#define CATALOG_OPERATION_LONGEST_MS 60000

/* For undoing what `operation` has begun: operation_init_undoing(), in a shared catalog so that
 * both have ended before another mount takes over. */
static inline void catalog_init_undoing(const struct catalog *catalog, struct operation *undoing,
                                        const struct operation *operation)
{
    operation_init_undoing(undoing, operation,
                           catalog_is_shared(catalog) ? CATALOG_OPERATION_LONGEST_MS : -1);
}

/* How long a lease lives, in milliseconds. */
int64_t catalog_lease_ms(const struct catalog *catalog);

/* Reads the registry again if its etag has changed. Errors of the store, ERR_CORRUPT. */
int catalog_refresh_registry(struct catalog *catalog, struct operation *operation,
                             struct error *err);

/* Whether a fork is active on the store, with the datasets that `entry` has. ERR_STALE,
 * ERR_PENDING, ERR_CHANGED (it has others by now), errors of the store. */
int catalog_confirm_active(struct catalog *catalog, const struct fork_entry *entry,
                           struct operation *operation, struct error *err);

/* Whether this mount may finish what an entry that is not active says: its own work, or that of
 * another mount that it has watched unchanged long enough (takeover.h). *ret_wait_ms (may be NULL):
 * else how long it has to be watched still. */
bool catalog_may_take_over(struct catalog *catalog, const struct fork_entry *entry,
                           int64_t *ret_wait_ms);

/* Locks the name of an active fork and gives its entry as it is then. ERR_STALE, ERR_PENDING,
 * ERR_READ_ONLY, ERR_INTERRUPTED, ERR_DEADLINE. */
int catalog_lock_active(struct catalog *catalog, const struct ulid *id, struct operation *operation,
                        struct fork_entry **ret, struct error *err);
/* catalog_lock_active() for a fork of any status. */
int catalog_lock_any(struct catalog *catalog, const struct ulid *id, struct operation *operation,
                     struct fork_entry **ret, struct error *err);
/* Unlocks the name and lets go of the entry. */
void catalog_unlock(struct catalog *catalog, struct fork_entry *entry);

/* 0 when nobody holds a fork that is not active (any more), on whatever mount: by looks at the
 * leases that began at `since_ns` (leases_now_ns()) or later, after the status had been seen.
 * ERR_HELD says who does, or has not answered. */
int catalog_check_unheld(struct catalog *catalog, const struct ulid *id, int64_t since_ns,
                         struct error *err);

#endif

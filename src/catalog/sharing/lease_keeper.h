/*
 * The lease of this mount: writes it before the registry is read, keeps it true with a thread of
 * its own, and deletes it at the end.
 *
 * What makes it safe to believe a lease:
 *  - A fork is among `closed` only while this mount takes no new holds on it
 *    (lease_keeper_check()), and whatever holds there still are are among `held` of the same lease.
 *  - A fork that is active again opens only when a lease without it has been stored *and* the
 *    registry, read after that, shows it as active. So nobody who finds the older lease after a
 *    later flip is deceived.
 *  - The puts are conditional on the one before, so that a delayed one cannot come back.
 *  - A mount that could not renew its lease in time takes a new one, under a new id, and reads the
 *    registry after that, like one that has just begun. The old one is nobody's.
 *
 * Changes of what is held or closed are stored within moments, others with the next renewal; while
 * there are no other mounts, all but those that let a fork open again. Opening and closing files
 * only marks that there is something to be stored.
 *
 * Thread-safe; the lock inside is a leaf, held over no call out.
 */
#ifndef FORKFS_CATALOG_SHARING_LEASE_KEEPER_H
#define FORKFS_CATALOG_SHARING_LEASE_KEEPER_H

#include "base/operation.h"
#include "catalog/format/layout.h"
#include "catalog/registry/committer.h"
#include "catalog/sharing/holders.h"
#include "catalog/sharing/leases.h"
#include "store/store.h"

struct lease_keeper;

struct lease_keeper_settings {
    struct store *store; /* all must outlive the keeper */
    const struct layout *layout;
    struct holders *holders;
    struct leases *leases; /* is told which one is ours */
    int64_t lease_ms;
};

/* Stores the first lease, which holds and closes nothing. To be called before the registry is read.
 * Errors of the store. */
int lease_keeper_new(const struct lease_keeper_settings *settings, struct operation *operation,
                     struct lease_keeper **ret, struct error *err);
/* Begins to keep it; the committer must outlive the keeper. ERR_IO. */
int lease_keeper_start(struct lease_keeper *keeper, struct committer *committer, struct error *err);
/* Ends the thread, so that the committer can go. NULL: nothing. */
void lease_keeper_stop(struct lease_keeper *keeper);
/* Deletes the lease, if the store lets us within a moment, and frees. NULL: nothing. */
void lease_keeper_free(struct lease_keeper *keeper);

/* Something that the lease tells of has changed: holds, the registry, or who reads it. Cheap. */
void lease_keeper_note(struct lease_keeper *keeper);

/* ERR_STALE when new holds on the fork must be refused. To be asked after the hold was taken. */
int lease_keeper_check(struct lease_keeper *keeper, const struct ulid *fork, struct error *err);

/* Waits until holds on a fork that is active again are no longer refused, at most `operation`. */
void lease_keeper_await_open(struct lease_keeper *keeper, const struct ulid *fork,
                             struct operation *operation);

#endif

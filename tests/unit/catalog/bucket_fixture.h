/*
 * Several mounts of one catalog, over one memory store that plays the bucket.
 */
#ifndef FORKFS_UNIT_CATALOG_BUCKET_FIXTURE_H
#define FORKFS_UNIT_CATALOG_BUCKET_FIXTURE_H

#include <pthread.h>

#include "catalog/catalog_private.h"
#include "unit/catalog/database_fixture.h"

/* Long enough that a busy machine does not let it run out, nor a drop for which time passes; that
 * it need not even be renewed; and one to wait for. */
#define LONG_LEASE_MS 600000
#define EVERLASTING_LEASE_MS 3600000
#define SHORT_LEASE_MS 200
#define MEDIUM_LEASE_MS 5000

/* One mount, which looks for changes by others on a thread of its own while that runs. */
struct mount {
    struct catalog *catalog;
    struct store *faults;
    pthread_t poller;
    bool polls;
    bool ending; /* atomic */
};

struct bucket {
    struct store *store;
    struct mount mounts[4];
};

/* Test set-up: the bucket with a database, nothing mounted. */
int bucket_set_up(void **state);
int bucket_tear_down(void **state); /* unmounts all */

struct mount *bucket_mount(struct bucket *bucket, unsigned number, int64_t lease_ms);
/* The same for one that takes over at once what others have left. */
struct mount *bucket_mount_heir(struct bucket *bucket, unsigned number, int64_t lease_ms);
/* Begins or ends looking for changes. */
void mount_poll(struct mount *mount);
void mount_poll_stop(struct mount *mount);
void mount_end(struct mount *mount);
/* Ends it as SIGKILL would: nothing of it reaches the store any more. */
void mount_kill(struct mount *mount);

/* Waits until this mount shows the fork with that status (-1: gone); it must poll. */
void mount_await_status(struct mount *mount, const struct ulid *id, int status);
/* Looks until this mount knows (or does not) that another one holds the fork. */
void mount_await_held(struct mount *mount, const struct ulid *id, bool held);
/* Looks until this mount knows so many others alive. */
void mount_await_others(struct mount *mount, size_t others);

struct hold *mount_hold(struct mount *mount, const struct ulid *id, int expected);
void mount_release(struct mount *mount, struct hold *hold);
/* Drops "audit" within so much time. */
int mount_drop(struct mount *mount, int64_t timeout_ms, struct error *err);

/* A drop of "audit" under way on a thread of its own; it has a minute. */
struct dropping {
    struct mount *mount;
    struct operation operation;
    pthread_t thread;
    int code;
    struct error error;
};
void start_drop(struct dropping *dropping, struct mount *mount);
int join_drop(struct dropping *dropping);

/* Drops "audit"; when it does nothing any more but look what other mounts do about it, its time
 * passes. */
int mount_drop_in_vain(struct mount *mount, struct error *err);
/* The same for a list of changes. */
void mount_change_in_vain(struct mount *mount, struct change *changes, size_t count);

/* How many leases there are. */
unsigned bucket_leases(struct bucket *bucket);

#endif

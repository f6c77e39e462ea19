/*
 * The catalog: what the FUSE adapter and the tools see of a Uni database's forks.
 *
 * It owns the store, the committer, the holders and the caches; where other mounts may write the
 * same catalog, also the keeper of this mount's lease, what is known of the leases of the others,
 * and what unfinished work is watched until it may be taken over. Reads (registry, tombstones,
 * cached overlays, holders) answer from memory. Creating and dropping a fork waits for the store
 * and belongs on a worker thread.
 *
 * Thread-safe. Lock order, outermost first: the name locks of forks (several only for a list
 * of changes, in bytewise order), then Uni's lock on its compaction, then the leaf locks (committer
 * queue, holders, lease keeper, leases, takeover, tombstones, overlays, caches), of which none is
 * held together with another, over a store call, or over a call of an observer.
 */
#ifndef FORKFS_CATALOG_CATALOG_H
#define FORKFS_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/operation.h"
#include "base/ulid.h"
#include "catalog/change_list.h"
#include "catalog/fork/overlays.h"
#include "catalog/fork/tags.h"
#include "catalog/format/layout.h"
#include "catalog/recovery_report.h"
#include "catalog/registry/registry.h"
#include "catalog/sharing/holders.h"
#include "store/store.h"

struct catalog;

#define LEASE_DEFAULT_MS 15000

struct catalog_settings {
    bool read_only;
    int64_t drain_timeout_ms;    /* how long a drop waits for holders */
    size_t max_forks;            /* budget, counting every status; 0: none */
    uint64_t default_ttl_s;      /* for forks made without one, in seconds; 0: none */
    bool shared;                 /* other mounts may write the same catalog */
    int64_t takeover_ms;         /* in a bucket: how long the unfinished work of another mount, and
                                    what is left of gone forks, is watched unchanged before it is
                                    taken over */
    int64_t lease_ms;            /* shared: how long a mount that does not renew its lease counts
                                    as alive; 0: LEASE_DEFAULT_MS; negative (for tests): there
                                    are no leases, holds count on their own mount only */
    const char *compaction_lock; /* path of Uni's lock (uni/compaction_lock.h), which need not
                                    exist; NULL: on an object store. Is copied */
    struct log *log;             /* may be NULL */
    registry_observer *observer; /* may be NULL; see registry.h */
    void *observer_argument;
};

/* Reads registry, tombstones and schema; checks that it is a Uni database. Takes over `store` and
 * `layout` on success. Does not recover. ERR_NOT_FOUND (no database), ERR_CORRUPT, errors of the
 * store. *ret: catalog_free(). */
int catalog_open(struct store *store, struct layout *layout,
                 const struct catalog_settings *settings, struct operation *operation,
                 struct catalog **ret, struct error *err);
/* All operations must have ended and all holds be released. Does not wait long for a store that is
 * stuck: store_free_within(). NULL: nothing. */
void catalog_free(struct catalog *catalog);
bool catalog_is_read_only(const struct catalog *catalog);

/* Finishes what crashed creates and drops left; what other mounts may have left, only once it has
 * been watched unchanged for takeover_ms, that is, not at mount. 0 also when something was left
 * alone: see the report, which the caller clears. An error means that the store failed.
 * ERR_READ_ONLY. */
int catalog_recover(struct catalog *catalog, struct operation *operation,
                    struct recovery_report *report, struct error *err);

/* For a catalog in a bucket, from time to time after that: removes what has arrived late for forks
 * that are gone (recovery/remnants.h). Where several mounts write, finishes what this mount left
 * unfinished, and what it has watched others leave unchanged for takeover_ms; begins to watch the
 * rest. Without requests when nothing is to be done, but for a look at everything once in
 * takeover_ms, and at all branches once in an hour. One thread at a time, the one that called
 * catalog_recover() or a later one. */
int catalog_recover_due(struct catalog *catalog, struct operation *operation,
                        struct recovery_report *report, struct error *err);
/* How often; 0: never, for a catalog in a directory, or one that is read-only. */
int64_t catalog_recovery_interval_ms(const struct catalog *catalog);

/* What changes of this mount have left unfinished is finished by catalog_recover_left(), as soon as
 * it is due, and again, more and more seldom, while that fails. Without requests when nothing is
 * due. On the thread that calls catalog_recover_due(). Errors of the store. */
int catalog_recover_left(struct catalog *catalog, struct operation *operation,
                         struct recovery_report *report, struct error *err);
/* When the next of that is due (monotonic_now_ns()); INT64_MAX: nothing is left. */
int64_t catalog_left_due_ns(struct catalog *catalog);
/* A descriptor that can be read once something more was left since that was asked; -1: none. It is
 * the catalog's. */
int catalog_left_fd(const struct catalog *catalog);

/* How often to look for changes by others, in milliseconds, when the user wishes `refresh_ms` (0:
 * never). A mount that has a lease looks several times in the life of that, because a drop on
 * another mount waits until it has. */
int64_t catalog_refresh_interval_ms(const struct catalog *catalog, int64_t refresh_ms);

/* ---- From memory ---- */

struct registry *catalog_registry(struct catalog *catalog); /* registry_unref() */
struct bytes *catalog_tombstones(struct catalog *catalog);  /* JSON array, no newline at the end:
                                                               tombstones_render() */
struct holders *catalog_holders(struct catalog *catalog);

/* Holds a fork for an open handle, against drops by all mounts of a shared catalog (leases.h), by a
 * read-only mount only against its own. 0 with *ret NULL when its status is not active and
 * `must_hold` is false. ERR_PENDING, ERR_STALE (tombstoned, door closed, gone). Release with
 * holders_release(). */
int catalog_hold(struct catalog *catalog, const struct ulid *id, bool must_hold, pid_t pid,
                 const char *command, struct hold **ret, struct error *err);

/* The overlay of a fork (overlays.h); overlay_free(). The _cached form never touches the store and
 * gives NULL when the overlay has to be read first. */
struct overlay *catalog_overlay_cached(struct catalog *catalog, const struct ulid *id);
int catalog_overlay(struct catalog *catalog, const struct ulid *id, struct operation *operation,
                    struct overlay **ret, struct error *err);

/* The tags of a fork (tags.h), sorted by name: struct fork_tag, owned by the array, which the
 * caller unreferences. _cached as above. */
GPtrArray *catalog_tags_cached(struct catalog *catalog, const struct ulid *id);
int catalog_tags(struct catalog *catalog, const struct ulid *id, struct operation *operation,
                 GPtrArray **ret, struct error *err);

/* ---- Changes; these wait for the store ---- */

/* Creates and drops forks, many at a time. Changes of a list that do not depend on an earlier one
 * of it go through their lives in step with each other and share the writes of the registry, as
 * many at a time as fit into the time of the operation; each succeeds or fails on its own. The
 * operation has its whole time again, and its deadline is moved, whenever any of them has
 * succeeded. The errors of a change are those of the two functions below, which are lists of one.
 */
void catalog_change(struct catalog *catalog, struct change *changes, size_t count,
                    struct operation *operation);
/* The same; `observer` is told of each of them. */
void catalog_change_telling(struct catalog *catalog, struct change *changes, size_t count,
                            struct operation *operation, change_observer *observer, void *argument);

/* Creates a fork of the primary graph (parent NULL) or of another fork, given by key. Returns 0
 * only when it is durably active; *ret_id (may be NULL) is its id. On failure nothing of it is
 * left, or it stays pending or tombstoned for recovery and the error says so. */
int catalog_create(struct catalog *catalog, const char *name, const char *parent,
                   struct operation *operation, struct ulid *ret_id, struct error *err);

/* Whether a create of this fork's name finishes the fork first: an earlier change of this mount has
 * left it unfinished, and nothing hangs on it. From memory. */
bool catalog_finishes_for_create(struct catalog *catalog, const struct fork_entry *entry);

/* Drops the fork with that key. `id` (may be NULL): fail with ERR_STALE if the key is another
 * fork's by now. `key` NULL: the fork with that id, for entries whose key cannot be a C string.
 * Returns 0 only when nothing of it is left. A fork that an earlier drop left tombstoned is
 * finished; one that a crash left pending is removed; another mount's only once it may be taken
 * over (takeover_ms), ERR_HELD until then. ERR_HELD, ERR_NOT_EMPTY, ERR_NOT_FOUND,
 * ERR_CORRUPT (names or ids on whose word nothing is deleted), ... */
int catalog_drop(struct catalog *catalog, const char *key, const struct ulid *id,
                 struct operation *operation, struct error *err);

/* Sets the expiry of an active fork to now + ttl_seconds, or clears it. ERR_INVALID for a time
 * beyond the year 9999, ERR_STALE. */
int catalog_set_ttl(struct catalog *catalog, const struct ulid *id, bool has_ttl,
                    uint64_t ttl_seconds, struct operation *operation, struct error *err);

/* Replaces the overlay of an active fork by a document, which is validated whole
 * (overlay_document.h). `version`: of the overlay that the writer has seen. ERR_INVALID,
 * ERR_CHANGED when it has changed since, ERR_STALE. *ret_version (may be NULL): the new one;
 * g_free(). */
int catalog_write_overlay(struct catalog *catalog, const struct ulid *id, struct bytes *text,
                          const char *version, struct operation *operation, char **ret_version,
                          struct error *err);

/* Registers further datasets of an active fork, given as a JSON object dataset -> branch. A branch
 * `null` is made first, as mkdir makes them; a named one must exist and be no other fork's. Members
 * that are registered already with the same branch (or null) are fine; members left out stay. All
 * or nothing. ERR_INVALID, ERR_CONFLICT, ERR_NOT_FOUND (no such dataset), ERR_STALE. */
int catalog_register_datasets(struct catalog *catalog, const struct ulid *id, struct bytes *text,
                              struct operation *operation, struct error *err);

/* Pins the tip of every branch of an active fork under a tag name, all or nothing. ERR_EXISTS when
 * any fork has a tag of that name, ERR_INVALID for a name that Lance does not take, ERR_UNSUPPORTED
 * for a fork without datasets. */
int catalog_tag(struct catalog *catalog, const struct ulid *id, const char *tag,
                struct operation *operation, struct error *err);
/* Takes the tag away again, also from a fork that is not active. */
int catalog_untag(struct catalog *catalog, const struct ulid *id, const char *tag,
                  struct operation *operation, struct error *err);

/* ---- Care ---- */

/* Drops expired forks with their descendants, deepest first. A subtree in which a fork is held or
 * tagged is skipped; that and every failure is told to `failed` (may be NULL) with the fork's key.
 * Returns the number of forks dropped. */
typedef void sweep_failure(void *argument, const char *key, const struct error *failure);
unsigned catalog_sweep(struct catalog *catalog, struct operation *operation, sweep_failure *failed,
                       void *argument);

/* The object `key` on the store has changed, perhaps by somebody else (a watch tells): re-reads or
 * forgets what is kept of it, unless it is what this mount has written. A key that ends in '/': all
 * below it. *ret_overlay (may be NULL): the active fork whose overlay somebody else has changed, if
 * it was that; or that this mount is writing it, so that nobody can tell and has to ask again.
 * Errors of the store, ERR_CORRUPT; what is kept then stays. */
struct refreshed_overlay {
    bool changed;
    bool again;
    struct ulid fork;
};
int catalog_refresh(struct catalog *catalog, const char *key, struct operation *operation,
                    struct refreshed_overlay *ret_overlay, struct error *err);
/* Which key to refresh when `key` has changed: another one where that takes many changes at once.
 * g_free(). */
char *catalog_refresh_key(const struct catalog *catalog, const char *key);

/* Looks at all that others may have changed, in one wave (one request for the registry, one listing
 * each of tombstones, overlays and leases), and re-reads or forgets what differs; when nothing
 * does, there is nothing else to it. Tells `news` (may be NULL) of every active fork whose overlay
 * somebody else has changed. For stores that cannot tell of changes. Errors of the store,
 * ERR_CORRUPT; what is kept then stays. */
typedef void overlay_news(void *argument, const struct ulid *fork);
int catalog_poll(struct catalog *catalog, struct operation *operation, overlay_news *news,
                 void *argument, struct error *err);

/* Numbers for `stats`, since the start of the mount. */
struct catalog_counts {
    uint64_t commits;            /* registry writes */
    uint64_t committed_requests; /* changes that they carried */
    uint64_t holders;            /* now */
    uint64_t recovered_rolled_back, recovered_finished, recovered_orphans;
    uint64_t swept;
};
void catalog_counts(struct catalog *catalog, struct catalog_counts *ret);

/* The store's requests by method; lives as the catalog does. */
const struct call_metrics *catalog_store_metrics(const struct catalog *catalog,
                                                 enum store_method method);
/* See store_connection(). */
bool catalog_store_connection(const struct catalog *catalog, struct store_connection *ret);

#endif

/*
 * The committer: the one thread that writes the registry.
 *
 * Requests queue; the committer takes all that wait, applies each to one new image, stores it with
 * one conditional put, and only then lets readers see it and wakes the callers. It commits only on
 * the version it has read: on a lost precondition it reloads and applies each request again, to
 * the new state. After an unknown outcome it re-reads: its own bytes on the store mean success; the
 * old etag means "not so far", and the identical put is repeated; anything else is decided request
 * by request with `landed`. A request whose deadline passes meanwhile is answered
 * ERR_OUTCOME_UNKNOWN, and the committer goes on until it knows what readers may see.
 *
 * Where the store has to settle, only a put that it has answered well is durable. So there what was
 * read again is no success: it is put anew, on condition that it is still there, and so is an image
 * to which a request had nothing to change, unless it was put by this committer. What cannot be
 * made durable is answered ERR_NOT_DURABLE; readers see it nevertheless, as everybody does.
 *
 * Threading: everything here may be called from any thread; callbacks run on the committer's thread
 * without any lock held, and only while the caller is waiting inside
 * committer_commit_all().
 */
#ifndef FORKFS_CATALOG_REGISTRY_COMMITTER_H
#define FORKFS_CATALOG_REGISTRY_COMMITTER_H

#include "base/operation.h"
#include "catalog/registry/registry.h"
#include "store/store.h"

struct committer;

/* What a caller wants to be committed, or only (apply NULL) that the registry is read again. */
struct commit_request {
    /* Validates against edit->state and makes the edit; on failure it must not have changed
     * anything. May be called several times, on new states. */
    int (*apply)(struct registry_edit *edit, void *argument, struct error *err);
    /* Whether a registry that was re-read after a put whose answer was lost, or that was told that
     * it lost, shows the effect of apply(). False where that might be another writer's doing and
     * makes a difference. */
    bool (*landed)(const struct registry *registry, void *argument);
    void *argument;
    /* It leads to less on the store, and hardly lengthens the registry: it may use the room that is
     * kept for when the store is full. */
    bool makes_room;
    struct error *err; /* the caller's, never NULL: takes the answer; code 0 for success */

    /* For the queue and the committer only; zero. */
    struct operation *operation;
    bool taken; /* it can no longer be withdrawn */
    bool answered;
    bool maybe_stored;   /* a put that carried it had an unknown outcome */
    bool has_landed;     /* the registry that was read shows its effect, which is not durable yet */
    unsigned races_lost; /* how often other writers were faster */
};

struct committer_settings {
    struct store *store; /* must outlive the committer */
    const char *key;     /* of the registry */
    /* The key of a reserve for it (store_set_reserve()), which is kept as long as there is a
     * registry; NULL: none. */
    const char *reserve;
    bool shared;                 /* other mounts may write it, see unique_body.h */
    registry_observer *observer; /* may be NULL */
    void *observer_argument;
};

/* Loads the registry and starts the thread. Errors of the store, ERR_CORRUPT. */
int committer_new(const struct committer_settings *settings, struct operation *operation,
                  struct committer **ret, struct error *err);
/* Finishes what waits, ends the thread. NULL: nothing. */
void committer_free(struct committer *committer);

/* The current image; registry_unref(). Never blocks on the store. */
struct registry *committer_registry(struct committer *committer);

/* Commits a list of requests, which are taken together; each gets its own answer. Besides apply()'s
 * errors: ERR_INTERRUPTED or ERR_DEADLINE (nothing was decided), ERR_CONTENDED,
 * ERR_OUTCOME_UNKNOWN, ERR_NOT_DURABLE, errors of the store. */
void committer_commit_all(struct committer *committer, struct commit_request *requests,
                          size_t count, struct operation *operation);

/* Re-reads the registry if it has changed on the store. Keeps the old image on failure. */
int committer_reload(struct committer *committer, struct operation *operation, struct error *err);

/* Makes durable what readers see: without a request where it is. Errors as of a commit. */
int committer_settle(struct committer *committer, struct operation *operation, struct error *err);

/* Whether there is room for what makes room, if the store is full: 0, or why not, as it was found
 * last, by a commit or reload. Any thread. */
int committer_check_reserve(struct committer *committer, struct error *err);

/* Puts stored so far, and requests they carried. */
void committer_counts(struct committer *committer, uint64_t *puts, uint64_t *requests);

#endif

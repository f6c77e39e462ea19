/*
 * What the committer and the work on one group of its requests share. For committer.c and
 * commit_group.c only.
 */
#ifndef FORKFS_CATALOG_REGISTRY_COMMITTER_PRIVATE_H
#define FORKFS_CATALOG_REGISTRY_COMMITTER_PRIVATE_H

#include <pthread.h>

#include "catalog/registry/commit_queue.h"
#include "catalog/registry/committer.h"

struct committer {
    struct store *store;
    char *key;
    bool unique_versions;
    registry_observer *observer;
    void *observer_argument;
    struct commit_queue *queue;
    pthread_t thread;

    pthread_mutex_t lock; /* guards these */
    struct registry *current;
    uint64_t puts;
    uint64_t requests;
    struct operation *unasked; /* of the look under way that nobody waits for; NULL: none */
    bool ending;

    /* For the thread only. */
    bool uncertain;         /* the store may hold something else than `current` */
    int64_t watch_until_ns; /* until then an abandoned put may still arrive */
};

static inline bool registry_same_version(const struct registry *a, const struct registry *b)
{
    return g_strcmp0(a->etag, b->etag) == 0;
}

/* The store holds `registry`: lets readers see it, if it is news to them, and tells the observer.
 * Takes over the reference. */
void committer_publish(struct committer *committer, struct registry *registry);

/* For the committer's thread: commits all tickets, and answers them and those of `reloads`. May
 * leave some of `reloads`, when nothing had to be read. */
void commit_group_run(struct committer *committer, GPtrArray *tickets, GPtrArray *reloads);

/* The same for tickets that only want the registry to be read again. */
void commit_group_reload(struct committer *committer, GPtrArray *tickets);

#endif

/*
 * What the committer and the work on one group of its requests share. For committer.c and
 * commit_group.c only.
 */
#ifndef FORKFS_CATALOG_REGISTRY_COMMITTER_PRIVATE_H
#define FORKFS_CATALOG_REGISTRY_COMMITTER_PRIVATE_H

#include <pthread.h>

#include "catalog/registry/commit_queue.h"
#include "catalog/registry/committer.h"
#include "catalog/registry/registry_image.h"

struct committer {
    struct store *store;
    char *key;
    bool shared; /* as the catalog is: other mounts may write the registry */
    struct registry_image image;
    struct commit_queue *queue;
    pthread_t thread;

    char *reserve;     /* NULL: none */
    uint64_t reserved; /* the thread's: bytes that it has, as far as is known */

    pthread_mutex_t lock;      /* guards these */
    struct error unreserved;   /* why the reserve is too small; code 0: it is not */
    struct operation *unasked; /* of the look under way that nobody waits for; NULL: none */
    bool ending;
};

/* For the committer's thread: commits all requests, and answers them and those of `reloads`. May
 * leave some of `reloads`, when nothing had to be read. */
void commit_group_run(struct committer *committer, GPtrArray *requests, GPtrArray *reloads);

/* ---- commit_reserve.c, for the committer's thread ---- */

/* Lets a put use the reserve, if there is to be one. */
void commit_reserve_offer(const struct committer *committer, struct store_request *put);
/* Keeps room for the next image, or again, when a put has taken it. Failures are noted. */
void commit_reserve_keep(struct committer *committer, bool was_taken, struct operation *attempt);

/* Answers requests that only want the registry to be read again. */
void commit_group_reload(struct committer *committer, GPtrArray *requests);

#endif

/*
 * What readers see of the registry: the current image, who is told when it changes, how many puts
 * led to it, and whether the store is known to hold the same.
 *
 * Threading: any thread may get the image and the counts, without waiting; the lock inside is a
 * leaf. Everything else is the committer's thread's.
 */
#ifndef FORKFS_CATALOG_REGISTRY_REGISTRY_IMAGE_H
#define FORKFS_CATALOG_REGISTRY_REGISTRY_IMAGE_H

#include <pthread.h>

#include "catalog/registry/registry.h"

struct registry_image {
    registry_observer *observer; /* may be NULL */
    void *observer_argument;

    pthread_mutex_t lock; /* guards these */
    struct registry *current;
    uint64_t puts;     /* stored so far */
    uint64_t requests; /* that they carried */

    /* A put had an unknown outcome: the store may hold something else than `current`, until that is
     * published; and may come to do so as long as the put may still arrive. */
    bool is_doubted;
    int64_t watch_until_ns; /* monotonic_now_ns() */

    /* `current` was put, and settled. What was read may be lost in a power failure, where the store
     * has to settle. */
    bool is_settled;
};

/* Takes over the reference to the first image. */
void registry_image_init(struct registry_image *image, struct registry *first,
                         registry_observer *observer, void *observer_argument);
void registry_image_destroy(struct registry_image *image);

struct registry *registry_image_get(struct registry_image *image); /* registry_unref() */

static inline bool registry_same_version(const struct registry *a, const struct registry *b)
{
    return g_strcmp0(a->etag, b->etag) == 0;
}

/* The store holds `registry`, by a put of our own that carried so many requests (0: it was read):
 * lets readers see it, if it is news to them, and tells the observer. Takes over the reference.
 * What is news is not settled. */
void registry_image_publish(struct registry_image *image, struct registry *registry,
                            size_t requests);

#endif

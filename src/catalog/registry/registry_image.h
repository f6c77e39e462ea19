/*
 * What readers see of the registry: the current image, who is told when it changes, how many puts
 * led to it, and whether the store is known to hold the same.
 *
 * Threading: any thread may get the image and the counts, without waiting; the lock inside is a
 * leaf. Everything else is the committer's thread's.
 */
#ifndef FORKFS_CATALOG_REGISTRY_REGISTRY_IMAGE_H
#define FORKFS_CATALOG_REGISTRY_REGISTRY_IMAGE_H

#include "catalog/registry/registry.h"

struct registry_image;

/* Told of every change of what readers see, after the change; both stay valid during the call. */
typedef void registry_observer(void *argument, const struct registry *before,
                               const struct registry *after);

/* Takes over the reference to the first image. observer may be NULL. */
struct registry_image *registry_image_new(struct registry *first, registry_observer *observer,
                                          void *observer_argument);
void registry_image_free(struct registry_image *image);

struct registry *registry_image_get(struct registry_image *image); /* registry_unref() */
/* Puts stored so far, and requests they carried. */
void registry_image_counts(struct registry_image *image, uint64_t *puts, uint64_t *requests);

/* ---- For the committer's thread ---- */

static inline bool registry_same_version(const struct registry *a, const struct registry *b)
{
    return g_strcmp0(a->etag, b->etag) == 0;
}

/* The store holds `registry`: lets readers see it, if it is news to them, and tells the observer.
 * Takes over the reference. */
void registry_image_publish(struct registry_image *image, struct registry *registry);
/* A put of our own was stored, with that many requests. */
void registry_image_count_put(struct registry_image *image, size_t requests);

/* A put had an unknown outcome: the store may hold something else than the image, until that is
 * published; and may come to do so as long as the put may still arrive. */
void registry_image_doubt(struct registry_image *image);
bool registry_image_is_doubted(const struct registry_image *image);
/* Whether the store should be looked at although nobody asks. */
bool registry_image_is_to_be_watched(const struct registry_image *image);

#endif

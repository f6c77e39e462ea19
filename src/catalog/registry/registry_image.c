#include "catalog/registry/registry_image.h"

#include <pthread.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "store/store.h"

struct registry_image {
    registry_observer *observer;
    void *observer_argument;

    pthread_mutex_t lock; /* guards these */
    struct registry *current;
    uint64_t puts;
    uint64_t requests;

    /* For the committer's thread. */
    bool is_doubted;        /* the store may hold something else than `current` */
    int64_t watch_until_ns; /* until then an abandoned put may still arrive */
};

struct registry_image *registry_image_new(struct registry *first, registry_observer *observer,
                                          void *observer_argument)
{
    struct registry_image *image = g_new0(struct registry_image, 1);
    image->observer = observer;
    image->observer_argument = observer_argument;
    image->current = first;
    pthread_mutex_init(&image->lock, NULL);
    return image;
}

void registry_image_free(struct registry_image *image)
{
    registry_unref(image->current);
    pthread_mutex_destroy(&image->lock);
    g_free(image);
}

struct registry *registry_image_get(struct registry_image *image)
{
    LOCK_SCOPE(&image->lock);
    return registry_ref(image->current);
}

void registry_image_counts(struct registry_image *image, uint64_t *puts, uint64_t *requests)
{
    LOCK_SCOPE(&image->lock);
    *puts = image->puts;
    *requests = image->requests;
}

void registry_image_count_put(struct registry_image *image, size_t requests)
{
    LOCK_SCOPE(&image->lock);
    image->puts++;
    image->requests += requests;
}

void registry_image_publish(struct registry_image *image, struct registry *registry)
{
    auto_registry struct registry *before = registry_image_get(image);
    image->is_doubted = false;
    if (registry_same_version(before, registry)) {
        registry_unref(registry);
        return;
    }
    image->watch_until_ns = 0; /* an abandoned put has lost its precondition */
    pthread_mutex_lock(&image->lock);
    registry_unref(image->current);
    image->current = registry;
    pthread_mutex_unlock(&image->lock);
    if (image->observer)
        image->observer(image->observer_argument, before, registry);
}

void registry_image_doubt(struct registry_image *image)
{
    image->is_doubted = true;
    image->watch_until_ns = monotonic_now_ns() + STORE_LATE_NS;
}

bool registry_image_is_doubted(const struct registry_image *image)
{
    return image->is_doubted;
}

bool registry_image_is_to_be_watched(const struct registry_image *image)
{
    return image->is_doubted || monotonic_now_ns() < image->watch_until_ns;
}

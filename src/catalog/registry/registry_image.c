#include "catalog/registry/registry_image.h"

#include "base/cleanup.h"

void registry_image_init(struct registry_image *image, struct registry *first,
                         registry_observer *observer, void *observer_argument)
{
    *image = (struct registry_image){
        .observer = observer, .observer_argument = observer_argument, .current = first};
    pthread_mutex_init(&image->lock, NULL);
}

void registry_image_destroy(struct registry_image *image)
{
    registry_unref(image->current);
    pthread_mutex_destroy(&image->lock);
}

struct registry *registry_image_get(struct registry_image *image)
{
    LOCK_SCOPE(&image->lock);
    return registry_ref(image->current);
}

void registry_image_publish(struct registry_image *image, struct registry *registry,
                            size_t requests)
{
    auto_registry struct registry *before = registry_image_get(image);
    const bool is_news = !registry_same_version(before, registry);
    image->is_doubted = false;
    if (is_news) {
        image->watch_until_ns = 0; /* an abandoned put has lost its precondition */
        image->is_settled = false;
    }
    {
        LOCK_SCOPE(&image->lock);
        image->puts += requests > 0;
        image->requests += requests;
        if (is_news) {
            registry_unref(image->current);
            image->current = registry_ref(registry);
        }
    }
    if (is_news && image->observer)
        image->observer(image->observer_argument, before, registry);
    registry_unref(registry);
}

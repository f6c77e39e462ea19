#include "catalog/fork/late_tags.h"

#include "base/cleanup.h"
#include "store/store.h"

struct late_tags {
    pthread_mutex_t lock;
    GPtrArray *tags; /* struct late_tag; of one ref there may be several bodies */
};

static void late_tag_free(void *pointer)
{
    struct late_tag *tag = pointer;
    g_free(tag->key);
    bytes_unref(tag->body);
    g_free(tag);
}

static struct late_tag *late_tag_copy(const struct late_tag *from)
{
    struct late_tag *copy = g_memdup2(from, sizeof *from);
    copy->key = g_strdup(from->key);
    copy->body = bytes_ref(from->body);
    return copy;
}

struct late_tags *late_tags_new(void)
{
    struct late_tags *late = g_new0(struct late_tags, 1);
    pthread_mutex_init(&late->lock, NULL);
    late->tags = g_ptr_array_new_with_free_func(late_tag_free);
    return late;
}

void late_tags_free(struct late_tags *late)
{
    if (!late)
        return;
    g_ptr_array_unref(late->tags);
    pthread_mutex_destroy(&late->lock);
    g_free(late);
}

void late_tags_add(struct late_tags *late, const char *key, const struct ulid *fork,
                   struct bytes *body, int64_t now_ns)
{
    const struct late_tag tag = {
        .key = (char *)key, .fork = *fork, .body = body, .due_ns = now_ns + STORE_LATE_NS};
    LOCK_SCOPE(&late->lock);
    g_ptr_array_add(late->tags, late_tag_copy(&tag));
}

void late_tags_note_removed(struct late_tags *late, const char *key)
{
    LOCK_SCOPE(&late->lock);
    for (guint i = 0; i < late->tags->len; i++) {
        struct late_tag *tag = g_ptr_array_index(late->tags, i);
        tag->is_removed = tag->is_removed || g_str_equal(tag->key, key);
    }
}

GPtrArray *late_tags_take_due(struct late_tags *late, int64_t now_ns)
{
    GPtrArray *due = g_ptr_array_new_with_free_func(late_tag_free);
    LOCK_SCOPE(&late->lock);
    for (guint i = late->tags->len; i > 0; i--) {
        const struct late_tag *tag = g_ptr_array_index(late->tags, i - 1);
        if (now_ns < tag->due_ns)
            continue;
        g_ptr_array_add(due, late_tag_copy(tag));
        g_ptr_array_remove_index(late->tags, i - 1);
    }
    return due;
}

void late_tags_put_back(struct late_tags *late, const struct late_tag *tag)
{
    LOCK_SCOPE(&late->lock);
    g_ptr_array_add(late->tags, late_tag_copy(tag));
}

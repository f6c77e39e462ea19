#include "fs/state/handles.h"

#include <glib.h>

#include "base/cleanup.h"

struct handles {
    pthread_mutex_t lock;
    GHashTable *open; /* set of struct handle */
    uint64_t opened;  /* files so far */
    struct holders *holders;
};

static void free_handle(struct handles *handles, struct handle *handle)
{
    if (handle->hold)
        holders_release(handles->holders, handle->hold);
    document_clear(&handle->document);
    write_buffer_free(handle->buffer);
    batch_unref(handle->batch);
    if (handle->tags)
        g_ptr_array_unref(handle->tags);
    registry_unref(handle->snapshot);
    pthread_mutex_destroy(&handle->lock);
    g_free(handle);
}

struct handles *handles_new(void)
{
    struct handles *handles = g_new0(struct handles, 1);
    pthread_mutex_init(&handles->lock, NULL);
    handles->open = g_hash_table_new(NULL, NULL);
    return handles;
}

void handles_free(struct handles *handles)
{
    if (!handles)
        return;
    GHashTableIter iter;
    gpointer handle;
    g_hash_table_iter_init(&iter, handles->open);
    while (g_hash_table_iter_next(&iter, &handle, NULL))
        free_handle(handles, handle);
    g_hash_table_destroy(handles->open);
    pthread_mutex_destroy(&handles->lock);
    g_free(handles);
}

void handles_set_holders(struct handles *handles, struct holders *holders)
{
    handles->holders = holders;
}

static struct handle *handle_new(void)
{
    struct handle *handle = g_new0(struct handle, 1);
    pthread_mutex_init(&handle->lock, NULL);
    return handle;
}

static struct handle *add_handle(struct handles *handles, struct handle *handle)
{
    LOCK_SCOPE(&handles->lock);
    g_hash_table_add(handles->open, handle);
    return handle;
}

struct handle *handles_open_file(struct handles *handles, uint64_t node_id,
                                 const struct stat *attributes, pid_t process,
                                 struct document *document, struct write_buffer *buffer,
                                 struct hold *hold)
{
    struct handle *handle = handle_new();
    handle->document = *document;
    handle->buffer = buffer;
    handle->hold = hold;
    handle->node_id = node_id;
    handle->attributes = *attributes;
    handle->process = process;
    handle->number = __atomic_add_fetch(&handles->opened, 1, __ATOMIC_RELAXED);
    *document = (struct document){0};
    return add_handle(handles, handle);
}

void handle_render_events(struct handle *handle, struct events *events)
{
    struct document document = {0};
    uint64_t count = 0;
    document.body = events_render(events, &document.modified, &count);
    LOCK_SCOPE(&handle->lock);
    if (count < handle->events_seen) { /* another thread was faster, with newer ones */
        document_clear(&document);
        return;
    }
    document_clear(&handle->document);
    handle->document = document;
    handle->events_seen = count;
}

struct document handle_document(struct handle *handle)
{
    LOCK_SCOPE(&handle->lock);
    return (struct document){.body = bytes_ref(handle->document.body),
                             .newline = handle->document.newline,
                             .modified = handle->document.modified};
}

struct handle *handles_open_directory(struct handles *handles, struct registry *registry)
{
    struct handle *handle = handle_new();
    handle->snapshot = registry_ref(registry);
    return add_handle(handles, handle);
}

bool handles_find_attributes(struct handles *handles, uint64_t node_id, struct stat *ret)
{
    GHashTableIter iter;
    gpointer key;
    LOCK_SCOPE(&handles->lock);
    g_hash_table_iter_init(&iter, handles->open);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const struct handle *handle = key;
        if (handle->node_id == node_id) {
            *ret = handle->attributes;
            return true;
        }
    }
    return false;
}

bool handles_find_own_attributes(struct handles *handles, uint64_t node_id, pid_t process,
                                 struct stat *ret)
{
    const struct handle *newest = NULL;
    GHashTableIter iter;
    gpointer key;
    LOCK_SCOPE(&handles->lock);
    g_hash_table_iter_init(&iter, handles->open);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const struct handle *handle = key;
        if (handle->node_id == node_id && handle->process == process &&
            (!newest || handle->number > newest->number))
            newest = handle;
    }
    if (!newest || process == 0)
        return false;
    *ret = newest->attributes;
    return true;
}

void handles_close(struct handles *handles, struct handle *handle)
{
    {
        LOCK_SCOPE(&handles->lock);
        g_hash_table_remove(handles->open, handle);
    }
    free_handle(handles, handle);
}

struct registry *handle_snapshot(struct handle *handle, struct registry *current, GPtrArray *tags,
                                 bool rewind, GPtrArray **ret_tags)
{
    LOCK_SCOPE(&handle->lock);
    if (rewind && handle->snapshot != current) {
        registry_unref(handle->snapshot);
        handle->snapshot = registry_ref(current);
    }
    if (rewind && handle->tags != tags) {
        if (handle->tags)
            g_ptr_array_unref(handle->tags);
        handle->tags = tags ? g_ptr_array_ref(tags) : NULL;
    }
    *ret_tags = handle->tags ? g_ptr_array_ref(handle->tags) : NULL;
    return registry_ref(handle->snapshot);
}

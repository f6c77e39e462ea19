#include "unit/stores/memory_store.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

struct memory_object {
    char *key;
    char *etag;
    struct bytes *body;
    int64_t modified_ns;
};

struct memory_store {
    struct store base;
    pthread_mutex_t lock; /* guards all below */
    GSequence *objects;   /* struct memory_object, by key */
};

static void free_object(gpointer data)
{
    struct memory_object *object = data;
    g_free(object->key);
    g_free(object->etag);
    bytes_unref(object->body);
    g_free(object);
}

static gint compare_keys(gconstpointer a, gconstpointer b, gpointer unused)
{
    return strcmp(((const struct memory_object *)a)->key, ((const struct memory_object *)b)->key);
}

static const char *key_at(GSequenceIter *iter)
{
    return ((struct memory_object *)g_sequence_get(iter))->key;
}

/* The first object whose key is not below `key`. */
static GSequenceIter *seek(struct memory_store *store, const char *key)
{
    struct memory_object probe = {.key = (char *)key};
    GSequenceIter *iter = g_sequence_search(store->objects, &probe, compare_keys, NULL);
    GSequenceIter *before = g_sequence_iter_prev(iter);
    if (before != iter && strcmp(key_at(before), key) == 0)
        return before;
    return iter;
}

static struct memory_object *find(struct memory_store *store, const char *key)
{
    GSequenceIter *iter = seek(store, key);
    if (g_sequence_iter_is_end(iter) || strcmp(key_at(iter), key) != 0)
        return NULL;
    return g_sequence_get(iter);
}

static void perform_read(struct memory_store *store, const struct store_request *request,
                         struct store_answer *answer)
{
    const struct memory_object *object = find(store, request->key);
    if (!object) {
        store_answer_fail(answer, ERR_NOT_FOUND, "%s %s: no such object",
                          store_method_name(request->method), request->key);
        return;
    }
    if (request->method == STORE_GET)
        answer->body = bytes_ref(object->body);
    answer->etag = g_strdup(object->etag);
    answer->size = object->body->size;
    answer->modified_ns = object->modified_ns;
}

static bool precondition_holds(const struct store_request *request,
                               const struct memory_object *object)
{
    switch (request->precondition) {
    case STORE_IF_ABSENT:
        return !object;
    case STORE_IF_MATCH:
        return object && strcmp(object->etag, request->etag) == 0;
    case STORE_ALWAYS:
        break;
    }
    return true;
}

static void perform_put(struct memory_store *store, const struct store_request *request,
                        struct store_answer *answer)
{
    struct memory_object *object = find(store, request->key);
    if (!precondition_holds(request, object)) {
        store_answer_fail(answer, ERR_PRECONDITION, "put %s: the object %s", request->key,
                          object ? "is at another version" : "does not exist");
        return;
    }
    if (!object) {
        object = g_new0(struct memory_object, 1);
        object->key = g_strdup(request->key);
        g_sequence_insert_sorted(store->objects, object, compare_keys, NULL);
    }
    g_free(object->etag);
    bytes_unref(object->body);
    object->body = bytes_ref(request->body);
    object->etag = g_compute_checksum_for_data(G_CHECKSUM_MD5, (const guchar *)request->body->data,
                                               request->body->size);
    object->modified_ns = timestamp_now_ns();
    answer->etag = g_strdup(object->etag);
}

static void perform_delete(struct memory_store *store, const struct store_request *request)
{
    GSequenceIter *iter = seek(store, request->key);
    if (!g_sequence_iter_is_end(iter) && strcmp(key_at(iter), request->key) == 0)
        g_sequence_remove(iter);
}

static struct store_object *make_row(const struct memory_object *object)
{
    struct store_object *row = g_new0(struct store_object, 1);
    row->key = g_strdup(object->key);
    row->etag = g_strdup(object->etag);
    row->size = object->body->size;
    row->modified_ns = object->modified_ns;
    return row;
}

/* The row of a shallow listing that stands for all objects below key[0..length). */
static struct store_object *make_directory_row(const char *key, size_t length)
{
    struct store_object *row = g_new0(struct store_object, 1);
    row->key = g_strndup(key, length);
    row->is_directory = true;
    return row;
}

static bool is_temporary(const char *key)
{
    const char *slash = strrchr(key, '/');
    return store_name_is_temporary(slash ? slash + 1 : key);
}

/* The row of the object at *iter, which is moved behind everything that the row stands for; NULL:
 * not to be shown. */
static struct store_object *next_row(const struct store_request *request, GSequenceIter **iter)
{
    const struct memory_object *object = g_sequence_get(*iter);
    const char *slash = NULL;
    *iter = g_sequence_iter_next(*iter);
    if (is_temporary(object->key) && !request->with_temporary)
        return NULL;
    if (request->shallow)
        slash = strchr(object->key + strlen(request->key), '/');
    if (!slash)
        return make_row(object);
    size_t length = (size_t)(slash + 1 - object->key);
    while (!g_sequence_iter_is_end(*iter) && strncmp(key_at(*iter), object->key, length) == 0)
        *iter = g_sequence_iter_next(*iter);
    return make_directory_row(object->key, length);
}

static void perform_list(struct memory_store *store, const struct store_request *request,
                         struct store_answer *answer)
{
    const char *prefix = request->key, *after = request->start_after;
    GSequenceIter *iter = seek(store, prefix);
    answer->objects = store_objects_new();
    while (!g_sequence_iter_is_end(iter) && g_str_has_prefix(key_at(iter), prefix)) {
        struct store_object *row = next_row(request, &iter);
        if (!row)
            continue;
        bool wanted = !after || strcmp(row->key, after) > 0;
        if (wanted && request->limit && answer->objects->len == request->limit) {
            answer->truncated = true;
            store_object_free(row);
            return;
        }
        if (wanted)
            g_ptr_array_add(answer->objects, row);
        else
            store_object_free(row);
    }
}

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    struct memory_store *store = (struct memory_store *)base;
    LOCK_SCOPE(&store->lock);
    switch (request->method) {
    case STORE_GET:
    case STORE_HEAD:
        perform_read(store, request, answer);
        break;
    case STORE_LIST:
        perform_list(store, request, answer);
        break;
    case STORE_PUT:
        perform_put(store, request, answer);
        break;
    case STORE_DELETE:
        perform_delete(store, request);
        break;
    case STORE_PRUNE:
        break;
    case STORE_RESERVE:
        answer->size = request->size;
        break;
    }
}

static void destroy(struct store *base)
{
    struct memory_store *store = (struct memory_store *)base;
    g_sequence_free(store->objects);
    pthread_mutex_destroy(&store->lock);
}

struct store *memory_store_new(unsigned jobs)
{
    static const struct store_operations operations = {.perform = perform, .destroy = destroy};
    struct memory_store *store = g_new0(struct memory_store, 1);
    store_initialize(&store->base, &operations, jobs);
    pthread_mutex_init(&store->lock, NULL);
    store->objects = g_sequence_new(free_object);
    return &store->base;
}

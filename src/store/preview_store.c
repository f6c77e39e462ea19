#include "store/preview_store.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

/* What has become of an object. */
struct change {
    struct bytes *body; /* NULL: it was deleted */
    char *etag;
    int64_t modified_ns;
};

struct preview_store {
    struct store base;
    pthread_mutex_t lock; /* guards all below; held over no call of the store below */
    GHashTable *changes;  /* key -> struct change */
    GPtrArray *pruned;    /* char *: prefixes */
    unsigned puts;
};

static struct preview_store *preview_of(struct store *base)
{
    return (struct preview_store *)base;
}

static void change_free(void *pointer)
{
    struct change *change = pointer;
    bytes_unref(change->body);
    g_free(change->etag);
    g_free(change);
}

static void ask_inner(struct store *base, const struct store_request *request,
                      const struct operation *operation, struct store_answer *answer)
{
    base->wrapped->operations->perform(base->wrapped, request, operation, answer);
}

/* ---- One object ---- */

/* With the lock held. NULL: it is as it is below. What a deleted link led to is gone with it. */
static const struct change *find_change(struct preview_store *store, const char *key)
{
    static const struct change gone = {0};
    const struct change *change = g_hash_table_lookup(store->changes, key);
    for (const char *slash = strchr(key, '/'); !change && slash; slash = strchr(slash + 1, '/')) {
        g_autofree char *above = g_strndup(key, (size_t)(slash - key));
        const struct change *other = g_hash_table_lookup(store->changes, above);
        if (other && !other->body)
            change = &gone;
    }
    return change;
}

/* Answers a read of an object that was changed; false: it was not. */
static bool answer_changed(struct preview_store *store, const struct store_request *request,
                           struct store_answer *answer)
{
    LOCK_SCOPE(&store->lock);
    const struct change *change = find_change(store, request->key);
    if (!change)
        return false;
    if (!change->body) {
        store_answer_fail(answer, ERR_NOT_FOUND, "%s %s: no such object",
                          store_method_name(request->method), request->key);
        return true;
    }
    if (request->method == STORE_GET)
        answer->body = bytes_ref(change->body);
    answer->etag = g_strdup(change->etag);
    answer->size = change->body->size;
    answer->modified_ns = change->modified_ns;
    return true;
}

/* ---- Changes ---- */

/* With the lock held. Takes over the change. */
static void note_change(struct preview_store *store, const char *key, struct change *change)
{
    change->modified_ns = timestamp_now_ns();
    if (change->body)
        change->etag = g_strdup_printf("preview-%u", ++store->puts);
    g_hash_table_replace(store->changes, g_strdup(key), change);
}

static void perform_delete(struct preview_store *store, const char *key)
{
    LOCK_SCOPE(&store->lock);
    note_change(store, key, g_new0(struct change, 1));
}

static bool precondition_holds(const struct store_request *request, bool exists, const char *etag)
{
    switch (request->precondition) {
    case STORE_IF_ABSENT:
        return !exists;
    case STORE_IF_MATCH:
        return exists && g_strcmp0(etag, request->etag) == 0;
    case STORE_ALWAYS:
        break;
    }
    return true;
}

/* `below`: what the store below has said of the object. */
static void put_over(struct preview_store *store, const struct store_request *request,
                     const struct store_answer *below, struct store_answer *answer)
{
    LOCK_SCOPE(&store->lock);
    const struct change *present = find_change(store, request->key);
    bool exists = present ? present->body != NULL : below->code == 0;
    if (!precondition_holds(request, exists, present ? present->etag : below->etag)) {
        store_answer_fail(answer, ERR_PRECONDITION, "put %s: the object %s", request->key,
                          exists ? "is at another version" : "does not exist");
        return;
    }
    struct change *change = g_new0(struct change, 1);
    change->body = bytes_ref(request->body);
    note_change(store, request->key, change);
    answer->etag = g_strdup(change->etag);
}

static void perform_put(struct store *base, const struct store_request *request,
                        const struct operation *operation, struct store_answer *answer)
{
    const struct store_request head = {.method = STORE_HEAD, .key = request->key};
    struct store_answer below = {0};
    ask_inner(base, &head, operation, &below);
    if (below.code && below.code != ERR_NOT_FOUND)
        answer->code = error_copy(&answer->error, &below.error);
    else
        put_over(preview_of(base), request, &below, answer);
    store_answer_clear(&below);
}

/* ---- Listings ---- */

static bool is_temporary(const char *key)
{
    const char *slash = strrchr(key, '/');
    return store_name_is_temporary(slash ? slash + 1 : key);
}

/* Whether a temporary file was to become the object `target`. */
static bool is_temporary_of(const char *key, const char *target)
{
    size_t above = store_key_above(key);
    size_t length = above + store_temporary_target(key + above);
    return strlen(target) == length && strncmp(key, target, length) == 0;
}

/* With the lock held: whether a prune has removed a temporary file. */
static bool is_pruned_file(struct preview_store *store, const char *key)
{
    for (guint i = 0; is_temporary(key) && i < store->pruned->len; i++) {
        const char *prefix = g_ptr_array_index(store->pruned, i);
        if (g_str_has_suffix(prefix, "/") ? g_str_has_prefix(key, prefix)
                                          : is_temporary_of(key, prefix))
            return true;
    }
    return false;
}

/* With the lock held: whether a prune was to remove the directory, if nothing is in it. */
static bool is_pruned_directory(struct preview_store *store, const char *key)
{
    for (guint i = 0; i < store->pruned->len; i++) {
        const char *prefix = g_ptr_array_index(store->pruned, i);
        if (g_str_has_suffix(prefix, "/") && g_str_has_prefix(key, prefix))
            return true;
    }
    return false;
}

static bool is_gone(struct preview_store *store, const char *key)
{
    LOCK_SCOPE(&store->lock);
    return find_change(store, key) || is_pruned_file(store, key);
}

/* Whether anything would be left in a directory of the store below. Errors of that go into the
 * answer. */
static bool is_inhabited(struct store *base, const char *key, const struct operation *operation,
                         struct store_answer *answer)
{
    const struct store_request all = {.method = STORE_LIST, .key = (char *)key};
    struct store_answer listing = {0};
    bool inhabited = false;
    ask_inner(base, &all, operation, &listing);
    if (listing.code)
        answer->code = error_copy(&answer->error, &listing.error);
    for (guint i = 0; listing.objects && !inhabited && i < listing.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing.objects, i);
        inhabited = !is_gone(preview_of(base), row->key);
    }
    store_answer_clear(&listing);
    return inhabited;
}

/* Whether a directory in the place of an object was pruned, in which nothing would be left. */
static bool is_pruned_in_place(struct store *base, const char *key,
                               const struct operation *operation, struct store_answer *answer)
{
    struct preview_store *store = preview_of(base);
    g_autofree char *directory = g_strconcat(key, "/", NULL);
    pthread_mutex_lock(&store->lock);
    bool is_pruned = g_ptr_array_find_with_equal_func(store->pruned, key, g_str_equal, NULL) ||
                     is_pruned_directory(store, directory);
    pthread_mutex_unlock(&store->lock);
    const struct store_request beside = {.method = STORE_LIST, .key = (char *)key, .shallow = true};
    struct store_answer listing = {0};
    if (is_pruned)
        ask_inner(base, &beside, operation, &listing);
    bool is_there = false;
    for (guint i = 0; listing.objects && !is_there && i < listing.objects->len; i++)
        is_there = strcmp(((struct store_object *)g_ptr_array_index(listing.objects, i))->key,
                          directory) == 0;
    store_answer_clear(&listing);
    return is_there && !is_inhabited(base, directory, operation, answer);
}

static void perform_read(struct store *base, const struct store_request *request,
                         const struct operation *operation, struct store_answer *answer)
{
    if (answer_changed(preview_of(base), request, answer))
        return;
    ask_inner(base, request, operation, answer);
    if (answer->code == ERR_CORRUPT && is_pruned_in_place(base, request->key, operation, answer))
        store_answer_fail(answer, ERR_NOT_FOUND, "%s %s: no such object",
                          store_method_name(request->method), request->key);
}

static bool is_shown(struct store *base, const struct store_object *row,
                     const struct operation *operation, struct store_answer *answer)
{
    struct preview_store *store = preview_of(base);
    if (!row->is_directory)
        return !is_gone(store, row->key);
    pthread_mutex_lock(&store->lock);
    bool pruned = is_pruned_directory(store, row->key);
    pthread_mutex_unlock(&store->lock);
    return !pruned || is_inhabited(base, row->key, operation, answer);
}

/* The row that shows an object which was put; NULL: a directory stands for it that is there. */
static struct store_object *make_row(const struct store_request *request, const char *key,
                                     const struct change *change, GHashTable *shown)
{
    const char *slash = request->shallow ? strchr(key + strlen(request->key), '/') : NULL;
    g_autofree char *name = slash ? g_strndup(key, (size_t)(slash + 1 - key)) : g_strdup(key);
    if (g_hash_table_contains(shown, name))
        return NULL;
    struct store_object *row = g_new0(struct store_object, 1);
    row->key = g_steal_pointer(&name);
    row->is_directory = slash != NULL;
    if (slash)
        return row;
    row->etag = g_strdup(change->etag);
    row->size = change->body->size;
    row->modified_ns = change->modified_ns;
    return row;
}

static void add_put_objects(struct preview_store *store, const struct store_request *request,
                            GPtrArray *rows)
{
    g_autoptr(GHashTable) shown = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTableIter iterator;
    void *key, *change;
    for (guint i = 0; i < rows->len; i++)
        g_hash_table_add(shown, ((struct store_object *)g_ptr_array_index(rows, i))->key);
    LOCK_SCOPE(&store->lock);
    g_hash_table_iter_init(&iterator, store->changes);
    while (g_hash_table_iter_next(&iterator, &key, &change)) {
        if (!((struct change *)change)->body || !g_str_has_prefix(key, request->key) ||
            (is_temporary(key) && !request->with_temporary))
            continue;
        struct store_object *row = make_row(request, key, change, shown);
        if (!row)
            continue;
        g_hash_table_add(shown, row->key);
        g_ptr_array_add(rows, row);
    }
}

static gint compare_rows(gconstpointer a, gconstpointer b)
{
    return strcmp((*(struct store_object *const *)a)->key, (*(struct store_object *const *)b)->key);
}

/* What of all rows was asked for. */
static void cut_rows(const struct store_request *request, struct store_answer *answer)
{
    GPtrArray *rows = answer->objects;
    guint first = 0;
    while (request->start_after && first < rows->len &&
           strcmp(((struct store_object *)g_ptr_array_index(rows, first))->key,
                  request->start_after) <= 0)
        first++;
    if (first > 0)
        g_ptr_array_remove_range(rows, 0, first);
    answer->truncated = request->limit && rows->len > request->limit;
    if (answer->truncated)
        g_ptr_array_set_size(rows, (gint)request->limit);
}

/* All rows of the store below, but for those that are gone. */
static void list_inner(struct store *base, const struct store_request *request,
                       const struct operation *operation, struct store_answer *answer)
{
    struct store_request all = *request;
    all.start_after = NULL;
    all.limit = 0;
    ask_inner(base, &all, operation, answer);
    for (guint i = answer->objects ? answer->objects->len : 0; answer->code == 0 && i > 0; i--)
        if (!is_shown(base, g_ptr_array_index(answer->objects, i - 1), operation, answer))
            g_ptr_array_remove_index(answer->objects, i - 1);
}

static void perform_list(struct store *base, const struct store_request *request,
                         const struct operation *operation, struct store_answer *answer)
{
    list_inner(base, request, operation, answer);
    if (answer->code)
        return;
    add_put_objects(preview_of(base), request, answer->objects);
    g_ptr_array_sort(answer->objects, compare_rows);
    cut_rows(request, answer);
}

/* What a prune would leave is what a listing shows after it. */
static void perform_prune(struct store *base, const struct store_request *request,
                          const struct operation *operation, struct store_answer *answer)
{
    struct preview_store *store = preview_of(base);
    pthread_mutex_lock(&store->lock);
    g_ptr_array_add(store->pruned, g_strdup(request->key));
    pthread_mutex_unlock(&store->lock);
    if (request->own == 0)
        return;
    const bool is_directory = g_str_has_suffix(request->key, "/");
    g_autofree char *below = g_strconcat(request->key, is_directory ? "" : "/", NULL);
    const struct store_request rest = {.method = STORE_LIST, .key = below, .own = request->own};
    perform_list(base, &rest, operation, answer);
}

/* ---- The store ---- */

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    switch (request->method) {
    case STORE_GET:
    case STORE_HEAD:
        perform_read(base, request, operation, answer);
        break;
    case STORE_LIST:
        perform_list(base, request, operation, answer);
        break;
    case STORE_PUT:
        perform_put(base, request, operation, answer);
        break;
    case STORE_DELETE:
        perform_delete(preview_of(base), request->key);
        break;
    case STORE_PRUNE:
        perform_prune(base, request, operation, answer);
        break;
    case STORE_RESERVE: /* nothing is written that needs room */
        answer->size = request->size;
        break;
    }
}

/* Nothing has changed below. */
static void settle(struct store *base, struct store_wave *wave)
{
}

static void destroy(struct store *base)
{
    struct preview_store *store = preview_of(base);
    store_free(base->wrapped);
    g_hash_table_unref(store->changes);
    g_ptr_array_unref(store->pruned);
    pthread_mutex_destroy(&store->lock);
}

struct store *preview_store_new(struct store *inner)
{
    static const struct store_operations operations = {
        .perform = perform, .settle = settle, .destroy = destroy};
    struct preview_store *store = g_new0(struct preview_store, 1);
    store_initialize_wrapper(&store->base, &operations, inner);
    pthread_mutex_init(&store->lock, NULL);
    store->changes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, change_free);
    store->pruned = g_ptr_array_new_with_free_func(g_free);
    return &store->base;
}

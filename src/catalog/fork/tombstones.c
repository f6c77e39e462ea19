#include "catalog/fork/tombstones.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json_text.h"
#include "catalog/format/documents.h"

/* The member that says what keeps a fork whose drop could not be finished. */
#define REASON "kept_by"

struct tombstones {
    pthread_mutex_t lock;
    GHashTable *by_key; /* key -> struct tombstone */
    unsigned loads;     /* under way */
    GHashTable
        *touched; /* set of keys put or deleted while loads were under way: they know better */
};

static void tombstone_free(void *pointer)
{
    struct tombstone *tombstone = pointer;
    g_free(tombstone->key);
    g_free(tombstone->etag);
    bytes_unref(tombstone->body);
    fork_entry_unref(tombstone->entry);
    g_free(tombstone);
}

struct tombstones *tombstones_new(void)
{
    struct tombstones *tombstones = g_new0(struct tombstones, 1);
    pthread_mutex_init(&tombstones->lock, NULL);
    tombstones->by_key = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, tombstone_free);
    tombstones->touched = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return tombstones;
}

void tombstones_free(struct tombstones *tombstones)
{
    if (!tombstones)
        return;
    g_hash_table_unref(tombstones->by_key);
    g_hash_table_unref(tombstones->touched);
    pthread_mutex_destroy(&tombstones->lock);
    g_free(tombstones);
}

static struct tombstone *tombstone_parse(const char *key, const char *etag, struct bytes *body)
{
    struct tombstone *tombstone = g_new0(struct tombstone, 1);
    tombstone->key = g_strdup(key);
    tombstone->etag = g_strdup(etag);
    tombstone->body = bytes_ref(body);
    if (fork_entry_parse_document(body, &tombstone->entry, &tombstone->problem))
        error_prefix(&tombstone->problem, tombstone->problem.code, "tombstone %s", key);
    return tombstone;
}

static struct tombstone *tombstone_copy(const struct tombstone *from)
{
    struct tombstone *copy = g_new0(struct tombstone, 1);
    copy->key = g_strdup(from->key);
    copy->etag = g_strdup(from->etag);
    copy->body = bytes_ref(from->body);
    copy->entry = from->entry ? fork_entry_ref(from->entry) : NULL;
    copy->problem = from->problem;
    return copy;
}

/* The caller holds the lock. */
static void note_touched(struct tombstones *tombstones, const char *key)
{
    if (tombstones->loads > 0)
        g_hash_table_add(tombstones->touched, g_strdup(key));
}

void tombstones_note_put(struct tombstones *tombstones, const char *key, const char *etag,
                         struct bytes *body)
{
    struct tombstone *tombstone = tombstone_parse(key, etag, body);
    LOCK_SCOPE(&tombstones->lock);
    note_touched(tombstones, key);
    g_hash_table_replace(tombstones->by_key, tombstone->key, tombstone);
}

void tombstones_note_deleted(struct tombstones *tombstones, const char *key)
{
    LOCK_SCOPE(&tombstones->lock);
    note_touched(tombstones, key);
    g_hash_table_remove(tombstones->by_key, key);
}

/* The tombstone of a row of a listing as it is kept, NULL when it has to be read. A copy. */
static struct tombstone *find_unchanged(struct tombstones *tombstones,
                                        const struct store_object *object)
{
    LOCK_SCOPE(&tombstones->lock);
    const struct tombstone *kept = g_hash_table_lookup(tombstones->by_key, object->key);
    bool unchanged = kept && object->etag && g_strcmp0(kept->etag, object->etag) == 0;
    return unchanged ? tombstone_copy(kept) : NULL;
}

/* Moves what need not be read to `found`; adds a get for the other rows of the listing. */
static struct store_set *get_changed(struct tombstones *tombstones,
                                     const struct store_request *listing, GPtrArray *found)
{
    struct store_set *gets = store_set_new();
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(listing->answer.objects, i);
        struct tombstone *kept = find_unchanged(tombstones, object);
        if (kept)
            g_ptr_array_add(found, kept);
        else
            store_set_get(gets, object->key);
    }
    return gets;
}

static gboolean is_untouched(void *key, void *value, void *touched)
{
    return !g_hash_table_contains(touched, key);
}

/* Replaces the table by the tombstones in `found`, but for those touched meanwhile. */
static void replace_table(struct tombstones *tombstones, GPtrArray *found)
{
    LOCK_SCOPE(&tombstones->lock);
    g_hash_table_foreach_remove(tombstones->by_key, is_untouched, tombstones->touched);
    while (found->len > 0) {
        struct tombstone *tombstone = g_ptr_array_steal_index(found, found->len - 1);
        if (g_hash_table_contains(tombstones->touched, tombstone->key))
            tombstone_free(tombstone);
        else
            g_hash_table_replace(tombstones->by_key, tombstone->key, tombstone);
    }
}

void tombstones_begin_load(struct tombstones *tombstones)
{
    LOCK_SCOPE(&tombstones->lock);
    tombstones->loads++;
}

void tombstones_end_load(struct tombstones *tombstones)
{
    LOCK_SCOPE(&tombstones->lock);
    if (--tombstones->loads == 0)
        g_hash_table_remove_all(tombstones->touched);
}

int tombstones_take_listing(struct tombstones *tombstones, struct store *store,
                            const struct store_request *listing, struct operation *operation,
                            struct error *err)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(tombstone_free);
    auto_store_set struct store_set *gets = get_changed(tombstones, listing, found);
    int code = store_run_all(store, gets, ERR_NOT_FOUND, operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(gets); i++) {
        const struct store_request *get = store_set_at(gets, i);
        if (get->answer.code == 0)
            g_ptr_array_add(found, tombstone_parse(get->key, get->answer.etag, get->answer.body));
    }
    if (code == 0)
        replace_table(tombstones, found);
    return code;
}

int tombstones_load(struct tombstones *tombstones, struct store *store, const struct layout *layout,
                    struct operation *operation, struct error *err)
{
    g_autofree char *prefix = layout_tombstones_prefix(layout);
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, prefix, NULL, 0);
    tombstones_begin_load(tombstones);
    int code = store_run_all(store, set, 0, operation, err);
    if (code == 0)
        code = tombstones_take_listing(tombstones, store, listing, operation, err);
    tombstones_end_load(tombstones);
    return error_prefix(err, code, "reading the tombstones below %s", prefix);
}

static int compare_tombstones(const void *a, const void *b)
{
    const struct tombstone *const *left = a, *const *right = b;
    return strcmp((*left)->key, (*right)->key);
}

GPtrArray *tombstones_list(struct tombstones *tombstones)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(tombstone_free);
    {
        LOCK_SCOPE(&tombstones->lock);
        GHashTableIter iterator;
        void *value;
        g_hash_table_iter_init(&iterator, tombstones->by_key);
        while (g_hash_table_iter_next(&iterator, NULL, &value))
            g_ptr_array_add(list, tombstone_copy(value));
    }
    g_ptr_array_sort(list, compare_tombstones);
    return list;
}

bool tombstones_name_is_taken(struct tombstones *tombstones, const char *name)
{
    LOCK_SCOPE(&tombstones->lock);
    GHashTableIter iterator;
    void *value;
    g_hash_table_iter_init(&iterator, tombstones->by_key);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        const struct tombstone *tombstone = value;
        if (tombstone->entry && g_strcmp0(tombstone->entry->name, name) == 0)
            return true;
    }
    return false;
}

static struct bytes *describe_unparsable(const struct tombstone *tombstone)
{
    g_autoptr(GString) text = g_string_new("{\"file\":");
    json_append_string(text, tombstone->key);
    g_string_append(text, ",\"error\":");
    json_append_string(text, tombstone->problem.text);
    g_string_append_c(text, '}');
    return bytes_new(text->str, text->len);
}

/* The document of a fork with the reason as a last member, in place of one of that name that it may
 * have. */
static struct bytes *add_reason(const struct bytes *document, const char *reason)
{
    g_autoptr(GArray) members =
        json_split_members((struct json_span){document->data, document->size});
    g_autoptr(GString) text = g_string_new("{");
    for (guint i = 0; i < members->len; i++) {
        const struct json_member *member = &g_array_index(members, struct json_member, i);
        if (g_strcmp0(member->key, REASON) == 0)
            continue;
        g_string_append_len(text, member->key_source.text, (gssize)member->key_source.length);
        g_string_append_c(text, ':');
        g_string_append_len(text, member->value.text, (gssize)member->value.length);
        g_string_append_c(text, ',');
    }
    json_append_string(text, REASON);
    g_string_append_c(text, ':');
    json_append_string(text, reason);
    g_string_append_c(text, '}');
    return bytes_new(text->str, text->len);
}

static struct bytes *describe_tombstone(const struct tombstone *tombstone, struct kept_forks *kept)
{
    if (!tombstone->entry)
        return describe_unparsable(tombstone);
    g_autofree char *reason = kept_forks_reason(kept, &tombstone->entry->id);
    return reason ? add_reason(tombstone->body, reason) : bytes_ref(tombstone->body);
}

/* Describes forks whose tombstone has been lost, or that never had one. */
static void describe_entries(const struct registry *registry, struct kept_forks *kept,
                             GHashTable *seen, GPtrArray *documents)
{
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (entry->status != FORK_TOMBSTONED || g_hash_table_contains(seen, entry->id.text))
            continue;
        g_autofree char *reason = kept_forks_reason(kept, &entry->id);
        auto_bytes struct bytes *document = reason ? fork_entry_document(entry) : NULL;
        if (document)
            g_ptr_array_add(documents, add_reason(document, reason));
    }
}

struct bytes *tombstones_render(struct tombstones *tombstones, const struct registry *registry,
                                struct kept_forks *kept)
{
    g_autoptr(GPtrArray) list = tombstones_list(tombstones);
    g_autoptr(GPtrArray) documents = g_ptr_array_new_with_free_func((GDestroyNotify)bytes_unref);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < list->len; i++) {
        const struct tombstone *tombstone = g_ptr_array_index(list, i);
        g_ptr_array_add(documents, describe_tombstone(tombstone, kept));
        if (tombstone->entry)
            g_hash_table_add(seen, tombstone->entry->id.text);
    }
    describe_entries(registry, kept, seen, documents);
    return documents_array(documents);
}

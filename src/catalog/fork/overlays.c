#include "catalog/fork/overlays.h"

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "catalog/format/documents.h"
#include "catalog/format/overlay_document.h"
#include "catalog/format/unique_body.h"

struct overlays {
    struct store *store;
    const struct layout *layout;
    bool shared; /* as the catalog is: other mounts may write overlays */
    pthread_mutex_t lock;
    GHashTable *by_id;   /* id text -> struct overlay */
    uint64_t changes;    /* counts what was put or forgotten */
    GHashTable *seen;    /* id text -> etag on the store, as last listed or put */
    unsigned listings;   /* under way */
    GHashTable *touched; /* set of ids put or forgotten since then: the listings may be older */
    GHashTable *writes;  /* set of ids being written: what is listed may be that already */
    GHashTable *met;     /* set of ids of which there has been an overlay */
};

void overlay_free(struct overlay *overlay)
{
    if (!overlay)
        return;
    bytes_unref(overlay->text);
    g_free(overlay->version);
    g_free(overlay);
}

static struct overlay *overlay_new(struct bytes *text, const char *version, int64_t modified_ns)
{
    struct overlay *overlay = g_new0(struct overlay, 1);
    overlay->text = bytes_ref(text);
    overlay->version = g_strdup(version);
    overlay->modified_ns = modified_ns;
    return overlay;
}

struct overlays *overlays_new(struct store *store, const struct layout *layout, bool shared)
{
    struct overlays *overlays = g_new0(struct overlays, 1);
    overlays->store = store;
    overlays->layout = layout;
    overlays->shared = shared;
    pthread_mutex_init(&overlays->lock, NULL);
    overlays->by_id =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)overlay_free);
    overlays->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    overlays->touched = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    overlays->writes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    overlays->met = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return overlays;
}

void overlays_free(struct overlays *overlays)
{
    if (!overlays)
        return;
    g_hash_table_unref(overlays->by_id);
    g_hash_table_unref(overlays->seen);
    g_hash_table_unref(overlays->touched);
    g_hash_table_unref(overlays->writes);
    g_hash_table_unref(overlays->met);
    pthread_mutex_destroy(&overlays->lock);
    g_free(overlays);
}

struct overlay *overlays_cached(struct overlays *overlays, const struct ulid *id)
{
    LOCK_SCOPE(&overlays->lock);
    const struct overlay *kept = g_hash_table_lookup(overlays->by_id, id->text);
    return kept ? overlay_new(kept->text, kept->version, kept->modified_ns) : NULL;
}

static uint64_t count_changes(struct overlays *overlays)
{
    LOCK_SCOPE(&overlays->lock);
    return overlays->changes;
}

/* With the lock held. */
static void note_met(struct overlays *overlays, const char *id)
{
    if (!g_hash_table_contains(overlays->met, id))
        g_hash_table_add(overlays->met, g_strdup(id));
}

int overlays_check_absent(struct overlays *overlays, const struct ulid *id, struct error *err)
{
    LOCK_SCOPE(&overlays->lock);
    if (!g_hash_table_contains(overlays->met, id->text))
        return 0;
    return error_set(err, ERR_AWAY,
                     "it was there and is not now: nothing was changed; put it back, or mount "
                     "again if it is gone on purpose");
}

/* Keeps what was read, unless something has changed since `changes` was counted: then it may be
 * old. */
static void keep_read(struct overlays *overlays, const struct ulid *id, struct overlay *overlay,
                      uint64_t changes)
{
    LOCK_SCOPE(&overlays->lock);
    if (overlay->version)
        note_met(overlays, id->text);
    if (overlays->changes == changes)
        g_hash_table_replace(overlays->by_id, g_strdup(id->text), overlay);
    else
        overlay_free(overlay);
}

/* Where the registry, which knows the fork, is not there either, nothing can be said to be absent.
 */
static int check_registry_is_there(const struct overlays *overlays, struct operation *operation,
                                   struct error *err)
{
    g_autofree char *key = layout_registry_key(overlays->layout);
    auto_store_set struct store_set *set = store_set_new();
    store_set_head(set, key);
    int code = store_run_all(overlays->store, set, 0, operation, err);
    if (code == ERR_NOT_FOUND)
        return error_set(err, ERR_AWAY,
                         "it is not there, nor is the registry %s: nothing was changed; put them "
                         "back",
                         key);
    return code;
}

int overlays_read(struct overlays *overlays, const struct ulid *id, struct operation *operation,
                  struct overlay **ret, struct error *err)
{
    *ret = overlays_cached(overlays, id);
    if (*ret)
        return 0;
    uint64_t changes = count_changes(overlays);
    g_autofree char *key = layout_overlay_key(overlays->layout, id);
    struct error failure = {0};
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *get = store_set_get(set, key);
    layout_expect_files_of_forks(overlays->layout, get);
    int code = store_run_all(overlays->store, set, 0, operation, &failure);
    auto_bytes struct bytes *text = NULL;
    if (code == ERR_NOT_FOUND) {
        code = overlays_check_absent(overlays, id, &failure);
        if (code == 0)
            code = check_registry_is_there(overlays, operation, &failure);
        text = overlay_empty();
    } else if (code == 0) {
        code = overlay_document_normalise(get->answer.body, &text, &failure);
    }
    if (code == 0) {
        keep_read(overlays, id, overlay_new(text, get->answer.etag, get->answer.modified_ns),
                  changes);
        *ret = overlay_new(text, get->answer.etag, get->answer.modified_ns);
    } else {
        error_prefix(&failure, failure.code, "reading the overlay %s", key);
        error_copy(err, &failure);
    }
    return code;
}

/* A write in progress. */
struct write {
    struct overlays *overlays;
    const char *key;
    struct bytes *body;
    const char *version; /* that it replaces; NULL: absent */
    struct operation *operation;
};

/* Our own text was read at that version, and has to be durable. */
static int confirm(const struct write *write, const char *etag, char **ret_etag, struct error *err)
{
    int code = store_confirm_put(write->overlays->store, write->key, write->body, etag,
                                 write->operation, ret_etag, err);
    if (code == ERR_PRECONDITION)
        return error_set(err, ERR_CHANGED, "it has changed since it was written");
    return code;
}

/* After a put whose answer does not tell, or that lost, perhaps to itself: what the store holds.
 * ERR_OUTCOME_UNKNOWN when it is what was there before: the put may still be repeated. */
static int resolve_put(const struct write *write, char **ret_etag, struct error *err)
{
    auto_bytes struct bytes *body = NULL;
    g_autofree char *etag = NULL;
    struct error failure = {0};
    int code =
        store_get(write->overlays->store, write->key, write->operation, &body, &etag, &failure);
    if (code && code != ERR_NOT_FOUND)
        return error_set(err, ERR_OUTCOME_UNKNOWN, "whether it was stored is not known: %s",
                         failure.text);
    if (code && check_registry_is_there(write->overlays, write->operation, &failure) == ERR_AWAY)
        return error_copy(err, &failure);
    if (code == 0 && bytes_equal(body, write->body))
        return confirm(write, etag, ret_etag, err);
    if (g_strcmp0(etag, write->version) == 0)
        return error_set(err, ERR_OUTCOME_UNKNOWN, "it was not stored so far");
    return error_set(err, ERR_CHANGED, "it has changed since it was read");
}

/* Repeats the identical put once: the first may still arrive, or never. */
static int put_overlay(const struct write *write, char **ret_etag, struct error *err)
{
    int code = 0;
    if (!write->version)
        code = check_registry_is_there(write->overlays, write->operation, err);
    if (code)
        return code;
    for (int tries = 0; tries < 2; tries++) {
        g_autofree char *etag = NULL;
        code = store_put(write->overlays->store, write->key, write->body,
                         write->version ? STORE_IF_MATCH : STORE_IF_ABSENT, write->version,
                         write->operation, &etag, err);
        if (code == 0 && etag) {
            *ret_etag = g_steal_pointer(&etag);
            return 0;
        }
        if (tries == 0 && code && code != ERR_OUTCOME_UNKNOWN && code != ERR_PRECONDITION)
            return code;
        code = resolve_put(write, ret_etag, err);
        if (code != ERR_OUTCOME_UNKNOWN)
            return code;
    }
    return code;
}

/* With the lock held. */
static void note_touched(struct overlays *overlays, const struct ulid *id)
{
    overlays->changes++;
    if (overlays->listings > 0)
        g_hash_table_add(overlays->touched, g_strdup(id->text));
}

static void begin_write(struct overlays *overlays, const struct ulid *id)
{
    LOCK_SCOPE(&overlays->lock);
    g_hash_table_add(overlays->writes, g_strdup(id->text));
}

/* What was seen last stays when it failed: another's change is told of by the next look. */
static void end_write(struct overlays *overlays, const struct ulid *id, bool failed)
{
    LOCK_SCOPE(&overlays->lock);
    g_hash_table_remove(overlays->writes, id->text);
    if (!failed)
        return;
    note_touched(overlays, id);
    g_hash_table_remove(overlays->by_id, id->text);
}

int overlays_write(struct overlays *overlays, const struct ulid *id, struct bytes *text,
                   const char *version, struct operation *operation, char **ret_version,
                   struct error *err)
{
    g_autofree char *key = layout_overlay_key(overlays->layout, id);
    g_autofree char *etag = NULL;
    auto_bytes struct bytes *body = overlays->shared ? unique_body(text) : bytes_ref(text);
    struct error failure = {0};
    const struct write write = {
        .overlays = overlays, .key = key, .body = body, .version = version, .operation = operation};
    begin_write(overlays, id);
    int code = put_overlay(&write, &etag, &failure);
    if (code == 0)
        overlays_note_put(overlays, id, text, etag);
    end_write(overlays, id, code != 0);
    if (code) {
        error_prefix(&failure, failure.code, "writing the overlay %s", key);
        return error_copy(err, &failure);
    }
    if (ret_version)
        *ret_version = g_steal_pointer(&etag);
    return 0;
}

/* With the lock held. */
static void forget(struct overlays *overlays, const struct ulid *id)
{
    note_touched(overlays, id);
    g_hash_table_remove(overlays->by_id, id->text);
    g_hash_table_remove(overlays->seen, id->text);
}

void overlays_note_put(struct overlays *overlays, const struct ulid *id, struct bytes *body,
                       const char *etag)
{
    LOCK_SCOPE(&overlays->lock);
    note_met(overlays, id->text);
    if (!etag) { /* not told: it has to be read */
        forget(overlays, id);
        return;
    }
    struct overlay *overlay = overlay_new(body, etag, timestamp_now_ns());
    note_touched(overlays, id);
    g_hash_table_replace(overlays->by_id, g_strdup(id->text), overlay);
    g_hash_table_replace(overlays->seen, g_strdup(id->text), g_strdup(etag));
}

void overlays_forget(struct overlays *overlays, const struct ulid *id)
{
    LOCK_SCOPE(&overlays->lock);
    forget(overlays, id);
    g_hash_table_remove(overlays->met, id->text);
}

/* ---- Comparing with what the store holds ---- */

void overlays_begin_listing(struct overlays *overlays)
{
    LOCK_SCOPE(&overlays->lock);
    overlays->listings++;
}

void overlays_end_listing(struct overlays *overlays)
{
    LOCK_SCOPE(&overlays->lock);
    if (--overlays->listings == 0)
        g_hash_table_remove_all(overlays->touched);
}

/* With the lock held: whether what a look has found may be this mount's own doing, or older. */
static bool is_own(const struct overlays *overlays, const char *id)
{
    return g_hash_table_contains(overlays->touched, id) ||
           g_hash_table_contains(overlays->writes, id);
}

enum overlay_look overlays_compare_one(struct overlays *overlays, const struct ulid *id,
                                       const char *etag)
{
    LOCK_SCOPE(&overlays->lock);
    const struct overlay *kept = g_hash_table_lookup(overlays->by_id, id->text);
    if (kept && g_strcmp0(kept->version, etag) == 0)
        return OVERLAY_SAME;
    if (is_own(overlays, id->text))
        return OVERLAY_OWN;
    forget(overlays, id);
    return OVERLAY_CHANGED;
}

static GHashTable *etags_by_id(const struct overlays *overlays, const GPtrArray *objects)
{
    GHashTable *etags = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *prefix = layout_overlays_prefix(overlays->layout);
    for (guint i = 0; i < objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(objects, i);
        struct ulid id;
        if (layout_id_of_key(object->key, prefix, ".json", &id))
            g_hash_table_insert(etags, g_strdup(id.text), object->etag);
    }
    return etags;
}

static void add_id(GPtrArray *ids, const char *text)
{
    struct ulid *id = g_new0(struct ulid, 1);
    ulid_parse(text, ULID_LENGTH, id);
    g_ptr_array_add(ids, id);
}

/* With the lock held: an object that is listed. What was read as absent and is there now has
 * changed; what was never looked at has not. */
static void compare_listed(struct overlays *overlays, const char *id, const char *etag,
                           GPtrArray *changed)
{
    const char *seen = g_hash_table_lookup(overlays->seen, id);
    const struct overlay *kept = g_hash_table_lookup(overlays->by_id, id);
    note_met(overlays, id);
    bool differs = seen ? g_strcmp0(seen, etag) != 0 : kept && !kept->version;
    if (kept && g_strcmp0(kept->version, etag) != 0)
        g_hash_table_remove(overlays->by_id, id);
    if (differs)
        add_id(changed, id);
    if (differs || !seen) {
        overlays->changes++;
        g_hash_table_replace(overlays->seen, g_strdup(id), g_strdup(etag));
    }
}

/* With the lock held: removes from a table the ids that are neither listed nor this mount's own
 * doing, and adds them to `changed`. */
static void drop_unlisted(struct overlays *overlays, GHashTable *table, GHashTable *etags,
                          bool (*counts)(const void *value), GPtrArray *changed)
{
    GHashTableIter iterator;
    void *id, *value;
    g_hash_table_iter_init(&iterator, table);
    while (g_hash_table_iter_next(&iterator, &id, &value)) {
        if (g_hash_table_contains(etags, id) || is_own(overlays, id) || !counts(value))
            continue;
        if (changed)
            add_id(changed, id);
        overlays->changes++;
        g_hash_table_iter_remove(&iterator);
    }
}

static bool is_any(const void *value)
{
    return value != NULL;
}

static bool was_present(const void *value)
{
    return ((const struct overlay *)value)->version != NULL;
}

GPtrArray *overlays_compare(struct overlays *overlays, const GPtrArray *objects)
{
    GPtrArray *changed = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) etags = etags_by_id(overlays, objects);
    GHashTableIter iterator;
    void *id, *etag;
    LOCK_SCOPE(&overlays->lock);
    g_hash_table_iter_init(&iterator, etags);
    while (g_hash_table_iter_next(&iterator, &id, &etag))
        if (!is_own(overlays, id))
            compare_listed(overlays, id, etag, changed);
    drop_unlisted(overlays, overlays->seen, etags, is_any, changed);
    drop_unlisted(overlays, overlays->by_id, etags, was_present, NULL);
    return changed;
}

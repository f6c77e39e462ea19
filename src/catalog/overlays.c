#include "catalog/overlays.h"

#include "base/cleanup.h"
#include "base/json_text.h"
#include "base/timestamp.h"
#include "catalog/documents.h"

struct overlay {
    struct bytes *text; /* pretty */
    char *etag;         /* NULL: absent on the store */
    int64_t modified_ns;
};

struct overlays {
    struct store *store;
    const struct layout *layout;
    pthread_mutex_t lock;
    GHashTable *by_id; /* id text -> struct overlay */
    uint64_t changes;  /* counts what was put or forgotten */
};

static void overlay_free(void *pointer)
{
    struct overlay *overlay = pointer;
    bytes_unref(overlay->text);
    g_free(overlay->etag);
    g_free(overlay);
}

struct overlays *overlays_new(struct store *store, const struct layout *layout)
{
    struct overlays *overlays = g_new0(struct overlays, 1);
    overlays->store = store;
    overlays->layout = layout;
    pthread_mutex_init(&overlays->lock, NULL);
    overlays->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, overlay_free);
    return overlays;
}

void overlays_free(struct overlays *overlays)
{
    if (!overlays)
        return;
    g_hash_table_unref(overlays->by_id);
    pthread_mutex_destroy(&overlays->lock);
    g_free(overlays);
}

struct bytes *overlays_cached(struct overlays *overlays, const struct ulid *id,
                              int64_t *modified_ns)
{
    LOCK_SCOPE(&overlays->lock);
    const struct overlay *overlay = g_hash_table_lookup(overlays->by_id, id->text);
    if (!overlay)
        return NULL;
    if (modified_ns)
        *modified_ns = overlay->modified_ns;
    return bytes_ref(overlay->text);
}

static uint64_t count_changes(struct overlays *overlays)
{
    LOCK_SCOPE(&overlays->lock);
    return overlays->changes;
}

static struct overlay *overlay_new(struct bytes *text, const char *etag, int64_t modified_ns)
{
    struct overlay *overlay = g_new0(struct overlay, 1);
    overlay->text = bytes_ref(text);
    overlay->etag = g_strdup(etag);
    overlay->modified_ns = modified_ns;
    return overlay;
}

/* Keeps what was read, unless something has changed since `changes` was counted: then it may be
 * old. */
static void keep_read(struct overlays *overlays, const struct ulid *id, struct overlay *overlay,
                      uint64_t changes)
{
    LOCK_SCOPE(&overlays->lock);
    if (overlays->changes == changes)
        g_hash_table_replace(overlays->by_id, g_strdup(id->text), overlay);
    else
        overlay_free(overlay);
}

/* Checks a stored overlay and gives its pretty form. */
static int normalise(struct bytes *body, struct bytes **ret, struct error *err)
{
    int code = json_check(body->data, body->size, err);
    if (code)
        return code;
    struct json_span document = {body->data, body->size};
    g_autoptr(GString) text = g_string_sized_new(body->size);
    while (document.length > 0 && g_ascii_isspace(*document.text)) {
        document.text++;
        document.length--;
    }
    if (json_span_kind(document) != JSON_OBJECT)
        return error_set(err, ERR_CORRUPT, "not a JSON object");
    json_append_pretty(text, document, 0);
    *ret = bytes_new(text->str, text->len);
    return 0;
}

int overlays_read(struct overlays *overlays, const struct ulid *id, struct operation *operation,
                  struct bytes **ret, struct error *err)
{
    *ret = overlays_cached(overlays, id, NULL);
    if (*ret)
        return 0;
    uint64_t changes = count_changes(overlays);
    g_autofree char *key = layout_overlay_key(overlays->layout, id);
    struct error failure = {0};
    struct store_set *set = store_set_new();
    struct store_request *get = store_set_get(set, key);
    int code = store_run(overlays->store, set, operation, &failure);
    if (code == 0)
        code = store_set_failure(set, 0, &failure);
    auto_bytes struct bytes *text = NULL;
    if (code == ERR_NOT_FOUND) {
        text = overlay_empty();
        code = 0;
    } else if (code == 0) {
        code = normalise(get->answer.body, &text, &failure);
    }
    if (code == 0) {
        keep_read(overlays, id, overlay_new(text, get->answer.etag, get->answer.modified_ns),
                  changes);
        *ret = bytes_ref(text);
    } else {
        error_prefix(&failure, "reading the overlay %s", key);
        error_copy(err, &failure);
    }
    store_set_unref(set);
    return code;
}

void overlays_note_put(struct overlays *overlays, const struct ulid *id, struct bytes *body,
                       const char *etag)
{
    struct timespec now = timestamp_now();
    struct overlay *overlay =
        overlay_new(body, etag, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    LOCK_SCOPE(&overlays->lock);
    overlays->changes++;
    g_hash_table_replace(overlays->by_id, g_strdup(id->text), overlay);
}

void overlays_forget(struct overlays *overlays, const struct ulid *id)
{
    LOCK_SCOPE(&overlays->lock);
    overlays->changes++;
    g_hash_table_remove(overlays->by_id, id->text);
}

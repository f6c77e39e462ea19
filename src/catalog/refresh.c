/*
 * Noticing what has changed on the store. What this mount writes itself is reported, too, so
 * everything is compared by etag before it is read again or forgotten.
 */
#include <string.h>

#include "catalog/catalog_private.h"

/* The etag of an object, NULL when it is absent; g_free(). */
static int head(struct catalog *catalog, const char *key, struct operation *operation,
                char **ret_etag, struct error *err)
{
    struct store_set *set = store_set_new();
    struct store_request *request = store_set_head(set, key);
    int code = store_run(catalog->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, ERR_NOT_FOUND, err);
    if (code == 0)
        *ret_etag = g_steal_pointer(&request->answer.etag);
    store_set_unref(set);
    return code;
}

int catalog_reload_if_changed(struct catalog *catalog, const char *etag,
                              struct operation *operation, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    if (g_strcmp0(etag, registry->etag) == 0)
        return 0;
    return committer_reload(catalog->committer, operation, err);
}

int catalog_refresh_registry(struct catalog *catalog, struct operation *operation,
                             struct error *err)
{
    g_autofree char *key = layout_registry_key(catalog->layout);
    g_autofree char *etag = NULL;
    int code = head(catalog, key, operation, &etag, err);
    if (code)
        return code;
    return catalog_reload_if_changed(catalog, etag, operation, err);
}

bool catalog_is_active(struct catalog *catalog, const struct ulid *id)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, id);
    return entry && entry->status == FORK_ACTIVE;
}

/* The version kept of an overlay; false when none is kept. */
static bool kept_version(struct catalog *catalog, const struct ulid *id, char **ret)
{
    struct overlay *kept = overlays_cached(catalog->overlays, id);
    *ret = kept ? g_strdup(kept->version) : NULL;
    overlay_free(kept);
    return kept;
}

static int refresh_overlay(struct catalog *catalog, const char *key, const struct ulid *id,
                           struct operation *operation, struct refreshed_overlay *ret,
                           struct error *err)
{
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    g_autofree char *etag = NULL;
    bool was_kept = kept_version(catalog, id, &before);
    int code = head(catalog, key, operation, &etag, err);
    if (code)
        return code;
    bool is_kept = kept_version(catalog, id, &after);
    if (is_kept && g_strcmp0(after, etag) == 0)
        return 0;
    /* Written by this mount meanwhile, which is going to be reported as well. */
    if (is_kept != was_kept || g_strcmp0(before, after) != 0)
        return 0;
    overlays_forget(catalog->overlays, id);
    if (ret && catalog_is_active(catalog, id))
        *ret = (struct refreshed_overlay){.changed = true, .fork = *id};
    return 0;
}

static int compare_overlays(struct catalog *catalog, const char *prefix,
                            struct operation *operation, struct error *err)
{
    struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, prefix, NULL, 0);
    overlays_begin_listing(catalog->overlays);
    int code = store_run(catalog->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, 0, err);
    if (code == 0)
        g_ptr_array_unref(overlays_compare(catalog->overlays, listing->answer.objects));
    overlays_end_listing(catalog->overlays);
    store_set_unref(set);
    return code;
}

/* Whether `key` is `object`, or stands for a directory that `object` is in. */
static bool covers(const char *key, const char *object)
{
    return strcmp(key, object) == 0 ||
           (g_str_has_suffix(key, "/") && g_str_has_prefix(object, key));
}

int catalog_refresh(struct catalog *catalog, const char *key, struct operation *operation,
                    struct refreshed_overlay *ret_overlay, struct error *err)
{
    g_autofree char *registry = layout_registry_key(catalog->layout);
    g_autofree char *overlays = layout_overlays_prefix(catalog->layout);
    g_autofree char *tombstones = layout_tombstones_prefix(catalog->layout);
    struct ulid id;
    int code = 0;
    if (ret_overlay)
        *ret_overlay = (struct refreshed_overlay){0};
    if (layout_id_of_key(key, overlays, ".json", &id))
        return refresh_overlay(catalog, key, &id, operation, ret_overlay, err);
    if (covers(key, overlays))
        code = compare_overlays(catalog, overlays, operation, err);
    if (code == 0 && covers(key, registry))
        code = catalog_refresh_registry(catalog, operation, err);
    if (code == 0 && (covers(key, tombstones) || g_str_has_prefix(key, tombstones)))
        code =
            tombstones_load(catalog->tombstones, catalog->store, catalog->layout, operation, err);
    return code;
}

int64_t catalog_refresh_interval_ms(const struct catalog *catalog, int64_t refresh_ms)
{
    int64_t longest_ms = catalog_lease_ms(catalog) / 3;
    if (!catalog->keeper)
        return refresh_ms;
    return refresh_ms == 0 ? longest_ms : MIN(refresh_ms, longest_ms);
}

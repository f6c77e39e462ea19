/*
 * Looking at what others have changed: at one object that the store reports (catalog_refresh()), or
 * at everything on a store that does not tell (catalog_poll()). What this mount writes itself is
 * reported, too, so everything is compared by etag before it is read again or forgotten; and an
 * overlay can be on the store already while the put of it has not been answered.
 */
#include <string.h>

#include "catalog/catalog_private.h"

/* The etag of an object, NULL when it is absent; g_free(). */
static int head_key(struct catalog *catalog, const char *key, struct operation *operation,
                    char **ret_etag, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *request = store_set_head(set, key);
    int code = store_run_all(catalog->store, set, ERR_NOT_FOUND, operation, err);
    if (code == 0)
        *ret_etag = g_steal_pointer(&request->answer.etag);
    return code;
}

/* Reads the registry again when `etag` (NULL: there is none), which was just looked at, is new. */
static int reload_if_changed(struct catalog *catalog, const char *etag, struct operation *operation,
                             struct error *err)
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
    int code = head_key(catalog, key, operation, &etag, err);
    if (code)
        return code;
    return reload_if_changed(catalog, etag, operation, err);
}

/* Whether a fork is active, from memory. Its overlay is then written by users, not in the course of
 * its life. */
static bool is_active(struct catalog *catalog, const struct ulid *id)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, id);
    return entry && entry->status == FORK_ACTIVE;
}

/* A fork that becomes active meanwhile has got its first overlay. */
static int refresh_overlay(struct catalog *catalog, const char *key, const struct ulid *id,
                           struct operation *operation, struct refreshed_overlay *ret,
                           struct error *err)
{
    g_autofree char *etag = NULL;
    enum overlay_look found = OVERLAY_SAME;
    bool was_active = is_active(catalog, id);
    overlays_begin_listing(catalog->overlays);
    int code = head_key(catalog, key, operation, &etag, err);
    if (code == 0)
        found = overlays_compare_one(catalog->overlays, id, etag);
    overlays_end_listing(catalog->overlays);
    if (ret) {
        ret->fork = *id;
        ret->again = found == OVERLAY_OWN;
        ret->changed = found == OVERLAY_CHANGED && was_active && is_active(catalog, id);
    }
    return code;
}

static int compare_overlays(struct catalog *catalog, const char *prefix,
                            struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, prefix, NULL, 0);
    overlays_begin_listing(catalog->overlays);
    int code = store_run_all(catalog->store, set, 0, operation, err);
    if (code == 0)
        g_ptr_array_unref(overlays_compare(catalog->overlays, listing->answer.objects));
    overlays_end_listing(catalog->overlays);
    return code;
}

/* Whether `key` is `object`, or stands for a directory that `object` is in. */
static bool covers_key(const char *key, const char *object)
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
    if (covers_key(key, overlays))
        code = compare_overlays(catalog, overlays, operation, err);
    if (code == 0 && covers_key(key, registry))
        code = catalog_refresh_registry(catalog, operation, err);
    if (code == 0 && (covers_key(key, tombstones) || g_str_has_prefix(key, tombstones)))
        code =
            tombstones_load(catalog->tombstones, catalog->store, catalog->layout, operation, err);
    return code;
}

/* Tombstones are listed, and come and go by the hundred when a list of forks is dropped. */
char *catalog_refresh_key(const struct catalog *catalog, const char *key)
{
    g_autofree char *tombstones = layout_tombstones_prefix(catalog->layout);
    return g_str_has_prefix(key, tombstones) ? g_steal_pointer(&tombstones) : g_strdup(key);
}

/* ---- Looking at everything ---- */

/* The one wave that looks at everything. */
struct look {
    struct store_set *set;
    const struct store_request *registry;
    const struct store_request *tombstones;
    const struct store_request *overlays;
    const struct store_request *leases; /* NULL: a read-only mount asks nobody */
    int64_t begun_ns;
};

static void look_begin(struct look *look, struct catalog *catalog)
{
    look->set = store_set_new();
    look->registry = store_set_add(look->set, STORE_HEAD, layout_registry_key(catalog->layout));
    look->tombstones =
        store_set_add(look->set, STORE_LIST, layout_tombstones_prefix(catalog->layout));
    look->overlays = store_set_add(look->set, STORE_LIST, layout_overlays_prefix(catalog->layout));
    if (catalog->leases) {
        look->leases = leases_add_listing(catalog->leases, look->set);
        look->begun_ns = leases_now_ns(catalog->leases);
    }
    tombstones_begin_load(catalog->tombstones);
    overlays_begin_listing(catalog->overlays);
}

static void look_end(struct look *look, struct catalog *catalog)
{
    overlays_end_listing(catalog->overlays);
    tombstones_end_load(catalog->tombstones);
    store_set_unref(look->set);
}

static int take_registry(const struct look *look, struct catalog *catalog,
                         struct operation *operation, struct error *err)
{
    const struct store_answer *answer = &look->registry->answer;
    if (answer->code && answer->code != ERR_NOT_FOUND)
        return error_copy(err, &answer->error);
    return reload_if_changed(catalog, answer->etag, operation, err);
}

static int take_tombstones(const struct look *look, struct catalog *catalog,
                           struct operation *operation, struct error *err)
{
    if (look->tombstones->answer.code)
        return error_copy(err, &look->tombstones->answer.error);
    return tombstones_take_listing(catalog->tombstones, catalog->store, look->tombstones, operation,
                                   err);
}

static int take_overlays(const struct look *look, struct catalog *catalog, overlay_news *news,
                         void *argument, struct error *err)
{
    if (look->overlays->answer.code)
        return error_copy(err, &look->overlays->answer.error);
    g_autoptr(GPtrArray) changed =
        overlays_compare(catalog->overlays, look->overlays->answer.objects);
    for (guint i = 0; news && i < changed->len; i++) {
        const struct ulid *id = g_ptr_array_index(changed, i);
        if (is_active(catalog, id))
            news(argument, id);
    }
    return 0;
}

/* What cannot be read does not hold up the others; the first failure is told. */
int catalog_poll(struct catalog *catalog, struct operation *operation, overlay_news *news,
                 void *argument, struct error *err)
{
    struct look look = {0};
    struct error failures[4] = {0}, *first = NULL;
    look_begin(&look, catalog);
    store_run(catalog->store, look.set, operation, NULL); /* the answers say more */
    take_registry(&look, catalog, operation, &failures[0]);
    take_tombstones(&look, catalog, operation, &failures[1]);
    take_overlays(&look, catalog, news, argument, &failures[2]);
    if (look.leases)
        leases_take_listing(catalog->leases, look.leases, look.begun_ns, operation, &failures[3]);
    look_end(&look, catalog);
    for (size_t i = 0; i < G_N_ELEMENTS(failures) && !first; i++)
        first = failures[i].code ? &failures[i] : NULL;
    if (!first)
        return 0;
    error_prefix(first, first->code, "looking for changes by others");
    return error_copy(err, first);
}

int64_t catalog_refresh_interval_ms(const struct catalog *catalog, int64_t refresh_ms)
{
    int64_t longest_ms = catalog_lease_ms(catalog) / 3;
    if (!catalog->keeper)
        return refresh_ms;
    return refresh_ms == 0 ? longest_ms : MIN(refresh_ms, longest_ms);
}

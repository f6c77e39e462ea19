/*
 * catalog_poll(): noticing what others have changed on a store that does not tell.
 */
#include "catalog/catalog_private.h"

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
    g_autofree char *registry = layout_registry_key(catalog->layout);
    g_autofree char *tombstones = layout_tombstones_prefix(catalog->layout);
    g_autofree char *overlays = layout_overlays_prefix(catalog->layout);
    look->set = store_set_new();
    look->registry = store_set_head(look->set, registry);
    look->tombstones = store_set_list(look->set, tombstones, NULL, 0);
    look->overlays = store_set_list(look->set, overlays, NULL, 0);
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
    return catalog_reload_if_changed(catalog, answer->etag, operation, err);
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
        if (catalog_is_active(catalog, id))
            news(argument, id);
    }
    return 0;
}

/* One that cannot be read does not hold up the others; the first failure is told. */
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
    error_prefix(first, "looking for changes by others");
    return error_copy(err, first);
}

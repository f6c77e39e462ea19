/*
 * A bucket has no lock: whether somebody else writes the catalog shows in the leases of mounts, and
 * in that it changes. Not all who write have a lease; and requests of who has died may arrive yet.
 */
#include <string.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "catalog/fsck/fsck.h"
#include "catalog/repair/repair_private.h"

/* How often to look. */
#define LOOK_LONGEST_MS 5000

/* ---- Leases ---- */

/* key -> etag */
static int list_leases(struct repair *repair, GHashTable **ret, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listing =
        store_set_add(set, STORE_LIST, layout_leases_prefix(repair->layout));
    int code = store_run_all(repair->store, set, 0, repair->operation, err);
    if (code)
        return error_prefix(err, code, "looking for other mounts");
    *ret = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing->answer.objects, i);
        g_hash_table_insert(*ret, g_strdup(row->key), g_strdup(row->etag));
    }
    return 0;
}

static int check_leases(struct repair *repair, GHashTable *known, struct error *err)
{
    g_autoptr(GHashTable) now = NULL;
    GHashTableIter iterator;
    void *key, *etag;
    int code = list_leases(repair, &now, err);
    if (code)
        return code;
    g_hash_table_iter_init(&iterator, now);
    while (g_hash_table_iter_next(&iterator, &key, &etag))
        if (g_strcmp0(g_hash_table_lookup(known, key), etag) != 0)
            return error_set(err, ERR_HELD,
                             "a forkfs has this catalog mounted for writing; its lease is %s",
                             (const char *)key);
    return 0;
}

static int delete_leases(struct repair *repair, GHashTable *known, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(known), (GCompareFunc)strcmp);
    for (const GList *at = keys; at; at = at->next)
        store_set_delete(set, at->data);
    int code = store_run_all(repair->store, set, 0, repair->operation, err);
    for (const GList *at = keys; code == 0 && at; at = at->next)
        repair_did(repair, "delete %s, the lease of a mount that is gone", (const char *)at->data);
    return code;
}

/* ---- All that the repair is about ---- */

/* What is wrong, and which registry says so. */
struct look {
    GPtrArray *findings;
    char *registry_etag;
};

static void look_clear(struct look *look)
{
    g_clear_pointer(&look->findings, g_ptr_array_unref);
    g_clear_pointer(&look->registry_etag, g_free);
}

static int take_look(struct repair *repair, struct look *ret, struct error *err)
{
    g_autofree char *key = layout_registry_key(repair->layout);
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *registry = store_set_head(set, key);
    int code = store_run_all(repair->store, set, ERR_NOT_FOUND, repair->operation, err);
    if (code == 0)
        code = catalog_fsck(repair->store, repair->layout, repair->operation, &ret->findings, err);
    ret->registry_etag = g_strdup(registry->answer.etag);
    return code;
}

static int compare_looks(const struct look *before, const struct look *now, struct error *err)
{
    if (g_strcmp0(before->registry_etag, now->registry_etag) != 0)
        return error_set(err, ERR_HELD,
                         "somebody else writes this catalog: the registry has "
                         "changed while it was watched");
    for (guint i = 0; i < MAX(before->findings->len, now->findings->len); i++) {
        const struct fsck_finding *was =
            i < before->findings->len ? g_ptr_array_index(before->findings, i) : NULL;
        const struct fsck_finding *is =
            i < now->findings->len ? g_ptr_array_index(now->findings, i) : NULL;
        if (!was || !is || strcmp(was->text, is->text) != 0)
            return error_set(err, ERR_HELD,
                             "somebody else writes this catalog: it has changed while it was "
                             "watched: %s",
                             is ? is->text : was->text);
    }
    return 0;
}

/* ---- Waiting ---- */

static void pause_ms(int64_t ms)
{
    const struct timespec time = timespec_from_ns(ms * NS_PER_MS);
    nanosleep(&time, NULL);
}

/* Looks until `until_ns`, and once after it. */
static int watch_leases(struct repair *repair, GHashTable *known, int64_t until_ns,
                        struct error *err)
{
    int code = 0;
    for (int64_t left_ms = 1; code == 0 && left_ms > 0;) {
        left_ms = (until_ns - monotonic_now_ns()) / NS_PER_MS;
        if (left_ms > 0)
            pause_ms(MIN(left_ms + 1, LOOK_LONGEST_MS));
        code = check_leases(repair, known, err);
    }
    return code;
}

static int watch(struct repair *repair, GHashTable *known, struct error *err)
{
    const struct repair_settings *settings = repair->settings;
    struct look before = {0}, now = {0};
    /* Some margin for the leases, for clocks do not run at quite the same speed. */
    int64_t lease_ms =
        g_hash_table_size(known) > 0 ? settings->lease_ms + settings->lease_ms / 10 : 0;
    int64_t until_ns = monotonic_now_ns() + MAX(lease_ms, settings->watch_ms) * NS_PER_MS;
    int code = take_look(repair, &before, err);
    if (code == 0)
        code = watch_leases(repair, known, until_ns, err);
    if (code == 0)
        code = take_look(repair, &now, err);
    if (code == 0)
        code = compare_looks(&before, &now, err);
    look_clear(&before);
    look_clear(&now);
    return code;
}

int repair_guard(struct repair *repair, struct error *err)
{
    g_autoptr(GHashTable) known = NULL;
    if (!repair->settings->shared)
        return 0;
    int code = list_leases(repair, &known, err);
    if (code == 0)
        code = watch(repair, known, err);
    return code ? code : delete_leases(repair, known, err);
}

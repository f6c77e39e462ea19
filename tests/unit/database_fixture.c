#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/registry_load.h"
#include "database_fixture.h"
#include "lance/branch_name.h"

#define REGISTRY "catalog/fork_registry.json"

static struct bytes *read_sample(const char *name)
{
    const char *top = getenv("srcdir");
    g_autofree char *path =
        g_strdup_printf("%s/tests/data/manifests/%s.manifest", top ? top : ".", name);
    g_autofree char *data = NULL;
    size_t size = 0;
    if (!g_file_get_contents(path, &data, &size, NULL))
        fail_msg("cannot read %s", path);
    return bytes_new(data, size);
}

static void put_bytes(struct store *store, const char *key, struct bytes *body)
{
    struct error err = {0};
    if (store_put(store, key, body, STORE_ALWAYS, NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
}

void fixture_put(struct store *store, const char *key, const char *text)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    put_bytes(store, key, body);
}

/* The samples are manifests of main: "plain" of version 2, "indexed" of version 4. */
static void put_dataset(struct store *store, const char *dataset, const char *sample,
                        uint64_t version)
{
    auto_bytes struct bytes *manifest = read_sample(sample);
    g_autofree char *root = g_strdup_printf("storage/%s.lance", dataset);
    g_autofree char *key = lance_manifest_key(root, NULL, version);
    put_bytes(store, key, manifest);
}

struct store *fixture_database(void)
{
    struct store *store = memory_store_new(1);
    put_dataset(store, "edges", "plain", 2);
    put_dataset(store, "vertices", "indexed", 4);
    put_dataset(store, "vertices_Person", "plain", 2);
    fixture_put(store, "catalog/schema.json",
                "{\"schema_version\": 4, \"labels\": {\"Person\": {\"id\": 1}, \"Ghost\": {\"id\": "
                "2}}, \"edge_types\": {\"KNOWS\": {\"id\": 1, \"src_labels\": [], \"dst_labels\": "
                "[]}}, \"properties\": {}}");
    fixture_put(store, "id_allocator.json",
                "{\n  \"next_vid_batch\": 3000,\n  \"next_eid_batch\": 1000\n}");
    fixture_put(store, "storage/catalog/latest", FIXTURE_SNAPSHOT);
    fixture_put(store, "storage/catalog/manifests/" FIXTURE_SNAPSHOT ".json",
                "{\"snapshot_id\": \"" FIXTURE_SNAPSHOT "\", \"name\": null, \"created_at\": "
                "\"2026-08-01T12:34:55Z\", \"parent_snapshot\": null, \"schema_version\": 4, "
                "\"version_high_water_mark\": 42, \"wal_high_water_mark\": 9, \"vertices\": {}, "
                "\"edges\": {}}");
    return store;
}

static struct catalog *open_catalog(struct store *inner, bool read_only, struct store **ret_faults)
{
    struct error err = {0};
    struct store *faults = fault_store_new(inner, false);
    struct layout *layout = NULL;
    struct catalog *catalog = NULL;
    const struct catalog_settings settings = {.read_only = read_only};
    if (layout_new("", "storage/", "/srv/graph/storage", &layout, &err) ||
        catalog_open(faults, layout, &settings, NULL, &catalog, &err))
        fail_msg("%s", err.text);
    if (ret_faults)
        *ret_faults = faults;
    return catalog;
}

struct catalog *fixture_open(struct store *inner, struct store **ret_faults)
{
    return open_catalog(inner, false, ret_faults);
}

struct catalog *fixture_open_read_only(struct store *inner)
{
    return open_catalog(inner, true, NULL);
}

unsigned fixture_recover(struct catalog *catalog, unsigned *ret_problems)
{
    struct error err = {0};
    struct recovery_report report = {0};
    if (catalog_recover(catalog, NULL, &report, &err))
        fail_msg("%s", err.text);
    unsigned done = report.rolled_back + report.finished + report.orphans;
    if (ret_problems)
        *ret_problems = report.problems->len;
    recovery_report_clear(&report);
    return done;
}

char *fixture_read(struct store *store, const char *key)
{
    auto_bytes struct bytes *body = NULL;
    struct error err = {0};
    int code = store_get(store, key, NULL, &body, NULL, &err);
    if (code && code != ERR_NOT_FOUND)
        fail_msg("%s", err.text);
    return code ? NULL : g_strndup(body->data, body->size);
}

bool fixture_exists(struct store *store, const char *key)
{
    g_autofree char *text = fixture_read(store, key);
    return text != NULL;
}

static struct store_set *list_all(struct store *store, const struct store_request **ret_listing)
{
    struct error err = {0};
    struct store_set *set = store_set_new();
    *ret_listing = store_set_list(set, "", NULL, 0);
    if (store_run(store, set, NULL, &err) || store_set_failure(set, 0, &err))
        fail_msg("%s", err.text);
    return set;
}

char *fixture_dump(struct store *store, const char *except)
{
    const struct store_request *listing;
    struct store_set *set = list_all(store, &listing);
    GString *dump = g_string_new(NULL);
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(listing->answer.objects, i);
        if (except && strstr(object->key, except))
            continue;
        auto_bytes struct bytes *body = NULL;
        assert_int_equal(store_get(store, object->key, NULL, &body, NULL, NULL), 0);
        g_autofree char *sum =
            g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)body->data, body->size);
        g_string_append_printf(dump, "%s %s\n", object->key, sum);
    }
    store_set_unref(set);
    return g_string_free(dump, FALSE);
}

unsigned fixture_mentions(struct store *store, const char *text)
{
    const struct store_request *listing;
    struct store_set *set = list_all(store, &listing);
    unsigned mentions = 0;
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(listing->answer.objects, i);
        auto_bytes struct bytes *body = NULL;
        assert_int_equal(store_get(store, object->key, NULL, &body, NULL, NULL), 0);
        if (strstr(object->key, text) || memmem(body->data, body->size, text, strlen(text)))
            mentions++;
    }
    store_set_unref(set);
    return mentions;
}

static struct registry *load_registry(struct store *store)
{
    struct registry *registry = NULL;
    struct error err = {0};
    if (registry_load(store, REGISTRY, NULL, NULL, &registry, &err))
        fail_msg("%s", err.text);
    return registry;
}

static void assert_branch(struct store *store, const struct dataset_branch *pair)
{
    g_autofree char *root = g_strdup_printf("storage/%s.lance", pair->dataset);
    g_autofree char *ref = lance_branch_ref_key(root, pair->branch);
    g_autofree char *manifest =
        lance_manifest_key(root, pair->branch, strcmp(pair->dataset, "vertices") == 0 ? 4 : 2);
    if (!fixture_exists(store, ref) || !fixture_exists(store, manifest))
        fail_msg("branch %s of %s is not whole", pair->branch, pair->dataset);
}

void fixture_assert_whole(struct store *store)
{
    auto_registry struct registry *registry = load_registry(store);
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (entry->status != FORK_ACTIVE)
            continue;
        assert_int_equal(entry->datasets->len, FIXTURE_DATASETS);
        for (guint j = 0; j < entry->datasets->len; j++)
            assert_branch(store, g_ptr_array_index(entry->datasets, j));
        g_autofree char *overlay = g_strdup_printf("catalog/fork_schemas/%s.json", entry->id.text);
        assert_true(fixture_exists(store, overlay));
    }
}

int fixture_status(struct store *store, const char *name)
{
    auto_registry struct registry *registry = load_registry(store);
    const struct fork_entry *entry = registry_find(registry, name);
    return entry ? (int)entry->status : -1;
}

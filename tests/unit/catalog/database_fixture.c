#include "unit/unit.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blake3.h"
#include "catalog/fsck/fsck.h"
#include "catalog/registry/registry_load.h"
#include "lance/branch_name.h"
#include "store/local/local_store.h"
#include "unit/catalog/database_fixture.h"

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
void fixture_put_dataset(struct store *store, const char *dataset, const char *sample,
                         uint64_t version)
{
    auto_bytes struct bytes *manifest = read_sample(sample);
    g_autofree char *root = g_strdup_printf("storage/%s.lance", dataset);
    g_autofree char *key = lance_manifest_key(root, NULL, version);
    put_bytes(store, key, manifest);
}

void fixture_put_fork_snapshot(struct store *store, const struct ulid *id, const char *snapshot_id,
                               uint64_t version_mark, uint64_t wal_mark)
{
    g_autofree char *prefix = g_strdup_printf("storage/catalog/forks/%s/", id->text);
    g_autofree char *pointer = g_strconcat(prefix, "latest", NULL);
    g_autofree char *manifest = g_strconcat(prefix, "manifests/", snapshot_id, ".json", NULL);
    g_autofree char *text = g_strdup_printf(
        "{\"snapshot_id\": \"%s\", \"name\": null, \"created_at\": \"2026-08-02T12:34:55Z\", "
        "\"parent_snapshot\": null, \"schema_version\": 4, \"version_high_water_mark\": %" PRIu64
        ", \"wal_high_water_mark\": %" PRIu64 ", \"vertices\": {}, \"edges\": {}}",
        snapshot_id, version_mark, wal_mark);
    fixture_put(store, manifest, text);
    fixture_put(store, pointer, snapshot_id);
}

char *fixture_put_segment(struct store *store, const char *prefix, uint64_t number,
                          const char *mutations, const char *rest)
{
    char *key = g_strdup_printf("%s%020" PRIu64 "_x.wal", prefix, number);
    g_autofree char *payload =
        g_strdup_printf("{\"lsn\":%" PRIu64 ",\"mutations\":%s%s}", number, mutations, rest);
    char sum[BLAKE3_HEX_LENGTH + 1];
    blake3_hex(payload, strlen(payload), sum);
    g_autofree char *text = g_strdup_printf("UNIWAL2\n%s\n%s", sum, payload);
    fixture_put(store, key, text);
    return key;
}

#define FEATURES ",\"writer_features\":[\"endpoint_enforcement\"]"

char *fixture_put_commit(struct store *store, const char *prefix, uint64_t number)
{
    return fixture_put_segment(store, prefix, number, "[{\"DeleteVertex\":{\"vid\":1}}]", FEATURES);
}

char *fixture_put_seal(struct store *store, const char *prefix, uint64_t number)
{
    return fixture_put_segment(store, prefix, number, "[]", FEATURES ",\"announced_through\":1");
}

void fixture_delete(struct store *store, const char *key)
{
    assert_int_equal(store_delete(store, key, NULL, NULL), 0);
}

void fixture_replace(struct store *store, const char *key, const char *from, const char *to)
{
    g_autofree char *text = fixture_read(store, key);
    assert_non_null(text);
    g_auto(GStrv) parts = g_strsplit(text, from, -1);
    g_autofree char *replaced = g_strjoinv(to, parts);
    assert_string_not_equal(text, replaced);
    fixture_put(store, key, replaced);
}

static void put_database(struct store *store)
{
    fixture_put_dataset(store, "edges", "plain", 2);
    fixture_put_dataset(store, "vertices", "indexed", 4);
    fixture_put_dataset(store, "vertices_Person", "plain", 2);
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
}

struct store *fixture_database_with_jobs(unsigned jobs)
{
    struct store *store = memory_store_new(jobs);
    put_database(store);
    return store;
}

struct store *fixture_database(void)
{
    return fixture_database_with_jobs(1);
}

/* ---- On disk ---- */

/* A local store that removes its directory at the end. */
struct disposable_store {
    struct store base;
    char *path;
};

static void perform_inside(struct store *base, const struct store_request *request,
                           const struct operation *operation, struct store_answer *answer)
{
    base->wrapped->operations->perform(base->wrapped, request, operation, answer);
}

static int remove_file(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    return remove(path);
}

static void dispose(struct store *base)
{
    struct disposable_store *store = (struct disposable_store *)base;
    store_free(base->wrapped);
    nftw(store->path, remove_file, 8, FTW_DEPTH | FTW_PHYS);
    g_free(store->path);
}

/* Memory is quick to sync. */
static char *make_directory(void)
{
    char *path = g_strdup("/dev/shm/forkfs-test-XXXXXX");
    if (mkdtemp(path))
        return path;
    g_free(path);
    path = g_dir_make_tmp("forkfs-test-XXXXXX", NULL);
    assert_non_null(path);
    return path;
}

const char *fixture_path_on_disk(struct store *store)
{
    return store->operations->destroy == dispose ? ((struct disposable_store *)store)->path : NULL;
}

static unsigned count_names(const char *directory, const char *part)
{
    unsigned count = 0;
    GDir *dir = g_dir_open(directory, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        count += strstr(name, part) != NULL;
        count += count_names(path, part);
    }
    if (dir)
        g_dir_close(dir);
    return count;
}

struct store *fixture_database_on_disk(void)
{
    static const struct store_operations operations = {.perform = perform_inside,
                                                       .destroy = dispose};
    struct disposable_store *store = g_new0(struct disposable_store, 1);
    struct store *inner = NULL;
    store->path = make_directory();
    assert_int_equal(local_store_open(store->path, 1, &inner, NULL), 0);
    store_initialize_wrapper(&store->base, &operations, inner);
    put_database(&store->base);
    return &store->base;
}

/* ---- The catalog ---- */

struct catalog *fixture_open_on(struct store *store, const struct catalog_settings *settings)
{
    struct error err = {0};
    struct layout *layout = NULL;
    struct catalog *catalog = NULL;
    if (layout_new("", "storage/", "/srv/graph/storage", &layout, &err) ||
        catalog_open(store, layout, settings, NULL, &catalog, &err))
        fail_msg("%s", err.text);
    return catalog;
}

struct catalog *fixture_open_with(struct store *inner, const struct catalog_settings *settings,
                                  struct store **ret_faults)
{
    struct store *faults = fault_store_new(inner, false);
    if (ret_faults)
        *ret_faults = faults;
    return fixture_open_on(faults, settings);
}

struct catalog *fixture_open(struct store *inner, struct store **ret_faults)
{
    static const struct catalog_settings settings = {0};
    return fixture_open_with(inner, &settings, ret_faults);
}

struct catalog *fixture_open_read_only(struct store *inner)
{
    static const struct catalog_settings settings = {.read_only = true};
    return fixture_open_with(inner, &settings, NULL);
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

unsigned fixture_recover_due(struct catalog *catalog, struct error *ret_problem)
{
    struct error err = {0};
    struct recovery_report report = {0};
    if (catalog_recover_due(catalog, NULL, &report, &err))
        fail_msg("%s", err.text);
    *ret_problem = (struct error){0};
    if (report.problems->len > 0)
        *ret_problem = *(const struct error *)report.problems->pdata[0];
    unsigned done = report.rolled_back + report.finished + report.orphans;
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
    unsigned mentions =
        fixture_path_on_disk(store) ? count_names(fixture_path_on_disk(store), text) : 0;
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
    if (registry_load(store, FIXTURE_REGISTRY, NULL, NULL, &registry, &err))
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
        assert_true(entry->datasets->len >= FIXTURE_DATASETS);
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

void fixture_assert_clean(struct store *store)
{
    fixture_assert_clean_at(store, "/srv/graph/storage");
}

void fixture_assert_clean_at(struct store *store, const char *base_uri)
{
    struct error err = {0};
    struct layout *layout = NULL;
    g_autoptr(GPtrArray) findings = NULL;
    assert_int_equal(layout_new("", "storage/", base_uri, &layout, NULL), 0);
    if (catalog_fsck(store, layout, NULL, &findings, &err))
        fail_msg("%s", err.text);
    layout_free(layout);
    if (findings->len > 0)
        fail_msg("%s", ((const struct fsck_finding *)g_ptr_array_index(findings, 0))->text);
}

struct ulid fixture_create(struct catalog *catalog, const char *name, const char *parent)
{
    struct error err = {0};
    struct ulid id;
    if (catalog_create(catalog, name, parent, NULL, &id, &err))
        fail_msg("%s", err.text);
    return id;
}

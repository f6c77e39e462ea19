#include "unit/catalog/fsck/fsck_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "lance/branch_name.h"
#include "lance/manifest.h"
#include "unit/stores/memory_store.h"
#include "unit/unit.h"

void put_text(struct fsck_fixture *fixture, const char *key, const char *text)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    assert_int_equal(store_put(fixture->store, key, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
}

static void put_dataset(struct fsck_fixture *fixture, const char *dataset)
{
    const char *top = getenv("srcdir");
    g_autofree char *path =
        g_strdup_printf("%s/tests/data/manifests/plain.manifest", top ? top : ".");
    g_autofree char *data = NULL;
    gsize size;
    struct manifest_summary summary;
    assert_true(g_file_get_contents(path, &data, &size, NULL));
    auto_bytes struct bytes *body = bytes_new(data, size);
    assert_int_equal(manifest_summarize(body, &summary, NULL), 0);
    g_autofree char *root = layout_dataset_key(fixture->layout, dataset);
    g_autofree char *key = lance_manifest_key(root, NULL, summary.version);
    assert_int_equal(store_put(fixture->store, key, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
}

int fsck_set_up(void **state)
{
    struct fsck_fixture *fixture = g_new0(struct fsck_fixture, 1);
    const struct catalog_settings settings = {0};
    struct layout *layout;
    struct error err;
    *state = fixture;
    fixture->store = fault_store_new(memory_store_new(1), true);
    assert_int_equal(layout_new("", "storage/", "/db/storage", &fixture->layout, NULL), 0);
    assert_int_equal(layout_new("", "storage/", "/db/storage", &layout, NULL), 0);
    put_text(fixture, "catalog/schema.json",
             "{\"schema_version\": 1, \"labels\": {}, \"edge_types\": {}, \"properties\": {}}");
    put_text(fixture, "id_allocator.json", "{\"next_vid_batch\": 10, \"next_eid_batch\": 20}");
    put_text(fixture, "storage/catalog/latest", "s1");
    put_text(fixture, "storage/catalog/manifests/s1.json",
             "{\"snapshot_id\": \"s1\", \"name\": null, \"created_at\": \"2026-08-01T12:00:00Z\", "
             "\"parent_snapshot\": null, \"schema_version\": 1, \"version_high_water_mark\": 4, "
             "\"wal_high_water_mark\": 0, \"vertices\": {}, \"edges\": {}}");
    put_dataset(fixture, "vertices");
    put_dataset(fixture, "edges");
    if (catalog_open(fixture->store, layout, &settings, NULL, &fixture->catalog, &err) != 0 ||
        catalog_create(fixture->catalog, "audit", NULL, NULL, &fixture->id, &err) != 0)
        fail_msg("%s", err.text);
    fixture->branch = layout_branch_name(&fixture->id, "vertices");
    return 0;
}

int fsck_tear_down(void **state)
{
    struct fsck_fixture *fixture = *state;
    catalog_free(fixture->catalog);
    layout_free(fixture->layout);
    g_free(fixture->branch);
    g_free(fixture);
    return 0;
}

GPtrArray *findings_of(struct fsck_fixture *fixture)
{
    GPtrArray *findings = NULL;
    struct error err;
    if (catalog_fsck(fixture->store, fixture->layout, NULL, &findings, &err) != 0)
        fail_msg("%s", err.text);
    return findings;
}

const struct fsck_finding *finding_at(const GPtrArray *findings, guint i)
{
    return g_ptr_array_index(findings, i);
}

void assert_findings_of(struct fsck_fixture *fixture, const char *const *parts)
{
    g_autoptr(GPtrArray) findings = findings_of(fixture);
    guint expected = 0;
    for (; parts[expected]; expected++) {
        bool found = false;
        for (guint i = 0; i < findings->len; i++)
            found = found || strstr(finding_at(findings, i)->text, parts[expected]);
        if (!found)
            fail_msg("missing finding: %s (first of %u: %s)", parts[expected], findings->len,
                     findings->len > 0 ? finding_at(findings, 0)->text : "none");
    }
    if (findings->len != expected) {
        g_autoptr(GString) all = g_string_new(NULL);
        for (guint i = 0; i < findings->len; i++)
            g_string_append_printf(all, "%s\n", finding_at(findings, i)->text);
        fail_msg("%u findings, not %u:\n%s", findings->len, expected, all->str);
    }
}

void delete_key(struct fsck_fixture *fixture, const char *key)
{
    assert_int_equal(store_delete(fixture->store, key, NULL, NULL), 0);
}

char *read_text(struct fsck_fixture *fixture, const char *key)
{
    auto_bytes struct bytes *body = NULL;
    assert_int_equal(store_get(fixture->store, key, NULL, &body, NULL, NULL), 0);
    return g_strndup(body->data, body->size);
}

void edit_registry(struct fsck_fixture *fixture, const char *from, const char *to)
{
    g_autofree char *text = read_text(fixture, "catalog/fork_registry.json");
    assert_non_null(strstr(text, from));
    g_auto(GStrv) parts = g_strsplit(text, from, -1);
    g_autofree char *edited = g_strjoinv(to, parts);
    put_text(fixture, "catalog/fork_registry.json", edited);
}

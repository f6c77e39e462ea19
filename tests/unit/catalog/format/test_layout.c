#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "catalog/format/layout.h"

#define ID "01KYYN40FVQ2D7R9S4TAX6BCE3"
static const struct ulid id = {ID};

static void assert_text(char *actual, const char *expected)
{
    assert_string_equal(actual, expected);
    g_free(actual);
}

static void datasets_may_lie_apart(void **state)
{
    struct layout *layout = NULL;
    assert_int_equal(
        layout_new_apart("", "", "graphs/one/", "s3://bucket/graphs/one", &layout, NULL), 0);
    assert_text(layout_registry_key(layout), "catalog/fork_registry.json");
    assert_text(layout_snapshot_pointer_key(layout), "catalog/latest");
    assert_text(layout_fork_allocator_key(layout, &id), "catalog/forks/" ID "/id_allocator.json");
    assert_text(layout_fork_wals_prefix(layout), "wal_forks/");
    assert_text(layout_probes_prefix(layout), "catalog/fork_probes/");
    assert_text(layout_datasets_prefix(layout), "graphs/one/");
    assert_text(layout_dataset_key(layout, "edges"), "graphs/one/edges.lance");
    assert_text(layout_dataset_uri(layout, "edges"), "s3://bucket/graphs/one/edges.lance");
    layout_free(layout);
}

static struct layout *make(const char *metadata, const char *storage, const char *base_uri)
{
    struct layout *layout = NULL;
    struct error error = {0};
    assert_int_equal(layout_new(metadata, storage, base_uri, &layout, &error), 0);
    return layout;
}

static void local_metadata_keys_are_those_of_uni(void **state)
{
    struct layout *layout = make("", "storage/", "/srv/graph/storage");
    assert_text(layout_registry_key(layout), "catalog/fork_registry.json");
    assert_text(layout_schema_key(layout), "catalog/schema.json");
    assert_text(layout_legacy_schema_key(layout), "schema.json");
    assert_text(layout_allocator_key(layout), "id_allocator.json");
    assert_text(layout_wal_prefix(layout), "wal/");
    assert_text(layout_overlays_prefix(layout), "catalog/fork_schemas/");
    assert_text(layout_overlay_key(layout, &id), "catalog/fork_schemas/" ID ".json");
    assert_text(layout_tombstones_prefix(layout), "catalog/fork_tombstones/");
    assert_text(layout_tombstone_key(layout, &id), "catalog/fork_tombstones/" ID ".json");
    layout_free(layout);
}

static void local_storage_keys_are_those_of_uni(void **state)
{
    struct layout *layout = make("", "storage/", "/srv/graph/storage");
    assert_text(layout_datasets_prefix(layout), "storage/");
    assert_text(layout_snapshot_pointer_key(layout), "storage/catalog/latest");
    assert_text(layout_snapshots_prefix(layout), "storage/catalog/manifests/");
    assert_text(layout_snapshot_key(layout, "s-1"), "storage/catalog/manifests/s-1.json");
    assert_text(layout_bulk_load_intent_key(layout), "storage/catalog/bulk_flush_intent.json");
    assert_text(layout_forks_prefix(layout), "storage/catalog/forks/");
    assert_text(layout_fork_prefix(layout, &id), "storage/catalog/forks/" ID "/");
    assert_text(layout_fork_allocator_key(layout, &id),
                "storage/catalog/forks/" ID "/id_allocator.json");
    assert_text(layout_fork_pointer_key(layout, &id), "storage/catalog/forks/" ID "/latest");
    assert_text(layout_fork_snapshots_prefix(layout, &id),
                "storage/catalog/forks/" ID "/manifests/");
    assert_text(layout_fork_snapshot_key(layout, &id, "s-1"),
                "storage/catalog/forks/" ID "/manifests/s-1.json");
    assert_text(layout_fork_wals_prefix(layout), "storage/wal_forks/");
    assert_text(layout_fork_wal_prefix(layout, &id), "storage/wal_forks/" ID "/");
    assert_text(layout_dataset_key(layout, "vertices_Person"), "storage/vertices_Person.lance");
    assert_text(layout_dataset_uri(layout, "vertices_Person"),
                "/srv/graph/storage/vertices_Person.lance");
    layout_free(layout);
}

static void prefixes_of_an_object_store_go_in_front(void **state)
{
    struct layout *layout = make("meta/", "graphs/one/", "s3://bucket/graphs/one");
    assert_text(layout_registry_key(layout), "meta/catalog/fork_registry.json");
    assert_text(layout_wal_prefix(layout), "meta/wal/");
    assert_text(layout_fork_wals_prefix(layout), "graphs/one/wal_forks/");
    assert_text(layout_dataset_key(layout, "edges"), "graphs/one/edges.lance");
    assert_text(layout_dataset_uri(layout, "edges"), "s3://bucket/graphs/one/edges.lance");
    layout_free(layout);
}

static void empty_prefixes_mean_the_root(void **state)
{
    struct layout *layout = make("", "", "s3://bucket");
    assert_text(layout_datasets_prefix(layout), "");
    assert_text(layout_snapshot_pointer_key(layout), "catalog/latest");
    assert_text(layout_dataset_key(layout, "edges"), "edges.lance");
    layout_free(layout);
}

static void a_uri_means_a_bucket(void **state)
{
    struct layout *bucket = make("", "", "s3://bucket");
    struct layout *directory = make("", "storage/", "/s3:/storage");
    assert_true(layout_is_remote(bucket));
    assert_false(layout_is_remote(directory));
    layout_free(bucket);
    layout_free(directory);
}

static void local_metadata_is_remembered(void **state)
{
    struct layout *layout = make("", "", "s3://bucket");
    assert_null(layout_local_metadata(layout));
    layout_set_local_metadata(layout, "/srv/graph");
    assert_string_equal(layout_local_metadata(layout), "/srv/graph");
    assert_text(layout_allocator_key(layout), "id_allocator.json");
    layout_free(layout);
}

static void a_prefix_that_is_no_valid_key_is_refused(void **state)
{
    static const char *const bad[] = {"storage", "/", "/storage/", "a//b/", "../", "a/./"};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct layout *layout = NULL;
        struct error error = {0};
        assert_int_equal(layout_new(bad[i], "", "/x", &layout, &error), ERR_INVALID);
        assert_non_null(strstr(error.text, "metadata"));
        assert_int_equal(layout_new("", bad[i], "/x", &layout, &error), ERR_INVALID);
        assert_non_null(strstr(error.text, "storage"));
        assert_int_equal(layout_new("", bad[i], "/x", &layout, NULL), ERR_INVALID);
        assert_null(layout);
    }
}

static void a_base_uri_that_is_not_utf8_is_refused(void **state)
{
    struct layout *layout = NULL;
    struct error error = {0};
    assert_int_equal(layout_new("", "storage/", "/srv/\xff", &layout, &error), ERR_INVALID);
    assert_null(layout);
}

static void branch_names_carry_the_id_and_the_dataset(void **state)
{
    assert_text(layout_branch_name(&id, "vertices_Person"), "fork_" ID "_vertices_Person");
}

static void branch_names_tell_the_id(void **state)
{
    struct ulid found;
    assert_true(layout_id_of_branch("fork_" ID "_vertices_Person", &found));
    assert_true(ulid_equal(&found, &id));
    assert_true(layout_id_of_branch("fork_" ID "_", &found));
    const char *const others[] = {"",
                                  "fork_",
                                  "team",
                                  "fork_" ID,
                                  "fork_" ID "/x",
                                  "Fork_" ID "_x",
                                  "fork_u" ID "_x",
                                  "team_" ID "_x"};
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        assert_false(layout_id_of_branch(others[i], &found));
}

static void a_branch_belongs_to_the_fork_whose_id_it_carries(void **state)
{
    struct ulid other = id;
    other.text[ULID_LENGTH - 1] ^= 1;
    assert_true(layout_branch_is_of("fork_" ID "_vertices_Person", &id));
    assert_true(layout_branch_is_of("fork_" ID "_", &id));
    assert_false(layout_branch_is_of("fork_" ID "_vertices_Person", &other));
    g_autofree char *lower = g_ascii_strdown("FORK_" ID "_x", -1);
    const char *const others[] = {"", "fork_", "fork_" ID, "Fork_" ID "_x", "fork_" ID "/x", lower};
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        assert_false(layout_branch_is_of(others[i], &id));
}

static void dataset_names_that_could_leave_the_prefix_are_unsafe(void **state)
{
    g_autofree char *longest = g_strnfill(240, 'a');
    g_autofree char *too_long = g_strnfill(241, 'a');
    const char *const bad[] = {"",      ".",    "..",        "a/b",    "a\\b", "a\nb",
                               "a\x7f", "\xff", "a\xc2\x85", too_long, "/"};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_false(layout_dataset_name_is_safe(bad[i]));

    const char *const good[] = {"vertices", "vertices_a:b",      "...",
                                "a b",      "vertices_\xc3\xa9", longest};
    for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
        assert_true(layout_dataset_name_is_safe(good[i]));
}

static void a_dataset_is_branchable_when_its_branch_has_a_name_that_the_engine_takes(void **state)
{
    static const char *const good[] = {"vertices", "a.b-c_d", "vertices_\xc3\xa9"};
    for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
        assert_int_equal(layout_check_branchable(good[i], NULL), 0);
    static const char *const bad[] = {"a b", "a:b", "a..b", "a.lock", "e\xcc\x81"};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_int_equal(layout_check_branchable(bad[i], NULL), ERR_UNSUPPORTED);
}

/* Its ref file writes each byte beyond ASCII as three. */
static void
a_dataset_is_branchable_when_its_ref_file_has_a_name_that_file_systems_take(void **state)
{
    GString *name = g_string_new(NULL);
    for (int i = 0; i < 33; i++)
        g_string_append(name, "\xc3\xa9");
    assert_int_equal(layout_check_branchable(name->str, NULL), 0);
    g_string_append(name, "\xc3\xa9");
    struct error err;
    assert_int_equal(layout_check_branchable(name->str, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "too long"));
    g_string_free(name, TRUE);
}

static void freeing_nothing_does_nothing(void **state)
{
    layout_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_metadata_keys_are_those_of_uni),
        cmocka_unit_test(datasets_may_lie_apart),
        cmocka_unit_test(local_storage_keys_are_those_of_uni),
        cmocka_unit_test(prefixes_of_an_object_store_go_in_front),
        cmocka_unit_test(empty_prefixes_mean_the_root),
        cmocka_unit_test(a_prefix_that_is_no_valid_key_is_refused),
        cmocka_unit_test(a_uri_means_a_bucket),
        cmocka_unit_test(local_metadata_is_remembered),
        cmocka_unit_test(a_base_uri_that_is_not_utf8_is_refused),
        cmocka_unit_test(branch_names_carry_the_id_and_the_dataset),
        cmocka_unit_test(branch_names_tell_the_id),
        cmocka_unit_test(a_branch_belongs_to_the_fork_whose_id_it_carries),
        cmocka_unit_test(dataset_names_that_could_leave_the_prefix_are_unsafe),
        cmocka_unit_test(a_dataset_is_branchable_when_its_branch_has_a_name_that_the_engine_takes),
        cmocka_unit_test(
            a_dataset_is_branchable_when_its_ref_file_has_a_name_that_file_systems_take),
        cmocka_unit_test(freeing_nothing_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

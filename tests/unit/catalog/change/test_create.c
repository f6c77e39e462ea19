/*
 * What a create makes, of the primary graph and of a fork, and what it costs.
 */
#include "unit/unit.h"

#include <string.h>

#include "base/timestamp.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "unit/catalog/change/change_fixture.h"

static struct branch_ref *read_ref(struct change_fixture *fixture, const struct ulid *id,
                                   const char *dataset)
{
    g_autofree char *branch = layout_branch_name(id, dataset);
    g_autofree char *root = g_strdup_printf("storage/%s.lance", dataset);
    g_autofree char *key = lance_branch_ref_key(root, branch);
    auto_bytes struct bytes *body = NULL;
    struct branch_ref *ref = NULL;
    assert_int_equal(store_get(fixture->store, key, NULL, &body, NULL, NULL), 0);
    assert_int_equal(branch_ref_parse(body, &ref, NULL), 0);
    return ref;
}

/* ---- What is made ---- */

static void a_fork_has_branches_allocator_and_overlay(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid id = fixture_create(fixture->catalog, "audit", NULL);
    fixture_assert_whole(fixture->store);
    fixture_assert_clean(fixture->store);
    struct fork_entry *entry = change_fixture_entry(fixture, "audit");
    assert_true(ulid_equal(&entry->id, &id));
    assert_int_equal(entry->status, FORK_ACTIVE);
    assert_false(entry->has_parent);
    assert_false(entry->has_expiry);
    assert_string_equal(entry->parent_snapshot_id, FIXTURE_SNAPSHOT);
    assert_int_equal(entry->schema_version, 4);
    assert_int_equal(entry->version_mark, 43); /* where a reopened Uni starts */
    assert_int_equal(entry->datasets->len, FIXTURE_DATASETS);
    fork_entry_unref(entry);
    g_autofree char *key = g_strdup_printf("storage/catalog/forks/%s/id_allocator.json", id.text);
    g_autofree char *allocator = fixture_read(fixture->store, key);
    assert_string_equal(allocator, "{\n  \"next_vid_batch\": 3000,\n  \"next_eid_batch\": 1000\n}");
}

static void the_registry_is_written_as_uni_writes_it(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid id = fixture_create(fixture->catalog, "audit", NULL);
    struct fork_entry *entry = change_fixture_entry(fixture, "audit");
    char created_at[TIMESTAMP_TEXT_SIZE];
    timestamp_format(entry->created_at, created_at);
    fork_entry_unref(entry);
    g_autofree char *expected = g_strdup_printf(
        "{\n  \"forks\": {\n    \"audit\": {\n      \"id\": \"%s\",\n      \"name\": \"audit\",\n"
        "      \"parent_fork_id\": null,\n      \"parent_snapshot_id\": \"" FIXTURE_SNAPSHOT
        "\",\n      \"created_at\": \"%s\",\n      \"ttl_expires_at\": null,\n"
        "      \"schema_version_at_creation\": 4,\n      \"datasets\": {\n"
        "        \"edges\": \"fork_%s_edges\",\n        \"vertices\": \"fork_%s_vertices\",\n"
        "        \"vertices_Person\": \"fork_%s_vertices_Person\"\n      },\n"
        "      \"fork_point_version_hwm\": 43,\n      \"status\": \"active\"\n    }\n  }\n}",
        id.text, created_at, id.text, id.text, id.text);
    g_autofree char *text = fixture_read(fixture->store, FIXTURE_REGISTRY);
    assert_string_equal(text, expected);
}

static void an_empty_database_can_be_forked(void **state)
{
    struct change_fixture *fixture = *state;
    struct store *store = memory_store_new(1);
    fixture_put(store, "schema.json",
                "{\"schema_version\": 1, \"labels\": {}, \"edge_types\": {}, \"properties\": {}}");
    struct catalog *catalog = fixture_open(store, NULL);
    fixture_create(catalog, "audit", NULL);
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find(registry, "audit");
    assert_string_equal(entry->parent_snapshot_id, "uninitialized");
    assert_int_equal(entry->version_mark, 0);
    assert_int_equal(entry->datasets->len, 0);
    catalog_free(catalog);
    store_free(store);
    assert_int_equal(fixture_status(fixture->store, "audit"), -1);
}

static void datasets_of_no_label_are_not_branched(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_put_dataset(fixture->store, "notes", "plain", 2);
    fixture_create(fixture->catalog, "audit", NULL);
    struct fork_entry *entry = change_fixture_entry(fixture, "audit");
    assert_null(fork_entry_branch(entry, "notes"));
    fork_entry_unref(entry);
}

/* As Uni 5 does; and the type may have come by a commit between two creates. */
static void datasets_of_an_undeclared_edge_type_are_branched(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_put_dataset(fixture->store, "deltas_LIKES_fwd", "plain", 2);
    fixture_create(fixture->catalog, "before", NULL);
    fixture_replace(fixture->store, "catalog/schema.json", "\"properties\": {}",
                    "\"properties\": {}, \"schemaless_registry\": {\"name_to_id\": {\"LIKES\": "
                    "2147483649}, \"id_to_name\": {\"2147483649\": \"LIKES\"}, "
                    "\"next_local_id\": 2}");
    fixture_create(fixture->catalog, "after", NULL);
    fixture_create(fixture->catalog, "child", "after");
    struct fork_entry *before = change_fixture_entry(fixture, "before"),
                      *after = change_fixture_entry(fixture, "after"),
                      *child = change_fixture_entry(fixture, "child");
    assert_null(fork_entry_branch(before, "deltas_LIKES_fwd"));
    assert_non_null(fork_entry_branch(after, "deltas_LIKES_fwd"));
    assert_null(fork_entry_branch(after, "deltas_LIKES_bwd")); /* it does not exist */
    assert_non_null(fork_entry_branch(child, "deltas_LIKES_fwd"));
    fork_entry_unref(before);
    fork_entry_unref(after);
    fork_entry_unref(child);
    fixture_assert_whole(fixture->store);
}

static char *read_overlay(struct change_fixture *fixture, const struct ulid *id)
{
    g_autofree char *key = g_strdup_printf("catalog/fork_schemas/%s.json", id->text);
    return fixture_read(fixture->store, key);
}

/* Else Uni 5 would not look into the datasets that it has of them. */
static void a_fork_names_the_undeclared_edge_types_of_main_and_of_its_parent(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_replace(
        fixture->store, "catalog/schema.json", "\"properties\": {}",
        "\"properties\": {}, \"schemaless_registry\": {\"name_to_id\": {\"LIKES\": 1}}");
    struct ulid parent = fixture_create(fixture->catalog, "parent", NULL);
    g_autofree char *of_parent = read_overlay(fixture, &parent);
    assert_non_null(strstr(of_parent, "\"added_schemaless_edge_types\": [\n    \"LIKES\"\n  ]"));
    g_autofree char *key = g_strdup_printf("catalog/fork_schemas/%s.json", parent.text);
    fixture_put(fixture->store, key, "{\"added_schemaless_edge_types\": [\"SEES\", \"LIKES\"]}");
    struct ulid child = fixture_create(fixture->catalog, "child", "parent");
    g_autofree char *of_child = read_overlay(fixture, &child);
    assert_non_null(strstr(of_child, "\"added_schemaless_edge_types\": [\n    \"SEES\",\n"
                                     "    \"LIKES\"\n  ]"));
    fixture_put(fixture->store, key, "{");
    assert_int_equal(catalog_create(fixture->catalog, "other", "parent", NULL, NULL, NULL),
                     ERR_CORRUPT);
}

static void a_dataset_that_appears_later_is_branched_too(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "first", NULL);
    fixture_put_dataset(fixture->store, "deltas_KNOWS_fwd", "plain", 2);
    fixture_create(fixture->catalog, "second", NULL);
    struct fork_entry *entry = change_fixture_entry(fixture, "second");
    assert_non_null(fork_entry_branch(entry, "deltas_KNOWS_fwd"));
    fork_entry_unref(entry);
}

static void the_legacy_place_of_the_schema_counts_when_there_is_no_other(void **state)
{
    struct change_fixture *fixture = *state;
    g_autofree char *schema = fixture_read(fixture->store, "catalog/schema.json");
    fixture_delete(fixture->store, "catalog/schema.json");
    fixture_put(fixture->store, "schema.json", schema);
    change_fixture_reopen(fixture, NULL);
    fixture_create(fixture->catalog, "audit", NULL);
    struct fork_entry *entry = change_fixture_entry(fixture, "audit");
    assert_int_equal(entry->schema_version, 4);
    assert_non_null(fork_entry_branch(entry, "vertices_Person"));
    fork_entry_unref(entry);
}

static void manifests_with_old_names_are_branched(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_put(fixture->store, "storage/edges.lance/_versions/1.manifest", "older");
    g_autofree char *key = lance_manifest_key("storage/edges.lance", NULL, 2);
    auto_bytes struct bytes *manifest = NULL;
    assert_int_equal(store_get(fixture->store, key, NULL, &manifest, NULL, NULL), 0);
    assert_int_equal(store_put(fixture->store, "storage/edges.lance/_versions/2.manifest", manifest,
                               STORE_ALWAYS, NULL, NULL, NULL, NULL),
                     0);
    fixture_delete(fixture->store, key);
    struct ulid id = fixture_create(fixture->catalog, "audit", NULL);
    struct branch_ref *ref = read_ref(fixture, &id, "edges");
    assert_int_equal(ref->parent_version, 2);
    branch_ref_free(ref);
    fixture_assert_whole(fixture->store);
}

/* ---- Nested forks ---- */

static void a_nested_fork_branches_its_parent(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid parent = fixture_create(fixture->catalog, "parent", NULL);
    g_autofree char *allocator =
        g_strdup_printf("storage/catalog/forks/%s/id_allocator.json", parent.text);
    fixture_put(fixture->store, allocator, "{\"next_vid_batch\": 7000, \"next_eid_batch\": 8000}");
    struct ulid child = fixture_create(fixture->catalog, "child", "parent");
    struct fork_entry *entry = change_fixture_entry(fixture, "child");
    assert_true(entry->has_parent);
    assert_true(ulid_equal(&entry->parent_id, &parent));
    assert_string_equal(entry->parent_snapshot_id, "uninitialized"); /* it never flushed */
    assert_int_equal(entry->version_mark, 43);
    assert_int_equal(entry->datasets->len, FIXTURE_DATASETS);
    fork_entry_unref(entry);
    g_autofree char *seeded =
        g_strdup_printf("storage/catalog/forks/%s/id_allocator.json", child.text);
    g_autofree char *text = fixture_read(fixture->store, seeded);
    assert_non_null(strstr(text, "7000"));
    fixture_assert_clean(fixture->store);
}

/* Not those of the schema. */
static void a_nested_fork_has_the_datasets_of_its_parent(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid parent = fixture_create(fixture->catalog, "parent", NULL);
    fixture_put_dataset(fixture->store, "deltas_KNOWS_fwd", "plain", 2);
    fixture_put_dataset(fixture->store, "deltas_LIKES_fwd", "plain", 2);
    auto_bytes struct bytes *addition = bytes_new_text("{\"deltas_KNOWS_fwd\": null}");
    assert_int_equal(catalog_register_datasets(fixture->catalog, &parent, addition, NULL, NULL), 0);
    fixture_replace(fixture->store, "catalog/schema.json", "KNOWS", "LIKES");
    fixture_create(fixture->catalog, "child", "parent");
    struct fork_entry *entry = change_fixture_entry(fixture, "child");
    assert_non_null(fork_entry_branch(entry, "deltas_KNOWS_fwd"));
    assert_int_equal(entry->datasets->len, FIXTURE_DATASETS + 1);
    fork_entry_unref(entry);
    fixture_assert_clean(fixture->store);
}

static void the_lineage_of_a_nested_fork_leads_to_its_parent(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid parent = fixture_create(fixture->catalog, "parent", NULL);
    struct ulid child = fixture_create(fixture->catalog, "child", "parent");
    struct branch_ref *parent_ref = read_ref(fixture, &parent, "vertices");
    struct branch_ref *child_ref = read_ref(fixture, &child, "vertices");
    g_autofree char *branch = layout_branch_name(&parent, "vertices");
    assert_string_equal(child_ref->parent_branch, branch);
    assert_true(branch_ref_descends(child_ref, parent_ref));
    branch_ref_free(parent_ref);
    branch_ref_free(child_ref);
}

static void a_nested_fork_starts_at_the_snapshot_of_its_parent(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid parent = fixture_create(fixture->catalog, "parent", NULL);
    g_autofree char *pointer = g_strdup_printf("storage/catalog/forks/%s/latest", parent.text);
    g_autofree char *manifest =
        g_strdup_printf("storage/catalog/forks/%s/manifests/own.json", parent.text);
    g_autofree char *text =
        fixture_read(fixture->store, "storage/catalog/manifests/" FIXTURE_SNAPSHOT ".json");
    fixture_put(fixture->store, pointer, "own");
    fixture_put(fixture->store, manifest, text);
    fixture_replace(fixture->store, manifest, FIXTURE_SNAPSHOT, "own");
    fixture_replace(fixture->store, manifest, "42", "99");
    fixture_create(fixture->catalog, "child", "parent");
    struct fork_entry *entry = change_fixture_entry(fixture, "child");
    assert_string_equal(entry->parent_snapshot_id, "own");
    assert_int_equal(entry->version_mark, 100);
    fork_entry_unref(entry);
}

static uint64_t mark_of_child(struct change_fixture *fixture, const char *parent)
{
    static unsigned number;
    g_autofree char *name = g_strdup_printf("child-%u", number++);
    fixture_create(fixture->catalog, name, parent);
    struct fork_entry *entry = change_fixture_entry(fixture, name);
    uint64_t mark = entry->version_mark;
    fork_entry_unref(entry);
    return mark;
}

/* Uni before 5 begins anew at the fork point whenever it opens a fork. */
static void a_nested_fork_sees_up_to_the_highest_mark_of_its_parent(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid parent = fixture_create(fixture->catalog, "parent", NULL);
    assert_int_equal(mark_of_child(fixture, "parent"), 43);
    fixture_put_fork_snapshot(fixture->store, &parent, "one", 45, 0);
    assert_int_equal(mark_of_child(fixture, "parent"), 46);
    fixture_put_fork_snapshot(fixture->store, &parent, "two", 50, 0);
    fixture_put_fork_snapshot(fixture->store, &parent, "three", 44, 0);
    assert_int_equal(mark_of_child(fixture, "parent"), 51);
    assert_int_equal(mark_of_child(fixture, "parent"), 51);
    fixture_put_fork_snapshot(fixture->store, &parent, "four", 60, 0);
    assert_int_equal(mark_of_child(fixture, "parent"), 61);
    fixture_assert_clean(fixture->store);
}

/* Its own mark is 43; what it flushed under a lower one changes nothing. */
static void a_nested_fork_sees_what_its_parent_inherits(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid parent = fixture_create(fixture->catalog, "parent", NULL);
    fixture_put_fork_snapshot(fixture->store, &parent, "low", 7, 0);
    assert_int_equal(mark_of_child(fixture, "parent"), 43);
}

static void the_highest_mark_is_found_among_any_number(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid parent = fixture_create(fixture->catalog, "parent", NULL);
    for (unsigned i = 0; i < 2100; i++) {
        g_autofree char *id = g_strdup_printf("snapshot-%04u", i);
        fixture_put_fork_snapshot(fixture->store, &parent, id, i == 2050 ? 90 : 50, 0);
    }
    assert_int_equal(mark_of_child(fixture, "parent"), 91);
}

/* Whether its mark is the highest cannot be told. */
static void a_damaged_snapshot_of_the_parent_is_corrupt_whichever(void **state)
{
    struct change_fixture *fixture = *state;
    struct error err = {0};
    struct ulid parent = fixture_create(fixture->catalog, "parent", NULL);
    g_autofree char *old =
        g_strdup_printf("storage/catalog/forks/%s/manifests/old.json", parent.text);
    g_autofree char *other = g_strdup_printf("storage/catalog/forks/%s/manifests/x", parent.text);
    fixture_put(fixture->store, old, "");
    fixture_put(fixture->store, other, "no manifest");
    fixture_put_fork_snapshot(fixture->store, &parent, "new", 50, 0);
    assert_int_equal(catalog_create(fixture->catalog, "child", "parent", NULL, NULL, &err),
                     ERR_CORRUPT);
    assert_non_null(strstr(err.text, old));
    fixture_delete(fixture->store, old);
    assert_int_equal(mark_of_child(fixture, "parent"), 51);
}

/* ---- Cost ---- */

static unsigned total_requests(struct change_fixture *fixture)
{
    unsigned total = 0;
    for (int method = 0; method < STORE_METHODS; method++)
        total += fault_store_total(fixture->faults, (enum store_method)method);
    return total;
}

static void a_create_with_warm_caches_takes_four_waves(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "first", NULL);
    unsigned waves = fault_store_waves(fixture->faults), requests = total_requests(fixture);
    fixture_create(fixture->catalog, "second", NULL);
    assert_int_equal(fault_store_waves(fixture->faults) - waves, 4);
    /* A listing and two puts per dataset; two registry puts, allocator, overlay; and WAL, intent,
     * datasets, schema in both places, pointer, allocator. */
    assert_int_equal(total_requests(fixture) - requests, 3 * FIXTURE_DATASETS + 4 + 7);
}

static void a_create_with_cold_caches_takes_at_most_six_waves(void **state)
{
    struct change_fixture *fixture = *state;
    unsigned waves = fault_store_waves(fixture->faults);
    fixture_create(fixture->catalog, "first", NULL);
    assert_in_range(fault_store_waves(fixture->faults) - waves, 4, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, change_set_up, change_tear_down)
#define TEST_ON_DISK(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, change_set_up_on_disk, change_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fork_has_branches_allocator_and_overlay),
        TEST_ON_DISK(a_fork_has_branches_allocator_and_overlay),
        TEST(the_registry_is_written_as_uni_writes_it),
        TEST(an_empty_database_can_be_forked),
        TEST(datasets_of_no_label_are_not_branched),
        TEST(datasets_of_an_undeclared_edge_type_are_branched),
        TEST(a_fork_names_the_undeclared_edge_types_of_main_and_of_its_parent),
        TEST(a_dataset_that_appears_later_is_branched_too),
        TEST(the_legacy_place_of_the_schema_counts_when_there_is_no_other),
        TEST(manifests_with_old_names_are_branched),
        TEST(a_nested_fork_branches_its_parent),
        TEST(a_nested_fork_has_the_datasets_of_its_parent),
        TEST(the_lineage_of_a_nested_fork_leads_to_its_parent),
        TEST(a_nested_fork_starts_at_the_snapshot_of_its_parent),
        TEST(a_nested_fork_sees_up_to_the_highest_mark_of_its_parent),
        TEST(a_nested_fork_sees_what_its_parent_inherits),
        TEST(the_highest_mark_is_found_among_any_number),
        TEST(a_damaged_snapshot_of_the_parent_is_corrupt_whichever),
        TEST(a_create_with_warm_caches_takes_four_waves),
        TEST_ON_DISK(a_create_with_warm_caches_takes_four_waves),
        TEST(a_create_with_cold_caches_takes_at_most_six_waves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What a create refuses. A refusal writes nothing.
 */
#include "unit/unit.h"

#include <string.h>

#include "lance/branch_name.h"
#include "unit/catalog/fork_fixture.h"

#define SNAPSHOT_KEY "storage/catalog/manifests/" FIXTURE_SNAPSHOT ".json"
#define OLDER_SNAPSHOT "0d1e9b7c-5a44-4c02-8a7b-b1d2c3e4f501"

/* Creating `name` fails with the code and a text that holds `part`, and writes nothing. */
static void assert_not_created(struct fork_fixture *fixture, const char *name, const char *parent,
                               int code, const char *part)
{
    struct error err = {0};
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    int actual = catalog_create(fixture->catalog, name, parent, NULL, NULL, &err);
    if (actual != code)
        fail_msg("%s instead of %s: %s", error_code_name(actual), error_code_name(code), err.text);
    assert_int_equal(err.code, code);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    if (!strstr(err.text, part))
        fail_msg("'%s' does not say '%s'", err.text, part);
}

static void assert_refuses(struct fork_fixture *fixture, int code, const char *part)
{
    assert_not_created(fixture, "new", NULL, code, part);
}

static void assert_refuses_child(struct fork_fixture *fixture, int code, const char *part)
{
    assert_not_created(fixture, "new", "audit", code, part);
}

static void assert_creates(struct fork_fixture *fixture)
{
    fixture_create(fixture->catalog, "new", NULL);
    fixture_assert_whole(fixture->store);
}

/* ---- Names ---- */

static void a_name_is_taken_whatever_the_status(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_not_created(fixture, "audit", NULL, ERR_EXISTS, "active");
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    assert_not_created(fixture, "audit", NULL, ERR_EXISTS, "pending");
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_not_created(fixture, "audit", NULL, ERR_EXISTS, "tombstoned");
}

static void names_that_break_the_rule_are_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    char name[257];
    memset(name, 'x', 256);
    name[256] = '\0';
    assert_not_created(fixture, "", NULL, ERR_INVALID, "empty");
    assert_not_created(fixture, " \t", NULL, ERR_INVALID, "");
    assert_not_created(fixture, "a\nb", NULL, ERR_INVALID, "U+000A");
    assert_not_created(fixture, "\xff", NULL, ERR_INVALID, "UTF-8");
    assert_not_created(fixture, name, NULL, ERR_NAME_TOO_LONG, "256");
}

/* Uni's recovery removes entries by the name in a tombstone. */
static void the_name_of_a_tombstone_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid old = ulid_new();
    g_autofree char *key = g_strdup_printf("catalog/fork_tombstones/%s.json", old.text);
    g_autofree char *text = g_strdup_printf(
        "{\"id\": \"%s\", \"name\": \"new\", \"parent_snapshot_id\": \"x\", \"created_at\": "
        "\"2026-08-01T12:34:56Z\", \"schema_version_at_creation\": 4, \"datasets\": {}, "
        "\"status\": \"active\"}",
        old.text);
    fixture_put(fixture->store, key, text);
    fork_fixture_reopen(fixture);
    assert_refuses(fixture, ERR_EXISTS, "tombstone");
    fixture_recover(fixture->catalog, NULL);
    assert_creates(fixture);
}

static void a_read_only_catalog_creates_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    struct catalog *catalog = fixture_open_read_only(fixture->store);
    assert_int_equal(catalog_create(catalog, "new", NULL, NULL, NULL, NULL), ERR_READ_ONLY);
    catalog_free(catalog);
}

/* ---- A database that was not cleanly closed ---- */

static void an_interrupted_table_swap_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put_dataset(fixture->store, "vertices_staging", "plain", 2);
    assert_refuses(fixture, ERR_UNCLEAN, "vertices_staging");
}

static void an_interrupted_bulk_load_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, "storage/catalog/bulk_flush_intent.json", "{}");
    assert_refuses(fixture, ERR_UNCLEAN, "bulk");
}

static void data_without_a_snapshot_pointer_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_delete(fixture->store, "storage/catalog/latest");
    fork_fixture_reopen(fixture); /* which does not miss it */
    assert_refuses(fixture, ERR_UNCLEAN, "catalog/latest");
    fixture_put(fixture->store, "storage/catalog/latest", " \n");
    assert_refuses(fixture, ERR_UNCLEAN, "catalog/latest");
}

/* ---- Snapshots ---- */

static void a_snapshot_manifest_that_is_missing_or_damaged_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_reopen(fixture); /* with an empty cache */
    g_autofree char *manifest = fixture_read(fixture->store, SNAPSHOT_KEY);
    fixture_delete(fixture->store, SNAPSHOT_KEY);
    assert_refuses(fixture, ERR_CORRUPT, SNAPSHOT_KEY);
    fixture_put(fixture->store, SNAPSHOT_KEY, "{");
    assert_refuses(fixture, ERR_CORRUPT, SNAPSHOT_KEY);
    fixture_put(fixture->store, SNAPSHOT_KEY, manifest);
    fixture_replace(fixture->store, SNAPSHOT_KEY, FIXTURE_SNAPSHOT, OLDER_SNAPSHOT);
    assert_refuses(fixture, ERR_CORRUPT, OLDER_SNAPSHOT);
    fixture_put(fixture->store, SNAPSHOT_KEY, manifest);
    assert_creates(fixture);
}

static void a_snapshot_pointer_that_leads_elsewhere_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, "storage/catalog/latest", "../../x");
    assert_refuses(fixture, ERR_CORRUPT, "../../x");
}

/* Puts a newer snapshot with that mark, whose parent is the fixture's (mark 42). */
static void put_newer_snapshot(struct fork_fixture *fixture, const char *id, const char *mark)
{
    g_autofree char *key = g_strdup_printf("storage/catalog/manifests/%s.json", id);
    g_autofree char *text = fixture_read(fixture->store, SNAPSHOT_KEY);
    fixture_put(fixture->store, key, text);
    fixture_replace(fixture->store, key, FIXTURE_SNAPSHOT, id);
    fixture_replace(fixture->store, key, "\"parent_snapshot\": null",
                    "\"parent_snapshot\": \"" FIXTURE_SNAPSHOT "\"");
    fixture_replace(fixture->store, key, "42", mark);
    fixture_put(fixture->store, "storage/catalog/latest", id);
}

static void a_pointer_overwritten_by_a_forks_flush_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    put_newer_snapshot(fixture, "fork-flush", "41");
    assert_refuses(fixture, ERR_UNCLEAN, "lower version mark"); /* the older one is cached */
    assert_refuses(fixture, ERR_UNCLEAN, "lower version mark"); /* so are both */
    fork_fixture_reopen(fixture);
    assert_refuses(fixture, ERR_UNCLEAN, "lower version mark"); /* none is */
    put_newer_snapshot(fixture, "flush", "43");
    assert_creates(fixture);
}

static void an_older_snapshot_may_be_gone_but_not_damaged(void **state)
{
    struct fork_fixture *fixture = *state;
    put_newer_snapshot(fixture, "flush", "50");
    fixture_put(fixture->store, SNAPSHOT_KEY, "{");
    fork_fixture_reopen(fixture);
    assert_refuses(fixture, ERR_CORRUPT, SNAPSHOT_KEY);
    fixture_delete(fixture->store, SNAPSHOT_KEY);
    assert_creates(fixture);
}

static void an_older_snapshot_that_leads_elsewhere_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    put_newer_snapshot(fixture, "flush", "50");
    fixture_replace(fixture->store, "storage/catalog/manifests/flush.json",
                    "\"" FIXTURE_SNAPSHOT "\"", "\"../../x\"");
    assert_refuses(fixture, ERR_CORRUPT, "parent_snapshot");
}

/* ---- Other documents ---- */

static void a_damaged_schema_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, "catalog/schema.json", "{\"schema_version\": 1}");
    assert_refuses(fixture, ERR_CORRUPT, "catalog/schema.json");
    fixture_put(fixture->store, "catalog/schema.json", "");
    assert_refuses(fixture, ERR_CORRUPT, "catalog/schema.json");
}

static void a_damaged_allocator_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, "id_allocator.json", "{\"next_vid_batch\": -1}");
    assert_refuses(fixture, ERR_CORRUPT, "allocator");
}

static void a_damaged_dataset_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *key = lance_manifest_key("storage/edges.lance", NULL, 3);
    fixture_put(fixture->store, key, "no manifest");
    assert_refuses(fixture, ERR_CORRUPT, "edges");
}

static void a_dataset_that_changes_while_it_is_read_is_another_try(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_reopen(fixture);
    fault_store_match(fixture->faults, "edges.lance/_versions/");
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_GET, 1, false, ERR_NOT_FOUND);
    assert_refuses(fixture, ERR_CONTENDED, "edges");
    assert_creates(fixture);
}

static void a_dataset_whose_name_cannot_be_part_of_a_branch_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_replace(fixture->store, "catalog/schema.json", "\"Ghost\"", "\"a:b\"");
    assert_creates(fixture); /* no vertex has the label */
    fixture_put_dataset(fixture->store, "vertices_a:b", "plain", 2);
    assert_not_created(fixture, "newer", NULL, ERR_UNSUPPORTED, "vertices_a:b");
}

/* Uni before 5 reads its rows in main; Uni 5, which may have taken the database over, does not. */
static void one_of_an_undeclared_type_is_refused_once_uni_5_has_flushed(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put_dataset(fixture->store, "deltas_a:b_fwd", "plain", 2);
    fixture_replace(fixture->store, "catalog/schema.json", "\"properties\": {}",
                    "\"properties\": {}, \"schemaless_registry\": {\"name_to_id\": {\"a:b\": "
                    "2147483649}, \"id_to_name\": {\"2147483649\": \"a:b\"}}");
    assert_creates(fixture);
    fixture_replace(fixture->store, SNAPSHOT_KEY, "\"edges\": {}",
                    "\"edges\": {}, \"writer_features\": [\"endpoint_enforcement\"]");
    fork_fixture_reopen(fixture);
    assert_not_created(fixture, "newer", NULL, ERR_UNSUPPORTED, "deltas_a:b_fwd");
}

static void so_is_one_that_the_parent_has(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_replace(fixture->store, FIXTURE_REGISTRY, "\"edges\": ", "\"ed:ges\": ");
    fork_fixture_reopen(fixture);
    assert_refuses_child(fixture, ERR_UNSUPPORTED, "ed:ges");
}

/* ---- Parents ---- */

static void a_parent_must_be_there_and_active(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_not_created(fixture, "new", "nobody", ERR_NOT_FOUND, "nobody");
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    assert_refuses_child(fixture, ERR_PENDING, "audit");
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_refuses_child(fixture, ERR_STALE, "'audit' is being dropped");
}

static void forks_are_nested_to_a_depth_only(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *parent = g_strdup("audit");
    for (int depth = 1; depth <= FORK_ANCESTORS_MAX + 1; depth++) {
        char *child = g_strdup_printf("level%d", depth);
        fixture_create(fixture->catalog, child, parent);
        g_free(parent);
        parent = child;
    }
    assert_not_created(fixture, "newer", parent, ERR_NOT_PERMITTED, "65 deep");
}

static void a_parent_whose_id_is_another_forks_too_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, other.text, fixture->id.text);
    fork_fixture_reopen(fixture);
    assert_refuses_child(fixture, ERR_CORRUPT, "several entries");
}

static void a_parent_with_names_that_lead_elsewhere_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_replace(fixture->store, FIXTURE_REGISTRY, fixture->branch, "../../x");
    fork_fixture_reopen(fixture);
    assert_refuses_child(fixture, ERR_CORRUPT, fixture->id.text);
}

static void a_parent_without_its_branch_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *ref = lance_branch_ref_key(FORK_DATASET, fixture->branch);
    g_autofree char *manifest = lance_manifest_key(FORK_DATASET, fixture->branch, 2);
    fixture_delete(fixture->store, ref);
    assert_refuses_child(fixture, ERR_CORRUPT, "no ref");
    fixture_delete(fixture->store, manifest);
    assert_refuses_child(fixture, ERR_CORRUPT, "does not exist");
}

static void a_parent_whose_snapshot_is_missing_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *pointer = g_strdup_printf("storage/catalog/forks/%s/latest", fixture->id.text);
    fixture_put(fixture->store, pointer, "gone");
    assert_refuses_child(fixture, ERR_CORRUPT, "gone");
}

/* ---- The store ---- */

static void a_store_that_refuses_reads_is_the_reason(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_READS, 3, false, ERR_ACCESS);
    assert_refuses(fixture, ERR_ACCESS, "injected");
}

static void a_store_that_refuses_the_first_write_is_the_reason(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 1, false, ERR_NO_SPACE);
    assert_refuses(fixture, ERR_NO_SPACE, "pending");
}

static void a_store_that_refuses_a_branch_is_the_reason(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_match(fixture->faults, "edges.lance/tree");
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 1, false, ERR_NO_SPACE);
    assert_refuses(fixture, ERR_NO_SPACE, "writing the branches");
}

/* There is no room for the last files, nor for the fence; but once the others are deleted. */
static struct fork_fixture *full;

static void make_room_after_the_fence(int64_t puts)
{
    if (fault_store_count(full->faults) >= (unsigned)puts)
        fault_store_disarm(full->faults);
}

static void what_cannot_be_fenced_for_lack_of_room_loses_its_files_first(void **state)
{
    const unsigned files = (2 * FIXTURE_DATASETS) + 2;
    struct error err = {0};
    full = *state;
    fault_store_when_fired(full->faults, make_room_after_the_fence, 1 + files + 1);
    fault_store_arm(full->faults, FAULT_FAIL, 1u << STORE_PUT, files - 1, true, ERR_NO_SPACE);
    assert_int_equal(catalog_create(full->catalog, "new", NULL, NULL, NULL, &err), ERR_NO_SPACE);
    assert_null(strstr(err.text, "left for recovery"));
    assert_int_equal(fixture_status(full->store, "new"), -1);
    fixture_assert_clean(full->store);
}

static void what_cannot_be_undone_is_left_for_recovery(void **state)
{
    struct fork_fixture *fixture = *state;
    struct error err = {0};
    fault_store_match(fixture->faults, "edges.lance/tree");
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_ALL, 1, true, ERR_ACCESS);
    assert_int_equal(catalog_create(fixture->catalog, "new", NULL, NULL, NULL, &err), ERR_ACCESS);
    assert_non_null(strstr(err.text, "left for recovery"));
    assert_int_equal(fixture_status(fixture->store, "new"), FORK_TOMBSTONED);
    fault_store_disarm(fixture->faults);
    assert_int_equal(catalog_drop(fixture->catalog, "new", NULL, NULL, NULL), 0);
    fixture_assert_clean(fixture->store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)
#define TEST_ON_DISK(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fork_set_up_on_disk, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_taken_whatever_the_status),
        TEST(names_that_break_the_rule_are_refused),
        TEST(the_name_of_a_tombstone_is_refused),
        TEST(a_read_only_catalog_creates_nothing),
        TEST(an_interrupted_table_swap_is_refused),
        TEST(an_interrupted_bulk_load_is_refused),
        TEST(data_without_a_snapshot_pointer_is_refused),
        TEST(a_snapshot_manifest_that_is_missing_or_damaged_is_refused),
        TEST(a_snapshot_pointer_that_leads_elsewhere_is_refused),
        TEST(a_pointer_overwritten_by_a_forks_flush_is_refused),
        TEST(an_older_snapshot_may_be_gone_but_not_damaged),
        TEST(an_older_snapshot_that_leads_elsewhere_is_refused),
        TEST(a_damaged_schema_is_refused),
        TEST(a_damaged_allocator_is_refused),
        TEST(a_damaged_dataset_is_refused),
        TEST(a_dataset_that_changes_while_it_is_read_is_another_try),
        TEST(a_dataset_whose_name_cannot_be_part_of_a_branch_is_refused),
        TEST(one_of_an_undeclared_type_is_refused_once_uni_5_has_flushed),
        TEST(so_is_one_that_the_parent_has),
        TEST(a_parent_must_be_there_and_active),
        TEST(forks_are_nested_to_a_depth_only),
        TEST(a_parent_whose_id_is_another_forks_too_is_refused),
        TEST(a_parent_with_names_that_lead_elsewhere_is_refused),
        TEST(a_parent_without_its_branch_is_refused),
        TEST(a_parent_whose_snapshot_is_missing_is_refused),
        TEST(a_store_that_refuses_reads_is_the_reason),
        TEST(a_store_that_refuses_the_first_write_is_the_reason),
        TEST(a_store_that_refuses_a_branch_is_the_reason),
        TEST_ON_DISK(a_store_that_refuses_a_branch_is_the_reason),
        TEST(what_cannot_be_fenced_for_lack_of_room_loses_its_files_first),
        TEST(what_cannot_be_undone_is_left_for_recovery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

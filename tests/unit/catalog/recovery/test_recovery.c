#include "unit/unit.h"

#include <string.h>

#include "lance/branch_name.h"
#include "unit/catalog/fork_fixture.h"

/* Recovers on a new mount: so many things done, so many problems, and the second time nothing. */
static void assert_recovers(struct fork_fixture *fixture, unsigned done, unsigned problems)
{
    unsigned found = 0;
    fork_fixture_reopen(fixture);
    assert_int_equal(fixture_recover(fixture->catalog, &found), done);
    assert_int_equal(found, problems);
    assert_int_equal(fixture_recover(fixture->catalog, &found), 0);
    assert_int_equal(found, problems);
}

static void assert_gone(struct fork_fixture *fixture, const struct ulid *id)
{
    assert_int_equal(fixture_mentions(fixture->store, id->text), 0);
}

static char *tombstone_key(const struct ulid *id)
{
    return g_strdup_printf("catalog/fork_tombstones/%s.json", id->text);
}

/* Puts a tombstone with one dataset. */
static void put_tombstone(struct fork_fixture *fixture, const struct ulid *id, const char *name,
                          const char *branch)
{
    g_autofree char *key = tombstone_key(id);
    g_autofree char *text = g_strdup_printf(
        "{\"id\": \"%s\", \"name\": \"%s\", \"parent_snapshot_id\": \"uninitialized\", "
        "\"created_at\": \"2026-08-01T12:34:56Z\", \"schema_version_at_creation\": 4, "
        "\"datasets\": {\"vertices_Person\": \"%s\"}, \"status\": \"active\"}",
        id->text, name, branch);
    fixture_put(fixture->store, key, text);
}

static void put_branch(struct fork_fixture *fixture, const char *branch)
{
    g_autofree char *ref = lance_branch_ref_key(FORK_DATASET, branch);
    g_autofree char *manifest = lance_manifest_key(FORK_DATASET, branch, 2);
    fixture_put(fixture->store, ref, "{}");
    fixture_put(fixture->store, manifest, "manifest");
}

/* ---- Pending ---- */

static void a_pending_fork_is_rolled_back(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    struct recovery_report report;
    assert_int_equal(catalog_recover(fixture->catalog, NULL, &report, NULL), 0);
    assert_int_equal(report.rolled_back, 1);
    assert_int_equal(report.finished, 0);
    recovery_report_clear(&report);
    assert_gone(fixture, &fixture->id);
    assert_recovers(fixture, 0, 0);
    fixture_assert_clean(fixture->store);
}

static void a_pending_fork_that_records_no_branches_loses_those_it_has(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    fork_fixture_forget_datasets(fixture);
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    assert_recovers(fixture, 1, 0);
    assert_gone(fixture, &fixture->id);
    assert_int_not_equal(fixture_mentions(fixture->store, other.text), 0);
    fixture_assert_whole(fixture->store);
    fixture_assert_clean(fixture->store);
}

/* A rollback that died after it had fenced the creator off. */
static void so_does_a_fenced_one(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_forget_datasets(fixture);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_recovers(fixture, 1, 0);
    assert_gone(fixture, &fixture->id);
}

static void a_pending_fork_without_any_branch_is_rolled_back(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_replace(fixture->store, FIXTURE_REGISTRY, fixture->id.text,
                    "01KYYN40FVQ2D7R9S4TAX6BCE3");
    struct ulid id;
    assert_true(ulid_parse("01KYYN40FVQ2D7R9S4TAX6BCE3", ULID_LENGTH, &id));
    fork_fixture_set_status(fixture, &id, "pending");
    fork_fixture_reopen(fixture);
    unsigned problems;
    /* The files of the fork that the entry was are orphans now, with branches. */
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(problems, 1);
    assert_int_equal(fixture_status(fixture->store, "audit"), -1);
    assert_gone(fixture, &id);
}

/* ---- Tombstoned ---- */

static void a_tombstoned_fork_is_finished(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tombstone(fixture, &fixture->id, "audit", fixture->branch);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    struct recovery_report report;
    assert_int_equal(catalog_recover(fixture->catalog, NULL, &report, NULL), 0);
    assert_int_equal(report.finished, 1);
    recovery_report_clear(&report);
    assert_gone(fixture, &fixture->id);
    assert_recovers(fixture, 0, 0);
}

static void a_tombstoned_fork_without_tombstone_is_finished(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_recovers(fixture, 1, 0);
    assert_gone(fixture, &fixture->id);
    fixture_assert_clean(fixture->store);
}

static void a_branch_of_another_fork_survives_a_hostile_entry(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    g_autofree char *theirs = layout_branch_name(&other, "vertices_Person");
    g_autofree char *text = fixture_read(fixture->store, FIXTURE_REGISTRY);
    memcpy(strstr(text, fixture->branch), theirs, strlen(theirs));
    fixture_put(fixture->store, FIXTURE_REGISTRY, text);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_recovers(fixture, 1, 0);
    fixture_assert_whole(fixture->store);
}

static void entries_that_cannot_be_trusted_are_left_and_reported(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, "\"edges\": ", "\"../edges\": ");
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_recovers(fixture, 0, 1);
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    assert_recovers(fixture, 0, 1);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, "\"../edges\": ", "\"edges\": ");
    fixture_replace(fixture->store, FIXTURE_REGISTRY, other.text, fixture->id.text);
    assert_recovers(fixture, 0, 2); /* the ambiguous id, and the other's files */
}

/* ---- Families ---- */

static void a_crashed_child_goes_and_its_parent_stays(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid child = fixture_create(fixture->catalog, "child", "audit");
    fork_fixture_set_status(fixture, &child, "pending");
    assert_recovers(fixture, 1, 0);
    assert_gone(fixture, &child);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_ACTIVE);
    fixture_assert_clean(fixture->store);
}

static void a_family_goes_at_once(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid child = fixture_create(fixture->catalog, "child", "audit");
    struct ulid grandchild = fixture_create(fixture->catalog, "grandchild", "child");
    fork_fixture_set_status(fixture, &grandchild, "pending");
    fork_fixture_set_status(fixture, &child, "tombstoned");
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_recovers(fixture, 3, 0);
    assert_gone(fixture, &fixture->id);
    assert_gone(fixture, &child);
    fixture_assert_clean(fixture->store);
}

/* The child's rows lie in the parent's branches. */
static void a_tombstoned_fork_with_an_active_child_is_left_and_reported(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "child", "audit");
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_recovers(fixture, 0, 1);
    g_autofree char *ref = lance_branch_ref_key(FORK_DATASET, fixture->branch);
    assert_true(fixture_exists(fixture->store, ref));
    assert_int_equal(fixture_status(fixture->store, "child"), FORK_ACTIVE);
}

static void a_tombstone_of_a_parent_that_has_no_entry_is_left_and_reported(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid gone = ulid_new();
    g_autofree char *branch = layout_branch_name(&gone, "vertices_Person");
    put_branch(fixture, branch);
    put_tombstone(fixture, &gone, "gone", branch);
    g_autofree char *parent = g_strdup_printf("\"parent_fork_id\": \"%s\"", gone.text);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, "\"parent_fork_id\": null", parent);
    assert_recovers(fixture, 0, 1);
    g_autofree char *ref = lance_branch_ref_key(FORK_DATASET, branch);
    assert_true(fixture_exists(fixture->store, ref));
}

/* ---- Tombstones ---- */

static void a_tombstone_beside_an_active_fork_is_an_undecided_drop(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    put_tombstone(fixture, &fixture->id, "audit", fixture->branch);
    assert_recovers(fixture, 1, 0);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void a_tombstone_without_entry_is_finished(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid gone = ulid_new();
    g_autofree char *branch = layout_branch_name(&gone, "vertices_Person");
    put_branch(fixture, branch);
    put_tombstone(fixture, &gone, "gone", branch);
    assert_recovers(fixture, 1, 0);
    assert_gone(fixture, &gone);
    fixture_assert_clean(fixture->store);
}

/* Uni would remove the new fork, by name. */
static void an_old_tombstone_with_the_name_of_a_new_fork_does_not_harm_it(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid old = ulid_new();
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    g_autofree char *branch = layout_branch_name(&old, "vertices_Person");
    put_branch(fixture, branch);
    put_tombstone(fixture, &old, "audit", branch);
    assert_recovers(fixture, 1, 0);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void a_tombstone_that_names_the_branches_of_a_live_fork_does_not_harm_it(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid hostile = ulid_new();
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    put_tombstone(fixture, &hostile, "hostile", fixture->branch);
    assert_recovers(fixture, 1, 0);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void a_tombstone_without_entry_deletes_no_branch_of_another_name(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid gone = ulid_new();
    put_branch(fixture, "precious");
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    put_tombstone(fixture, &gone, "gone", "precious");
    assert_recovers(fixture, 1, 0);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void a_tombstone_that_does_not_parse_is_left_and_reported(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, "catalog/fork_tombstones/odd.json", "{");
    assert_recovers(fixture, 0, 1);
    assert_true(fixture_exists(fixture->store, "catalog/fork_tombstones/odd.json"));
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    assert_recovers(fixture, 1, 1); /* the rest goes on */
    assert_gone(fixture, &fixture->id);
}

static void a_tombstone_under_another_name_is_left_and_reported(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid gone = ulid_new();
    g_autofree char *key = tombstone_key(&gone);
    put_tombstone(fixture, &gone, "gone", "x");
    g_autofree char *text = fixture_read(fixture->store, key);
    fixture_delete(fixture->store, key);
    fixture_put(fixture->store, "catalog/fork_tombstones/other.json", text);
    assert_recovers(fixture, 0, 1);
}

static void a_tombstone_with_names_that_lead_elsewhere_is_left_and_reported(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid gone = ulid_new();
    put_tombstone(fixture, &gone, "gone", "../../x");
    assert_recovers(fixture, 0, 1);
}

/* ---- Orphans ---- */

static void put_files_of(struct fork_fixture *fixture, const char *id)
{
    g_autofree char *allocator = g_strdup_printf("storage/catalog/forks/%s/id_allocator.json", id);
    g_autofree char *overlay = g_strdup_printf("catalog/fork_schemas/%s.json", id);
    fixture_put(fixture->store, allocator, "{}");
    fixture_put(fixture->store, overlay, "{}");
}

static void files_of_no_fork_are_removed(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid nobody = ulid_new();
    put_files_of(fixture, nobody.text);
    assert_recovers(fixture, 1, 0);
    assert_gone(fixture, &nobody);
    fixture_assert_whole(fixture->store);
    fixture_assert_clean(fixture->store);
}

static void files_of_no_fork_that_were_written_to_are_left_and_reported(void **state)
{
    static const char *const written[][2] = {
        {"storage/catalog/forks/%s/manifests/s.json", "{}"},
        {"storage/wal_forks/%s/00000000000000000001_x.wal", "log"},
        {"catalog/fork_schemas/%s.json", "{\"added_labels\": [{\"name\": \"Idea\"}]}"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(written); i++) {
        struct fork_fixture *fixture = *state;
        struct ulid nobody = ulid_new();
        g_auto(GStrv) parts = g_strsplit(written[i][0], "%s", 2);
        g_autofree char *key = g_strconcat(parts[0], nobody.text, parts[1], NULL);
        put_files_of(fixture, nobody.text);
        fixture_put(fixture->store, key, written[i][1]);
        g_autofree char *before = fixture_dump(fixture->store, NULL);
        assert_recovers(fixture, 0, i + 1);
        g_autofree char *after = fixture_dump(fixture->store, NULL);
        assert_string_equal(before, after);
    }
}

static void files_of_no_fork_that_has_branches_are_left_and_reported(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid nobody = ulid_new();
    put_files_of(fixture, nobody.text);
    g_autofree char *data =
        g_strdup_printf(FORK_DATASET "/tree/fork_%s_vertices_Person/data/x.lance", nobody.text);
    fixture_put(fixture->store, data, "rows");
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_recovers(fixture, 0, 1);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void files_that_no_fork_would_have_are_left(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid id = ulid_new();
    g_autofree char *lower = g_ascii_strdown(id.text, -1);
    put_files_of(fixture, lower);
    put_files_of(fixture, "readme");
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_recovers(fixture, 0, 0);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void the_files_of_a_tombstone_that_does_not_parse_are_left(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid nobody = ulid_new();
    g_autofree char *key = tombstone_key(&nobody);
    put_files_of(fixture, nobody.text);
    fixture_put(fixture->store, key, "{");
    assert_recovers(fixture, 0, 1);
    assert_int_equal(fixture_mentions(fixture->store, nobody.text), 3);
}

/* ---- The store ---- */

static void a_registry_that_does_not_parse_stops_recovery(void **state)
{
    struct fork_fixture *fixture = *state;
    struct recovery_report report;
    fixture_put(fixture->store, FIXTURE_REGISTRY, "{");
    assert_int_equal(catalog_recover(fixture->catalog, NULL, &report, NULL), ERR_CORRUPT);
    recovery_report_clear(&report);
    auto_registry struct registry *registry = catalog_registry(fixture->catalog);
    assert_non_null(registry_find(registry, "audit"));
}

static void a_failing_store_stops_recovery(void **state)
{
    struct fork_fixture *fixture = *state;
    struct recovery_report report;
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 2, true, ERR_UNREACHABLE);
    assert_int_equal(catalog_recover(fixture->catalog, NULL, &report, NULL), ERR_UNREACHABLE);
    recovery_report_clear(&report);
    assert_recovers(fixture, 1, 0);
}

static void a_read_only_catalog_is_not_recovered(void **state)
{
    struct fork_fixture *fixture = *state;
    struct recovery_report report;
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    struct catalog *catalog = fixture_open_read_only(fixture->store);
    assert_int_equal(catalog_recover(catalog, NULL, &report, NULL), ERR_READ_ONLY);
    recovery_report_clear(&report);
    catalog_free(catalog);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_PENDING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)
#define TEST_ON_DISK(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fork_set_up_on_disk, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pending_fork_is_rolled_back),
        TEST_ON_DISK(a_pending_fork_is_rolled_back),
        TEST(a_pending_fork_that_records_no_branches_loses_those_it_has),
        TEST(so_does_a_fenced_one),
        TEST(a_pending_fork_without_any_branch_is_rolled_back),
        TEST(a_tombstoned_fork_is_finished),
        TEST_ON_DISK(a_tombstoned_fork_is_finished),
        TEST(a_tombstoned_fork_without_tombstone_is_finished),
        TEST(a_branch_of_another_fork_survives_a_hostile_entry),
        TEST(entries_that_cannot_be_trusted_are_left_and_reported),
        TEST(a_crashed_child_goes_and_its_parent_stays),
        TEST(a_family_goes_at_once),
        TEST(a_tombstoned_fork_with_an_active_child_is_left_and_reported),
        TEST(a_tombstone_of_a_parent_that_has_no_entry_is_left_and_reported),
        TEST(a_tombstone_beside_an_active_fork_is_an_undecided_drop),
        TEST(a_tombstone_without_entry_is_finished),
        TEST_ON_DISK(a_tombstone_without_entry_is_finished),
        TEST(an_old_tombstone_with_the_name_of_a_new_fork_does_not_harm_it),
        TEST(a_tombstone_that_names_the_branches_of_a_live_fork_does_not_harm_it),
        TEST(a_tombstone_without_entry_deletes_no_branch_of_another_name),
        TEST(a_tombstone_that_does_not_parse_is_left_and_reported),
        TEST(a_tombstone_under_another_name_is_left_and_reported),
        TEST(a_tombstone_with_names_that_lead_elsewhere_is_left_and_reported),
        TEST(files_of_no_fork_are_removed),
        TEST_ON_DISK(files_of_no_fork_are_removed),
        TEST(files_of_no_fork_that_were_written_to_are_left_and_reported),
        TEST(files_of_no_fork_that_has_branches_are_left_and_reported),
        TEST(files_that_no_fork_would_have_are_left),
        TEST(the_files_of_a_tombstone_that_does_not_parse_are_left),
        TEST(a_registry_that_does_not_parse_stops_recovery),
        TEST(a_failing_store_stops_recovery),
        TEST(a_read_only_catalog_is_not_recovered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Recovery of forks on which something hangs.
 */
#include "unit/unit.h"

#include <string.h>

#include "base/timestamp.h"
#include "catalog/catalog_private.h"
#include "lance/branch_name.h"
#include "unit/catalog/recovery/kept_fixture.h"

/* ---- Tombstoned entries ---- */

static void a_tagged_fork_stays_whole_until_the_tag_goes(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    tombstone(fixture);
    assert_kept(fixture, "it stays tombstoned: the tag tags/v1 points at its branch");
    assert_kept(fixture, "rmdir forks/audit/tags/v1, then rmdir forks/audit");
    assert_int_equal(catalog_untag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    assert_finished(fixture);
}

static void a_tag_on_one_dataset_keeps_all_of_them(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tag(fixture, FORK_DATASET, "release", fixture->branch);
    tombstone(fixture);
    assert_kept(fixture, "the Lance tag 'release' of dataset vertices_Person");
    delete_tag(fixture, FORK_DATASET, "release");
    assert_finished(fixture);
}

static void a_foreign_branch_keeps_it(void **state)
{
    struct fork_fixture *fixture = *state;
    put_foreign_branch(fixture, "mine", fixture->branch);
    tombstone(fixture);
    assert_kept(fixture, "the branch 'mine' of dataset vertices_Person");
    g_autofree char *key = lance_branch_ref_key(FORK_DATASET, "mine");
    fixture_delete(fixture->store, key);
    assert_finished(fixture);
}

static void a_ref_that_nobody_can_read_keeps_it(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, OTHER_DATASET "/_refs/tags/odd.json", "{\"branch\": ");
    tombstone(fixture);
    assert_kept(fixture, "nobody can tell");
    assert_kept(fixture, OTHER_DATASET "/_refs/tags/odd.json");
    assert_int_equal(drop(fixture), ERR_CORRUPT);
    fixture_delete(fixture->store, OTHER_DATASET "/_refs/tags/odd.json");
    assert_finished(fixture);
}

/* Uni enters a fork without its branches first, so an entry that lacks some may have them. */
static void a_tag_on_a_branch_that_is_not_recorded_keeps_it(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tag(fixture, FORK_DATASET, "fork_v1_vertices_Person", fixture->branch);
    fork_fixture_forget_datasets(fixture);
    tombstone(fixture);
    /* tags/ does not show it */
    assert_kept(fixture, "the Lance tag 'fork_v1_vertices_Person'");
    delete_tag(fixture, FORK_DATASET, "fork_v1_vertices_Person");
    assert_finished(fixture);
}

static void a_tag_of_another_fork_keeps_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    assert_int_equal(catalog_tag(fixture->catalog, &other, "v1", NULL, NULL), 0);
    tombstone(fixture);
    assert_finished(fixture);
    assert_int_equal(fixture_status(fixture->store, "other"), FORK_ACTIVE);
}

/* That branch would not be deleted anyway. */
static void a_tag_on_a_branch_that_another_entry_names_keeps_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    g_autofree char *theirs = layout_branch_name(&other, "vertices_Person");
    assert_int_equal(catalog_tag(fixture->catalog, &other, "v1", NULL, NULL), 0);
    g_autofree char *text = fixture_read(fixture->store, FIXTURE_REGISTRY);
    memcpy(strstr(text, fixture->branch), theirs, strlen(theirs));
    fixture_put(fixture->store, FIXTURE_REGISTRY, text);
    tombstone(fixture);
    unsigned problems = 1;
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(problems, 0);
    fixture_assert_whole(fixture->store);
}

static void one_that_is_kept_does_not_keep_others(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    put_tag(fixture, FORK_DATASET, "release", fixture->branch);
    fork_fixture_set_status(fixture, &other, "tombstoned");
    tombstone(fixture);
    unsigned problems = 0;
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(problems, 1);
    assert_int_equal(fixture_mentions(fixture->store, other.text), 0);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_TOMBSTONED);
}

static void a_kept_child_keeps_its_parent(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid child = fixture_create(fixture->catalog, "child", "audit");
    g_autofree char *branch = layout_branch_name(&child, "vertices_Person");
    put_tag(fixture, FORK_DATASET, "release", branch);
    fork_fixture_set_status(fixture, &child, "tombstoned");
    tombstone(fixture);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    unsigned problems = 0;
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 0);
    assert_int_equal(problems, 2);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    delete_tag(fixture, FORK_DATASET, "release");
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 2);
    fixture_assert_clean(fixture->store);
}

static void without_unfinished_forks_nobody_looks_for_tags(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    fixture_recover(fixture->catalog, NULL);
    fault_store_match(fixture->faults, "_refs/");
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_LIST | 1u << STORE_GET, 1, true,
                    ERR_UNREACHABLE);
    fixture_recover(fixture->catalog, NULL);
    assert_false(fault_store_fired(fixture->faults));
}

static void a_store_that_fails_meanwhile_ends_recovery(void **state)
{
    struct fork_fixture *fixture = *state;
    struct recovery_report report;
    tombstone(fixture);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    fault_store_match(fixture->faults, "_refs/");
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_LIST, 1, true, ERR_UNREACHABLE);
    assert_int_equal(catalog_recover(fixture->catalog, NULL, &report, NULL), ERR_UNREACHABLE);
    assert_int_equal(report.problems->len, 0);
    recovery_report_clear(&report);
    fault_store_disarm(fixture->faults);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    assert_finished(fixture);
}

/* A look that fails is never taken for one that found nothing. */
static void with_a_fault_at_any_request_nothing_of_a_tagged_fork_is_deleted(void **state)
{
    static const int codes[] = {ERR_UNREACHABLE, ERR_ACCESS, ERR_IO};
    struct fork_fixture *fixture = *state;
    put_tag(fixture, FORK_DATASET, "release", fixture->branch);
    tombstone(fixture);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        bool fired = true;
        for (unsigned n = 1; fired; n++) {
            struct recovery_report report;
            fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_ALL, n, false, codes[i]);
            catalog_recover(fixture->catalog, NULL, &report, NULL);
            assert_int_equal(report.finished + report.orphans, 0);
            recovery_report_clear(&report);
            assert_int_not_equal(drop(fixture), 0);
            fired = fault_store_fired(fixture->faults);
            fault_store_disarm(fixture->faults);
            g_autofree char *after = fixture_dump(fixture->store, NULL);
            assert_string_equal(before, after);
        }
    }
}

/* ---- Pending entries ---- */

static void a_half_made_fork_that_is_tagged_is_fenced_and_stays(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tag(fixture, FORK_DATASET, "release", fixture->branch);
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    g_autofree char *before = fixture_dump(fixture->store, FIXTURE_REGISTRY);
    assert_kept_with(fixture->catalog, "it stays tombstoned: the Lance tag 'release'");
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_TOMBSTONED);
    g_autofree char *after = fixture_dump(fixture->store, FIXTURE_REGISTRY);
    assert_string_equal(before, after);
    assert_shown(fixture, "release");
    assert_kept(fixture, "release");
    delete_tag(fixture, FORK_DATASET, "release");
    assert_finished(fixture);
}

static void rmdir_of_a_half_made_fork_that_is_tagged_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tag(fixture, FORK_DATASET, "fork_v1_vertices_Person", fixture->branch);
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    assert_refused(fixture, ERR_NOT_EMPTY, "it stays pending: the tag tags/v1");
    assert_int_equal(catalog_untag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    assert_drops(fixture);
}

/* ---- Tombstones without entry ---- */

/* A tombstone of a fork without entry, with a branch of one dataset. g_free(). */
static char *put_lost_tombstone(struct fork_fixture *fixture, const struct ulid *id)
{
    char *branch = layout_branch_name(id, "vertices_Person");
    g_autofree char *key = g_strdup_printf("catalog/fork_tombstones/%s.json", id->text);
    g_autofree char *text = g_strdup_printf(
        "{\"id\": \"%s\", \"name\": \"gone\", \"parent_snapshot_id\": \"uninitialized\", "
        "\"created_at\": \"2026-08-01T12:34:56Z\", \"schema_version_at_creation\": 4, "
        "\"datasets\": {\"vertices_Person\": \"%s\"}, \"status\": \"active\"}",
        id->text, branch);
    g_autofree char *manifest = lance_manifest_key(FORK_DATASET, branch, 2);
    fixture_put(fixture->store, key, text);
    fixture_put(fixture->store, manifest, "manifest");
    put_foreign_branch(fixture, branch, NULL);
    return branch;
}

static void a_tagged_fork_of_which_only_the_tombstone_is_left_stays(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid gone = ulid_new();
    g_autofree char *branch = put_lost_tombstone(fixture, &gone);
    put_tag(fixture, FORK_DATASET, "fork_v1_vertices_Person", branch);
    fork_fixture_reopen(fixture);
    assert_kept(fixture, "the Lance tag 'fork_v1_vertices_Person'");
    assert_kept(fixture, "then the next recovery finishes the drop");
    assert_shown(fixture, "\"kept_by\": \"the Lance tag");
    delete_tag(fixture, FORK_DATASET, "fork_v1_vertices_Person");
    unsigned problems = 1;
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_mentions(fixture->store, gone.text), 0);
    assert_shown(fixture, NULL);
}

static void a_family_of_which_only_tombstones_are_left_goes_at_once(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid ids[3];
    char *branches[3];
    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
        ids[i] = ulid_new();
        branches[i] = put_lost_tombstone(fixture, &ids[i]);
        put_foreign_branch(fixture, branches[i], i > 0 ? branches[i - 1] : NULL);
    }
    fork_fixture_reopen(fixture);
    unsigned problems = 1;
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 3);
    assert_int_equal(problems, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
        assert_int_equal(fixture_mentions(fixture->store, ids[i].text), 0);
        g_free(branches[i]);
    }
    fixture_assert_clean(fixture->store);
}

static void a_lost_parent_stays_while_its_lost_child_is_tagged(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid parent = ulid_new(), child = ulid_new();
    g_autofree char *above = put_lost_tombstone(fixture, &parent);
    g_autofree char *below = put_lost_tombstone(fixture, &child);
    put_foreign_branch(fixture, below, above);
    put_tag(fixture, FORK_DATASET, "release", below);
    fork_fixture_reopen(fixture);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    unsigned problems = 0;
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 0);
    assert_int_equal(problems, 2);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

/* ---- In a catalog that others write, too ---- */

static void recovery_looks_again_at_a_kept_fork_only_once_in_a_while(void **state)
{
    struct fork_fixture *fixture = *state;
    const struct catalog_settings settings = {
        .shared = true, .takeover_ms = 3600000, .lease_ms = -1};
    struct store *faults = NULL;
    struct error problem;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    tombstone(fixture);
    struct catalog *catalog = fixture_open_with(fixture->store, &settings, &faults);
    fixture_recover(catalog, NULL);
    takeover_add_own(catalog->takeover, TAKEOVER_ENTRY, fixture->id.text, monotonic_now_ns());
    assert_int_equal(fixture_recover_due(catalog, &problem), 0);
    assert_int_equal(problem.code, ERR_NOT_EMPTY);
    unsigned waves = fault_store_waves(faults);
    assert_int_equal(fixture_recover_due(catalog, &problem), 0);
    assert_int_equal(problem.code, 0);
    assert_int_equal(fault_store_waves(faults), waves);
    catalog->full_look_due_ns = monotonic_now_ns();
    assert_int_equal(fixture_recover_due(catalog, &problem), 0);
    assert_int_equal(problem.code, ERR_NOT_EMPTY);
    /* And at once when a tag goes. */
    assert_int_equal(catalog_untag(catalog, &fixture->id, "v1", NULL, NULL), 0);
    assert_int_equal(fixture_recover_due(catalog, &problem), 1);
    assert_int_equal(problem.code, 0);
    catalog_free(catalog);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)
#define TEST_ON_DISK(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fork_set_up_on_disk, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tagged_fork_stays_whole_until_the_tag_goes),
        TEST_ON_DISK(a_tagged_fork_stays_whole_until_the_tag_goes),
        TEST(a_tag_on_one_dataset_keeps_all_of_them),
        TEST(a_foreign_branch_keeps_it),
        TEST(a_ref_that_nobody_can_read_keeps_it),
        TEST(a_tag_on_a_branch_that_is_not_recorded_keeps_it),
        TEST(a_tag_of_another_fork_keeps_nothing),
        TEST(a_tag_on_a_branch_that_another_entry_names_keeps_nothing),
        TEST(one_that_is_kept_does_not_keep_others),
        TEST(a_kept_child_keeps_its_parent),
        TEST(without_unfinished_forks_nobody_looks_for_tags),
        TEST(a_store_that_fails_meanwhile_ends_recovery),
        TEST(with_a_fault_at_any_request_nothing_of_a_tagged_fork_is_deleted),
        TEST(a_half_made_fork_that_is_tagged_is_fenced_and_stays),
        TEST(rmdir_of_a_half_made_fork_that_is_tagged_is_refused),
        TEST(a_tagged_fork_of_which_only_the_tombstone_is_left_stays),
        TEST(a_family_of_which_only_tombstones_are_left_goes_at_once),
        TEST(a_lost_parent_stays_while_its_lost_child_is_tagged),
        TEST(recovery_looks_again_at_a_kept_fork_only_once_in_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

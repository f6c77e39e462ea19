/*
 * What a change of this mount has left is finished while it is mounted.
 */
#include "unit/unit.h"

#include <string.h>

#include "catalog/catalog_private.h"
#include "unit/catalog/fork_fixture.h"
#include "unit/virtual_clock.h"

/* Longer than any pause. */
#define LATER_MS 121000

/* From now on every such write fails. */
static void break_writes(struct fork_fixture *fixture, const char *part)
{
    fault_store_match(fixture->faults, part);
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 1, true, ERR_ACCESS);
}

/* What one go does; how many things were done. *ret_problem: the first that was left alone. */
static unsigned recover_left(struct fork_fixture *fixture, struct error *ret_problem)
{
    struct recovery_report report = {0};
    struct error err = {0}, problem = {0};
    if (catalog_recover_left(fixture->catalog, NULL, &report, &err))
        fail_msg("%s", err.text);
    if (report.problems->len > 0)
        problem = *(const struct error *)g_ptr_array_index(report.problems, 0);
    if (ret_problem)
        *ret_problem = problem;
    else
        assert_int_equal(problem.code, 0);
    unsigned done = report.rolled_back + report.finished + report.orphans;
    recovery_report_clear(&report);
    return done;
}

/* All works again, and some time later one go finishes what was left. */
static void assert_finishes(struct fork_fixture *fixture)
{
    fault_store_disarm(fixture->faults);
    virtual_clock_jump(LATER_MS);
    assert_int_equal(recover_left(fixture, NULL), 1);
    assert_true(catalog_left_due_ns(fixture->catalog) == INT64_MAX);
    fixture_assert_clean(fixture->store);
}

static void without_anything_left_nothing_is_asked(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_arm(fixture->faults, FAULT_NONE, FAULT_ALL, 1, false, 0);
    virtual_clock_jump(LATER_MS);
    assert_int_equal(recover_left(fixture, NULL), 0);
    assert_int_equal(fault_store_count(fixture->faults), 0);
}

static void a_drop_that_failed_is_finished(void **state)
{
    struct fork_fixture *fixture = *state;
    break_writes(fixture, FORK_DATASET);
    assert_int_equal(drop(fixture), ERR_ACCESS);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_TOMBSTONED);
    assert_int_equal(recover_left(fixture, NULL), 0); /* not yet */
    assert_finishes(fixture);
    assert_int_equal(fixture_status(fixture->store, "audit"), -1);
    fixture_create(fixture->catalog, "audit", NULL);
}

static void while_it_fails_it_is_told_and_tried_again(void **state)
{
    struct fork_fixture *fixture = *state;
    struct error problem;
    break_writes(fixture, FORK_DATASET);
    assert_int_equal(drop(fixture), ERR_ACCESS);
    for (int tries = 0; tries < 3; tries++) {
        virtual_clock_jump(LATER_MS);
        assert_int_equal(recover_left(fixture, &problem), 0);
        assert_int_equal(problem.code, ERR_ACCESS);
        assert_non_null(strstr(problem.text, fixture->id.text));
    }
    assert_finishes(fixture);
}

static void a_store_that_is_away_is_asked_again(void **state)
{
    struct fork_fixture *fixture = *state;
    struct recovery_report report = {0};
    break_writes(fixture, FORK_DATASET);
    assert_int_equal(drop(fixture), ERR_ACCESS);
    fault_store_match(fixture->faults, NULL);
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_ALL, 1, true, ERR_UNREACHABLE);
    virtual_clock_jump(LATER_MS);
    assert_int_equal(catalog_recover_left(fixture->catalog, NULL, &report, NULL), ERR_UNREACHABLE);
    recovery_report_clear(&report);
    assert_finishes(fixture);
}

static void a_create_that_could_not_be_undone_is_undone(void **state)
{
    struct fork_fixture *fixture = *state;
    break_writes(fixture, FORK_DATASET);
    assert_int_equal(catalog_create(fixture->catalog, "new", NULL, NULL, NULL, NULL), ERR_ACCESS);
    assert_int_equal(fixture_status(fixture->store, "new"), FORK_TOMBSTONED);
    assert_finishes(fixture);
    assert_int_equal(fixture_status(fixture->store, "new"), -1);
}

static void a_fork_that_a_change_works_on_is_left_to_that(void **state)
{
    struct fork_fixture *fixture = *state;
    struct fork_entry *entry = NULL;
    break_writes(fixture, FORK_DATASET);
    assert_int_equal(drop(fixture), ERR_ACCESS);
    fault_store_disarm(fixture->faults);
    assert_int_equal(catalog_lock_any(fixture->catalog, &fixture->id, NULL, &entry, NULL), 0);
    virtual_clock_jump(LATER_MS);
    assert_int_equal(recover_left(fixture, NULL), 0);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_TOMBSTONED);
    catalog_unlock(fixture->catalog, entry);
    assert_finishes(fixture);
}

static void what_another_rmdir_has_finished_is_forgotten(void **state)
{
    struct fork_fixture *fixture = *state;
    break_writes(fixture, FORK_DATASET);
    assert_int_equal(drop(fixture), ERR_ACCESS);
    fault_store_disarm(fixture->faults);
    assert_drops(fixture);
    virtual_clock_jump(LATER_MS);
    assert_int_equal(recover_left(fixture, NULL), 0);
    assert_true(catalog_left_due_ns(fixture->catalog) == INT64_MAX);
}

static void what_recovery_at_mount_could_not_finish_is_finished_later(void **state)
{
    struct fork_fixture *fixture = *state;
    unsigned problems = 0;
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    break_writes(fixture, FORK_DATASET "/tree/");
    fixture_recover(fixture->catalog, &problems);
    assert_int_equal(problems, 1);
    assert_finishes(fixture);
    assert_int_equal(fixture_status(fixture->store, "audit"), -1);
}

/* ---- Intents ---- */

static unsigned intents(struct fork_fixture *fixture)
{
    return fixture_mentions(fixture->store, "fork_taggings/") +
           fixture_mentions(fixture->store, "fork_registrations/");
}

static void a_tag_that_was_removed_in_part_goes(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    break_writes(fixture, FORK_DATASET "/_refs/tags");
    assert_int_equal(catalog_untag(fixture->catalog, &fixture->id, "v1", NULL, NULL), ERR_ACCESS);
    assert_int_equal(intents(fixture), 1);
    assert_finishes(fixture);
    assert_int_equal(intents(fixture), 0);
    assert_int_equal(fixture_mentions(fixture->store, "_refs/tags/"), 0);
}

static void a_tag_that_was_made_in_part_goes(void **state)
{
    struct fork_fixture *fixture = *state;
    break_writes(fixture, FORK_DATASET "/_refs/tags");
    fault_store_match(fixture->faults, "_refs/tags");
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 2, true, ERR_ACCESS);
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), ERR_ACCESS);
    assert_int_equal(intents(fixture), 1);
    assert_finishes(fixture);
    assert_int_equal(intents(fixture), 0);
    assert_int_equal(fixture_mentions(fixture->store, "_refs/tags/"), 0);
}

static void branches_that_were_made_in_vain_go(void **state)
{
    struct fork_fixture *fixture = *state;
    auto_bytes struct bytes *text = bytes_new_text("{\"vertices_Ghost\": null}");
    fixture_put_dataset(fixture->store, "vertices_Ghost", "plain", 2);
    fault_store_match(fixture->faults, "vertices_Ghost");
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 2, true, ERR_ACCESS);
    assert_int_equal(catalog_register_datasets(fixture->catalog, &fixture->id, text, NULL, NULL),
                     ERR_ACCESS);
    assert_int_equal(intents(fixture), 1);
    assert_finishes(fixture);
    assert_int_equal(intents(fixture), 0);
    assert_int_equal(fixture_mentions(fixture->store, "_vertices_Ghost"), 0);
}

static void an_intent_that_somebody_else_has_written_is_not_touched(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *key =
        g_strdup_printf("storage/catalog/fork_taggings/%s.json", fixture->id.text);
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    break_writes(fixture, FORK_DATASET "/_refs/tags");
    assert_int_equal(catalog_untag(fixture->catalog, &fixture->id, "v1", NULL, NULL), ERR_ACCESS);
    fault_store_disarm(fixture->faults);
    assert_true(fixture_exists(fixture->store, key));
    fixture_put(fixture->store, key, "{\"writer\":\"another\",\"tag\":\"v1\",\"refs\":3}");
    virtual_clock_jump(LATER_MS);
    assert_int_equal(recover_left(fixture, NULL), 0);
    assert_true(catalog_left_due_ns(fixture->catalog) == INT64_MAX);
    assert_true(fixture_exists(fixture->store, key));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_anything_left_nothing_is_asked),
        TEST(a_drop_that_failed_is_finished),
        TEST(while_it_fails_it_is_told_and_tried_again),
        TEST(a_store_that_is_away_is_asked_again),
        TEST(a_create_that_could_not_be_undone_is_undone),
        TEST(a_fork_that_a_change_works_on_is_left_to_that),
        TEST(what_another_rmdir_has_finished_is_forgotten),
        TEST(what_recovery_at_mount_could_not_finish_is_finished_later),
        TEST(a_tag_that_was_removed_in_part_goes),
        TEST(a_tag_that_was_made_in_part_goes),
        TEST(branches_that_were_made_in_vain_go),
        TEST(an_intent_that_somebody_else_has_written_is_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

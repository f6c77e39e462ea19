/*
 * Several mounts on one catalog, of which one dies in the middle of its work: at the n-th request,
 * n = 1, 2, 3 ... What the others say and do about it.
 */
#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/recovery/takeover_fixture.h"

/* ---- A mount that dies ---- */

/* False when there are fewer requests. */
static bool die_at(const struct work *work, enum fault_kind kind, unsigned n)
{
    struct store *store = database_for(work), *wrapper;
    struct catalog *victim = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    struct catalog *heir = shared_open(store, 0, NULL);
    struct catalog *watcher = shared_open(store, SHARED_TAKEOVER_MS, NULL);
    const struct fault death = {"death", kind, true, ERR_IO};
    arm_fault(wrapper, &death, n);
    int code = run_change(victim, work->change, NULL);
    bool died = fault_store_fired(wrapper);
    catalog_free(victim);
    assert_neighbour_unharmed(store);

    g_autofree char *before = fixture_dump(store, NULL);
    shared_poll(watcher);
    assert_int_equal(shared_recover(watcher), 0); /* it only begins to watch */
    g_autofree char *after = fixture_dump(store, NULL);
    assert_string_equal(before, after);

    shared_poll(heir);
    shared_recover(heir);
    assert_answer(store, work, code);
    assert_settled(store, heir);
    assert_settled(store, watcher);
    catalog_free(watcher);
    catalog_free(heir);
    store_free(store);
    return died;
}

static void what_a_dead_mount_left_is_taken_over(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_KILL, FAULT_KILL_AFTER};
    for (size_t i = 0; i < WORKS; i++)
        for (size_t j = 0; j < G_N_ELEMENTS(kinds); j++) {
            unsigned n = 1;
            while (die_at(&works[i], kinds[j], n))
                assert_true((n += FAULT_STRIDE) < STEPS_MAX);
            assert_true(n > 5);
        }
}

/* ---- What one mount says about the work of another ---- */

/* The store with "what_if" half made, or half dropped, by a mount that is gone. */
static struct store *database_with(const struct work *work, int status)
{
    for (unsigned n = 1; n < STEPS_MAX; n++) {
        struct store *store = database_for(work), *wrapper;
        struct catalog *victim = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
        fault_store_arm(wrapper, FAULT_KILL_AFTER, FAULT_WRITES, n, true, ERR_IO);
        work->change(victim, NULL, NULL);
        catalog_free(victim);
        if (fixture_status(store, "what_if") == status)
            return store;
        store_free(store);
    }
    fail();
    return NULL;
}

static void assert_refused_until_taken_over(const struct work *work, int status, const char *part)
{
    struct store *store = database_with(work, status);
    struct catalog *other = shared_open(store, SHARED_TAKEOVER_MS, NULL);
    struct recovery_report report = {0};
    struct error err = {0};
    assert_int_equal(catalog_recover(other, NULL, &report, NULL), 0); /* at mount */
    assert_int_equal(report.problems->len, 0);
    recovery_report_clear(&report);
    assert_int_equal(fixture_status(store, "what_if"), status);
    assert_int_equal(catalog_drop(other, "what_if", NULL, NULL, &err), ERR_HELD);
    assert_non_null(strstr(err.text, part));
    assert_int_equal(catalog_create(other, "what_if", NULL, NULL, NULL, NULL), ERR_EXISTS);
    struct catalog *heir = shared_open(store, 0, NULL);
    assert_int_equal(catalog_drop(heir, "what_if", NULL, NULL, NULL), 0);
    assert_settled(store, heir);
    catalog_free(heir);
    catalog_free(other);
    store_free(store);
}

static void a_fork_that_another_mount_makes_or_drops_is_held(void **state)
{
    assert_refused_until_taken_over(&works[WORK_CREATE], FORK_PENDING, "making");
    assert_refused_until_taken_over(&works[WORK_DROP], FORK_TOMBSTONED, "dropping");
}

static void what_this_mount_left_itself_is_finished_at_once(void **state)
{
    struct store *store = database_for(&works[WORK_DROP]), *wrapper;
    struct catalog *catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    fault_store_match(wrapper, "/tree/");
    fault_store_arm(wrapper, FAULT_FAIL, FAULT_ALL, 1, true, ERR_ACCESS);
    assert_int_equal(works[WORK_DROP].change(catalog, NULL, NULL), ERR_ACCESS);
    fault_store_disarm(wrapper);
    assert_int_equal(fixture_status(store, "what_if"), FORK_TOMBSTONED);
    assert_int_equal(shared_recover(catalog), 1);
    assert_settled(store, catalog);
    catalog_free(catalog);
    store_free(store);
}

static void another_rmdir_finishes_what_this_mount_left_itself(void **state)
{
    struct store *store = database_for(&works[WORK_DROP]), *wrapper;
    struct catalog *catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    fault_store_match(wrapper, "/tree/");
    fault_store_arm(wrapper, FAULT_FAIL, FAULT_ALL, 1, true, ERR_ACCESS);
    assert_int_equal(works[WORK_DROP].change(catalog, NULL, NULL), ERR_ACCESS);
    fault_store_disarm(wrapper);
    assert_int_equal(works[WORK_DROP].change(catalog, NULL, NULL), 0);
    assert_settled(store, catalog);
    catalog_free(catalog);
    store_free(store);
}

static void an_idle_look_makes_no_requests(void **state)
{
    struct store *store = fault_database(), *wrapper;
    struct catalog *catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    struct recovery_report report = {0};
    assert_int_equal(catalog_recover(catalog, NULL, &report, NULL), 0);
    recovery_report_clear(&report);
    assert_int_equal(shared_recover(catalog), 0); /* the first looks at all branches */
    fault_store_arm(wrapper, FAULT_NONE, FAULT_ALL, 1, false, 0);
    assert_int_equal(shared_recover(catalog), 0);
    assert_int_equal(fault_store_count(wrapper), 0);
    catalog_free(catalog);
    store_free(store);
}

static void how_often_follows_from_the_time_of_takeover(void **state)
{
    static const struct {
        int64_t takeover_ms, interval_ms;
    } expected[] = {{0, 1000}, {2000, 1000}, {20000, 5000}, {120000, 30000}, {900000, 30000}};
    struct store *store = fault_database();
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        struct catalog *catalog = shared_open(store, expected[i].takeover_ms, NULL);
        assert_int_equal(catalog_recovery_interval_ms(catalog), expected[i].interval_ms);
        catalog_free(catalog);
    }
    struct catalog *alone = fixture_open(store, NULL);
    assert_int_equal(catalog_recovery_interval_ms(alone), 0);
    catalog_free(alone);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_a_dead_mount_left_is_taken_over, one_by_one),
        cmocka_unit_test_setup(a_fork_that_another_mount_makes_or_drops_is_held, one_by_one),
        cmocka_unit_test_setup(what_this_mount_left_itself_is_finished_at_once, one_by_one),
        cmocka_unit_test_setup(another_rmdir_finishes_what_this_mount_left_itself, one_by_one),
        cmocka_unit_test_setup(an_idle_look_makes_no_requests, one_by_one),
        cmocka_unit_test_setup(how_often_follows_from_the_time_of_takeover, one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

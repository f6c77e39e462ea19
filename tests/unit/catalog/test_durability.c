/*
 * Changes in a directory in which the n-th sync fails, n = 1, 2, 3 ..., alone or with all that
 * follow: 0 says that the change survives a power failure.
 */
#include "unit/unit.h"

#include <limits.h>
#include <string.h>

#include "unit/catalog/fault_fixture.h"
#include "unit/stores/failing_sync.h"

#define HERE "forkfs-test-" /* in the path of every database on disk */

struct mutation {
    const char *name;
    change_function *prepare; /* NULL: nothing */
    change_function *change;
    const char *except; /* what it leaves, if that comes back, recovery finds nothing to do with */
};

/* ---- The changes ---- */

static const struct mutation mutations[] = {
    {"mkdir", NULL, make_what_if, "no such name"},
    {"rmdir", make_what_if, drop_what_if, "no such name"},
    {"ttl", NULL, expire_neighbour, "no such name"},
    {"schema.json", NULL, overlay_neighbour, "no such name"},
    {"datasets", NULL, enroll_ghost, "fork_registrations"},
    {"tag", NULL, tag_fork, "fork_taggings"},
    {"untag", tag_fork, untag_fork, "fork_taggings"},
};

/* ---- The sweep ---- */

static void assert_answer(const struct mutation *mutation, unsigned n, bool for_good, int code,
                          const char *text)
{
    g_autofree char *lost = failing_sync_lost(mutation->except);
    if (code == 0 && lost)
        fail_msg("%s, sync %u: 0, but %s is not durable", mutation->name, n, lost);
    if (code && !for_good)
        fail_msg("%s, sync %u: what could be repaired fails: %s", mutation->name, n, text);
    if (code && !strstr(text, "Input/output error"))
        fail_msg("%s, sync %u: no reason: %s", mutation->name, n, text);
}

/* A change that failed is made again: 0 says that all of it is durable now. */
static void change_again(const struct mutation *mutation, struct catalog *catalog, unsigned n)
{
    struct error err = {0};
    int code = run_change(catalog, mutation->change, &err);
    g_autofree char *lost = failing_sync_lost(mutation->except);
    if (code == 0 && lost)
        fail_msg("%s, sync %u, again: 0, but %s is not durable", mutation->name, n, lost);
    if (code && code != ERR_EXISTS && code != ERR_NOT_FOUND)
        fail_msg("%s, sync %u, again: %s", mutation->name, n, err.text);
}

static bool change_with_failing_sync(const struct mutation *mutation, unsigned n, bool for_good)
{
    struct store *store = fault_database_after(mutation->prepare);
    struct catalog *catalog = fixture_open(store, NULL);
    struct error err = {0};
    failing_sync_arm(HERE, n, for_good ? UINT_MAX : n);
    int code = run_change(catalog, mutation->change, &err);
    unsigned failed = failing_sync_count();
    failing_sync_disarm();
    assert_neighbour_unharmed(store);
    assert_memory_equals_store(catalog, store);
    if (failed > 0)
        assert_answer(mutation, n, for_good, code, err.text);
    if (code)
        change_again(mutation, catalog, n);
    catalog_free(catalog);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    store_free(store);
    return failed > 0;
}

static void a_sync_that_fails_once_is_repaired(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mutations); i++) {
        unsigned n = 1;
        while (change_with_failing_sync(&mutations[i], n, false))
            assert_true(++n < FAULT_STEPS_MAX);
        assert_true(n > 1);
    }
}

static void syncs_that_fail_for_good_are_never_success(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mutations); i++) {
        unsigned n = 1;
        while (change_with_failing_sync(&mutations[i], n, true))
            assert_true(++n < FAULT_STEPS_MAX);
        assert_true(n > 1);
    }
}

/* ---- The registry alone ---- */

static int change_with_catalog_failing(const struct mutation *mutation, struct error *err)
{
    struct store *store = fault_database_after(mutation->prepare);
    struct catalog *catalog = fixture_open(store, NULL);
    failing_sync_arm("/catalog", 1, UINT_MAX);
    int code = run_change(catalog, mutation->change, err);
    failing_sync_disarm();
    catalog_free(catalog);
    store_free(store);
    return code;
}

static void no_change_succeeds_while_the_catalog_cannot_be_synced(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mutations); i++) {
        struct error err = {0};
        if (change_with_catalog_failing(&mutations[i], &err) == 0)
            fail_msg("%s is 0", mutations[i].name);
        assert_non_null(strstr(err.text, "Input/output error"));
    }
}

/* A fork that others can see is not taken away again; nor is it said to be made. */
static void an_activation_that_is_not_durable_leaves_an_active_fork_and_fails(void **state)
{
    struct store *store = fault_database();
    struct catalog *catalog = fixture_open(store, NULL);
    bool found = false;
    for (unsigned n = 1; !found; n++) {
        struct error err = {0};
        failing_sync_arm(HERE "", n, UINT_MAX);
        int code = run_change(catalog, make_what_if, &err);
        failing_sync_disarm();
        assert_true(n < FAULT_STEPS_MAX);
        found = fixture_status(store, "what_if") == FORK_ACTIVE && code;
        if (found)
            assert_non_null(strstr(err.text, "may be lost in a power failure"));
        else
            assert_int_not_equal(code, 0);
        if (fixture_status(store, "what_if") >= 0)
            assert_int_equal(run_change(catalog, drop_what_if, &err), 0);
    }
    catalog_free(catalog);
    recover_completely(store);
    store_free(store);
}

/* What was decided but not durably may be active again after a power failure: deleting waits. */
static void a_drop_goes_on_only_after_a_durable_decision(void **state)
{
    struct store *store = fault_database_after(mutations[1].prepare);
    struct catalog *catalog = fixture_open(store, NULL);
    struct error err = {0};
    failing_sync_arm("/catalog", 1, UINT_MAX);
    assert_int_equal(run_change(catalog, drop_what_if, &err), ERR_NOT_DURABLE);
    assert_int_equal(fixture_status(store, "what_if"), FORK_TOMBSTONED);
    g_autofree char *decided = fixture_dump(store, "catalog/");
    assert_int_equal(run_change(catalog, drop_what_if, &err), ERR_NOT_DURABLE);
    g_autofree char *again = fixture_dump(store, "catalog/");
    assert_string_equal(decided, again);
    failing_sync_disarm();
    assert_int_equal(run_change(catalog, drop_what_if, &err), 0);
    catalog_free(catalog);
    recover_completely(store);
    store_free(store);
}

/* Nor does recovery, whoever has decided. */
static void recovery_makes_a_decision_durable_before_it_deletes(void **state)
{
    struct store *store = fault_database_after(mutations[1].prepare);
    fixture_replace(store, FIXTURE_REGISTRY, "\"status\": \"active\"",
                    "\"status\": \"tombstoned\"");
    struct catalog *catalog = fixture_open(store, NULL);
    g_autofree char *before = fixture_dump(store, "catalog/");
    struct recovery_report report = {0};
    failing_sync_arm("/catalog", 1, UINT_MAX);
    catalog_recover(catalog, NULL, &report, NULL);
    failing_sync_disarm();
    g_autofree char *after = fixture_dump(store, "catalog/");
    assert_true(report.problems->len > 0);
    assert_string_equal(before, after);
    recovery_report_clear(&report);
    catalog_free(catalog);
    store_free(store);
}

static int use_disk(void **state)
{
    fault_fixture_use(fixture_database_on_disk);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sync_that_fails_once_is_repaired),
        cmocka_unit_test(syncs_that_fail_for_good_are_never_success),
        cmocka_unit_test(no_change_succeeds_while_the_catalog_cannot_be_synced),
        cmocka_unit_test(an_activation_that_is_not_durable_leaves_an_active_fork_and_fails),
        cmocka_unit_test(a_drop_goes_on_only_after_a_durable_decision),
        cmocka_unit_test(recovery_makes_a_decision_durable_before_it_deletes),
    };
    return cmocka_run_group_tests(tests, use_disk, NULL);
}

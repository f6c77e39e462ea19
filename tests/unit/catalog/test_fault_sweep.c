/*
 * Fault sweeps: mkdir, rmdir and recovery with a fault at the n-th store request, n = 1, 2, 3 ...
 * until none fires; after each, the invariants of docs/architecture.md hold.
 */
#include "unit/unit.h"

#include "unit/catalog/fault_fixture.h"

static struct store *database_with_fork(void)
{
    struct store *store = fault_database();
    struct catalog *catalog = fixture_open(store, NULL);
    struct error err = {0};
    if (make_what_if(catalog, NULL, &err))
        fail_msg("%s", err.text);
    catalog_free(catalog);
    return store;
}

/* ---- mkdir ---- */

static bool create_with_fault(const struct fault *fault, unsigned n)
{
    struct store *store = fault_database();
    g_autofree char *before = fixture_dump(store, NULL);
    struct store *wrapper;
    struct catalog *catalog = fault_open(store, fault, n, &wrapper);
    arm_fault(wrapper, fault, n);
    struct error err = {0};
    int code = run_change(catalog, make_what_if, &err);
    bool fired = fault_store_fired(wrapper);
    fault_store_disarm(wrapper);
    bool died = fault->persistent;
    assert_neighbour_unharmed(store);
    if (!died)
        assert_memory_equals_store(catalog, store);
    if (outlives_fault(fault))
        finish_leftovers(catalog, store, fault, n);
    else
        catalog_free(catalog);

    int status = fixture_status(store, "what_if");
    if (code == 0)
        assert_int_equal(status, FORK_ACTIVE);
    else if (!died && status >= 0)
        fail_msg("%s, n %u: refused (%s), but its entry is there", fault->name, n, err.text);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    status = fixture_status(store, "what_if");
    g_autofree char *after = fixture_dump(store, NULL);
    if (code == 0)
        assert_int_equal(status, FORK_ACTIVE);
    if (status < 0)
        assert_string_equal(before, after);
    else
        assert_int_equal(status, FORK_ACTIVE);
    store_free(store);
    return fired;
}

static void mkdir_with_a_fault_at_any_request_is_whole_or_nothing(void **state)
{
    sweep_faults(create_with_fault, 10);
}

/* ---- rmdir ---- */

/* Who goes on with what a drop has left. */
static enum { RMDIR_GOES_ON, MKDIR_GOES_ON, CARETAKER_GOES_ON } goes_on;

static void go_on(struct catalog *catalog, struct store *store, const struct ulid *id,
                  const struct fault *fault, unsigned n)
{
    struct error err = {0};
    int status = fixture_status(store, "what_if");
    if (goes_on == RMDIR_GOES_ON ? status < 0 : status != FORK_TOMBSTONED)
        return;
    if (goes_on == RMDIR_GOES_ON ? catalog_drop(catalog, "what_if", NULL, NULL, &err)
                                 : catalog_create(catalog, "what_if", NULL, NULL, NULL, &err))
        fail_msg("%s, n %u: %s", fault->name, n, err.text);
    assert_int_equal(fixture_mentions(store, id->text), 0);
}

static bool drop_with_fault(const struct fault *fault, unsigned n)
{
    struct store *store = database_with_fork();
    struct store *wrapper;
    struct catalog *catalog = fault_open(store, fault, n, &wrapper);
    auto_registry struct registry *registry = catalog_registry(catalog);
    struct ulid id = registry_find(registry, "what_if")->id;
    arm_fault(wrapper, fault, n);
    struct error err = {0};
    int code = run_change(catalog, drop_what_if, &err);
    bool fired = fault_store_fired(wrapper);
    fault_store_disarm(wrapper);
    assert_neighbour_unharmed(store);
    if (!fault->persistent)
        assert_memory_equals_store(catalog, store);
    if (code == 0)
        assert_int_equal(fixture_mentions(store, id.text), 0);
    if (code != 0 && !fault->persistent && goes_on != CARETAKER_GOES_ON)
        go_on(catalog, store, &id, fault, n);
    if (outlives_fault(fault))
        finish_leftovers(catalog, store, fault, n);
    else
        catalog_free(catalog);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    int status = fixture_status(store, "what_if");
    if (status < 0)
        assert_int_equal(fixture_mentions(store, id.text), 0);
    else
        assert_int_equal(status, FORK_ACTIVE);
    store_free(store);
    return fired;
}

static void rmdir_with_a_fault_at_any_request_can_be_finished(void **state)
{
    goes_on = RMDIR_GOES_ON;
    sweep_faults(drop_with_fault, 10);
}

static void mkdir_finishes_an_rmdir_with_a_fault_at_any_request(void **state)
{
    goes_on = MKDIR_GOES_ON;
    sweep_faults(drop_with_fault, 10);
}

static void rmdir_with_a_fault_at_any_request_is_finished_by_itself(void **state)
{
    goes_on = CARETAKER_GOES_ON;
    sweep_faults(drop_with_fault, 10);
}

/* ---- Recovery ---- */

/* Leaves a database in which `change` was killed after its k-th write. False when there are fewer.
 */
static struct store *killed_at(struct store *store, change_function *change, unsigned k,
                               bool *fired)
{
    struct store *wrapper;
    struct catalog *catalog = fixture_open(store, &wrapper);
    pass_time_with_faults(wrapper);
    fault_store_arm(wrapper, FAULT_KILL_AFTER, FAULT_WRITES, k, true, ERR_IO);
    run_change(catalog, change, NULL);
    *fired = fault_store_fired(wrapper);
    catalog_free(catalog);
    return store;
}

static bool recover_with_fault(change_function *change, unsigned k, const struct fault *fault,
                               unsigned n, bool *crashed)
{
    struct store *store = killed_at(
        change == make_what_if ? fault_database() : database_with_fork(), change, k, crashed);
    bool fired = recover_meeting_fault(store, fault, n);
    int status = fixture_status(store, "what_if");
    assert_true(status < 0 || status == FORK_ACTIVE);
    store_free(store);
    return fired;
}

static void sweep_recovery(change_function *change)
{
    const struct fault *chosen[] = {&faults[FAULT_FAIL_ONCE], &faults[FAULT_LOST],
                                    &faults[FAULT_KILLED], &faults[FAULT_POWER_LOSES_SOME]};
    bool crashed = true;
    for (unsigned k = 1; crashed; k += 3) {
        for (size_t i = 0; i < G_N_ELEMENTS(chosen); i++) {
            unsigned n = 1 + (unsigned)i % FAULT_STRIDE;
            while (recover_with_fault(change, k, chosen[i], n, &crashed))
                n += FAULT_STRIDE;
        }
        assert_true(k < FAULT_STEPS_MAX);
    }
}

static void recovery_of_a_killed_mkdir_survives_a_fault_at_any_request(void **state)
{
    sweep_recovery(make_what_if);
}

static void recovery_of_a_killed_rmdir_survives_a_fault_at_any_request(void **state)
{
    sweep_recovery(drop_what_if);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mkdir_with_a_fault_at_any_request_is_whole_or_nothing),
        cmocka_unit_test(rmdir_with_a_fault_at_any_request_can_be_finished),
        cmocka_unit_test(mkdir_finishes_an_rmdir_with_a_fault_at_any_request),
        cmocka_unit_test(rmdir_with_a_fault_at_any_request_is_finished_by_itself),
        cmocka_unit_test(recovery_of_a_killed_mkdir_survives_a_fault_at_any_request),
        cmocka_unit_test(recovery_of_a_killed_rmdir_survives_a_fault_at_any_request),
    };
    int failed =
        cmocka_run_group_tests_name("memory store", tests, fault_fixture_on_one_processor, NULL);
    fault_fixture_use(fixture_database_on_disk);
    return failed +
           cmocka_run_group_tests_name("local store", tests, fault_fixture_on_one_processor, NULL);
}

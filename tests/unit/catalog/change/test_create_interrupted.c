/*
 * Creates that an interrupt or a deadline ends, and those that meet another of the same name.
 */
#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/change/change_fixture.h"
#include "unit/virtual_clock.h"

/* ---- Interrupts ---- */

struct creator {
    struct change_fixture *fixture;
    struct operation operation;
    pthread_t thread;
    struct error err;
    int code;
};

static void *run_create(void *argument)
{
    struct creator *creator = argument;
    creator->code = catalog_create(creator->fixture->catalog, "audit", NULL, &creator->operation,
                                   NULL, &creator->err);
    return NULL;
}

/* Cancels a create while its n-th request of that kind is under way. */
static int cancel_at(struct change_fixture *fixture, unsigned mask, const char *part, unsigned n)
{
    struct creator creator = {.fixture = fixture};
    operation_init(&creator.operation, 60000);
    fault_store_match(fixture->faults, part);
    fault_store_arm(fixture->faults, FAULT_DELAY, mask, n, false, 0);
    assert_int_equal(pthread_create(&creator.thread, NULL, run_create, &creator), 0);
    fault_store_wait_held(fixture->faults);
    operation_cancel(&creator.operation);
    fault_store_release(fixture->faults);
    pthread_join(creator.thread, NULL);
    operation_destroy(&creator.operation);
    return creator.code;
}

static void assert_no_trace(struct change_fixture *fixture)
{
    assert_int_equal(fixture_status(fixture->store, "audit"), -1);
    assert_int_equal(fixture_mentions(fixture->store, "audit"), 0);
    assert_int_equal(fixture_mentions(fixture->store, "fork_0"), 0);
    fixture_assert_clean(fixture->store);
}

static void an_interrupt_while_reading_leaves_no_trace(void **state)
{
    struct change_fixture *fixture = *state;
    assert_int_equal(cancel_at(fixture, FAULT_READS, NULL, 1), ERR_INTERRUPTED);
    assert_no_trace(fixture);
}

static void an_interrupt_while_branching_leaves_no_trace(void **state)
{
    struct change_fixture *fixture = *state;
    assert_int_equal(cancel_at(fixture, FAULT_WRITES, "vertices", 1), ERR_INTERRUPTED);
    assert_no_trace(fixture);
}

static void an_interrupt_at_the_commit_point_comes_too_late(void **state)
{
    struct change_fixture *fixture = *state;
    assert_int_equal(cancel_at(fixture, FAULT_WRITES, FIXTURE_REGISTRY, 2), 0);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_ACTIVE);
    fixture_assert_whole(fixture->store);
}

static void a_deadline_while_branching_leaves_no_trace_or_says_so(void **state)
{
    struct change_fixture *fixture = *state;
    struct creator creator = {.fixture = fixture};
    operation_init(&creator.operation, AMPLE_MS);
    fault_store_match(fixture->faults, "_refs/branches");
    fault_store_when_fired(fixture->faults, virtual_clock_jump, UNTIL_UNDOING_MS(AMPLE_MS));
    fault_store_arm(fixture->faults, FAULT_DELAY, FAULT_WRITES, 1, false, 0);
    run_create(&creator);
    assert_int_equal(creator.code, ERR_DEADLINE);
    if (fixture_status(fixture->store, "audit") >= 0)
        assert_non_null(strstr(creator.err.text, "left for recovery"));
    operation_destroy(&creator.operation);
    fault_store_release(fixture->faults);
    catalog_free(fixture->catalog);
    fixture->catalog = fixture_open(fixture->store, &fixture->faults);
    fixture_recover(fixture->catalog, NULL);
    assert_no_trace(fixture);
}

static void undoing_has_time_although_that_of_the_create_is_over(void **state)
{
    struct change_fixture *fixture = *state;
    struct creator creator = {.fixture = fixture};
    operation_init(&creator.operation, AMPLE_MS);
    fault_store_match(fixture->faults, "_refs/branches");
    fault_store_when_fired(fixture->faults, virtual_clock_jump, 2 * AMPLE_MS);
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 2, false, ERR_DEADLINE);
    run_create(&creator);
    operation_destroy(&creator.operation);
    assert_int_equal(creator.code, ERR_DEADLINE);
    assert_no_trace(fixture);
}

/* Time stands still once the create's is over, so that however long it takes to let go of the put,
 * nobody has waited long for it. */
static void a_put_that_is_only_slow_is_awaited_and_undone(void **state)
{
    struct change_fixture *fixture = *state;
    struct creator creator = {.fixture = fixture};
    operation_init(&creator.operation, AMPLE_MS);
    fault_store_match(fixture->faults, "_refs/branches");
    fault_store_set_delay(fixture->faults, 10 * AMPLE_MS);
    fault_store_arm(fixture->faults, FAULT_DELAY, FAULT_WRITES, 1, false, 0);
    assert_int_equal(pthread_create(&creator.thread, NULL, run_create, &creator), 0);
    fault_store_wait_held(fixture->faults);
    virtual_clock_stop();
    virtual_clock_jump(2 * AMPLE_MS);
    AWAIT(fixture_status(fixture->store, "audit") == FORK_TOMBSTONED);
    fault_store_release(fixture->faults);
    pthread_join(creator.thread, NULL);
    virtual_clock_go_on();
    operation_destroy(&creator.operation);
    assert_int_equal(creator.code, ERR_DEADLINE);
    assert_no_trace(fixture);
}

/* Creates while the n-th write of the registry is held up longer than the time allowed. */
static int create_with_stuck_commit(struct change_fixture *fixture, unsigned n, struct error *err)
{
    struct creator creator = {.fixture = fixture};
    operation_init(&creator.operation, AMPLE_MS);
    fault_store_match(fixture->faults, FIXTURE_REGISTRY);
    fault_store_when_fired(fixture->faults, virtual_clock_jump, UNTIL_UNDOING_MS(AMPLE_MS));
    fault_store_arm(fixture->faults, FAULT_DELAY, FAULT_WRITES, n, false, 0);
    run_create(&creator);
    operation_destroy(&creator.operation);
    *err = creator.err;
    return creator.code;
}

static void wait_for_entry(struct change_fixture *fixture)
{
    AWAIT(fixture_status(fixture->store, "audit") >= 0);
}

static void an_entry_that_may_still_appear_is_no_success_and_no_secret(void **state)
{
    struct change_fixture *fixture = *state;
    struct error err;
    assert_int_equal(create_with_stuck_commit(fixture, 1, &err), ERR_OUTCOME_UNKNOWN);
    assert_non_null(strstr(err.text, "may still appear"));
    fault_store_release(fixture->faults);
    wait_for_entry(fixture);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_PENDING);
    assert_int_equal(fixture_recover(fixture->catalog, NULL), 1);
    assert_no_trace(fixture);
}

static void an_activation_that_is_stuck_is_fenced_off(void **state)
{
    struct change_fixture *fixture = *state;
    struct error err;
    assert_int_equal(create_with_stuck_commit(fixture, 2, &err), ERR_DEADLINE);
    assert_non_null(strstr(err.text, "everything was undone"));
    assert_no_trace(fixture);
    fault_store_release(fixture->faults);
    catalog_free(fixture->catalog); /* waits for it */
    fixture->catalog = fixture_open(fixture->store, &fixture->faults);
    assert_int_equal(fixture_recover(fixture->catalog, NULL), 0);
    assert_no_trace(fixture);
}

/* ---- Several at once ---- */

static void of_two_creates_of_a_name_one_finds_it_taken(void **state)
{
    struct change_fixture *fixture = *state;
    struct creator creators[2];
    for (int i = 0; i < 2; i++) {
        creators[i] = (struct creator){.fixture = fixture};
        operation_init(&creators[i].operation, -1);
        assert_int_equal(pthread_create(&creators[i].thread, NULL, run_create, &creators[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(creators[i].thread, NULL);
        operation_destroy(&creators[i].operation);
    }
    assert_int_equal(creators[0].code + creators[1].code, ERR_EXISTS);
    fixture_assert_clean(fixture->store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, change_set_up, change_tear_down)
#define TEST_WIDE(name) cmocka_unit_test_setup_teardown(name, change_set_up_wide, change_tear_down)
#define TEST_ON_DISK(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, change_set_up_on_disk, change_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_interrupt_while_reading_leaves_no_trace),
        TEST(an_interrupt_while_branching_leaves_no_trace),
        TEST_ON_DISK(an_interrupt_while_branching_leaves_no_trace),
        TEST(an_interrupt_at_the_commit_point_comes_too_late),
        TEST(a_deadline_while_branching_leaves_no_trace_or_says_so),
        TEST(undoing_has_time_although_that_of_the_create_is_over),
        TEST_WIDE(a_put_that_is_only_slow_is_awaited_and_undone),
        TEST_WIDE(an_entry_that_may_still_appear_is_no_success_and_no_secret),
        TEST_WIDE(an_activation_that_is_stuck_is_fenced_off),
        TEST(of_two_creates_of_a_name_one_finds_it_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

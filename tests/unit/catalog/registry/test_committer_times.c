/*
 * Requests to the committer whose time passes, or that are cancelled.
 */
#include "unit/unit.h"

#include "unit/catalog/registry/committer_fixture.h"
#include "unit/virtual_clock.h"

static void a_cancelled_request_is_withdrawn_while_it_waits(void **state)
{
    struct committer_fixture *fixture = *state;
    struct caller first, second;
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    caller_start(&first, fixture->committer, "first", -1);
    fault_store_wait_held(fixture->outer);
    caller_start(&second, fixture->committer, "second", -1);
    operation_await_watched(&second.operation);
    operation_cancel(&second.operation);
    assert_int_equal(caller_join(&second), ERR_INTERRUPTED);
    fault_store_release(fixture->outer);
    assert_int_equal(caller_join(&first), 0);
    assert_int_equal(insert(fixture->committer, "third", NULL), 0);
    assert_false(on_store(fixture, "second"));
}

static void a_request_is_withdrawn_when_its_time_passes_while_it_waits(void **state)
{
    struct committer_fixture *fixture = *state;
    struct caller first, second;
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    caller_start(&first, fixture->committer, "first", -1);
    fault_store_wait_held(fixture->outer);
    caller_start(&second, fixture->committer, "second", 20);
    assert_int_equal(caller_join(&second), ERR_DEADLINE);
    fault_store_release(fixture->outer);
    assert_int_equal(caller_join(&first), 0);
    assert_int_equal(insert(fixture->committer, "third", NULL), 0);
    assert_false(on_store(fixture, "second"));
}

static void a_deadline_during_the_put_leaves_the_outcome_open_until_it_is_known(void **state)
{
    struct committer_fixture *fixture = *state;
    struct operation operation;
    operation_init(&operation, AMPLE_MS);
    fault_store_when_fired(fixture->outer, virtual_clock_jump, AMPLE_MS);
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    assert_int_equal(insert(fixture->committer, "made", &operation), ERR_OUTCOME_UNKNOWN);
    operation_destroy(&operation);
    assert_false(in_memory(fixture->committer, "made"));
    fault_store_release(fixture->outer);
    committer_fixture_await(fixture, "made");
    assert_true(in_memory(fixture->committer, "made"));
}

/* The put arrives after the committer has looked at the store and found nothing new. */
static void a_put_that_arrives_late_is_noticed(void **state)
{
    struct committer_fixture *fixture = *state;
    struct operation operation;
    operation_init(&operation, AMPLE_MS);
    fault_store_when_fired(fixture->outer, virtual_clock_jump, AMPLE_MS);
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    assert_int_equal(insert(fixture->committer, "made", &operation), ERR_OUTCOME_UNKNOWN);
    operation_destroy(&operation);
    assert_int_equal(committer_reload(fixture->committer, NULL, NULL), 0);
    assert_false(in_memory(fixture->committer, "made"));
    fault_store_release(fixture->outer);
    committer_fixture_await(fixture, "made");
}

/* The store's only thread is stuck in the put, so that the look at what has become of it waits. */
static void the_end_does_not_wait_for_a_look_that_nobody_asked_for(void **state)
{
    struct committer_fixture *fixture = *state;
    struct committer *ending = committer_on(fixture->outer);
    struct operation operation;
    operation_init(&operation, AMPLE_MS);
    fault_store_when_fired(fixture->outer, virtual_clock_jump, AMPLE_MS);
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    assert_int_equal(insert(ending, "made", &operation), ERR_OUTCOME_UNKNOWN);
    operation_destroy(&operation);
    unsigned waves = fault_store_waves(fixture->outer);
    unsigned gets = fault_store_total(fixture->outer, STORE_GET);
    AWAIT(fault_store_waves(fixture->outer) != waves);
    committer_free(ending);
    assert_int_equal(fault_store_total(fixture->outer, STORE_GET), gets);
    fault_store_release(fixture->outer);
}

/* Others may have taken over the work meanwhile. */
static void a_request_whose_machine_slept_for_its_time_is_not_committed(void **state)
{
    struct committer_fixture *fixture = *state;
    struct operation operation;
    operation_init(&operation, 60000);
    operation.suspended_ns -= INT64_C(61000000000);
    assert_int_equal(insert(fixture->committer, "made", &operation), ERR_DEADLINE);
    operation_destroy(&operation);
    assert_int_equal(puts_so_far(fixture), 0);
}

static void others_win_until_the_time_is_over(void **state)
{
    struct committer_fixture *fixture = *state;
    struct operation operation;
    operation_init(&operation, AMPLE_MS);
    fault_store_when_fired(fixture->outer, virtual_clock_jump, AMPLE_MS / 10);
    fault_store_arm(fixture->outer, FAULT_FAIL, 1u << STORE_PUT, 1, true, ERR_PRECONDITION);
    assert_int_equal(insert(fixture->committer, "made", &operation), ERR_CONTENDED);
    operation_destroy(&operation);
    fault_store_disarm(fixture->outer);
    assert_false(on_store(fixture, "made"));
    assert_int_equal(insert(fixture->committer, "made", NULL), 0);
}

struct reader {
    struct store *store;
    struct operation operation; /* with a deadline, so that the pool's only thread does it */
    pthread_t thread;
};

static void *read_other_object(void *argument)
{
    struct reader *reader = argument;
    struct bytes *body = NULL;
    assert_int_equal(store_get(reader->store, "other", &reader->operation, &body, NULL, NULL),
                     ERR_NOT_FOUND);
    return NULL;
}

/* Two requests of one group, whose put has to wait for a thread longer than the first one's time.
 */
static void the_deadline_of_one_request_is_not_that_of_its_group(void **state)
{
    struct committer_fixture *fixture = *state;
    struct caller first, hasty, patient;
    struct reader reader = {.store = fixture->outer};
    operation_init(&reader.operation, INT64_C(10) * AMPLE_MS);
    fault_store_arm(fixture->inner, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    caller_start(&first, fixture->committer, "first", -1);
    fault_store_wait_held(fixture->inner);
    caller_start(&hasty, fixture->committer, "hasty", AMPLE_MS);
    caller_start(&patient, fixture->committer, "patient", -1);
    operation_await_watched(&hasty.operation);
    operation_await_watched(&patient.operation);
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_GET, 1, false, 0);
    assert_int_equal(pthread_create(&reader.thread, NULL, read_other_object, &reader), 0);
    operation_await_watched(&reader.operation);
    fault_store_release(fixture->inner);
    fault_store_wait_held(fixture->outer);
    virtual_clock_jump(AMPLE_MS);
    int hasty_code = caller_join(&hasty);
    fault_store_release(fixture->outer);
    assert_int_equal(caller_join(&first), 0);
    assert_int_equal(caller_join(&patient), 0);
    pthread_join(reader.thread, NULL);
    operation_destroy(&reader.operation);
    assert_int_equal(hasty_code, ERR_DEADLINE);
    assert_true(on_store(fixture, "patient"));
    assert_false(on_store(fixture, "hasty"));
}

static void the_deadline_of_one_reload_is_not_that_of_the_others(void **state)
{
    struct committer_fixture *fixture = *state;
    struct caller first, hasty, patient;
    fault_store_arm(fixture->inner, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_GET, 1, false, 0);
    caller_start(&first, fixture->committer, "first", -1);
    fault_store_wait_held(fixture->inner);
    caller_start(&hasty, fixture->committer, NULL, AMPLE_MS);
    caller_start(&patient, fixture->committer, NULL, -1);
    operation_await_watched(&hasty.operation);
    operation_await_watched(&patient.operation);
    fault_store_release(fixture->inner);
    fault_store_wait_held(fixture->outer);
    virtual_clock_jump(AMPLE_MS);
    assert_int_equal(caller_join(&hasty), ERR_DEADLINE);
    fault_store_release(fixture->outer);
    assert_int_equal(caller_join(&patient), 0);
    assert_int_equal(caller_join(&first), 0);
}

static void a_reload_does_not_wait_for_a_put_longer_than_its_time(void **state)
{
    struct committer_fixture *fixture = *state;
    struct caller first, hasty;
    fault_store_arm(fixture->outer, FAULT_FAIL, 1u << STORE_PUT, 1, false, ERR_OUTCOME_UNKNOWN);
    fault_store_arm(fixture->inner, FAULT_DELAY, 1u << STORE_GET, 1, false, 0);
    caller_start(&first, fixture->committer, "first", -1);
    fault_store_wait_held(fixture->inner); /* the put is going to be repeated */
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    caller_start(&hasty, fixture->committer, NULL, AMPLE_MS);
    operation_await_watched(&hasty.operation);
    fault_store_release(fixture->inner);
    fault_store_wait_held(fixture->outer);
    virtual_clock_jump(AMPLE_MS);
    assert_int_equal(caller_join(&hasty), ERR_DEADLINE);
    assert_int_equal(caller_join(&first), 0);
    fault_store_release(fixture->outer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, committer_set_up, committer_tear_down)
#define TEST_WIDE(name)                                                                            \
    cmocka_unit_test_setup_teardown(name, committer_set_up_wide, committer_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cancelled_request_is_withdrawn_while_it_waits),
        TEST(a_request_is_withdrawn_when_its_time_passes_while_it_waits),
        TEST(a_deadline_during_the_put_leaves_the_outcome_open_until_it_is_known),
        TEST_WIDE(a_put_that_arrives_late_is_noticed),
        TEST(the_end_does_not_wait_for_a_look_that_nobody_asked_for),
        TEST(a_request_whose_machine_slept_for_its_time_is_not_committed),
        TEST(others_win_until_the_time_is_over),
        TEST(the_deadline_of_one_request_is_not_that_of_its_group),
        TEST(the_deadline_of_one_reload_is_not_that_of_the_others),
        TEST_WIDE(a_reload_does_not_wait_for_a_put_longer_than_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The fault wrapper, and with its help what store_run() does when calls get stuck.
 */
#include <pthread.h>
#include <string.h>

#include "store/local/local_store.h"
#include "unit/store/store_bench.h"
#include "unit/stores/fault_store.h"
#include "unit/stores/memory_store.h"
#include "unit/unit.h"
#include "unit/virtual_clock.h"

static int set_up(void **state)
{
    *state = fault_store_new(memory_store_new(1), true);
    return 0;
}

static int set_up_parallel(void **state)
{
    *state = fault_store_new(memory_store_new(8), true);
    return 0;
}

static int tear_down(void **state)
{
    store_free(*state);
    return 0;
}

/* Puts k0 ... k(count-1) as one set, with a deadline when timeout_ms is not negative. */
static struct store_set *put_many(struct store *store, int count, int64_t timeout_ms, int *ret_code)
{
    auto_bytes struct bytes *body = bytes_new_text("x");
    struct operation operation;
    operation_init(&operation, timeout_ms);
    struct store_set *set = store_set_new();
    for (int i = 0; i < count; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        store_set_put(set, key, body, STORE_ALWAYS, NULL);
    }
    *ret_code = store_run(store, set, &operation, NULL);
    operation_destroy(&operation);
    return set;
}

/* The n-th request is held up, and then the time is over. */
static void arm_stuck(struct store *store, unsigned method_mask, unsigned n, bool persistent)
{
    fault_store_when_fired(store, virtual_clock_jump, AMPLE_MS);
    fault_store_set_delay(store, INT64_C(10) * AMPLE_MS);
    fault_store_arm(store, FAULT_DELAY, method_mask, n, persistent, ERR_IO);
}

static int answer_code(struct store_set *set, size_t index)
{
    return store_set_at(set, index)->answer.code;
}

static void unarmed_wrapper_only_counts(void **state)
{
    struct store *store = *state;
    assert_int_equal(put_text(store, "a", "x"), 0);
    assert_text(get_text(store, "a"), "x");
    assert_text(get_text(store, "b"), "NOT_FOUND");
    assert_text(list_keys(store, "", NULL, 0), "a");
    assert_int_equal(delete_key(store, "a"), 0);
    assert_int_equal(fault_store_total(store, STORE_PUT), 1);
    assert_int_equal(fault_store_total(store, STORE_GET), 2);
    assert_int_equal(fault_store_total(store, STORE_LIST), 1);
    assert_int_equal(fault_store_total(store, STORE_DELETE), 1);
    assert_int_equal(fault_store_total(store, STORE_HEAD), 0);
    assert_int_equal(fault_store_waves(store), 5);
    assert_false(fault_store_fired(store));
}

static void a_set_is_one_wave(void **state)
{
    int code;
    struct store_set *set = put_many(*state, 10, -1, &code);
    assert_int_equal(fault_store_waves(*state), 1);
    assert_int_equal(fault_store_total(*state, STORE_PUT), 10);
    store_set_unref(set);
}

static void nth_request_fails_without_effect(void **state)
{
    struct store *store = *state;
    int code;
    fault_store_arm(store, FAULT_FAIL, FAULT_WRITES, 3, false, ERR_NO_SPACE);
    struct store_set *set = put_many(store, 5, -1, &code);
    assert_int_equal(code, 0);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(answer_code(set, i), i == 2 ? ERR_NO_SPACE : 0);
    store_set_unref(set);
    assert_true(fault_store_fired(store));
    assert_int_equal(fault_store_count(store), 5);
    assert_text(list_keys(store, "", NULL, 0), "k0 k1 k3 k4");
}

static void persistent_fault_fails_from_the_nth_on(void **state)
{
    struct store *store = *state;
    int code;
    fault_store_arm(store, FAULT_FAIL, FAULT_WRITES, 3, true, ERR_UNREACHABLE);
    struct store_set *set = put_many(store, 5, -1, &code);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(answer_code(set, i), i >= 2 ? ERR_UNREACHABLE : 0);
    store_set_unref(set);
    assert_text(list_keys(store, "", NULL, 0), "k0 k1");
    fault_store_disarm(store);
    assert_int_equal(put_text(store, "k9", "x"), 0);
    assert_true(fault_store_fired(store));
}

static void mask_and_match_select_requests(void **state)
{
    struct store *store = *state;
    fault_store_match(store, "registry");
    fault_store_arm(store, FAULT_FAIL, FAULT_READS, 1, true, ERR_IO);
    assert_int_equal(put_text(store, "registry.json", "x"), 0);
    assert_int_equal(put_text(store, "other", "x"), 0);
    assert_text(get_text(store, "other"), "x");
    assert_text(get_text(store, "registry.json"), "IO");
    assert_int_equal(fault_store_count(store), 1);
    fault_store_match(store, NULL);
    assert_text(get_text(store, "other"), "IO");
}

static void arming_with_none_counts_matching_requests(void **state)
{
    struct store *store = *state;
    fault_store_arm(store, FAULT_NONE, FAULT_WRITES, 1, true, ERR_IO);
    put_text(store, "a", "x");
    etag_of(store, "b");
    delete_key(store, "a");
    prune_prefix(store, "a/");
    assert_int_equal(fault_store_count(store), 3);
    assert_false(fault_store_fired(store));
    fault_store_arm(store, FAULT_NONE, FAULT_ALL, 0, false, 0);
    assert_int_equal(fault_store_count(store), 0);
}

static void lost_answer_of_a_write_is_an_unknown_outcome(void **state)
{
    struct store *store = *state;
    fault_store_arm(store, FAULT_LOSE_ANSWER, FAULT_WRITES, 1, true, ERR_IO);
    assert_int_equal(put_text(store, "a", "x"), ERR_OUTCOME_UNKNOWN);
    assert_text(get_text(store, "a"), "x");
    assert_int_equal(put_if(store, "a", "y", STORE_IF_ABSENT, NULL), ERR_OUTCOME_UNKNOWN);
    assert_text(get_text(store, "a"), "x");
    assert_int_equal(delete_key(store, "a"), ERR_OUTCOME_UNKNOWN);
    assert_text(get_text(store, "a"), "NOT_FOUND");
}

static void lost_answer_of_a_read_is_the_armed_code(void **state)
{
    struct store *store = *state;
    put_text(store, "a", "x");
    fault_store_arm(store, FAULT_LOSE_ANSWER, FAULT_READS, 1, true, ERR_UNREACHABLE);
    assert_text(get_text(store, "a"), "UNREACHABLE");
    assert_text(list_keys(store, "", NULL, 0), "UNREACHABLE");
}

static void killed_store_does_nothing_more(void **state)
{
    struct store *store = *state;
    int code;
    fault_store_arm(store, FAULT_KILL, FAULT_WRITES, 2, false, ERR_IO);
    struct store_set *set = put_many(store, 4, -1, &code);
    assert_int_equal(answer_code(set, 0), 0);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(answer_code(set, i), ERR_IO);
    store_set_unref(set);
    assert_text(get_text(store, "k0"), "IO");
    assert_text(list_keys(store, "", NULL, 0), "IO");
    assert_int_equal(delete_key(store, "k0"), ERR_IO);
    fault_store_disarm(store);
    assert_text(list_keys(store, "", NULL, 0), "k0");
}

static void kill_after_lets_the_request_take_effect(void **state)
{
    struct store *store = *state;
    int code;
    fault_store_arm(store, FAULT_KILL_AFTER, FAULT_WRITES, 2, false, ERR_IO);
    struct store_set *set = put_many(store, 4, -1, &code);
    assert_int_equal(answer_code(set, 2), ERR_IO);
    store_set_unref(set);
    fault_store_disarm(store);
    assert_text(list_keys(store, "", NULL, 0), "k0 k1");
}

static void borrowed_store_survives_the_wrapper(void **state)
{
    struct store *inner = memory_store_new(2);
    struct store *wrapper = fault_store_new(inner, false);
    put_text(wrapper, "a", "x");
    store_free(wrapper);
    assert_text(get_text(inner, "a"), "x");
    store_free(inner);
}

struct background {
    struct store *store;
    int count;
    int64_t timeout_ms;
    struct operation operation;
    struct store_set *set;
    int code;
};

static void *run_background(void *argument)
{
    struct background *background = argument;
    auto_bytes struct bytes *body = bytes_new_text("x");
    background->set = store_set_new();
    for (int i = 0; i < background->count; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        store_set_put(background->set, key, body, STORE_ALWAYS, NULL);
    }
    background->code = store_run(background->store, background->set, &background->operation, NULL);
    return NULL;
}

static void delayed_request_goes_on_after_release(void **state)
{
    struct store *store = *state;
    struct background background = {.store = store, .count = 3};
    operation_init(&background.operation, -1);
    fault_store_arm(store, FAULT_DELAY, FAULT_WRITES, 2, false, ERR_IO);
    pthread_t thread;
    pthread_create(&thread, NULL, run_background, &background);
    fault_store_wait_held(store);
    fault_store_release(store);
    pthread_join(thread, NULL);
    assert_int_equal(background.code, 0);
    assert_int_equal(store_set_failure(background.set, 0, NULL), 0);
    store_set_unref(background.set);
    operation_destroy(&background.operation);
    assert_text(list_keys(store, "", NULL, 0), "k0 k1 k2");
}

static void delay_ends_by_itself(void **state)
{
    fault_store_set_delay(*state, 10);
    fault_store_arm(*state, FAULT_DELAY, FAULT_WRITES, 1, false, ERR_IO);
    assert_int_equal(put_text(*state, "a", "x"), 0);
    assert_true(fault_store_fired(*state));
    assert_text(get_text(*state, "a"), "x");
}

static void cancel_waits_for_what_is_under_way_and_stops_the_rest(void **state)
{
    struct store *store = *state; /* one job: the others wait behind the one held up */
    struct background background = {.store = store, .count = 3};
    operation_init(&background.operation, -1);
    fault_store_arm(store, FAULT_DELAY, FAULT_WRITES, 1, false, ERR_IO);
    pthread_t thread;
    pthread_create(&thread, NULL, run_background, &background);
    fault_store_wait_held(store);
    operation_cancel(&background.operation);
    fault_store_release(store);
    pthread_join(thread, NULL);
    assert_int_equal(background.code, ERR_INTERRUPTED);
    assert_int_equal(answer_code(background.set, 0), 0);
    assert_int_equal(answer_code(background.set, 1), ERR_INTERRUPTED);
    assert_int_equal(answer_code(background.set, 2), ERR_INTERRUPTED);
    store_set_unref(background.set);
    operation_destroy(&background.operation);
    assert_text(list_keys(store, "", NULL, 0), "k0");
}

static void stuck_put_is_an_unknown_outcome_at_the_deadline(void **state)
{
    struct store *store = *state;
    int code;
    arm_stuck(store, FAULT_WRITES, 2, false);
    struct store_set *set = put_many(store, 4, AMPLE_MS, &code);
    assert_int_equal(code, ERR_DEADLINE);
    assert_int_equal(answer_code(set, 0), 0);
    assert_int_equal(answer_code(set, 1), ERR_OUTCOME_UNKNOWN);
    assert_int_equal(answer_code(set, 2), ERR_DEADLINE);
    assert_int_equal(answer_code(set, 3), ERR_DEADLINE);
    store_set_unref(set);
    fault_store_release(store);
    /* The stuck one goes on, those not started never do. One job: the next set runs after it. */
    set = put_many(store, 1, 60000, &code);
    assert_int_equal(code, 0);
    store_set_unref(set);
    assert_text(list_keys(store, "", NULL, 0), "k0 k1");
}

static void stuck_read_is_late_at_the_deadline(void **state)
{
    struct store *store = *state;
    struct operation operation;
    auto_bytes struct bytes *body = NULL;
    struct error err = {.text = ""};
    put_text(store, "a", "x");
    arm_stuck(store, FAULT_READS, 1, false);
    operation_init(&operation, AMPLE_MS);
    assert_int_equal(store_get(store, "a", &operation, &body, NULL, &err), ERR_DEADLINE);
    assert_null(body);
    assert_non_null(strstr(err.text, "get a"));
    operation_destroy(&operation);
    fault_store_release(store);
}

static void stuck_single_put_reports_the_unknown_outcome(void **state)
{
    struct store *store = *state;
    struct operation operation;
    auto_bytes struct bytes *body = bytes_new_text("x");
    arm_stuck(store, FAULT_WRITES, 1, false);
    operation_init(&operation, AMPLE_MS);
    assert_int_equal(store_put(store, "a", body, STORE_ALWAYS, NULL, &operation, NULL, NULL),
                     ERR_OUTCOME_UNKNOWN);
    operation_destroy(&operation);
    fault_store_release(store);
}

static void answers_before_the_deadline_are_kept(void **state)
{
    struct store *store = *state; /* one job: the slow one comes last */
    struct operation operation;
    put_text(store, "a", "x");
    put_text(store, "slow", "x");
    fault_store_match(store, "slow");
    arm_stuck(store, FAULT_READS, 1, false);
    operation_init(&operation, AMPLE_MS);
    struct store_set *set = store_set_new();
    const struct store_answer *got = &store_set_get(set, "a")->answer;
    const struct store_answer *absent = &store_set_get(set, "absent")->answer;
    const struct store_answer *listed = &store_set_list(set, "", NULL, 0)->answer;
    const struct store_answer *late = &store_set_get(set, "slow")->answer;
    assert_int_equal(store_run(store, set, &operation, NULL), ERR_DEADLINE);
    assert_int_equal(got->code, 0);
    assert_string_equal(got->body->data, "x");
    assert_int_equal(absent->code, ERR_NOT_FOUND);
    assert_int_equal(listed->objects->len, 2);
    assert_int_equal(late->code, ERR_DEADLINE);
    fault_store_release(store);
    store_set_unref(set);
    operation_destroy(&operation);
}

static void unsettled_put_is_not_durable_at_the_deadline(void **state)
{
    char *root = scratch_directory_new();
    struct store *local;
    assert_int_equal(local_store_open(root, 1, &local, NULL), 0);
    struct store *store = fault_store_new(local, true);
    int code;
    fault_store_match(store, "k1");
    arm_stuck(store, FAULT_WRITES, 1, false);
    struct store_set *set = put_many(store, 2, AMPLE_MS, &code);
    assert_int_equal(code, ERR_DEADLINE);
    assert_int_equal(answer_code(set, 0), ERR_NOT_DURABLE);
    assert_int_equal(answer_code(set, 1), ERR_OUTCOME_UNKNOWN);
    fault_store_release(store);
    store_set_unref(set);
    store_free(store);
    assert_text(scratch_names(root, ""), "k0 k1");
    scratch_directory_free(root);
}

static void store_answers_others_while_calls_are_stuck(void **state)
{
    struct store *store = *state;
    int code;
    arm_stuck(store, FAULT_WRITES, 1, true);
    for (int i = 0; i < 5; i++) {
        struct store_set *set = put_many(store, 1, AMPLE_MS, &code);
        assert_int_equal(code, ERR_DEADLINE);
        store_set_unref(set);
    }
    assert_text(get_text(store, "k0"), "NOT_FOUND");
    fault_store_release(store);
}

static void a_store_that_is_stuck_can_be_left(void **state)
{
    struct store *store = *state;
    int code;
    arm_stuck(store, 1u << STORE_PUT, 1, false);
    store_set_unref(put_many(store, 2, AMPLE_MS, &code));
    assert_int_equal(code, ERR_DEADLINE);
    assert_false(store_free_within(store, 1));
    fault_store_release(store);
    assert_true(store_free_within(store, 60000));
    *state = NULL;
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define PARALLEL(test) cmocka_unit_test_setup_teardown(test, set_up_parallel, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(unarmed_wrapper_only_counts),
        ONE(a_set_is_one_wave),
        ONE(nth_request_fails_without_effect),
        ONE(persistent_fault_fails_from_the_nth_on),
        ONE(mask_and_match_select_requests),
        ONE(arming_with_none_counts_matching_requests),
        ONE(lost_answer_of_a_write_is_an_unknown_outcome),
        ONE(lost_answer_of_a_read_is_the_armed_code),
        ONE(killed_store_does_nothing_more),
        ONE(kill_after_lets_the_request_take_effect),
        PARALLEL(a_store_that_is_stuck_can_be_left),
        cmocka_unit_test(borrowed_store_survives_the_wrapper),
        ONE(delayed_request_goes_on_after_release),
        ONE(delay_ends_by_itself),
        ONE(cancel_waits_for_what_is_under_way_and_stops_the_rest),
        ONE(stuck_put_is_an_unknown_outcome_at_the_deadline),
        PARALLEL(stuck_read_is_late_at_the_deadline),
        PARALLEL(stuck_single_put_reports_the_unknown_outcome),
        ONE(answers_before_the_deadline_are_kept),
        cmocka_unit_test(unsettled_put_is_not_durable_at_the_deadline),
        PARALLEL(store_answers_others_while_calls_are_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

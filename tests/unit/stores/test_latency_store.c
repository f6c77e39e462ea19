#include <pthread.h>

#include "unit/store/store_bench.h"
#include "unit/stores/fault_store.h"
#include "unit/stores/latency_store.h"
#include "unit/stores/memory_store.h"
#include "unit/unit.h"

#define JOBS 4

static int set_up(void **state)
{
    *state = latency_store_new(memory_store_new(JOBS), true, JOBS);
    return 0;
}

static int tear_down(void **state)
{
    store_free(*state);
    return 0;
}

/* Puts <name>0 ... <name>(count-1) as one set. */
static void put_many(struct store *store, const char *name, int count, struct operation *operation)
{
    auto_bytes struct bytes *body = bytes_new_text("x");
    struct store_set *set = store_set_new();
    for (int i = 0; i < count; i++) {
        g_autofree char *key = g_strdup_printf("%s%d", name, i);
        store_set_put(set, key, body, STORE_ALWAYS, NULL);
    }
    assert_int_equal(store_run(store, set, operation, NULL), 0);
    assert_int_equal(store_set_failure(set, 0, NULL), 0);
    store_set_unref(set);
}

static unsigned rounds_of(struct store *store)
{
    return latency_store_cost(store).rounds;
}

static void a_set_that_is_in_flight_as_a_whole_takes_one_round(void **state)
{
    put_many(*state, "k", JOBS, NULL);
    assert_int_equal(rounds_of(*state), 1);
    assert_text(list_keys(*state, "", NULL, 0), "k0 k1 k2 k3");
}

static void a_larger_set_takes_a_round_for_each_flight(void **state)
{
    put_many(*state, "k", JOBS + 1, NULL);
    assert_int_equal(rounds_of(*state), 2);
    put_many(*state, "m", 3 * JOBS, NULL);
    assert_int_equal(rounds_of(*state), 5);
}

static void sets_one_after_another_take_a_round_each(void **state)
{
    for (int i = 0; i < 10; i++)
        put_many(*state, "k", 1 + i % JOBS, NULL);
    assert_int_equal(rounds_of(*state), 10);
}

static void requests_are_counted_by_method(void **state)
{
    put_many(*state, "k", 3, NULL);
    struct latency_cost before = latency_store_cost(*state);
    assert_text(get_text(*state, "k0"), "x");
    assert_text(list_keys(*state, "k", NULL, 0), "k0 k1 k2");
    assert_int_equal(delete_key(*state, "k1"), 0);
    struct latency_cost now = latency_store_cost(*state);
    struct latency_cost cost = latency_cost_since(&before, &now);
    assert_int_equal(now.requests[STORE_PUT], 3);
    assert_int_equal(cost.requests[STORE_PUT], 0);
    assert_int_equal(cost.requests[STORE_GET], 1);
    assert_int_equal(cost.requests[STORE_LIST], 1);
    assert_int_equal(cost.requests[STORE_DELETE], 1);
    assert_int_equal(cost.rounds, 3);
    assert_int_equal(latency_cost_requests(&cost), 3);
}

static void pruning_is_no_request_to_a_store_far_away(void **state)
{
    assert_int_equal(prune_prefix(*state, "a/"), 0);
    struct latency_cost cost = latency_store_cost(*state);
    assert_int_equal(cost.requests[STORE_PRUNE], 1);
    assert_int_equal(latency_cost_requests(&cost), 0);
    assert_int_equal(cost.rounds, 0);
}

/* It never arrives, and nobody may wait for it. */
static void a_request_without_valid_key_is_no_part_of_a_round(void **state)
{
    struct store_set *set = store_set_new();
    store_set_get(set, "a//b");
    const struct store_request *valid = store_set_get(set, "a/b");
    assert_int_equal(store_run(*state, set, NULL, NULL), 0);
    assert_int_equal(valid->answer.code, ERR_NOT_FOUND);
    assert_int_equal(rounds_of(*state), 1);
    store_set_unref(set);
}

/* ---- Several at a time ---- */

struct background {
    struct store *store;
    pthread_t thread;
};

static void *run_background(void *argument)
{
    struct background *background = argument;
    put_many(background->store, "background", 2, NULL);
    return NULL;
}

/* The first of the two requests is held up on its way, so that the set is under way until then. */
static void sets_under_way_at_the_same_time_share_their_rounds(void **state)
{
    struct store *latency = *state;
    struct background background = {.store = fault_store_new(latency, false)};
    fault_store_arm(background.store, FAULT_DELAY, FAULT_WRITES, 1, false, 0);
    assert_int_equal(pthread_create(&background.thread, NULL, run_background, &background), 0);
    fault_store_wait_held(background.store);
    latency_store_wait_held(latency, 1);
    struct background other = {.store = latency};
    assert_int_equal(pthread_create(&other.thread, NULL, run_background, &other), 0);
    latency_store_wait_held(latency, 3);
    assert_int_equal(rounds_of(latency), 0);
    fault_store_release(background.store);
    pthread_join(background.thread, NULL);
    pthread_join(other.thread, NULL);
    assert_int_equal(rounds_of(latency), 1);
    store_free(background.store);
}

/* The other request of the set never arrives. */
static void a_request_leaves_when_its_time_is_over(void **state)
{
    struct store *latency = *state;
    struct store *faults = fault_store_new(latency, false);
    struct operation operation;
    struct store_set *set = store_set_new();
    store_set_get(set, "a");
    store_set_get(set, "b");
    fault_store_arm(faults, FAULT_FAIL, FAULT_READS, 1, false, ERR_IO);
    operation_init(&operation, 50);
    store_run(faults, set, &operation, NULL);
    operation_destroy(&operation);
    store_set_unref(set);
    store_free(faults);
    assert_int_equal(rounds_of(latency), 0);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_set_that_is_in_flight_as_a_whole_takes_one_round),
        ONE(a_larger_set_takes_a_round_for_each_flight),
        ONE(sets_one_after_another_take_a_round_each),
        ONE(requests_are_counted_by_method),
        ONE(pruning_is_no_request_to_a_store_far_away),
        ONE(a_request_without_valid_key_is_no_part_of_a_round),
        ONE(sets_under_way_at_the_same_time_share_their_rounds),
        ONE(a_request_leaves_when_its_time_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

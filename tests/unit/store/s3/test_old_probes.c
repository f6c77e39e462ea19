#include "unit/unit.h"

#include "store/s3/old_probes.h"
#include "unit/stores/fault_store.h"
#include "unit/stores/memory_store.h"

#define PREFIX "catalog/fork_probes/"

static void put(struct store *store, const char *key)
{
    auto_bytes struct bytes *body = bytes_new_text("x");
    assert_int_equal(store_put(store, key, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
}

static int64_t modified_ns(struct store *store, const char *key)
{
    struct store_set *set = store_set_new();
    const struct store_request *head = store_set_head(set, key);
    store_run(store, set, NULL, NULL);
    int64_t time = head->answer.code == 0 ? head->answer.modified_ns : -1;
    store_set_unref(set);
    return time;
}

static bool is_there(struct store *store, const char *key)
{
    return modified_ns(store, key) >= 0;
}

static void probes_from_before_the_time_go(void **state)
{
    struct store *store = memory_store_new(1);
    put(store, PREFIX "a");
    put(store, "catalog/fork_registry.json");
    old_probes_remove(store, PREFIX, modified_ns(store, PREFIX "a") + 1, NULL);
    assert_false(is_there(store, PREFIX "a"));
    assert_true(is_there(store, "catalog/fork_registry.json"));
    store_free(store);
}

static void probes_of_later_may_be_under_way_and_stay(void **state)
{
    struct store *store = memory_store_new(1);
    put(store, PREFIX "a");
    old_probes_remove(store, PREFIX, modified_ns(store, PREFIX "a"), NULL);
    assert_true(is_there(store, PREFIX "a"));
    store_free(store);
}

static void a_store_that_fails_is_left_alone(void **state)
{
    struct store *inner = memory_store_new(1);
    put(inner, PREFIX "a");
    struct store *store = fault_store_new(inner, true);
    fault_store_arm(store, FAULT_FAIL, FAULT_ALL, 1, true, ERR_ACCESS);
    old_probes_remove(store, PREFIX, INT64_MAX, NULL);
    fault_store_disarm(store);
    assert_true(is_there(store, PREFIX "a"));
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_from_before_the_time_go),
        cmocka_unit_test(probes_of_later_may_be_under_way_and_stay),
        cmocka_unit_test(a_store_that_fails_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

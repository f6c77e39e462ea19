/*
 * The wrapper from which the power can go.
 */
#include "unit/unit.h"

#include "unit/store/store_bench.h"
#include "unit/stores/fault_store.h"
#include "unit/stores/memory_store.h"
#include "unit/stores/power_store.h"

/* Runs puts of "new" under these keys as one set; the power goes with the last. */
static struct store_set *put_and_cut(struct store *faults, const char *const *keys, unsigned count)
{
    auto_bytes struct bytes *body = bytes_new_text("new");
    struct store_set *set = store_set_new();
    for (unsigned i = 0; i < count; i++)
        store_set_put(set, keys[i], body, STORE_ALWAYS, NULL);
    fault_store_arm(faults, FAULT_POWER, FAULT_WRITES, count, true, ERR_IO);
    store_run(faults, set, NULL, NULL);
    return set;
}

static void what_was_settled_survives(void **state)
{
    struct store *memory = memory_store_new(1);
    struct store *power = power_store_new(memory, false, POWER_LOSE_ALL);
    assert_int_equal(put_text(power, "a", "1"), 0);
    assert_int_equal(put_text(power, "a", "2"), 0);
    assert_int_equal(put_text(power, "b", "1"), 0);
    assert_int_equal(delete_key(power, "b"), 0);
    power_store_cut(power);
    assert_text(get_text(memory, "a"), "2");
    assert_text(get_text(memory, "b"), "NOT_FOUND");
    store_free(power);
    store_free(memory);
}

static void what_was_not_settled_is_lost_and_not_said_to_be_durable(void **state)
{
    static const char *const keys[] = {"old", "fresh"};
    struct store *memory = memory_store_new(1);
    struct store *faults = fault_store_new(power_store_new(memory, false, POWER_LOSE_ALL), true);
    assert_int_equal(put_text(faults, "old", "old"), 0);
    auto_store_set struct store_set *set = put_and_cut(faults, keys, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(store_set_at(set, i)->answer.code, ERR_NOT_DURABLE);
    assert_text(get_text(memory, "old"), "old");
    assert_text(get_text(memory, "fresh"), "NOT_FOUND");
    fault_store_disarm(faults);
    assert_int_equal(put_text(faults, "later", "x"), ERR_IO);
    assert_text(get_text(memory, "later"), "NOT_FOUND");
    store_free(faults);
    store_free(memory);
}

/* Each object by itself: with many seeds every combination is seen. */
static void any_part_of_a_set_can_survive(void **state)
{
    static const char *const keys[] = {"a", "b", "c"};
    unsigned seen = 0;
    for (uint32_t seed = 1; seed < 200; seed++) {
        struct store *memory = memory_store_new(1);
        struct store *faults = fault_store_new(power_store_new(memory, false, seed), true);
        store_set_unref(put_and_cut(faults, keys, 3));
        unsigned survived = 0;
        for (unsigned i = 0; i < 3; i++) {
            g_autofree char *text = get_text(memory, keys[i]);
            survived |= (g_strcmp0(text, "new") == 0 ? 1u : 0u) << i;
        }
        seen |= 1u << survived;
        store_free(faults);
        store_free(memory);
    }
    assert_int_equal(seen, 0xff);
}

static void a_store_that_can_lose_has_to_settle(void **state)
{
    struct store *memory = memory_store_new(1);
    struct store *power = power_store_new(memory, true, POWER_LOSE_ALL);
    assert_false(store_has_to_settle(memory));
    assert_true(store_has_to_settle(power));
    store_free(power);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_settled_survives),
        cmocka_unit_test(what_was_not_settled_is_lost_and_not_said_to_be_durable),
        cmocka_unit_test(any_part_of_a_set_can_survive),
        cmocka_unit_test(a_store_that_can_lose_has_to_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

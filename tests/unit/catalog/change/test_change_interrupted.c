/*
 * Lists of changes that are interrupted, or run out of time.
 */
#include "unit/unit.h"

#include "unit/catalog/change/change_fixture.h"
#include "unit/virtual_clock.h"

/* Cancels a list while its n-th request of that kind is under way. */
static void cancel_at(struct change_fixture *fixture, unsigned mask, const char *part, unsigned n,
                      struct change *changes, size_t count)
{
    struct change_thread thread;
    fault_store_match(fixture->faults, part);
    fault_store_arm(fixture->faults, FAULT_DELAY, mask, n, false, 0);
    change_thread_start(&thread, fixture, changes, count);
    fault_store_wait_held(fixture->faults);
    operation_cancel(&thread.operation);
    fault_store_release(fixture->faults);
    change_thread_join(&thread);
    fault_store_match(fixture->faults, NULL);
}

static void an_interrupt_calls_off_all_creates(void **state)
{
    struct change_fixture *fixture = *state;
    struct change changes[] = {create_line("a", NULL), create_line("b", NULL),
                               create_line("c", "a")};
    cancel_at(fixture, FAULT_WRITES, "_refs/branches", 1, changes, 3);
    assert_int_equal(changes[0].error.code, ERR_INTERRUPTED);
    assert_int_equal(changes[1].error.code, ERR_INTERRUPTED);
    assert_int_equal(changes[2].error.code, ERR_INTERRUPTED);
    assert_int_equal(fixture_mentions(fixture->store, "fork_0"), 0);
    fixture_assert_clean(fixture->store);
}

static void an_interrupt_does_not_stop_drops_that_were_decided(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid id = fixture_create(fixture->catalog, "old", NULL);
    struct change changes[] = {drop_line("old"), create_line("new", NULL)};
    cancel_at(fixture, FAULT_WRITES, "fork_tombstones", 1, changes, 2);
    assert_int_equal(changes[0].error.code, 0);
    assert_int_equal(changes[1].error.code, ERR_INTERRUPTED);
    assert_int_equal(fixture_mentions(fixture->store, id.text), 0);
    assert_status(fixture, "new", -1);
    fixture_assert_clean(fixture->store);
}

static void an_interrupt_before_the_decision_leaves_everything(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "old", NULL);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    struct change changes[] = {drop_line("old"), create_line("new", NULL)};
    cancel_at(fixture, FAULT_READS, NULL, 1, changes, 2);
    assert_int_equal(changes[0].error.code, ERR_INTERRUPTED);
    assert_int_equal(changes[1].error.code, ERR_INTERRUPTED);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void a_put_that_never_ends_is_left_and_the_others_are_tried_again(void **state)
{
    struct change_fixture *fixture = *state;
    struct change changes[] = {create_line("a", NULL), create_line("b", NULL)};
    struct operation operation;
    operation_init(&operation, AMPLE_MS);
    fault_store_match(fixture->faults, "vertices_Person.lance/_refs");
    fault_store_when_fired(fixture->faults, virtual_clock_jump, UNTIL_UNDOING_MS(AMPLE_MS));
    fault_store_arm(fixture->faults, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    catalog_change(fixture->catalog, changes, 2, &operation);
    operation_destroy(&operation);
    fault_store_release(fixture->faults);
    assert_int_equal(changes[0].error.code, ERR_DEADLINE);
    assert_true(changes[0].left);
    assert_int_equal(changes[1].error.code, 0);
    change_fixture_reopen(fixture, NULL);
    fixture_recover(fixture->catalog, NULL);
    assert_int_equal(fixture_status(fixture->store, "a"), -1);
    assert_int_equal(fixture_status(fixture->store, "b"), FORK_ACTIVE);
    assert_int_equal(fixture_mentions(fixture->store, changes[0].id.text), 0);
    fixture_assert_clean(fixture->store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, change_set_up, change_tear_down)
#define WIDE(name) cmocka_unit_test_setup_teardown(name, change_set_up_wide, change_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_interrupt_calls_off_all_creates),
        TEST(an_interrupt_does_not_stop_drops_that_were_decided),
        TEST(an_interrupt_before_the_decision_leaves_everything),
        WIDE(a_put_that_never_ends_is_left_and_the_others_are_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

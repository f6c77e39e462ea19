#include "fs/state/delete_guard.h"
#include "unit/fs/fs_fixture.h"
#include "unit/unit.h"

#define NOW INT64_C(5000000000)

static int set_up(void **state)
{
    *state = delete_guard_new();
    struct ulid id = fixture_id(ID_A);
    delete_guard_note(*state, 10, &id, NOW);
    return 0;
}

static int tear_down(void **state)
{
    delete_guard_free(*state);
    return 0;
}

static void the_same_process_is_refused(void **state)
{
    struct ulid id = fixture_id(ID_A);
    assert_true(delete_guard_refuses(*state, 10, &id, NOW + 1));
    assert_true(delete_guard_refuses(*state, 10, &id, NOW + DELETE_GUARD_NS));
}

static void other_processes_and_forks_are_not_concerned(void **state)
{
    struct ulid id = fixture_id(ID_A);
    struct ulid other = fixture_id(ID_B);
    assert_false(delete_guard_refuses(*state, 11, &id, NOW));
    assert_false(delete_guard_refuses(*state, 10, &other, NOW));
}

static void refusals_expire(void **state)
{
    struct ulid id = fixture_id(ID_A);
    assert_false(delete_guard_refuses(*state, 10, &id, NOW + DELETE_GUARD_NS + 1));
}

static void the_last_unlink_counts(void **state)
{
    struct ulid id = fixture_id(ID_A);
    delete_guard_note(*state, 10, &id, NOW + DELETE_GUARD_NS);
    assert_true(delete_guard_refuses(*state, 10, &id, NOW + DELETE_GUARD_NS + 1));
}

static void several_are_remembered(void **state)
{
    struct ulid id = fixture_id(ID_A);
    struct ulid other = fixture_id(ID_B);
    delete_guard_note(*state, 11, &id, NOW);
    delete_guard_note(*state, 10, &other, NOW);
    assert_true(delete_guard_refuses(*state, 10, &id, NOW));
    assert_true(delete_guard_refuses(*state, 11, &id, NOW));
    assert_true(delete_guard_refuses(*state, 10, &other, NOW));
    assert_false(delete_guard_refuses(*state, 11, &other, NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_process_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_processes_and_forks_are_not_concerned, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(refusals_expire, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_unlink_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_are_remembered, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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
    assert_true(delete_guard_refuses(*state, 10, NULL, &id, NOW + 1));
    assert_true(delete_guard_refuses(*state, 10, NULL, &id, NOW + DELETE_GUARD_NS));
}

static void other_processes_and_forks_are_not_concerned(void **state)
{
    struct ulid id = fixture_id(ID_A);
    struct ulid other = fixture_id(ID_B);
    assert_false(delete_guard_refuses(*state, 11, NULL, &id, NOW));
    assert_false(delete_guard_refuses(*state, 10, NULL, &other, NOW));
}

static void refusals_expire(void **state)
{
    struct ulid id = fixture_id(ID_A);
    assert_false(delete_guard_refuses(*state, 10, NULL, &id, NOW + DELETE_GUARD_NS + 1));
}

static void the_last_unlink_counts(void **state)
{
    struct ulid id = fixture_id(ID_A);
    delete_guard_note(*state, 10, &id, NOW + DELETE_GUARD_NS);
    assert_true(delete_guard_refuses(*state, 10, NULL, &id, NOW + DELETE_GUARD_NS + 1));
}

static void several_are_remembered(void **state)
{
    struct ulid id = fixture_id(ID_A);
    struct ulid other = fixture_id(ID_B);
    delete_guard_note(*state, 11, &id, NOW);
    delete_guard_note(*state, 10, &other, NOW);
    assert_true(delete_guard_refuses(*state, 10, NULL, &id, NOW));
    assert_true(delete_guard_refuses(*state, 11, NULL, &id, NOW));
    assert_true(delete_guard_refuses(*state, 10, NULL, &other, NOW));
    assert_false(delete_guard_refuses(*state, 11, NULL, &other, NOW));
}

/* forks/A/children/B/tags: what is tried in it, or beside it, by the process 20. */
static struct node root = {.kind = NODE_ROOT};
static struct node all_forks = {.kind = NODE_FORKS, .parent = &root};
static struct node fork_a = {.kind = NODE_FORK, .parent = &all_forks, .has_fork = true};
static struct node children_of_a = {.kind = NODE_CHILDREN, .parent = &fork_a, .has_fork = true};

static bool refuses_b(struct delete_guard *guard, const struct node *directory, int64_t now_ns)
{
    struct ulid id = fixture_id(ID_B);
    fork_a.fork_id = children_of_a.fork_id = fixture_id(ID_A);
    return delete_guard_refuses(guard, 20, directory, &id, now_ns);
}

static void a_refused_directory_counts_for_what_is_reached_through_it(void **state)
{
    struct ulid a = fixture_id(ID_A);
    delete_guard_note_tree(*state, 20, &a, NOW);
    assert_false(delete_guard_refuses(*state, 20, &all_forks, &a, NOW));
    assert_false(refuses_b(*state, &all_forks, NOW));
    assert_true(refuses_b(*state, &children_of_a, NOW));
    /* From then on for the fork that was spared, by whichever path. */
    assert_true(refuses_b(*state, &all_forks, NOW));
    struct ulid b = fixture_id(ID_B);
    assert_false(delete_guard_refuses(*state, 21, &children_of_a, &b, NOW));
}

static void the_refused_directory_of_all_forks_counts_for_all(void **state)
{
    struct ulid c = fixture_id(ID_C);
    delete_guard_note_tree(*state, 20, NULL, NOW);
    assert_true(refuses_b(*state, &children_of_a, NOW));
    assert_true(delete_guard_refuses(*state, 20, &all_forks, &c, NOW + DELETE_GUARD_NS));
    assert_false(delete_guard_refuses(*state, 21, &all_forks, &c, NOW));
}

static void each_fork_that_is_spared_begins_the_time_anew(void **state)
{
    struct ulid c = fixture_id(ID_C);
    delete_guard_note_tree(*state, 20, NULL, NOW);
    assert_true(refuses_b(*state, &all_forks, NOW + DELETE_GUARD_NS));
    assert_true(delete_guard_refuses(*state, 20, &all_forks, &c, NOW + 2 * DELETE_GUARD_NS));
    /* But trying one of them again does not. */
    assert_true(refuses_b(*state, &all_forks, NOW + 3 * DELETE_GUARD_NS));
    assert_true(refuses_b(*state, &all_forks, NOW + 4 * DELETE_GUARD_NS));
    assert_false(refuses_b(*state, &all_forks, NOW + 4 * DELETE_GUARD_NS + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_process_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_processes_and_forks_are_not_concerned, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(refusals_expire, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_unlink_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_directory_counts_for_what_is_reached_through_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_refused_directory_of_all_forks_counts_for_all, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(each_fork_that_is_spared_begins_the_time_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(several_are_remembered, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

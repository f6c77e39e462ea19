#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/fork_fixture.h"

/* What a sweep could not drop. */
struct failures {
    unsigned count;
    bool of_child;
    int code;
};

static void note_failure(void *argument, const char *key, const struct error *failure)
{
    struct failures *failures = argument;
    failures->count++;
    if (strcmp(key, "child") == 0) {
        failures->of_child = true;
        failures->code = failure->code;
    }
}

/* "audit" has expired; below it are "child" and "grandchild". */
static void expire_a_family(struct fork_fixture *fixture, struct ulid *child,
                            struct ulid *grandchild)
{
    *child = fixture_create(fixture->catalog, "child", "audit");
    *grandchild = fixture_create(fixture->catalog, "grandchild", "child");
    fixture_create(fixture->catalog, "other", NULL);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &fixture->id, true, 0, NULL, NULL), 0);
}

static void assert_family_is_gone(struct fork_fixture *fixture, const struct ulid *child,
                                  const struct ulid *grandchild)
{
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
    assert_int_equal(fixture_mentions(fixture->store, child->text), 0);
    assert_int_equal(fixture_mentions(fixture->store, grandchild->text), 0);
    assert_int_equal(fixture_status(fixture->store, "other"), FORK_ACTIVE);
    fixture_assert_whole(fixture->store);
    fixture_assert_clean(fixture->store);
}

/* Sweeps while no file of the child's can be deleted. */
static void sweep_in_vain(struct fork_fixture *fixture, const struct ulid *child)
{
    struct failures failures = {0};
    fault_store_match(fixture->faults, child->text);
    fault_store_arm(fixture->faults, FAULT_FAIL, (1u << STORE_DELETE) | (1u << STORE_PRUNE), 1,
                    true, ERR_ACCESS);
    assert_int_equal(catalog_sweep(fixture->catalog, NULL, note_failure, &failures), 1);
    fault_store_disarm(fixture->faults);
    fault_store_match(fixture->faults, NULL);
    assert_true(failures.of_child);
    assert_int_equal(failures.code, ERR_ACCESS);
    assert_int_equal(failures.count, 2); /* and its parent, which has a child */
    assert_int_equal(fixture_status(fixture->store, "grandchild"), -1);
    assert_int_equal(fixture_status(fixture->store, "child"), FORK_TOMBSTONED);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_ACTIVE);
    assert_int_not_equal(fixture_mentions(fixture->store, fixture->branch), 0);
}

static void a_branch_that_cannot_be_deleted_keeps_its_fork_and_the_forks_above(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid child, grandchild;
    expire_a_family(fixture, &child, &grandchild);
    sweep_in_vain(fixture, &child);
    struct failures failures = {0};
    assert_int_equal(catalog_sweep(fixture->catalog, NULL, note_failure, &failures), 2);
    assert_int_equal(failures.count, 0);
    assert_family_is_gone(fixture, &child, &grandchild);
}

static void after_a_restart_the_rest_is_dropped(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid child, grandchild;
    unsigned problems = 0;
    expire_a_family(fixture, &child, &grandchild);
    sweep_in_vain(fixture, &child);
    fork_fixture_reopen(fixture);
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(problems, 0);
    struct failures failures = {0};
    assert_int_equal(catalog_sweep(fixture->catalog, NULL, note_failure, &failures), 1);
    assert_int_equal(failures.count, 0);
    assert_family_is_gone(fixture, &child, &grandchild);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_branch_that_cannot_be_deleted_keeps_its_fork_and_the_forks_above),
        TEST(after_a_restart_the_rest_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A drop in a shared catalog with one request after the other going wrong.
 */
#include "unit/unit.h"

#include "unit/catalog/bucket_fixture.h"

/* What the mount that drops meets: nobody, or one that holds the fork without its knowing. */
struct run {
    enum fault_kind kind;
    bool held;
};

static bool is_kill(enum fault_kind kind)
{
    return kind == FAULT_KILL || kind == FAULT_KILL_AFTER;
}

/* Whatever happened, the fork is whole or on its way; and it is whole while it is held and the
 * dropper lives. */
static void assert_after_fault(struct bucket *bucket, const struct run *run, int code)
{
    int status = fixture_status(bucket->store, "audit");
    fixture_assert_whole(bucket->store);
    if (code == 0)
        assert_int_equal(status, -1);
    if (run->held)
        assert_true(code != 0 && status != -1);
}

/* Somebody who has the catalog for himself finishes what is left. */
static void recover_alone(struct bucket *bucket)
{
    struct catalog *catalog = fixture_open(bucket->store, NULL);
    fixture_recover(catalog, NULL);
    assert_int_equal(fixture_recover(catalog, NULL), 0);
    catalog_free(catalog);
    fixture_assert_whole(bucket->store);
    fixture_assert_clean(bucket->store);
}

/* Returns whether there was an n-th request. */
static bool drop_with_fault(const struct run *run, unsigned n)
{
    void *state = NULL;
    bucket_set_up(&state);
    struct bucket *bucket = state;
    struct mount *dropper = bucket_mount(bucket, 0, LONG_LEASE_MS);
    struct ulid id = fixture_create(dropper->catalog, "audit", NULL);
    struct mount *other = bucket_mount(bucket, 1, LONG_LEASE_MS);
    struct hold *hold = run->held ? mount_hold(other, &id, 0) : NULL;
    mount_poll(other);
    fault_store_arm(dropper->faults, run->kind, FAULT_ALL, n, false, ERR_IO);
    int code = mount_drop_in_vain(dropper, NULL);
    bool fired = fault_store_fired(dropper->faults);
    assert_after_fault(bucket, run, code);
    fault_store_disarm(dropper->faults);
    if (!is_kill(run->kind) && hold) /* the mount goes on; what it has left tombstoned waits */
        assert_int_not_equal(mount_drop_in_vain(dropper, NULL), 0);
    mount_release(other, hold);
    mount_end(other);
    if (!is_kill(run->kind) && fixture_status(bucket->store, "audit") != -1)
        assert_int_equal(mount_drop(dropper, 60000, NULL), 0);
    if (is_kill(run->kind))
        mount_kill(dropper);
    else
        mount_end(dropper);
    recover_alone(bucket);
    bucket_tear_down(&state);
    return fired;
}

static void sweep(const struct run *run)
{
    unsigned n = 1;
    while (drop_with_fault(run, n))
        n += FAULT_STRIDE;
    assert_in_range(n, 10, 200);
}

#define SWEEP(name, fault, is_held)                                                                \
    static void name(void **state)                                                                 \
    {                                                                                              \
        sweep(&(struct run){.kind = (fault), .held = (is_held)});                                  \
    }

SWEEP(a_request_that_fails_leaves_the_catalog_whole, FAULT_FAIL, false)
SWEEP(a_request_that_fails_costs_no_holder_the_fork, FAULT_FAIL, true)
SWEEP(a_lost_answer_leaves_the_catalog_whole, FAULT_LOSE_ANSWER, false)
SWEEP(a_lost_answer_costs_no_holder_the_fork, FAULT_LOSE_ANSWER, true)
SWEEP(a_kill_leaves_the_catalog_whole, FAULT_KILL, false)
SWEEP(a_kill_costs_no_holder_the_fork, FAULT_KILL, true)
SWEEP(a_kill_after_a_request_leaves_the_catalog_whole, FAULT_KILL_AFTER, false)
SWEEP(a_kill_after_a_request_costs_no_holder_the_fork, FAULT_KILL_AFTER, true)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_fails_leaves_the_catalog_whole),
        cmocka_unit_test(a_request_that_fails_costs_no_holder_the_fork),
        cmocka_unit_test(a_lost_answer_leaves_the_catalog_whole),
        cmocka_unit_test(a_lost_answer_costs_no_holder_the_fork),
        cmocka_unit_test(a_kill_leaves_the_catalog_whole),
        cmocka_unit_test(a_kill_costs_no_holder_the_fork),
        cmocka_unit_test(a_kill_after_a_request_leaves_the_catalog_whole),
        cmocka_unit_test(a_kill_after_a_request_costs_no_holder_the_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

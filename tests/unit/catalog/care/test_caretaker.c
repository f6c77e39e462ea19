/*
 * The caretaker's thread: that it finishes, without anybody asking, what a change has left.
 */
#include "unit/unit.h"

#include "catalog/care/caretaker.h"
#include "unit/catalog/fork_fixture.h"

struct told {
    unsigned problems; /* atomic, as the next */
    unsigned finished;
};

static void sweeping(void *argument, bool begins)
{
}

static void failed(void *argument, const char *fork, const struct error *failure)
{
}

static void overlay_changed(void *argument, const struct ulid *fork)
{
}

static void recovered(void *argument, const struct recovery_report *report,
                      const struct error *failure)
{
    struct told *told = argument;
    __atomic_fetch_add(&told->problems, report->problems->len, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&told->finished, report->finished, __ATOMIC_SEQ_CST);
}

static struct caretaker *start(struct fork_fixture *fixture, struct told *told)
{
    struct caretaker *caretaker = NULL;
    const struct caretaker_settings settings = {.catalog = fixture->catalog,
                                                .operation_timeout_ms = 60000,
                                                .sweeping = sweeping,
                                                .failed = failed,
                                                .recovered = recovered,
                                                .overlay_changed = overlay_changed,
                                                .argument = told};
    assert_int_equal(caretaker_start(&settings, &caretaker, NULL), 0);
    return caretaker;
}

static void it_finishes_what_a_change_has_left_and_tells_once_why_it_could_not(void **state)
{
    struct fork_fixture *fixture = *state;
    struct told told = {0};
    struct caretaker *caretaker = start(fixture, &told);
    fault_store_match(fixture->faults, FORK_DATASET);
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 1, true, ERR_ACCESS);
    assert_int_equal(drop(fixture), ERR_ACCESS);
    unsigned tried = fault_store_count(fixture->faults);
    AWAIT(__atomic_load_n(&told.problems, __ATOMIC_SEQ_CST) > 0);
    AWAIT(fault_store_count(fixture->faults) > tried + 1); /* and again */
    fault_store_disarm(fixture->faults);
    AWAIT(fixture_status(fixture->store, "audit") == -1);
    AWAIT(__atomic_load_n(&told.finished, __ATOMIC_SEQ_CST) == 1);
    caretaker_stop(caretaker);
    assert_int_equal(told.problems, 1);
    fixture_assert_clean(fixture->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            it_finishes_what_a_change_has_left_and_tells_once_why_it_could_not, fork_set_up,
            fork_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

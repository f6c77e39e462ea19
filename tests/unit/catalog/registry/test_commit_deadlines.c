/*
 * Requests with different deadlines that the committer works on together.
 */
#include "unit/unit.h"

#include "unit/catalog/registry/committer_fixture.h"
#include "unit/virtual_clock.h"

/* The committer itself counts on 250 ms. */
#define BEFORE_MS 200

/* A store that is too busy for puts until it is released, and says so a little before the time is
 * over, as the one on S3 does. Time passes only there; first it waits until all have come. */
struct busy_store {
    struct store base;
    bool asked; /* atomic, as the next */
    bool all_there;
    bool released;
    int code;
};

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    struct busy_store *store = (struct busy_store *)base;
    if (request->method == STORE_PUT)
        __atomic_store_n(&store->asked, true, __ATOMIC_RELEASE);
    while (request->method == STORE_PUT && !__atomic_load_n(&store->all_there, __ATOMIC_ACQUIRE))
        g_usleep(1000);
    if (request->method == STORE_PUT && !__atomic_load_n(&store->released, __ATOMIC_ACQUIRE)) {
        virtual_clock_jump(operation_remaining_ms(operation) - BEFORE_MS);
        store_answer_fail(answer, store->code, "too busy");
        return;
    }
    base->wrapped->operations->perform(base->wrapped, request, operation, answer);
}

static void destroy(struct store *base)
{
}

static void assert_others_go_on(struct committer_fixture *fixture, int code)
{
    static const struct store_operations operations = {.perform = perform, .destroy = destroy};
    struct busy_store *busy = g_new0(struct busy_store, 1);
    struct caller first, hasty, patient;
    fixture->others_write = true;
    busy->code = code;
    store_initialize_wrapper(&busy->base, &operations, fixture->memory);
    struct committer *committer = committer_on(&busy->base);
    virtual_clock_stop();
    caller_start(&first, committer, "first", AMPLE_MS);
    AWAIT(__atomic_load_n(&busy->asked, __ATOMIC_ACQUIRE));
    /* These queue behind it, and are taken together. */
    caller_start(&hasty, committer, "hasty", 2 * AMPLE_MS);
    caller_start(&patient, committer, "patient", 10 * AMPLE_MS);
    operation_await_watched(&hasty.operation);
    operation_await_watched(&patient.operation);
    __atomic_store_n(&busy->all_there, true, __ATOMIC_RELEASE);
    assert_int_equal(caller_join(&first), code);
    assert_int_equal(caller_join(&hasty), code);
    __atomic_store_n(&busy->released, true, __ATOMIC_RELEASE);
    virtual_clock_go_on();
    assert_int_equal(caller_join(&patient), 0);
    committer_free(committer);
    store_free(&busy->base);
}

static void who_has_time_left_does_not_fail_with_who_has_not(void **state)
{
    assert_others_go_on(*state, ERR_DEADLINE);
}

static void nor_when_the_store_was_out_of_reach_until_then(void **state)
{
    assert_others_go_on(*state, ERR_UNREACHABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_has_time_left_does_not_fail_with_who_has_not,
                                        committer_set_up, committer_tear_down),
        cmocka_unit_test_setup_teardown(nor_when_the_store_was_out_of_reach_until_then,
                                        committer_set_up, committer_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

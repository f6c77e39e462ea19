#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/operation.h"
#include "base/timestamp.h"
#include "unit/unit.h"

struct waiter {
    struct operation operation;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool waiting, woken;
};

static void waiter_init(struct waiter *waiter)
{
    operation_init(&waiter->operation, -1);
    pthread_mutex_init(&waiter->lock, NULL);
    monotonic_cond_init(&waiter->changed);
    waiter->waiting = waiter->woken = false;
}

static void waiter_destroy(struct waiter *waiter)
{
    operation_destroy(&waiter->operation);
    pthread_mutex_destroy(&waiter->lock);
    pthread_cond_destroy(&waiter->changed);
}

static void without_operation_nothing_ends(void **state)
{
    assert_int_equal(operation_check(NULL, "x", NULL), 0);
    assert_false(operation_is_cancelled(NULL));
    assert_true(operation_remaining_ms(NULL) == INT64_MAX);
    operation_watch(NULL, NULL, NULL);
    operation_unwatch(NULL);
}

static void negative_timeout_means_no_deadline(void **state)
{
    struct operation operation;
    operation_init(&operation, -1);
    assert_true(operation.deadline_ns == INT64_MAX);
    assert_true(operation_remaining_ms(&operation) == INT64_MAX);
    assert_int_equal(operation_check(&operation, "x", NULL), 0);
    operation_destroy(&operation);
    operation_init(&operation, INT64_MAX);
    assert_true(operation.deadline_ns == INT64_MAX);
    operation_destroy(&operation);
}

static void undoing_has_as_much_time_as_was_given(void **state)
{
    struct operation operation, undoing;
    operation_init(&operation, 60000);
    operation.deadline_ns -= 60000 * NS_PER_MS; /* it is over */
    operation_cancel(&operation);
    operation_init_undoing(&undoing, &operation, -1);
    assert_int_equal(operation_check(&undoing, "x", NULL), 0);
    assert_in_range(operation_remaining_ms(&undoing), 1, 60000);
    assert_true(undoing.deadline_ns >= operation.begun_ns + 60000 * NS_PER_MS);
    operation_destroy(&undoing);
    operation_destroy(&operation);
}

static void undoing_ends_when_both_have_taken_the_longest_time(void **state)
{
    struct operation operation, undoing;
    operation_init(&operation, 60000);
    operation_init_undoing(&undoing, &operation, 50000); /* it was given more */
    assert_true(undoing.deadline_ns == operation.begun_ns + 60000 * NS_PER_MS);
    operation_destroy(&undoing);
    operation.begun_ns -= 59000 * NS_PER_MS;
    operation_init_undoing(&undoing, &operation, 90000);
    assert_true(undoing.deadline_ns == operation.begun_ns + 90000 * NS_PER_MS);
    operation_destroy(&undoing);
    operation_destroy(&operation);
    operation_init_undoing(&undoing, NULL, 1);
    assert_true(undoing.deadline_ns == INT64_MAX);
    operation_destroy(&undoing);
}

static void one_that_is_renewed_has_its_whole_time_again(void **state)
{
    struct operation operation;
    operation_init(&operation, 60000);
    int64_t deadline_ns = operation.deadline_ns;
    operation.deadline_ns = 0;
    operation_renew(&operation);
    assert_true(operation.deadline_ns >= deadline_ns);
    operation_destroy(&operation);
}

static void passed_deadline_is_reported_with_the_stage(void **state)
{
    struct operation operation;
    struct error err;
    operation_init(&operation, 0);
    assert_int_equal(operation_remaining_ms(&operation), 0);
    assert_int_equal(operation_check(&operation, "read tips", &err), ERR_DEADLINE);
    assert_non_null(strstr(err.text, "read tips"));
    operation_destroy(&operation);
}

static void remaining_time_is_at_most_the_timeout(void **state)
{
    struct operation operation;
    operation_init(&operation, 3600000);
    assert_in_range(operation_remaining_ms(&operation), 1, 3600000);
    assert_int_equal(operation_check(&operation, "x", NULL), 0);
    operation_destroy(&operation);
}

static void the_time_while_the_machine_sleeps_counts(void **state)
{
    struct operation operation;
    operation_init(&operation, 60000);
    operation.suspended_ns -= INT64_C(30000000000);
    assert_in_range(operation_remaining_ms(&operation), 1, 30000);
    assert_int_equal(operation_check(&operation, "x", NULL), 0);
    operation.suspended_ns -= INT64_C(31000000000);
    assert_int_equal(operation_remaining_ms(&operation), 0);
    assert_int_equal(operation_check(&operation, "x", NULL), ERR_DEADLINE);
    operation_destroy(&operation);
    operation_init(&operation, -1);
    operation.suspended_ns -= INT64_C(31000000000);
    assert_int_equal(operation_check(&operation, "x", NULL), 0);
    operation_destroy(&operation);
}

static void cancel_is_reported_before_the_deadline(void **state)
{
    struct operation operation;
    struct error err;
    operation_init(&operation, 0);
    operation_cancel(&operation);
    operation_cancel(&operation);
    assert_true(operation_is_cancelled(&operation));
    assert_int_equal(operation_check(&operation, "stage", &err), ERR_INTERRUPTED);
    operation_destroy(&operation);
}

static void *wait_for_cancel(void *argument)
{
    struct waiter *waiter = argument;
    operation_watch(&waiter->operation, &waiter->changed, &waiter->lock);
    pthread_mutex_lock(&waiter->lock);
    waiter->waiting = true;
    while (!operation_is_cancelled(&waiter->operation))
        monotonic_cond_wait(&waiter->changed, &waiter->lock, INT64_MAX);
    waiter->woken = true;
    pthread_mutex_unlock(&waiter->lock);
    operation_unwatch(&waiter->operation);
    return NULL;
}

static bool is_waiting(struct waiter *waiter)
{
    LOCK_SCOPE(&waiter->lock);
    return waiter->waiting;
}

static bool is_woken(struct waiter *waiter)
{
    LOCK_SCOPE(&waiter->lock);
    return waiter->woken;
}

static void cancel_wakes_the_watched_wait(void **state)
{
    struct waiter waiter;
    waiter_init(&waiter);
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_cancel, &waiter);
    AWAIT(is_waiting(&waiter));
    operation_cancel(&waiter.operation);
    AWAIT(is_woken(&waiter));
    pthread_join(thread, NULL);
    waiter_destroy(&waiter);
}

static void cancel_before_the_wait_is_not_lost(void **state)
{
    struct waiter waiter;
    for (int i = 0; i < 200; i++) {
        waiter_init(&waiter);
        pthread_t thread;
        pthread_create(&thread, NULL, wait_for_cancel, &waiter);
        operation_cancel(&waiter.operation);
        AWAIT(is_woken(&waiter));
        pthread_join(thread, NULL);
        waiter_destroy(&waiter);
    }
}

static void wait_ends_at_the_deadline(void **state)
{
    struct waiter waiter;
    waiter_init(&waiter);
    pthread_mutex_lock(&waiter.lock);
    int64_t deadline = monotonic_now_ns() + 20000000;
    while (monotonic_cond_wait(&waiter.changed, &waiter.lock, deadline))
        ;
    assert_true(monotonic_now_ns() >= deadline);
    assert_false(monotonic_cond_wait(&waiter.changed, &waiter.lock, 0));
    assert_false(monotonic_cond_wait(&waiter.changed, &waiter.lock, -5));
    pthread_mutex_unlock(&waiter.lock);
    waiter_destroy(&waiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_operation_nothing_ends),
        cmocka_unit_test(negative_timeout_means_no_deadline),
        cmocka_unit_test(undoing_has_as_much_time_as_was_given),
        cmocka_unit_test(undoing_ends_when_both_have_taken_the_longest_time),
        cmocka_unit_test(one_that_is_renewed_has_its_whole_time_again),
        cmocka_unit_test(passed_deadline_is_reported_with_the_stage),
        cmocka_unit_test(remaining_time_is_at_most_the_timeout),
        cmocka_unit_test(the_time_while_the_machine_sleeps_counts),
        cmocka_unit_test(cancel_is_reported_before_the_deadline),
        cmocka_unit_test(cancel_wakes_the_watched_wait),
        cmocka_unit_test(cancel_before_the_wait_is_not_lost),
        cmocka_unit_test(wait_ends_at_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

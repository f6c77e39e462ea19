#include "unit/unit.h"

#include <stdbool.h>

#include "base/cleanup.h"
#include "catalog/sharing/name_locks.h"

static int set_up(void **state)
{
    *state = name_locks_new();
    return 0;
}

static int tear_down(void **state)
{
    name_locks_free(*state);
    return 0;
}

struct waiter {
    struct name_locks *locks;
    struct operation operation;
    pthread_t thread;
    int code;
};

static void *run_waiter(void *argument)
{
    struct waiter *waiter = argument;
    waiter->code = name_locks_acquire(waiter->locks, "audit", &waiter->operation, NULL);
    return NULL;
}

static bool is_watched(struct operation *operation)
{
    LOCK_SCOPE(&operation->lock);
    return operation->watched_cond != NULL;
}

/* Starts one who wants the name, and waits until he waits. */
static void start_waiter(struct waiter *waiter, struct name_locks *locks)
{
    *waiter = (struct waiter){.locks = locks};
    operation_init(&waiter->operation, -1);
    assert_int_equal(pthread_create(&waiter->thread, NULL, run_waiter, waiter), 0);
    AWAIT(is_watched(&waiter->operation));
}

static int join_waiter(struct waiter *waiter)
{
    pthread_join(waiter->thread, NULL);
    operation_destroy(&waiter->operation);
    return waiter->code;
}

static void other_names_are_free(void **state)
{
    assert_int_equal(name_locks_acquire(*state, "audit", NULL, NULL), 0);
    assert_int_equal(name_locks_acquire(*state, "Audit", NULL, NULL), 0);
    name_locks_release(*state, "audit");
    name_locks_release(*state, "Audit");
    assert_int_equal(name_locks_acquire(*state, "audit", NULL, NULL), 0);
    name_locks_release(*state, "audit");
}

static void a_release_lets_the_next_one_in(void **state)
{
    struct waiter waiter;
    assert_int_equal(name_locks_acquire(*state, "audit", NULL, NULL), 0);
    start_waiter(&waiter, *state);
    name_locks_release(*state, "audit");
    assert_int_equal(join_waiter(&waiter), 0);
    name_locks_release(*state, "audit");
}

static void waiting_can_be_interrupted(void **state)
{
    struct waiter waiter;
    assert_int_equal(name_locks_acquire(*state, "audit", NULL, NULL), 0);
    start_waiter(&waiter, *state);
    operation_cancel(&waiter.operation);
    assert_int_equal(join_waiter(&waiter), ERR_INTERRUPTED);
    name_locks_release(*state, "audit");
}

static void waiting_ends_with_the_deadline(void **state)
{
    struct operation operation;
    struct error err = {0};
    operation_init(&operation, 20);
    assert_int_equal(name_locks_acquire(*state, "audit", NULL, NULL), 0);
    assert_int_equal(name_locks_acquire(*state, "audit", &operation, &err), ERR_DEADLINE);
    assert_int_equal(err.code, ERR_DEADLINE);
    operation_destroy(&operation);
    name_locks_release(*state, "audit");
}

#define THREADS 6
#define ROUNDS 300

struct counter {
    struct name_locks *locks;
    const char *name;
    unsigned *count; /* guarded by the name */
};

static void *count_up(void *argument)
{
    const struct counter *counter = argument;
    for (int i = 0; i < ROUNDS; i++) {
        name_locks_acquire(counter->locks, counter->name, NULL, NULL);
        ++*counter->count;
        name_locks_release(counter->locks, counter->name);
    }
    return NULL;
}

static void one_at_a_time_has_a_name(void **state)
{
    static const char *const names[] = {"a", "b"};
    unsigned counts[2] = {0};
    struct counter counters[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        counters[i] = (struct counter){*state, names[i % 2], &counts[i % 2]};
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &counters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counts[0], THREADS / 2 * ROUNDS);
    assert_int_equal(counts[1], THREADS / 2 * ROUNDS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(other_names_are_free),       TEST(a_release_lets_the_next_one_in),
        TEST(waiting_can_be_interrupted), TEST(waiting_ends_with_the_deadline),
        TEST(one_at_a_time_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

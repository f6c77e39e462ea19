#include "unit/unit.h"

#include <string.h>

#include "base/cleanup.h"
#include "catalog/sharing/holders.h"

static struct ulid some_fork;

static int set_up(void **state)
{
    some_fork = ulid_new();
    *state = holders_new();
    return 0;
}

static int tear_down(void **state)
{
    holders_free(*state);
    return 0;
}

static struct hold *hold(struct holders *holders, pid_t pid, const char *command)
{
    struct hold *hold = NULL;
    assert_int_equal(holders_hold(holders, &some_fork, pid, command, &hold, NULL), 0);
    return hold;
}

static int close_door(struct holders *holders, int64_t drain_ms, struct error *err)
{
    return holders_close_door(holders, &some_fork, drain_ms, NULL, err);
}

static void holds_are_rendered_oldest_first(void **state)
{
    struct hold *first = hold(*state, 7, "cat"), *second = hold(*state, 0, NULL),
                *third = hold(*state, 9, "a\nb\x7f");
    auto_bytes struct bytes *text = holders_render(*state, &some_fork);
    assert_string_equal(text->data, "7 cat\n0 ?\n9 a?b?\n");
    assert_int_equal(holders_count(*state, &some_fork), 3);
    holders_release(*state, second);
    auto_bytes struct bytes *fewer = holders_render(*state, &some_fork);
    assert_string_equal(fewer->data, "7 cat\n9 a?b?\n");
    holders_release(*state, first);
    holders_release(*state, third);
    holders_release(*state, NULL);
    auto_bytes struct bytes *none = holders_render(*state, &some_fork);
    assert_string_equal(none->data, "");
    assert_int_equal(holders_count(*state, &some_fork), 0);
}

static void forks_are_held_apart(void **state)
{
    struct ulid other = ulid_new();
    struct hold *mine = hold(*state, 1, "cat");
    assert_int_equal(holders_count(*state, &other), 0);
    assert_int_equal(holders_close_door(*state, &other, 0, NULL, NULL), 0);
    holders_open_door(*state, &other);
    holders_release(*state, mine);
}

static void a_held_door_stays_open(void **state)
{
    struct error err = {0};
    struct hold *mine = hold(*state, 42, "less");
    assert_int_equal(close_door(*state, 0, &err), ERR_HELD);
    assert_non_null(strstr(err.text, "42 less"));
    struct hold *second = hold(*state, 43, "less");
    holders_release(*state, mine);
    holders_release(*state, second);
}

static void an_error_names_the_first_three_holders(void **state)
{
    struct error err = {0};
    struct hold *holds[5];
    for (int i = 0; i < 5; i++)
        holds[i] = hold(*state, 100 + i, "sh");
    assert_int_equal(close_door(*state, 0, &err), ERR_HELD);
    assert_non_null(strstr(err.text, "5 open handles: 100 sh, 101 sh, 102 sh, ..."));
    for (int i = 0; i < 5; i++)
        holders_release(*state, holds[i]);
}

static void nobody_passes_a_closed_door(void **state)
{
    struct hold *refused = NULL;
    assert_int_equal(close_door(*state, 0, NULL), 0);
    assert_int_equal(close_door(*state, 0, NULL), 0);
    assert_int_equal(holders_hold(*state, &some_fork, 1, "cat", &refused, NULL), ERR_STALE);
    assert_null(refused);
    holders_open_door(*state, &some_fork);
    holders_release(*state, hold(*state, 1, "cat"));
    holders_open_door(*state, &some_fork); /* again: nothing */
}

struct closer {
    struct holders *holders;
    int64_t drain_ms;
    struct operation operation;
    pthread_t thread;
    int code;
};

static void *run_closer(void *argument)
{
    struct closer *closer = argument;
    closer->code =
        holders_close_door(closer->holders, &some_fork, closer->drain_ms, &closer->operation, NULL);
    return NULL;
}

static bool is_watched(struct operation *operation)
{
    LOCK_SCOPE(&operation->lock);
    return operation->watched_cond != NULL;
}

/* Starts closing, and waits until it waits. */
static void start_closer(struct closer *closer, struct holders *holders, int64_t drain_ms)
{
    *closer = (struct closer){.holders = holders, .drain_ms = drain_ms};
    operation_init(&closer->operation, -1);
    assert_int_equal(pthread_create(&closer->thread, NULL, run_closer, closer), 0);
    AWAIT(is_watched(&closer->operation));
}

static int join_closer(struct closer *closer)
{
    pthread_join(closer->thread, NULL);
    operation_destroy(&closer->operation);
    return closer->code;
}

static void the_last_release_closes_the_door(void **state)
{
    struct closer closer;
    struct hold *first = hold(*state, 1, "cat"), *refused = NULL;
    start_closer(&closer, *state, 60000);
    struct hold *second = hold(*state, 2, "cat"); /* until then it is open */
    holders_release(*state, first);
    holders_release(*state, second);
    assert_int_equal(join_closer(&closer), 0);
    assert_int_equal(holders_hold(*state, &some_fork, 1, "cat", &refused, NULL), ERR_STALE);
}

static void draining_ends_with_its_time(void **state)
{
    struct closer closer;
    struct hold *mine = hold(*state, 1, "cat");
    start_closer(&closer, *state, 30);
    assert_int_equal(join_closer(&closer), ERR_HELD);
    holders_release(*state, mine);
}

static void draining_can_be_interrupted(void **state)
{
    struct closer closer;
    struct hold *mine = hold(*state, 1, "cat");
    start_closer(&closer, *state, 60000);
    operation_cancel(&closer.operation);
    assert_int_equal(join_closer(&closer), ERR_INTERRUPTED);
    holders_release(*state, mine);
}

static void draining_ends_with_the_operation(void **state)
{
    struct operation operation;
    struct hold *mine = hold(*state, 1, "cat");
    operation_init(&operation, 30);
    assert_int_equal(holders_close_door(*state, &some_fork, 60000, &operation, NULL), ERR_DEADLINE);
    operation_destroy(&operation);
    holders_release(*state, mine);
}

#define THREADS 8
#define ROUNDS 500

static void *hold_and_release(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct hold *mine = NULL;
        if (holders_hold(argument, &some_fork, i, "cat", &mine, NULL) == 0)
            holders_release(argument, mine);
    }
    return NULL;
}

/* Nobody may hold the fork while somebody has the door closed. */
static void *close_and_open(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (close_door(argument, 5, NULL) != 0)
            continue;
        if (holders_count(argument, &some_fork) != 0)
            return argument;
        holders_open_door(argument, &some_fork);
    }
    return NULL;
}

static void counting_is_right_when_many_hold_and_release(void **state)
{
    pthread_t threads[THREADS + 1];
    void *wrong = NULL;
    for (int i = 0; i <= THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i < THREADS ? hold_and_release : close_and_open, *state),
                         0);
    for (int i = 0; i <= THREADS; i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(holders_count(*state, &some_fork), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(holds_are_rendered_oldest_first),  TEST(forks_are_held_apart),
        TEST(a_held_door_stays_open),           TEST(an_error_names_the_first_three_holders),
        TEST(nobody_passes_a_closed_door),      TEST(the_last_release_closes_the_door),
        TEST(draining_ends_with_its_time),      TEST(draining_can_be_interrupted),
        TEST(draining_ends_with_the_operation), TEST(counting_is_right_when_many_hold_and_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit/unit.h"

#include <poll.h>

#include "base/timestamp.h"
#include "catalog/sharing/leftovers.h"

#define SECOND NS_PER_SECOND

static int set_up(void **state)
{
    *state = leftovers_new();
    return 0;
}

static int tear_down(void **state)
{
    leftovers_free(*state);
    return 0;
}

static struct leftover leave(struct leftovers *leftovers, int64_t not_before_ns)
{
    struct leftover left = {.kind = LEFTOVER_ENTRY, .id = ulid_new()};
    leftovers_add(leftovers, &left, not_before_ns);
    return left;
}

/* The one that is due, or NULL; the caller's array has it. */
static const struct leftover *take(struct leftovers *leftovers, GPtrArray **due, int64_t now_ns)
{
    if (*due)
        g_ptr_array_unref(*due);
    *due = leftovers_due(leftovers, now_ns);
    assert_true((*due)->len <= 1);
    return (*due)->len ? g_ptr_array_index(*due, 0) : NULL;
}

static bool is_readable(struct leftovers *leftovers)
{
    struct pollfd wait = {.fd = leftovers_fd(leftovers), .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

static void what_is_left_is_due_after_a_moment(void **state)
{
    g_autoptr(GPtrArray) due = NULL;
    assert_true(leftovers_due_ns(*state) == INT64_MAX);
    struct leftover left = leave(*state, 0);
    int64_t due_ns = leftovers_due_ns(*state);
    assert_true(due_ns < monotonic_now_ns() + 2 * SECOND);
    assert_null(take(*state, &due, due_ns - 1));
    assert_non_null(take(*state, &due, due_ns));
    assert_true(ulid_equal(&take(*state, &due, due_ns)->id, &left.id));
}

static void it_waits_for_what_may_still_arrive(void **state)
{
    int64_t arrived_ns = monotonic_now_ns() + 60 * SECOND;
    leave(*state, arrived_ns);
    assert_true(leftovers_due_ns(*state) == arrived_ns);
}

static void while_it_fails_the_pauses_grow_to_a_minute(void **state)
{
    g_autoptr(GPtrArray) due = NULL;
    leave(*state, 0);
    int64_t now_ns = leftovers_due_ns(*state), pause_ns = SECOND;
    for (int tries = 0; tries < 10; tries++) {
        leftovers_again(*state, take(*state, &due, now_ns), false, now_ns);
        int64_t next_ns = leftovers_due_ns(*state);
        assert_true(next_ns - now_ns == MIN(2 * pause_ns, 60 * SECOND));
        pause_ns = next_ns - now_ns;
        now_ns = next_ns;
    }
    assert_true(pause_ns == 60 * SECOND);
}

static void there_is_no_hurry_with_what_something_hangs_on(void **state)
{
    g_autoptr(GPtrArray) due = NULL;
    leave(*state, 0);
    int64_t now_ns = leftovers_due_ns(*state);
    leftovers_again(*state, take(*state, &due, now_ns), true, now_ns);
    assert_true(leftovers_due_ns(*state) - now_ns > 60 * SECOND);
}

static void what_has_ended_is_forgotten(void **state)
{
    g_autoptr(GPtrArray) due = NULL;
    leave(*state, 0);
    leftovers_end(*state, take(*state, &due, leftovers_due_ns(*state)));
    assert_true(leftovers_due_ns(*state) == INT64_MAX);
}

static void what_is_left_anew_meanwhile_has_not_ended(void **state)
{
    g_autoptr(GPtrArray) due = NULL;
    struct leftover left = leave(*state, 0);
    const struct leftover *taken = take(*state, &due, leftovers_due_ns(*state));
    leftovers_add(*state, &left, 0);
    leftovers_end(*state, taken);
    assert_true(leftovers_due_ns(*state) < INT64_MAX);
}

static void intents_come_before_the_forks_that_they_keep(void **state)
{
    auto_bytes struct bytes *text = bytes_new_text("{}");
    struct leftover intent = {.kind = LEFTOVER_TAGGING, .id = ulid_new(), .intent = text};
    leave(*state, 0);
    leftovers_add(*state, &intent, 0);
    g_autoptr(GPtrArray) due = leftovers_due(*state, INT64_MAX);
    assert_int_equal(due->len, 2);
    const struct leftover *first = g_ptr_array_index(due, 0);
    assert_int_equal(first->kind, LEFTOVER_TAGGING);
    assert_true(bytes_equal(first->intent, text));
}

static void who_waits_is_woken_by_what_is_left(void **state)
{
    leftovers_due_ns(*state);
    assert_false(is_readable(*state));
    leave(*state, 0);
    assert_true(is_readable(*state));
    leftovers_due_ns(*state);
    assert_false(is_readable(*state));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_left_is_due_after_a_moment),
        TEST(it_waits_for_what_may_still_arrive),
        TEST(while_it_fails_the_pauses_grow_to_a_minute),
        TEST(there_is_no_hurry_with_what_something_hangs_on),
        TEST(what_has_ended_is_forgotten),
        TEST(what_is_left_anew_meanwhile_has_not_ended),
        TEST(intents_come_before_the_forks_that_they_keep),
        TEST(who_waits_is_woken_by_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit/unit.h"

#include <stddef.h>

#include "catalog/sharing/takeover.h"

#define SECOND INT64_C(1000000000)

static int set_up(void **state)
{
    *state = takeover_new(120000);
    return 0;
}

static int tear_down(void **state)
{
    takeover_free(*state);
    return 0;
}

static int64_t wait_of(struct takeover *takeover, const char *version, int64_t seconds)
{
    return takeover_wait_ms(takeover, TAKEOVER_ENTRY, "fork", version, seconds * SECOND);
}

static void what_stays_unchanged_may_be_taken_over(void **state)
{
    assert_int_equal(wait_of(*state, "pending", 10), 120000);
    assert_int_equal(wait_of(*state, "pending", 11), 119000);
    assert_int_equal(wait_of(*state, "pending", 129), 1000);
    assert_int_equal(wait_of(*state, "pending", 130), 0);
    assert_int_equal(wait_of(*state, "pending", 500), 0);
}

static void a_part_of_a_millisecond_is_waited_for(void **state)
{
    wait_of(*state, "pending", 10);
    assert_int_equal(takeover_wait_ms(*state, TAKEOVER_ENTRY, "fork", "pending", 130 * SECOND - 1),
                     1);
}

static void a_change_begins_the_watch_anew(void **state)
{
    wait_of(*state, "pending", 10);
    assert_int_equal(wait_of(*state, "tombstoned", 100), 120000);
    assert_int_equal(wait_of(*state, "tombstoned", 219), 1000);
    assert_int_equal(wait_of(*state, "tombstoned", 220), 0);
}

static void what_goes_away_is_forgotten(void **state)
{
    wait_of(*state, "pending", 10);
    takeover_begin_look(*state, TAKEOVER_ENTRY);
    takeover_end_look(*state, TAKEOVER_ENTRY, 20 * SECOND);
    assert_int_equal(wait_of(*state, "pending", 200), 120000);
}

static void what_a_look_sees_is_remembered(void **state)
{
    wait_of(*state, "pending", 10);
    takeover_begin_look(*state, TAKEOVER_ENTRY);
    wait_of(*state, "pending", 20);
    takeover_end_look(*state, TAKEOVER_ENTRY, 20 * SECOND);
    takeover_begin_look(*state, TAKEOVER_ORPHAN); /* of another kind */
    takeover_end_look(*state, TAKEOVER_ORPHAN, 30 * SECOND);
    assert_int_equal(wait_of(*state, "pending", 130), 0);
}

static void kinds_are_apart(void **state)
{
    wait_of(*state, "x", 10);
    assert_int_equal(takeover_wait_ms(*state, TAKEOVER_TOMBSTONE, "fork", "x", 200 * SECOND),
                     120000);
}

static void this_mounts_own_may_be_finished_at_once(void **state)
{
    takeover_add_own(*state, TAKEOVER_ENTRY, "fork", 10 * SECOND);
    assert_int_equal(wait_of(*state, "pending", 10), 0);
    assert_int_equal(wait_of(*state, "tombstoned", 11), 0);
    takeover_forget(*state, TAKEOVER_ENTRY, "fork");
    assert_int_equal(wait_of(*state, "tombstoned", 12), 120000);
}

static void abandoned_writes_are_waited_for(void **state)
{
    takeover_add_own(*state, TAKEOVER_ENTRY, "fork", 70 * SECOND);
    assert_int_equal(wait_of(*state, "tombstoned", 10), 60000);
    assert_int_equal(wait_of(*state, "tombstoned", 70), 0);
}

/* An entry whose put was abandoned may appear later. */
static void this_mounts_own_is_expected_for_a_while(void **state)
{
    takeover_add_own(*state, TAKEOVER_ENTRY, "fork", 10 * SECOND);
    takeover_begin_look(*state, TAKEOVER_ENTRY);
    takeover_end_look(*state, TAKEOVER_ENTRY, 60 * SECOND);
    assert_int_equal(wait_of(*state, "pending", 61), 0);
    takeover_begin_look(*state, TAKEOVER_ENTRY);
    takeover_end_look(*state, TAKEOVER_ENTRY, 200 * SECOND);
    assert_int_equal(wait_of(*state, "pending", 201), 120000);
}

static void where_nobody_else_writes_everything_may_be_finished(void **state)
{
    assert_int_equal(takeover_wait_ms(NULL, TAKEOVER_ENTRY, "fork", "pending", 0), 0);
    takeover_begin_look(NULL, TAKEOVER_ENTRY);
    takeover_end_look(NULL, TAKEOVER_ENTRY, 0);
    takeover_add_own(NULL, TAKEOVER_ENTRY, "fork", 0);
    takeover_forget(NULL, TAKEOVER_ENTRY, "fork");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_stays_unchanged_may_be_taken_over),
        TEST(a_part_of_a_millisecond_is_waited_for),
        TEST(a_change_begins_the_watch_anew),
        TEST(what_goes_away_is_forgotten),
        TEST(what_a_look_sees_is_remembered),
        TEST(kinds_are_apart),
        TEST(this_mounts_own_may_be_finished_at_once),
        TEST(abandoned_writes_are_waited_for),
        TEST(this_mounts_own_is_expected_for_a_while),
        TEST(where_nobody_else_writes_everything_may_be_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

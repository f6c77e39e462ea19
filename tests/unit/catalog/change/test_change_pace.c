/*
 * Lists that take longer than one operation may: carried out in portions, each with time of its
 * own.
 */
#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/change/change_fixture.h"
#include "unit/virtual_clock.h"

#define FORKS 40
#define MANY 700 /* more than one portion has */

/* Creates of forks "f0", "f1", ... */
struct lines {
    struct change changes[MANY];
    char names[MANY][8];
    size_t count;
    size_t told;
    struct operation operation;
};

static void lines_init(struct lines *lines, size_t count)
{
    *lines = (struct lines){.count = count};
    operation_init(&lines->operation, AMPLE_MS);
    for (size_t i = 0; i < count; i++) {
        g_snprintf(lines->names[i], sizeof lines->names[i], "f%zu", i);
        lines->changes[i] = create_line(lines->names[i], NULL);
    }
}

/* From now on each put, or delete, of a ref takes so long. */
static void slow_down(struct change_fixture *fixture, enum store_method method, int64_t ms)
{
    fault_store_match(fixture->faults, "_refs/branches");
    fault_store_set_delay(fixture->faults, 0);
    fault_store_when_fired(fixture->faults, virtual_clock_jump, ms);
    fault_store_arm(fixture->faults, FAULT_DELAY, 1u << method, 1, true, 0);
}

static void count_told(void *argument, const struct change *change)
{
    struct lines *lines = argument;
    lines->told++;
}

static void carry_out(struct change_fixture *fixture, struct lines *lines,
                      change_observer *observer)
{
    catalog_change_telling(fixture->catalog, lines->changes, lines->count, &lines->operation,
                           observer, lines);
    operation_destroy(&lines->operation);
}

static void assert_all(const struct lines *lines, int code)
{
    for (size_t i = 0; i < lines->count; i++)
        if (lines->changes[i].error.code != code)
            fail_msg("%s: %s", lines->names[i], lines->changes[i].error.text);
}

/* Some lines have `code`, and all others succeed; names are taken by those only. */
static void assert_only_done_are_there(struct change_fixture *fixture, const struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        assert_status(fixture, lines->names[i],
                      lines->changes[i].error.code == 0 ? FORK_ACTIVE : -1);
    fixture_assert_clean(fixture->store);
}

static void a_list_that_takes_several_times_its_time_succeeds(void **state)
{
    struct change_fixture *fixture = *state;
    struct lines lines;
    lines_init(&lines, FORKS);
    slow_down(fixture, STORE_PUT, 1000); /* three datasets: two minutes in all */
    carry_out(fixture, &lines, count_told);
    assert_all(&lines, 0);
    assert_int_equal(lines.told, FORKS);
    assert_only_done_are_there(fixture, &lines);
}

/* What ran out of time has been decided on, and goes on with the next portion. */
static void a_list_of_drops_that_takes_several_times_its_time_succeeds(void **state)
{
    struct change_fixture *fixture = *state;
    struct lines lines;
    lines_init(&lines, FORKS);
    carry_out(fixture, &lines, count_told);
    assert_all(&lines, 0);
    for (size_t i = 0; i < lines.count; i++)
        lines.changes[i] = drop_line(lines.names[i]);
    lines.told = 0;
    operation_init(&lines.operation, AMPLE_MS);
    slow_down(fixture, STORE_DELETE, 1000); /* two minutes in all, too */
    carry_out(fixture, &lines, count_told);
    assert_all(&lines, 0);
    assert_int_equal(lines.told, FORKS);
    for (size_t i = 0; i < lines.count; i++)
        assert_status(fixture, lines.names[i], -1);
    fixture_assert_clean(fixture->store);
}

static void what_no_time_is_enough_for_takes_no_names(void **state)
{
    struct change_fixture *fixture = *state;
    struct lines lines;
    lines_init(&lines, FORKS);
    slow_down(fixture, STORE_PUT, AMPLE_MS);
    carry_out(fixture, &lines, count_told);
    assert_all(&lines, ERR_DEADLINE);
    assert_int_equal(lines.told, FORKS);
    /* It is not tried for each of them how long they would take. */
    assert_true(registry_writes(fixture) < FORKS);
    assert_only_done_are_there(fixture, &lines);
}

static void a_long_list_is_carried_out_in_portions(void **state)
{
    struct change_fixture *fixture = *state;
    struct lines *lines = g_new0(struct lines, 1);
    lines_init(lines, MANY);
    carry_out(fixture, lines, NULL);
    assert_all(lines, 0);
    assert_true(registry_writes(fixture) > 2);
    g_free(lines);
}

/* Once something has been done. */
static void interrupt(void *argument, const struct change *change)
{
    struct lines *lines = argument;
    operation_cancel(&lines->operation);
}

static void an_interrupt_ends_the_list_between_portions(void **state)
{
    struct change_fixture *fixture = *state;
    struct lines *lines = g_new0(struct lines, 1);
    lines_init(lines, MANY);
    carry_out(fixture, lines, interrupt);
    assert_int_equal(lines->changes[0].error.code, 0);
    assert_int_equal(lines->changes[MANY - 1].error.code, ERR_INTERRUPTED);
    assert_only_done_are_there(fixture, lines);
    g_free(lines);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, change_set_up, change_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_that_takes_several_times_its_time_succeeds),
        TEST(a_list_of_drops_that_takes_several_times_its_time_succeeds),
        TEST(what_no_time_is_enough_for_takes_no_names),
        TEST(a_long_list_is_carried_out_in_portions),
        TEST(an_interrupt_ends_the_list_between_portions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

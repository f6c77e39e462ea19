#include <pthread.h>
#include <string.h>

#include "fs/content/batch.h"
#include "unit/catalog/database_fixture.h"
#include "unit/unit.h"

struct place {
    struct store *store;
    struct store *faults; /* around the store; belongs to the catalog */
    struct catalog *catalog;
    struct batch *batch;
    struct operation operation;
    unsigned observed;
    unsigned failed;
};

static int set_up(void **state)
{
    struct place *place = g_new0(struct place, 1);
    place->store = fixture_database();
    place->catalog = fixture_open(place->store, &place->faults);
    place->batch = batch_new(NULL);
    operation_init(&place->operation, -1);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    operation_destroy(&place->operation);
    batch_unref(place->batch);
    catalog_free(place->catalog);
    store_free(place->store);
    g_free(place);
    return 0;
}

static void write_text(struct place *place, const char *text)
{
    assert_int_equal(batch_write(place->batch, text, strlen(text), NULL), 0);
}

static void observe(void *argument, const struct batch_line *line, const struct error *failure)
{
    struct place *place = argument;
    place->observed++;
    place->failed += failure != NULL;
}

static int run(struct place *place, struct error *first_failure)
{
    return batch_run(place->batch, place->catalog, observe, place, &place->operation, first_failure,
                     NULL);
}

static char *read_all(struct place *place)
{
    char *buffer = g_malloc0(65536);
    batch_read(place->batch, buffer, 65535);
    return buffer;
}

static void assert_answers(struct place *place, const char *expected)
{
    g_autofree char *answers = read_all(place);
    assert_string_equal(answers, expected);
}

static void complete_lines_are_carried_out_and_answered_in_order(void **state)
{
    struct place *place = *state;
    write_text(place, "create b\ncreate a\n");
    assert_true(batch_has_work(place->batch));
    assert_int_equal(run(place, NULL), 0);
    assert_false(batch_has_work(place->batch));
    assert_answers(place, "ok b\nok a\n");
    assert_int_equal(fixture_status(place->store, "a"), FORK_ACTIVE);
    assert_int_equal(fixture_status(place->store, "b"), FORK_ACTIVE);
}

static void an_incomplete_line_waits_for_its_end(void **state)
{
    struct place *place = *state;
    write_text(place, "cre");
    assert_false(batch_has_work(place->batch));
    write_text(place, "ate a\ncreate ");
    assert_int_equal(run(place, NULL), 0);
    assert_answers(place, "ok a\n");
    assert_false(batch_has_work(place->batch));
    write_text(place, "b\n");
    assert_int_equal(run(place, NULL), 0);
    assert_answers(place, "ok b\n");
}

static void a_line_without_newline_at_the_end_is_told_of(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    bool is_news = false;
    assert_int_equal(batch_check_end(place->batch, &is_news, NULL), 0);
    write_text(place, "create a\ncreate b");
    assert_int_equal(run(place, NULL), 0);
    assert_int_equal(batch_check_end(place->batch, &is_news, &err), ERR_INVALID);
    assert_true(is_news);
    assert_non_null(strstr(err.text, "create b"));
    assert_int_equal(batch_check_end(place->batch, &is_news, NULL), ERR_INVALID);
    assert_false(is_news);
    write_text(place, "c");
    assert_int_equal(batch_check_end(place->batch, &is_news, NULL), ERR_INVALID);
    assert_true(is_news);
    write_text(place, "\n ");
    assert_int_equal(batch_check_end(place->batch, &is_news, NULL), 0);
    assert_int_equal(run(place, NULL), 0);
    assert_answers(place, "ok a\nok bc\n");
}

static void *run_thread(void *argument)
{
    run(argument, NULL);
    return NULL;
}

static void lines_are_answered_while_later_ones_are_carried_out(void **state)
{
    struct place *place = *state;
    struct operation reading;
    pthread_t thread;
    write_text(place, "create a\ncreate b parent=a\n");
    fault_store_match(place->faults, "catalog/fork_registry.json");
    fault_store_arm(place->faults, FAULT_DELAY, FAULT_WRITES, 3, false, 0);
    assert_int_equal(pthread_create(&thread, NULL, run_thread, place), 0);
    fault_store_wait_held(place->faults);
    operation_init(&reading, -1);
    assert_int_equal(batch_await_answers(place->batch, &reading, NULL), 0);
    operation_destroy(&reading);
    assert_answers(place, "ok a\n");
    assert_true(batch_is_running(place->batch));
    fault_store_release(place->faults);
    pthread_join(thread, NULL);
    assert_answers(place, "ok b\n");
    assert_false(batch_is_running(place->batch));
}

static void answers_are_read_once_and_in_any_pieces(void **state)
{
    struct place *place = *state;
    char piece[4] = "";
    write_text(place, "create a\n");
    run(place, NULL);
    assert_int_equal(batch_read(place->batch, piece, 3), 3);
    assert_string_equal(piece, "ok ");
    assert_int_equal(batch_read(place->batch, piece, 3), 2);
    assert_int_equal(batch_read(place->batch, piece, 3), 0);
}

static void a_bad_line_fails_alone(void **state)
{
    struct place *place = *state;
    struct error first;
    write_text(place, "create a\nnonsense\n\ndrop c\ncreate d\n");
    assert_int_equal(run(place, &first), 0);
    g_autofree char *answers = read_all(place);
    g_auto(GStrv) lines = g_strsplit(answers, "\n", -1);
    assert_int_equal(g_strv_length(lines), 5);
    assert_string_equal(lines[0], "ok a");
    assert_true(g_str_has_prefix(lines[1], "error - EINVAL unknown command"));
    assert_true(g_str_has_prefix(lines[2], "error c ENOENT "));
    assert_string_equal(lines[3], "ok d");
    assert_int_equal(first.code, ERR_INVALID);
    assert_int_equal(place->observed, 4);
    assert_int_equal(place->failed, 2);
}

static void lines_may_depend_on_earlier_ones(void **state)
{
    struct place *place = *state;
    struct error first;
    write_text(place, "create a\ncreate b parent=a\ndrop b\ndrop a\ncreate a\n");
    assert_int_equal(run(place, &first), 0);
    assert_int_equal(first.code, 0);
    assert_answers(place, "ok a\nok b\nok b\nok a\nok a\n");
}

static void a_group_shares_the_writes_of_the_registry(void **state)
{
    struct place *place = *state;
    struct catalog_counts counts;
    for (int i = 0; i < 20; i++) {
        g_autofree char *line = g_strdup_printf("create f%d\n", i);
        write_text(place, line);
    }
    run(place, NULL);
    catalog_counts(place->catalog, &counts);
    assert_int_equal(counts.commits, 2);
    assert_int_equal(counts.committed_requests, 40);
}

static void an_answer_stays_one_line(void **state)
{
    struct place *place = *state;
    write_text(place, "create a\rb\n");
    run(place, NULL);
    g_autofree char *answers = read_all(place);
    assert_true(g_str_has_prefix(answers, "error a\\015b EINVAL "));
    assert_ptr_equal(strchr(answers, '\n'), answers + strlen(answers) - 1);
}

static void a_line_with_a_nul_fails_and_the_next_does_not(void **state)
{
    struct place *place = *state;
    assert_int_equal(batch_write(place->batch, "create \0a\ncreate b\n", 19, NULL), 0);
    run(place, NULL);
    g_autofree char *answers = read_all(place);
    assert_true(g_str_has_prefix(answers, "error - EINVAL the line holds a NUL\nok b\n"));
}

static void a_ttl_is_passed_on(void **state)
{
    struct place *place = *state;
    write_text(place, "create a ttl=1000\ncreate b ttl=none\ncreate c ttl=18446744073709551615\n");
    run(place, NULL);
    g_autofree char *answers = read_all(place);
    assert_true(g_str_has_prefix(answers, "ok a\nok b\nerror c EINVAL "));
    auto_registry struct registry *registry = catalog_registry(place->catalog);
    assert_true(registry_find(registry, "a")->has_expiry);
    assert_false(registry_find(registry, "b")->has_expiry);
}

static void an_interrupted_group_is_answered_so(void **state)
{
    struct place *place = *state;
    struct error first;
    write_text(place, "create a\n");
    operation_cancel(&place->operation);
    assert_int_equal(run(place, &first), 0);
    assert_int_equal(first.code, ERR_INTERRUPTED);
    g_autofree char *answers = read_all(place);
    assert_true(g_str_has_prefix(answers, "error a EINTR "));
    assert_int_equal(fixture_status(place->store, "a"), -1);
}

static void too_many_bytes_or_lines_are_refused(void **state)
{
    struct place *place = *state;
    g_autofree char *long_text = g_strnfill(BATCH_BYTES_WAITING + 1, 'x');
    g_autofree char *lines = g_strnfill(BATCH_LINES_WAITING + 1, '\n');
    assert_int_equal(batch_write(place->batch, long_text, BATCH_BYTES_WAITING + 1, NULL),
                     ERR_TOO_BIG);
    assert_int_equal(batch_write(place->batch, lines, BATCH_LINES_WAITING + 1, NULL), ERR_TOO_BIG);
    assert_int_equal(batch_write(place->batch, lines, BATCH_LINES_WAITING, NULL), 0);
    assert_int_equal(batch_write(place->batch, "\n", 1, NULL), ERR_TOO_BIG);
    run(place, NULL);
    assert_int_equal(batch_write(place->batch, "\n", 1, NULL), 0);
}

static void *run_on_a_thread(void *argument)
{
    assert_int_equal(run(argument, NULL), 0);
    return NULL;
}

static void *release_soon(void *argument)
{
    struct place *place = argument;
    fault_store_release(place->faults);
    return NULL;
}

static void groups_come_one_after_the_other(void **state)
{
    struct place *place = *state;
    pthread_t runner;
    pthread_t releaser;
    struct operation operation;
    operation_init(&operation, -1);
    fault_store_arm(place->faults, FAULT_DELAY, FAULT_WRITES, 1, false, 0);
    write_text(place, "create a\n");
    assert_int_equal(pthread_create(&runner, NULL, run_on_a_thread, place), 0);
    fault_store_wait_held(place->faults);
    write_text(place, "create b\n");
    assert_int_equal(pthread_create(&releaser, NULL, release_soon, place), 0);
    assert_int_equal(batch_run(place->batch, place->catalog, NULL, NULL, &operation, NULL, NULL),
                     0);
    assert_answers(place, "ok a\nok b\n");
    pthread_join(releaser, NULL);
    pthread_join(runner, NULL);
    operation_destroy(&operation);
}

static void waiting_for_an_earlier_group_can_be_interrupted(void **state)
{
    struct place *place = *state;
    pthread_t runner;
    struct operation operation;
    operation_init(&operation, -1);
    operation_cancel(&operation);
    fault_store_arm(place->faults, FAULT_DELAY, FAULT_WRITES, 1, false, 0);
    write_text(place, "create a\n");
    assert_int_equal(pthread_create(&runner, NULL, run_on_a_thread, place), 0);
    fault_store_wait_held(place->faults);
    assert_true(batch_has_work(place->batch));
    assert_int_equal(batch_run(place->batch, place->catalog, NULL, NULL, &operation, NULL, NULL),
                     ERR_INTERRUPTED);
    fault_store_release(place->faults);
    pthread_join(runner, NULL);
    assert_answers(place, "ok a\n");
    operation_destroy(&operation);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(complete_lines_are_carried_out_and_answered_in_order),
        TEST(an_incomplete_line_waits_for_its_end),
        TEST(a_line_without_newline_at_the_end_is_told_of),
        TEST(lines_are_answered_while_later_ones_are_carried_out),
        TEST(answers_are_read_once_and_in_any_pieces),
        TEST(a_bad_line_fails_alone),
        TEST(lines_may_depend_on_earlier_ones),
        TEST(a_group_shares_the_writes_of_the_registry),
        TEST(an_answer_stays_one_line),
        TEST(a_line_with_a_nul_fails_and_the_next_does_not),
        TEST(a_ttl_is_passed_on),
        TEST(an_interrupted_group_is_answered_so),
        TEST(too_many_bytes_or_lines_are_refused),
        TEST(groups_come_one_after_the_other),
        TEST(waiting_for_an_earlier_group_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

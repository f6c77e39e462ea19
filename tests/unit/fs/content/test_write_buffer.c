#include <pthread.h>
#include <string.h>

#include "fs/content/write_buffer.h"
#include "unit/unit.h"

/* A buffer on the document "old" with a newline, at version "1". */
static int set_up(void **state)
{
    auto_document struct document document = {bytes_new_text("old"), true, {0, 0}, g_strdup("1")};
    return write_buffer_new(&document, false, NULL, (struct write_buffer **)state, NULL);
}

static int set_up_truncated(void **state)
{
    auto_document struct document document = {bytes_new_text("old"), true, {0, 0}, NULL};
    return write_buffer_new(&document, true, NULL, (struct write_buffer **)state, NULL);
}

static int tear_down(void **state)
{
    write_buffer_free(*state);
    return 0;
}

static void write_text(struct write_buffer *buffer, const char *text, off_t offset)
{
    assert_int_equal(write_buffer_write(buffer, text, strlen(text), offset, false, NULL), 0);
}

static void assert_text(struct write_buffer *buffer, const char *expected, size_t size)
{
    auto_bytes struct bytes *text = write_buffer_read(buffer, 1000, 0);
    assert_int_equal(text->size, size);
    assert_memory_equal(text->data, expected, size);
    assert_int_equal(write_buffer_size(buffer), size);
}

/* An attempt that ends with `code`; the text that it took, or NULL. g_free(). */
static char *attempt(struct write_buffer *buffer, int code, const char *new_version)
{
    struct operation operation;
    struct write_attempt attempt;
    operation_init(&operation, PATIENCE_S * 1000);
    assert_int_equal(write_buffer_begin(buffer, &operation, &attempt, NULL), 0);
    char *text = attempt.text ? g_strndup(attempt.text->data, attempt.text->size) : NULL;
    write_buffer_end(buffer, &attempt, code, g_strdup(new_version));
    operation_destroy(&operation);
    return text;
}

static void it_starts_with_the_document(void **state)
{
    assert_text(*state, "old\n", 4);
    auto_bytes struct bytes *part = write_buffer_read(*state, 2, 1);
    assert_string_equal(part->data, "ld");
    auto_bytes struct bytes *behind = write_buffer_read(*state, 2, 100);
    assert_int_equal(behind->size, 0);
}

static void writes_go_where_they_are_told(void **state)
{
    write_text(*state, "LD", 1);
    assert_text(*state, "oLD\n", 4);
    write_text(*state, "x", 6);
    assert_text(*state, "oLD\n\0\0x", 7);
}

static void appended_text_goes_to_the_end_whatever_the_offset(void **state)
{
    assert_int_equal(write_buffer_write(*state, "new", 3, 0, true, NULL), 0);
    assert_int_equal(write_buffer_write(*state, "er", 2, 100, true, NULL), 0);
    assert_text(*state, "old\nnewer", 9);
}

static void a_resize_cuts_and_fills_with_zeros(void **state)
{
    assert_int_equal(write_buffer_resize(*state, 1, NULL), 0);
    assert_int_equal(write_buffer_resize(*state, 3, NULL), 0);
    assert_text(*state, "o\0\0", 3);
}

static void what_gets_too_big_is_refused_whole(void **state)
{
    struct error err = {0};
    off_t end = (off_t)WRITE_BUFFER_MAX;
    assert_int_equal(write_buffer_write(*state, "xy", 2, end - 1, false, &err), ERR_TOO_BIG);
    assert_int_equal(write_buffer_write(*state, "xy", 2, INT64_MAX, false, NULL), ERR_TOO_BIG);
    assert_int_equal(write_buffer_resize(*state, end + 1, NULL), ERR_TOO_BIG);
    assert_text(*state, "old\n", 4);
    assert_true(write_buffer_is_settled(*state));
    assert_int_equal(write_buffer_write(*state, "xy", 2, end - 2, false, NULL), 0);
}

static void nothing_written_is_not_attempted(void **state)
{
    assert_true(write_buffer_is_settled(*state));
    g_autofree char *text = attempt(*state, 0, NULL);
    assert_null(text);
    assert_int_equal(write_buffer_write(*state, "", 0, 0, false, NULL), 0);
    assert_int_equal(write_buffer_resize(*state, (off_t)write_buffer_size(*state), NULL), 0);
    assert_true(write_buffer_is_settled(*state));
}

static void emptied_without_a_write_is_not_attempted(void **state)
{
    assert_int_equal(write_buffer_resize(*state, 0, NULL), 0);
    assert_true(write_buffer_is_settled(*state));
}

static void emptied_after_a_write_is_attempted(void **state)
{
    write_text(*state, "x", 0);
    assert_int_equal(write_buffer_resize(*state, 0, NULL), 0);
    assert_false(write_buffer_is_settled(*state));
    g_autofree char *text = attempt(*state, ERR_INVALID, NULL);
    assert_string_equal(text, "");
}

static void a_cut_document_is_attempted(void **state)
{
    assert_int_equal(write_buffer_resize(*state, 2, NULL), 0);
    g_autofree char *text = attempt(*state, ERR_INVALID, NULL);
    assert_string_equal(text, "ol");
}

static void each_change_is_decided_once(void **state)
{
    const int codes[] = {0, ERR_INVALID, ERR_CHANGED, ERR_CONFLICT, ERR_STALE};
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        write_text(*state, "new", 0);
        assert_false(write_buffer_is_settled(*state));
        g_autofree char *first = attempt(*state, codes[i], NULL);
        g_autofree char *second = attempt(*state, 0, NULL);
        assert_string_equal(first, "new\n");
        assert_null(second);
        assert_true(write_buffer_is_settled(*state));
    }
}

static void what_was_not_decided_is_attempted_again(void **state)
{
    const int codes[] = {ERR_INTERRUPTED, ERR_DEADLINE,        ERR_UNREACHABLE, ERR_CONTENDED,
                         ERR_IO,          ERR_OUTCOME_UNKNOWN, ERR_NO_SPACE};
    write_text(*state, "new", 0);
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_autofree char *text = attempt(*state, codes[i], NULL);
        assert_string_equal(text, "new\n");
        assert_false(write_buffer_is_settled(*state));
    }
}

static void the_version_is_that_of_the_last_success(void **state)
{
    struct operation operation;
    struct write_attempt next;
    operation_init(&operation, PATIENCE_S * 1000);
    for (int i = 0; i < 3; i++) {
        write_text(*state, "new", 0);
        assert_int_equal(write_buffer_begin(*state, &operation, &next, NULL), 0);
        assert_string_equal(next.version, i == 0 ? "1" : "2");
        write_buffer_end(*state, &next, i == 0 ? 0 : ERR_INVALID, i == 0 ? g_strdup("2") : NULL);
    }
    operation_destroy(&operation);
}

static void what_is_written_during_an_attempt_waits_for_the_next(void **state)
{
    struct operation operation;
    struct write_attempt running;
    operation_init(&operation, PATIENCE_S * 1000);
    write_text(*state, "one", 0);
    assert_int_equal(write_buffer_begin(*state, &operation, &running, NULL), 0);
    write_text(*state, "two", 0);
    assert_string_equal(running.text->data, "one\n");
    write_buffer_end(*state, &running, 0, NULL);
    g_autofree char *next = attempt(*state, 0, NULL);
    assert_string_equal(next, "two\n");
    operation_destroy(&operation);
}

static void *attempt_later(void *buffer)
{
    return attempt(buffer, 0, NULL);
}

static void attempts_wait_for_each_other(void **state)
{
    struct operation operation;
    struct write_attempt running;
    pthread_t thread;
    void *text = NULL;
    operation_init(&operation, PATIENCE_S * 1000);
    write_text(*state, "one", 0);
    assert_int_equal(write_buffer_begin(*state, &operation, &running, NULL), 0);
    assert_false(write_buffer_is_settled(*state));
    assert_int_equal(pthread_create(&thread, NULL, attempt_later, *state), 0);
    write_buffer_end(*state, &running, 0, NULL);
    pthread_join(thread, &text);
    assert_null(text); /* the first attempt has decided it */
    operation_destroy(&operation);
}

static void waiting_ends_with_the_operation(void **state)
{
    struct operation operation;
    struct write_attempt running;
    struct write_attempt waiting;
    operation_init(&operation, PATIENCE_S * 1000);
    assert_int_equal(write_buffer_begin(*state, &operation, &running, NULL), 0);
    operation_cancel(&operation);
    assert_int_equal(write_buffer_begin(*state, &operation, &waiting, NULL), ERR_INTERRUPTED);
    write_buffer_end(*state, &running, 0, NULL);
    operation_destroy(&operation);
}

static void truncated_and_never_written_is_not_attempted(void **state)
{
    assert_text(*state, "", 0);
    assert_true(write_buffer_is_settled(*state));
    write_text(*state, "new", 0);
    g_autofree char *text = attempt(*state, 0, NULL);
    assert_string_equal(text, "new");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_starts_with_the_document),
        TEST(writes_go_where_they_are_told),
        TEST(appended_text_goes_to_the_end_whatever_the_offset),
        TEST(a_resize_cuts_and_fills_with_zeros),
        TEST(what_gets_too_big_is_refused_whole),
        TEST(nothing_written_is_not_attempted),
        TEST(emptied_without_a_write_is_not_attempted),
        TEST(emptied_after_a_write_is_attempted),
        TEST(a_cut_document_is_attempted),
        TEST(each_change_is_decided_once),
        TEST(what_was_not_decided_is_attempted_again),
        TEST(the_version_is_that_of_the_last_success),
        TEST(what_is_written_during_an_attempt_waits_for_the_next),
        TEST(attempts_wait_for_each_other),
        TEST(waiting_ends_with_the_operation),
        cmocka_unit_test_setup_teardown(truncated_and_never_written_is_not_attempted,
                                        set_up_truncated, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <string.h>

#include "fs/content/batch.h"
#include "fs/content/write_budget.h"
#include "fs/content/write_buffer.h"
#include "unit/unit.h"

#define LIMIT 1000

static int set_up(void **state)
{
    *state = write_budget_new(LIMIT);
    return 0;
}

static int tear_down(void **state)
{
    write_budget_free(*state);
    return 0;
}

/* How much is left: takes all of it, byte by byte, and gives it back. */
static size_t left(struct write_budget *budget)
{
    size_t taken = 0;
    while (write_budget_take(budget, 1, NULL) == 0)
        taken++;
    write_budget_give_back(budget, taken);
    return taken;
}

static void no_more_is_taken_than_there_is(void **state)
{
    struct error err;
    assert_int_equal(write_budget_take(*state, LIMIT + 1, NULL), ERR_NO_SPACE);
    assert_int_equal(write_budget_take(*state, LIMIT - 1, NULL), 0);
    assert_int_equal(write_budget_take(*state, 2, &err), ERR_NO_SPACE);
    assert_non_null(strstr(err.text, "write_buffer"));
    assert_int_equal(write_budget_take(*state, 1, NULL), 0);
    write_budget_give_back(*state, LIMIT);
    assert_int_equal(left(*state), LIMIT);
}

static void what_is_overdrawn_has_to_come_back_first(void **state)
{
    write_budget_overdraw(*state, LIMIT + 10);
    assert_int_equal(write_budget_take(*state, 0, NULL), 0);
    assert_int_equal(write_budget_take(*state, 1, NULL), ERR_NO_SPACE);
    write_budget_give_back(*state, 11);
    assert_int_equal(left(*state), 1);
}

static void without_a_budget_there_is_no_limit(void **state)
{
    assert_int_equal(write_budget_take(NULL, SIZE_MAX, NULL), 0);
    write_budget_overdraw(NULL, SIZE_MAX);
    write_budget_give_back(NULL, SIZE_MAX);
}

/* A buffer on a document of 9 characters and a newline. */
static struct write_buffer *open_buffer(struct write_budget *budget)
{
    auto_document struct document document = {bytes_new_text("nine char"), true, {0, 0}, NULL};
    struct write_buffer *buffer = NULL;
    int code = write_buffer_new(&document, false, budget, &buffer, NULL);
    assert_true(code == 0 || (code == ERR_NO_SPACE && !buffer));
    return buffer;
}

static void buffers_share_it(void **state)
{
    char text[LIMIT] = "";
    struct write_buffer *one = open_buffer(*state);
    struct write_buffer *two = open_buffer(*state);
    assert_int_equal(left(*state), LIMIT - 20);
    assert_int_equal(write_buffer_write(one, text, 900, 0, false, NULL), 0);
    assert_int_equal(write_buffer_write(two, text, 91, 0, false, NULL), 0);
    assert_int_equal(write_buffer_write(two, text, 10, 0, true, NULL), ERR_NO_SPACE);
    assert_int_equal(write_buffer_size(two), 91);
    assert_null(open_buffer(*state));
    /* Writing over what is there takes nothing. */
    assert_int_equal(write_buffer_write(two, text, 91, 0, false, NULL), 0);
    write_buffer_free(one);
    assert_int_equal(write_buffer_write(two, text, 10, 0, true, NULL), 0);
    assert_int_equal(left(*state), LIMIT - 101);
    write_buffer_free(two);
    assert_int_equal(left(*state), LIMIT);
}

static void a_buffer_gives_back_what_is_cut_off(void **state)
{
    struct write_buffer *buffer = open_buffer(*state);
    assert_int_equal(write_buffer_resize(buffer, LIMIT, NULL), 0);
    assert_int_equal(left(*state), 0);
    assert_int_equal(write_buffer_resize(buffer, LIMIT + 1, NULL), ERR_NO_SPACE);
    assert_int_equal(write_buffer_resize(buffer, 4, NULL), 0);
    assert_int_equal(left(*state), LIMIT - 4);
    auto_bytes struct bytes *text = write_buffer_read(buffer, LIMIT, 0);
    assert_string_equal(text->data, "nine");
    write_buffer_free(buffer);
    assert_int_equal(left(*state), LIMIT);
}

static void lines_that_wait_count_and_so_do_answers(void **state)
{
    struct batch *batch = batch_new(*state);
    char piece[4];
    assert_int_equal(batch_write(batch, "frobnicate\nsome", 15, NULL), 0);
    assert_int_equal(left(*state), LIMIT - 15);
    assert_int_equal(batch_run(batch, NULL, NULL, NULL, NULL, NULL, NULL), 0);
    size_t with_answer = left(*state);
    assert_true(with_answer < LIMIT - 4);
    assert_int_equal(batch_read(batch, piece, 4), 4);
    g_autofree char *rest = g_malloc(LIMIT);
    assert_true(batch_read(batch, rest, LIMIT) > 0);
    assert_int_equal(left(*state), LIMIT - 4);
    g_autofree char *blanks = g_strnfill(LIMIT, ' ');
    assert_int_equal(batch_write(batch, blanks, LIMIT - 3, NULL), ERR_NO_SPACE);
    assert_int_equal(left(*state), LIMIT - 4);
    batch_unref(batch);
    assert_int_equal(left(*state), LIMIT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_more_is_taken_than_there_is),      TEST(what_is_overdrawn_has_to_come_back_first),
        TEST(without_a_budget_there_is_no_limit),  TEST(buffers_share_it),
        TEST(a_buffer_gives_back_what_is_cut_off), TEST(lines_that_wait_count_and_so_do_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

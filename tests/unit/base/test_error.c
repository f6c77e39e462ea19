#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "unit/unit.h"

static void set_returns_the_code_and_formats_the_text(void **state)
{
    struct error err;
    assert_int_equal(error_set(&err, ERR_HELD, "fork %s: %d handles", "a", 3), ERR_HELD);
    assert_int_equal(err.code, ERR_HELD);
    assert_string_equal(err.text, "fork a: 3 handles");
}

static void null_error_is_accepted_everywhere(void **state)
{
    struct error from = {.code = ERR_IO};
    assert_int_equal(error_set(NULL, ERR_IO, "x"), ERR_IO);
    assert_int_equal(error_prefix(NULL, 0, "x"), 0);
    assert_int_equal(error_prefix(NULL, ERR_IO, "x"), ERR_IO);
    assert_int_equal(error_copy(NULL, &from), ERR_IO);
    assert_int_equal(error_set_errno(NULL, ENOENT, "x"), ERR_NOT_FOUND);
}

static void prefix_puts_context_in_front(void **state)
{
    struct error err;
    error_set(&err, ERR_IO, "inner");
    assert_int_equal(error_prefix(&err, err.code, "outer %d", 1), ERR_IO);
    assert_string_equal(err.text, "outer 1: inner");
}

static void prefix_may_give_another_code(void **state)
{
    struct error err;
    error_set(&err, ERR_NOT_FOUND, "inner");
    assert_int_equal(error_prefix(&err, 0, "outer"), 0);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(error_prefix(&err, ERR_HELD, "outer"), ERR_HELD);
    assert_int_equal(err.code, ERR_HELD);
    assert_string_equal(err.text, "outer: inner");
}

static void arguments_may_be_the_own_text(void **state)
{
    struct error err;
    error_set(&err, ERR_IO, "inner");
    error_set(&err, ERR_CORRUPT, "<%s>", err.text);
    assert_string_equal(err.text, "<inner>");
    error_prefix(&err, err.code, "%s", err.text);
    assert_string_equal(err.text, "<inner>: <inner>");
}

static void long_text_is_cut_with_dots(void **state)
{
    struct error err;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&err, ERR_IO, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(err.text + strlen(err.text) - 4, "x...");
    error_prefix(&err, err.code, "context");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_memory_equal(err.text, "context: xxx", 12);
}

static void cut_does_not_split_a_character(void **state)
{
    struct error err;
    char text[2001] = "";
    for (int i = 0; i < 1000; i++)
        memcpy(text + 2 * i, "\xC3\xA4", 2);
    error_set(&err, ERR_IO, "%s", text);
    size_t length = strlen(err.text);
    assert_string_equal(err.text + length - 3, "...");
    assert_int_equal((length - 3) % 2, 0);
    error_set(&err, ERR_IO, "x%s", text);
    assert_int_equal((strlen(err.text) - 4) % 2, 0);
}

static void copy_copies_code_and_text(void **state)
{
    struct error from, to = {0};
    error_set(&from, ERR_STALE, "gone");
    assert_int_equal(error_copy(&to, &from), ERR_STALE);
    assert_int_equal(to.code, ERR_STALE);
    assert_string_equal(to.text, "gone");
}

static void errno_values_map_to_codes(void **state)
{
    static const struct {
        int errno_value, code;
    } cases[] = {{ENOENT, ERR_NOT_FOUND},   {EEXIST, ERR_EXISTS},
                 {ENOSPC, ERR_NO_SPACE},    {EDQUOT, ERR_NO_SPACE},
                 {EACCES, ERR_ACCESS},      {EPERM, ERR_ACCESS},
                 {EROFS, ERR_READ_ONLY},    {ENAMETOOLONG, ERR_NAME_TOO_LONG},
                 {ETIMEDOUT, ERR_DEADLINE}, {ECONNREFUSED, ERR_UNREACHABLE},
                 {EINTR, ERR_INTERRUPTED},  {EIO, ERR_IO},
                 {ELOOP, ERR_CORRUPT},      {ENOTDIR, ERR_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        assert_int_equal(error_set_errno(&err, cases[i].errno_value, "open"), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
    }
}

static void errno_text_names_the_reason(void **state)
{
    struct error err;
    error_set_errno(&err, ENOSPC, "write %s", "a/b");
    assert_string_equal(err.text, "write a/b: No space left on device");
}

static void every_code_has_a_name_of_its_own(void **state)
{
    for (int a = ERR_CODES_END - 1; a <= ERR_NOT_FOUND; a++) {
        assert_string_not_equal(error_code_name(a), "UNKNOWN");
        for (int b = a + 1; b <= ERR_NOT_FOUND; b++)
            assert_string_not_equal(error_code_name(a), error_code_name(b));
    }
    assert_string_equal(error_code_name(ERR_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(error_code_name(ERR_OUTCOME_UNKNOWN), "OUTCOME_UNKNOWN");
    assert_string_equal(error_code_name(12345), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_returns_the_code_and_formats_the_text),
        cmocka_unit_test(null_error_is_accepted_everywhere),
        cmocka_unit_test(prefix_puts_context_in_front),
        cmocka_unit_test(prefix_may_give_another_code),
        cmocka_unit_test(arguments_may_be_the_own_text),
        cmocka_unit_test(long_text_is_cut_with_dots),
        cmocka_unit_test(cut_does_not_split_a_character),
        cmocka_unit_test(copy_copies_code_and_text),
        cmocka_unit_test(errno_values_map_to_codes),
        cmocka_unit_test(errno_text_names_the_reason),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

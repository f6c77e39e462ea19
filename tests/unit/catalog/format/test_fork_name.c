#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>

#include "catalog/format/fork_name.h"

static void assert_code(const char *name, int code)
{
    struct error error = {0};
    assert_int_equal(fork_name_check(name, &error), code);
    assert_int_equal(error.code, code);
    assert_int_equal(fork_name_check(name, NULL), code);
}

static void ordinary_names_are_accepted(void **state)
{
    static const char *const names[] = {"a",
                                        "what_if",
                                        "two words",
                                        " padded ",
                                        ".",
                                        "..",
                                        "a/b",
                                        "100%",
                                        "\"quoted\"",
                                        "\xc3\xa9t\xc3\xa9",
                                        "\xf0\x9f\x8c\xb3",
                                        "\xc2\xa0x",
                                        "\xe2\x80\x8b"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        assert_code(names[i], 0);
}

static void the_empty_name_is_refused(void **state)
{
    assert_code("", ERR_INVALID);
}

static void the_limit_is_255_bytes_not_characters(void **state)
{
    g_autofree char *longest = g_strnfill(255, 'a');
    g_autofree char *too_long = g_strnfill(256, 'a');
    assert_code(longest, 0);
    assert_code(too_long, ERR_NAME_TOO_LONG);

    g_autoptr(GString) accents = g_string_new(NULL);
    for (int i = 0; i < 128; i++)
        g_string_append(accents, "\xc3\xa9");
    assert_code(accents->str, ERR_NAME_TOO_LONG);
}

static void control_characters_are_refused(void **state)
{
    static const char *const names[] = {"a\tb",  "a\nb",      "\x01",      "a\x1f",
                                        "a\x7f", "a\xc2\x80", "a\xc2\x85", "a\xc2\x9f"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        assert_code(names[i], ERR_INVALID);
    assert_code("a\xc2\xa0", 0);
}

static void invalid_utf8_is_refused(void **state)
{
    static const char *const names[] = {"\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80",
                                        "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        assert_code(names[i], ERR_INVALID);
}

static void names_of_white_space_only_are_refused(void **state)
{
    static const char *const names[] = {" ",
                                        "   ",
                                        "\xc2\xa0",
                                        "\xe1\x9a\x80",
                                        "\xe2\x80\x80\xe2\x80\x8a",
                                        "\xe2\x80\xa8",
                                        "\xe2\x80\xa9",
                                        "\xe2\x80\xaf",
                                        "\xe2\x81\x9f",
                                        "\xe3\x80\x80 "};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        assert_code(names[i], ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_names_are_accepted),
        cmocka_unit_test(the_empty_name_is_refused),
        cmocka_unit_test(the_limit_is_255_bytes_not_characters),
        cmocka_unit_test(control_characters_are_refused),
        cmocka_unit_test(invalid_utf8_is_refused),
        cmocka_unit_test(names_of_white_space_only_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

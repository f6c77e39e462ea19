/*
 * What others wrote, on one line.
 */
#include "base/printable.h"
#include "unit/unit.h"

static void assert_appended(const char *text, const char *hex, const char *octal)
{
    g_autoptr(GString) plain = g_string_new("> ");
    g_autoptr(GString) field = g_string_new("> ");
    printable_append(plain, text);
    printable_append_field(field, text, "");
    assert_string_equal(plain->str + 2, hex);
    assert_string_equal(field->str + 2, octal);
}

static void text_without_control_characters_stays(void **state)
{
    static const char *const texts[] = {"", "plain \\ ~", "M\xc3\xbcller",
                                        "\xc2\xa0\xe2\x82\xac\xf0\x9f\x8c\xb3"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_appended(texts[i], texts[i], texts[i]);
}

static void control_characters_are_escaped(void **state)
{
    assert_appended("a\nb\t\x1b[31m\x7f", "a\\x0ab\\x09\\x1b[31m\\x7f",
                    "a\\012b\\011\\033[31m\\177");
    assert_appended("\x01", "\\x01", "\\001");
    assert_appended("\xc2\x80 \xc2\x9f", "\\xc2\\x80 \\xc2\\x9f", "\\302\\200 \\302\\237");
}

static void what_is_no_utf8_is_escaped(void **state)
{
    assert_appended("a\xff", "a\\xff", "a\\377");
    assert_appended("\xc3", "\\xc3", "\\303");
    assert_appended("\xe2\x82 x", "\\xe2\\x82 x", "\\342\\202 x");
    assert_appended("\xc0\x80", "\\xc0\\x80", "\\300\\200");
}

static void a_field_has_none_of_the_named_characters(void **state)
{
    g_autoptr(GString) out = g_string_new(NULL);
    printable_append_field(out, "a b\\c", " \\");
    assert_string_equal(out->str, "a\\040b\\134c");
}

static void control_characters_of_ascii_are_found_and_replaced(void **state)
{
    static const char *const bad[] = {"\n", "a\x1f", "\x7f"};
    assert_true(printable_is(""));
    assert_true(printable_is("a ~\xc3\xbc\xff"));
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_false(printable_is(bad[i]));
    char text[] = "a\nb\x7f\x1b\xc3\xbc";
    printable_replace(text, '?');
    assert_string_equal(text, "a?b??\xc3\xbc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_without_control_characters_stays),
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(what_is_no_utf8_is_escaped),
        cmocka_unit_test(a_field_has_none_of_the_named_characters),
        cmocka_unit_test(control_characters_of_ascii_are_found_and_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit/unit.h"

#include <string.h>

#include "fs/content/batch_line.h"

static struct batch_line parse(const char *text)
{
    struct batch_line line;
    batch_line_parse(text, strlen(text), &line);
    return line;
}

static void assert_refused(const char *text, const char *word, const char *part_of_reason)
{
    struct batch_line line = parse(text);
    assert_int_equal(line.error.code, ERR_INVALID);
    assert_string_equal(line.word, word);
    if (!strstr(line.error.text, part_of_reason))
        fail_msg("'%s' lacks '%s'", line.error.text, part_of_reason);
    batch_line_clear(&line);
}

static void create_takes_a_name(void **state)
{
    struct batch_line line = parse("create what_if");
    assert_int_equal(line.error.code, 0);
    assert_int_equal(line.kind, CHANGE_CREATE);
    assert_string_equal(line.word, "what_if");
    assert_string_equal(line.key, "what_if");
    assert_null(line.parent);
    assert_int_equal(line.expiry, EXPIRY_DEFAULT);
    assert_false(line.is_blank);
    batch_line_clear(&line);
}

static void create_takes_parent_and_ttl_in_any_order(void **state)
{
    const char *const texts[] = {"create b parent=a ttl=90", "create b ttl=90 parent=a"};
    for (size_t i = 0; i < 2; i++) {
        struct batch_line line = parse(texts[i]);
        assert_int_equal(line.error.code, 0);
        assert_string_equal(line.parent, "a");
        assert_int_equal(line.expiry, EXPIRY_SECONDS);
        assert_int_equal(line.ttl_seconds, 90);
        batch_line_clear(&line);
    }
}

static void ttl_can_be_none(void **state)
{
    struct batch_line line = parse("create b ttl=none");
    assert_int_equal(line.error.code, 0);
    assert_int_equal(line.expiry, EXPIRY_NONE);
    batch_line_clear(&line);
}

static void drop_takes_a_name(void **state)
{
    struct batch_line line = parse("drop a");
    assert_int_equal(line.error.code, 0);
    assert_int_equal(line.kind, CHANGE_DROP);
    assert_string_equal(line.key, "a");
    batch_line_clear(&line);
}

static void blanks_around_words_do_not_matter(void **state)
{
    struct batch_line line = parse(" \t create \t b   parent=a ");
    assert_int_equal(line.error.code, 0);
    assert_string_equal(line.key, "b");
    assert_string_equal(line.parent, "a");
    batch_line_clear(&line);
}

static void blank_lines_are_no_commands(void **state)
{
    const char *const texts[] = {"", " ", "\t \t"};
    for (size_t i = 0; i < 3; i++) {
        struct batch_line line = parse(texts[i]);
        assert_true(line.is_blank);
        assert_int_equal(line.error.code, 0);
        batch_line_clear(&line);
    }
}

static void names_are_decoded_with_blanks_as_percent_20(void **state)
{
    struct batch_line line = parse("create a%20b%2Fc%25 parent=%2E%2E");
    assert_int_equal(line.error.code, 0);
    assert_string_equal(line.word, "a%20b%2Fc%25");
    assert_string_equal(line.key, "a b/c%");
    assert_string_equal(line.parent, "..");
    batch_line_clear(&line);
}

static void an_encoded_percent_before_20_is_no_blank(void **state)
{
    struct batch_line line = parse("create a%2520b");
    assert_int_equal(line.error.code, 0);
    assert_string_equal(line.key, "a%20b");
    batch_line_clear(&line);
}

static void other_percent_sequences_are_refused(void **state)
{
    assert_refused("create a%41", "a%41", "%25");
    assert_refused("create a%", "a%", "%25");
    assert_refused("create b parent=a%41", "b", "%25");
    assert_refused("drop a%2f", "a%2f", "%25");
}

static void a_fork_with_a_bad_name_can_be_dropped_by_its_id(void **state)
{
    struct batch_line line = parse("drop %01KYYN40FVQ2D7R9S4TAX6BCE3");
    assert_int_equal(line.error.code, 0);
    assert_null(line.key);
    assert_string_equal(line.id.text, "01KYYN40FVQ2D7R9S4TAX6BCE3");
    batch_line_clear(&line);
    assert_refused("create %01KYYN40FVQ2D7R9S4TAX6BCE3", "%01KYYN40FVQ2D7R9S4TAX6BCE3", "%25");
}

static void unknown_commands_are_refused(void **state)
{
    assert_refused("rename a", "a", "unknown command 'rename'");
    assert_refused("CREATE a", "a", "unknown command");
    assert_refused("x", "-", "unknown command");
}

static void a_missing_name_is_refused(void **state)
{
    assert_refused("create", "-", "needs the name");
    assert_refused("drop ", "-", "needs the name");
}

static void superfluous_words_are_refused(void **state)
{
    assert_refused("create a b", "a", "unexpected 'b'");
    assert_refused("drop a b", "a", "unexpected 'b'");
    assert_refused("drop a ttl=1", "a", "unexpected");
    assert_refused("create a ttl=1 ttl=2", "a", "twice");
    assert_refused("create a ttl=none ttl=2", "a", "twice");
    assert_refused("create a parent=b parent=b", "a", "twice");
}

static void a_ttl_is_a_number_of_seconds(void **state)
{
    const char *const values[] = {"",   "x",   "-1",   "+1",  " 1",
                                  "1s", "1.5", "0x10", "1e3", "18446744073709551616"};
    for (size_t i = 0; i < 10; i++) {
        if (values[i][0] == ' ')
            continue;
        g_autofree char *text = g_strdup_printf("create a ttl=%s", values[i]);
        assert_refused(text, "a", "ttl=");
    }
    struct batch_line line = parse("create a ttl=18446744073709551615");
    assert_int_equal(line.error.code, 0);
    assert_true(line.ttl_seconds == UINT64_MAX);
    batch_line_clear(&line);
}

static void a_nul_is_refused(void **state)
{
    struct batch_line line;
    batch_line_parse("create a\0b", 10, &line);
    assert_int_equal(line.error.code, ERR_INVALID);
    assert_string_equal(line.word, "-");
    batch_line_clear(&line);
}

static void a_long_line_is_refused(void **state)
{
    g_autofree char *name = g_strnfill(BATCH_LINE_LONGEST, 'a');
    g_autofree char *text = g_strconcat("create ", name, NULL);
    assert_refused(text, "-", "more than");
}

static void the_longest_names_fit(void **state)
{
    g_autoptr(GString) name = g_string_new(NULL);
    for (int i = 0; i < 255; i++)
        g_string_append(name, "%25");
    g_autofree char *text =
        g_strdup_printf("create %s parent=%s ttl=18446744073709551615", name->str, name->str);
    struct batch_line line = parse(text);
    assert_int_equal(line.error.code, 0);
    assert_int_equal(strlen(line.key), 255);
    batch_line_clear(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_takes_a_name),
        cmocka_unit_test(create_takes_parent_and_ttl_in_any_order),
        cmocka_unit_test(ttl_can_be_none),
        cmocka_unit_test(drop_takes_a_name),
        cmocka_unit_test(blanks_around_words_do_not_matter),
        cmocka_unit_test(blank_lines_are_no_commands),
        cmocka_unit_test(names_are_decoded_with_blanks_as_percent_20),
        cmocka_unit_test(an_encoded_percent_before_20_is_no_blank),
        cmocka_unit_test(other_percent_sequences_are_refused),
        cmocka_unit_test(a_fork_with_a_bad_name_can_be_dropped_by_its_id),
        cmocka_unit_test(unknown_commands_are_refused),
        cmocka_unit_test(a_missing_name_is_refused),
        cmocka_unit_test(superfluous_words_are_refused),
        cmocka_unit_test(a_ttl_is_a_number_of_seconds),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(a_long_line_is_refused),
        cmocka_unit_test(the_longest_names_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

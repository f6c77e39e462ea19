#include "unit/unit.h"

#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "store/s3/credentials/aws_config.h"

static void collect(void *argument, const char *section, const char *key, const char *value)
{
    g_string_append_printf(argument, "%s|%s|%s\n", section, key, value);
}

static void assert_settings(const char *text, const char *expected)
{
    g_autofree char *copy = g_strdup(text);
    g_autoptr(GString) found = g_string_new(NULL);
    struct error err;
    int code = aws_config_parse(copy, "/f", collect, found, &err);
    if (code != 0)
        fail_msg("%s", err.text);
    assert_string_equal(found->str, expected);
}

static void assert_refused(const char *text, const char *reason)
{
    g_autofree char *copy = g_strdup(text);
    g_autoptr(GString) found = g_string_new(NULL);
    struct error err;
    assert_int_equal(aws_config_parse(copy, "/f", collect, found, &err), ERR_INVALID);
    assert_string_equal(err.text, reason);
}

static void settings_are_told_with_their_section(void **state)
{
    assert_settings("", "");
    assert_settings("[a]\n", "");
    assert_settings("[a]\nx=1\ny = 2\n[b]\nx= 3", "a|x|1\na|y|2\nb|x|3\n");
}

static void keys_are_lower_case_and_values_keep_theirs(void **state)
{
    assert_settings("[A]\nAWS_Access_Key_ID = AbC\n", "A|aws_access_key_id|AbC\n");
}

static void blanks_around_everything_are_cut(void **state)
{
    assert_settings("[ a ]\n x \t=  a b \t\n", "a|x|a b\n");
    assert_settings("[a]\nx =\n", "a|x|\n");
}

static void lines_may_end_in_carriage_return_and_line_feed(void **state)
{
    assert_settings("[a]\r\nx = 1\r\n\r\n[b]\r\ny = 2\r\n", "a|x|1\nb|y|2\n");
}

static void a_byte_order_mark_is_skipped(void **state)
{
    assert_settings("\xEF\xBB\xBF[a]\nx = 1\n", "a|x|1\n");
}

static void comments_are_skipped(void **state)
{
    assert_settings("# [z]\n; y = 1\n[a] # the first\n  # x = 0\nx = 1 ; one\ny = 2\t# two\n",
                    "a|x|1\na|y|2\n");
    assert_settings("[a]\nx = # nothing\n", "a|x|\n");
}

static void comment_signs_without_a_blank_are_part_of_the_value(void **state)
{
    assert_settings("[a]\nx = a#b;c\n", "a|x|a#b;c\n");
}

static void only_the_first_equals_sign_splits(void **state)
{
    assert_settings("[a]\nsecret = ab/c+d==\n", "a|secret|ab/c+d==\n");
}

static void profile_names_may_be_quoted_and_have_blanks(void **state)
{
    assert_settings("[profile   work]\nx=1\n[profile \"my work\"]\nx=2\n[\tprofile 'w' ]\nx=3\n",
                    "profile work|x|1\nprofile my work|x|2\nprofile w|x|3\n");
}

static void a_section_may_come_again(void **state)
{
    assert_settings("[a]\nx=1\n[b]\ny=2\n[a]\nx=3\n", "a|x|1\nb|y|2\na|x|3\n");
}

static void deeper_lines_are_settings_of_the_one_above(void **state)
{
    assert_settings(
        "[a]\ns3 =\n  region = inner\n\n  # comment\n  Endpoint_URL = http://h\nregion = "
        "outer\n",
        "a|s3|\na|s3.region|inner\na|s3.endpoint_url|http://h\na|region|outer\n");
    assert_settings("[services x]\ns3 = \n\tendpoint_url = u\ns4 = \n\tendpoint_url = v\n",
                    "services x|s3|\nservices x|s3.endpoint_url|u\n"
                    "services x|s4|\nservices x|s4.endpoint_url|v\n");
}

static void deeper_lines_below_a_value_are_more_of_it(void **state)
{
    assert_settings("[a]\nx = 1\n  y = 2\n  no setting\nz = 3\n", "a|x|1\na|z|3\n");
}

static void a_file_that_is_indented_throughout_is_read(void **state)
{
    assert_settings("  [a]\n  x = 1\n  y = 2\n  [b]\n  x = 3\n", "a|x|1\na|y|2\nb|x|3\n");
    assert_settings("[a]\n    x = 1\n    y = 2\n[b]\n    x = 3\n", "a|x|1\na|y|2\nb|x|3\n");
}

static void what_is_neither_section_nor_setting_is_refused_by_its_line(void **state)
{
    assert_refused("[a]\nx = 1\nverysecret\n", "'/f': line 3 is neither a section nor a setting");
    assert_refused("[a]\n= verysecret\n", "'/f': line 2 is neither a section nor a setting");
    assert_refused("[a]\n\r = verysecret\n", "'/f': line 2 is neither a section nor a setting");
    assert_refused("\nx = verysecret\n", "'/f': line 2 is a setting before the first section");
    assert_refused("[a\nx = 1\n", "'/f': line 1 starts a section, but has no ']'");
    assert_refused("[a] x = 1\n", "'/f': line 1 has something behind the ']' of its section");
}

/* ---- Files ---- */

static int read_file(const char *content, size_t size, GString *found, struct error *err)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("forkfs-aws-XXXXXX", &path, NULL);
    assert_true(fd >= 0 && write(fd, content, size) == (ssize_t)size);
    close(fd);
    int code = aws_config_read(path, collect, found, err);
    unlink(path);
    return code;
}

static void a_file_is_read(void **state)
{
    g_autoptr(GString) found = g_string_new(NULL);
    struct error err;
    assert_int_equal(read_file("[a]\nx=1", 7, found, &err), 0);
    assert_string_equal(found->str, "a|x|1\n");
}

static void an_empty_device_has_no_settings(void **state)
{
    g_autoptr(GString) found = g_string_new(NULL);
    struct error err;
    assert_int_equal(aws_config_read("/dev/null", collect, found, &err), 0);
    assert_string_equal(found->str, "");
}

static void files_that_are_no_text_are_refused(void **state)
{
    g_autoptr(GString) found = g_string_new(NULL);
    struct error err;
    assert_int_equal(read_file("[a]\nx=1\0y", 9, found, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "is no text file"));
    size_t size = AWS_CONFIG_LARGEST + 1;
    g_autofree char *large = g_malloc(size);
    memset(large, '\n', size);
    assert_int_equal(read_file(large, size, found, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "too large"));
    assert_int_equal(read_file(large, size - 1, found, &err), 0);
}

static void files_that_cannot_be_read_are_named(void **state)
{
    g_autoptr(GString) found = g_string_new(NULL);
    struct error err;
    assert_int_equal(aws_config_read("/nonexistent/f", collect, found, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "'/nonexistent/f'"));
    assert_int_equal(aws_config_read("/", collect, found, &err), ERR_IO);
    assert_non_null(strstr(err.text, "reading '/'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_told_with_their_section),
        cmocka_unit_test(keys_are_lower_case_and_values_keep_theirs),
        cmocka_unit_test(blanks_around_everything_are_cut),
        cmocka_unit_test(lines_may_end_in_carriage_return_and_line_feed),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(comments_are_skipped),
        cmocka_unit_test(comment_signs_without_a_blank_are_part_of_the_value),
        cmocka_unit_test(only_the_first_equals_sign_splits),
        cmocka_unit_test(profile_names_may_be_quoted_and_have_blanks),
        cmocka_unit_test(a_section_may_come_again),
        cmocka_unit_test(deeper_lines_are_settings_of_the_one_above),
        cmocka_unit_test(deeper_lines_below_a_value_are_more_of_it),
        cmocka_unit_test(a_file_that_is_indented_throughout_is_read),
        cmocka_unit_test(what_is_neither_section_nor_setting_is_refused_by_its_line),
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(an_empty_device_has_no_settings),
        cmocka_unit_test(files_that_are_no_text_are_refused),
        cmocka_unit_test(files_that_cannot_be_read_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

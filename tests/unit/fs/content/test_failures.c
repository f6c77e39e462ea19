#include <glib.h>
#include <string.h>

#include "fs/content/failures.h"
#include "unit/unit.h"

static void add(struct failures *failures, time_t second, const char *path, const char *reason)
{
    struct error failure;
    error_set(&failure, ERR_HELD, "%s", reason);
    failures_add(failures, (struct timespec){second, 0}, "rmdir", path, &failure);
}

static char *render(struct failures *failures)
{
    auto_bytes struct bytes *text = failures_render(failures, NULL);
    return g_strndup(text->data, text->size);
}

static int set_up(void **state)
{
    *state = failures_new();
    return 0;
}

static int tear_down(void **state)
{
    failures_free(*state);
    return 0;
}

static void nothing_failed_is_an_empty_file(void **state)
{
    struct timespec last = {7, 7};
    auto_bytes struct bytes *text = failures_render(*state, &last);
    assert_int_equal(text->size, 0);
    assert_int_equal(last.tv_sec, 7);
}

static void a_failure_is_one_line(void **state)
{
    add(*state, 0, "forks/a", "held by 1 open handle");
    g_autofree char *text = render(*state);
    assert_string_equal(text, "1970-01-01T00:00:00Z rmdir forks/a EBUSY held by 1 open handle\n");
}

static void blanks_and_control_characters_in_paths_are_escaped(void **state)
{
    add(*state, 0, "forks/a b\n\t\\c", "x");
    g_autofree char *text = render(*state);
    assert_string_equal(text, "1970-01-01T00:00:00Z rmdir forks/a\\040b\\012\\011\\134c EBUSY x\n");
}

static void a_reason_stays_on_its_line(void **state)
{
    add(*state, 0, "p", "one\ntwo\x7f\xc2\x85 \\ three");
    g_autofree char *text = render(*state);
    assert_string_equal(text, "1970-01-01T00:00:00Z rmdir p EBUSY one\\012two\\177\\302\\205 \\ "
                              "three\n");
}

static void bytes_that_are_no_utf8_are_escaped(void **state)
{
    add(*state, 0, "forks/\xff\xc3", "r");
    g_autofree char *text = render(*state);
    assert_string_equal(text, "1970-01-01T00:00:00Z rmdir forks/\\377\\303 EBUSY r\n");
}

static void other_characters_are_kept(void **state)
{
    add(*state, 0, "forks/Größe", "\xc2\xa0");
    g_autofree char *text = render(*state);
    assert_string_equal(text, "1970-01-01T00:00:00Z rmdir forks/Größe EBUSY \xc2\xa0\n");
}

static void only_the_newest_are_kept(void **state)
{
    for (int i = 0; i < FAILURES_KEPT + 3; i++) {
        g_autofree char *path = g_strdup_printf("p%d", i);
        add(*state, i, path, "x");
    }
    struct timespec last;
    auto_bytes struct bytes *text = failures_render(*state, &last);
    g_auto(GStrv) lines = g_strsplit(text->data, "\n", -1);
    assert_int_equal(g_strv_length(lines), FAILURES_KEPT + 1);
    assert_non_null(strstr(lines[0], " p3 "));
    assert_non_null(strstr(lines[FAILURES_KEPT - 1], " p102 "));
    assert_int_equal(last.tv_sec, FAILURES_KEPT + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_failed_is_an_empty_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_is_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(blanks_and_control_characters_in_paths_are_escaped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reason_stays_on_its_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_utf8_are_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_characters_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_newest_are_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What is read at the start and again at SIGHUP: the level of the log.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "program/hangup.h"
#include "unit/unit.h"

static int read_level(const char *text, enum log_level *level, struct error *failure)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("forkfs-level-XXXXXX", &path, NULL);
    assert_true(fd >= 0);
    close(fd);
    assert_true(g_file_set_contents(path, text, -1, NULL));
    int code = hangup_log_level(path, LOG_LEVEL_WARNING, level, failure);
    g_unlink(path);
    return code;
}

static void the_first_line_of_the_file_is_the_level(void **state)
{
    enum log_level level;
    assert_int_equal(read_level(" debug \nerror\n", &level, NULL), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(read_level("error", &level, NULL), 0);
    assert_int_equal(level, LOG_LEVEL_ERROR);
}

static void what_is_no_level_is_refused(void **state)
{
    static const char *const texts[] = {"", "\n", "loud\n", "\ndebug\n"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        enum log_level level;
        struct error failure;
        assert_int_equal(read_level(texts[i], &level, &failure), ERR_INVALID);
    }
}

static void without_a_file_the_level_is_the_other(void **state)
{
    enum log_level level;
    assert_int_equal(hangup_log_level(NULL, LOG_LEVEL_WARNING, &level, NULL), 0);
    assert_int_equal(level, LOG_LEVEL_WARNING);
    assert_int_equal(hangup_log_level("/nowhere/level", LOG_LEVEL_ERROR, &level, NULL), 0);
    assert_int_equal(level, LOG_LEVEL_ERROR);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
    enum log_level level;
    assert_int_equal(hangup_log_level("/", LOG_LEVEL_ERROR, &level, NULL), ERR_ACCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_of_the_file_is_the_level),
        cmocka_unit_test(what_is_no_level_is_refused),
        cmocka_unit_test(without_a_file_the_level_is_the_other),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

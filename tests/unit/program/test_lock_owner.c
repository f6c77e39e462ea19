/*
 * Who has the lock on a directory.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "program/lock_owner.h"
#include "unit/unit.h"

#define LOCKS                                                                                      \
    "1: POSIX  ADVISORY  WRITE 10 fe:01:77 0 EOF\n"                                                \
    "2: FLOCK  ADVISORY  READ  11 fe:01:77 0 EOF\n"                                                \
    "3: FLOCK  ADVISORY  WRITE 12 fe:01:78 0 EOF\n"                                                \
    "3: -> FLOCK  ADVISORY  WRITE 13 fe:01:77 0 EOF\n"                                             \
    "4: FLOCK  ADVISORY  WRITE 14 fe:01:77 0 EOF\n"                                                \
    "5: FLOCK  ADVISORY  WRITE 0 fe:02:77 0 EOF\n"

static void the_owner_of_an_exclusive_lock_on_the_file_is_found(void **state)
{
    assert_int_equal(lock_owner_pid(LOCKS, makedev(0xfe, 1), 77), 14);
    assert_int_equal(lock_owner_pid(LOCKS, makedev(0xfe, 1), 78), 12);
}

static void an_owner_that_is_not_told_is_none(void **state)
{
    assert_int_equal(lock_owner_pid(LOCKS, makedev(0xfe, 2), 77), 0);
    assert_int_equal(lock_owner_pid(LOCKS, makedev(0xfe, 1), 79), 0);
    assert_int_equal(lock_owner_pid("", makedev(0xfe, 1), 77), 0);
    assert_int_equal(lock_owner_pid("FLOCK\n1: FLOCK\n", makedev(0xfe, 1), 77), 0);
}

static void a_process_is_told_with_its_name(void **state)
{
    g_autofree char *directory = g_dir_make_tmp("forkfs-owner-XXXXXX", NULL);
    auto_close int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    g_autofree char *text = lock_owner_text(directory);
    g_autofree char *expected = g_strdup_printf(" (pid %d, ", (int)getpid());
    assert_true(g_str_has_prefix(text, expected));
    g_rmdir(directory);
}

static void of_a_path_that_is_not_there_nothing_is_told(void **state)
{
    g_autofree char *text = lock_owner_text("/nowhere/at/all");
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_of_an_exclusive_lock_on_the_file_is_found),
        cmocka_unit_test(an_owner_that_is_not_told_is_none),
        cmocka_unit_test(a_process_is_told_with_its_name),
        cmocka_unit_test(of_a_path_that_is_not_there_nothing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "fs/errno_map.h"
#include "unit/unit.h"

static void every_core_error_is_named_in_the_map(void **state)
{
    for (int code = ERR_NOT_FOUND; code >= ERR_CODES_END - 1; code--) {
        assert_true(errno_of(code) > 0);
        if (errno_of(code) == EIO)
            assert_true(code == ERR_IO || code == ERR_OUTCOME_UNKNOWN || code == ERR_NOT_DURABLE);
    }
}

static void users_see_the_documented_errno(void **state)
{
    assert_int_equal(errno_of(ERR_EXISTS), EEXIST);
    assert_int_equal(errno_of(ERR_NOT_FOUND), ENOENT);
    assert_int_equal(errno_of(ERR_INVALID), EINVAL);
    assert_int_equal(errno_of(ERR_NAME_TOO_LONG), ENAMETOOLONG);
    assert_int_equal(errno_of(ERR_HELD), EBUSY);
    assert_int_equal(errno_of(ERR_NOT_EMPTY), ENOTEMPTY);
    assert_int_equal(errno_of(ERR_BUDGET), EDQUOT);
    assert_int_equal(errno_of(ERR_CORRUPT), EUCLEAN);
    assert_int_equal(errno_of(ERR_UNCLEAN), EBUSY);
    assert_int_equal(errno_of(ERR_CONTENDED), EAGAIN);
    assert_int_equal(errno_of(ERR_INTERRUPTED), EINTR);
    assert_int_equal(errno_of(ERR_DEADLINE), ETIMEDOUT);
    assert_int_equal(errno_of(ERR_NOT_PERMITTED), EPERM);
}

static void unknown_codes_are_io_errors(void **state)
{
    assert_int_equal(errno_of(-1000), EIO);
    assert_int_equal(errno_of(0), EIO);
}

static void names_are_those_of_the_constants(void **state)
{
    assert_string_equal(errno_name(EEXIST), "EEXIST");
    assert_string_equal(errno_name(ESTALE), "ESTALE");
    assert_string_equal(errno_name(EIO), "EIO");
    for (int code = ERR_NOT_FOUND; code > ERR_OUTCOME_UNKNOWN; code--)
        assert_int_not_equal(strcmp(errno_name(errno_of(code)), "EIO"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_core_error_is_named_in_the_map),
        cmocka_unit_test(users_see_the_documented_errno),
        cmocka_unit_test(unknown_codes_are_io_errors),
        cmocka_unit_test(names_are_those_of_the_constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "fs/state/drop_marks.h"
#include "unit/fs/fs_fixture.h"
#include "unit/unit.h"

#define NOW INT64_C(5000000000)
#define USER 1000

static int set_up(void **state)
{
    *state = drop_marks_new();
    struct ulid id = fixture_id(ID_A);
    drop_marks_set(*state, &id, USER, NOW);
    return 0;
}

static int tear_down(void **state)
{
    drop_marks_free(*state);
    return 0;
}

static bool allows(struct drop_marks *marks, const char *id_text, uid_t user, int64_t now_ns)
{
    struct ulid id = fixture_id(id_text);
    struct error err = {0};
    int code = drop_marks_check(marks, &id, user, now_ns, &err);
    assert_true(code == 0 || code == ERR_NOT_PERMITTED);
    if (code != 0)
        assert_non_null(strstr(err.text, "by the same user within the last minute"));
    return code == 0;
}

static void who_has_marked_a_fork_may_drop_it_for_a_minute(void **state)
{
    assert_true(allows(*state, ID_A, USER, NOW));
    assert_true(allows(*state, ID_A, USER, NOW + DROP_MARK_NS));
    assert_false(allows(*state, ID_A, USER, NOW + DROP_MARK_NS + 1));
}

static void nobody_else_may_and_no_other_fork(void **state)
{
    assert_false(allows(*state, ID_A, 0, NOW));
    assert_false(allows(*state, ID_A, USER + 1, NOW));
    assert_false(allows(*state, ID_B, USER, NOW));
}

static void marking_again_begins_the_minute_anew(void **state)
{
    struct ulid id = fixture_id(ID_A);
    drop_marks_set(*state, &id, USER, NOW + DROP_MARK_NS);
    assert_true(allows(*state, ID_A, USER, NOW + 2 * DROP_MARK_NS));
}

static void a_drop_uses_up_the_marks_of_the_fork(void **state)
{
    struct ulid a = fixture_id(ID_A);
    struct ulid b = fixture_id(ID_B);
    drop_marks_set(*state, &a, USER + 1, NOW);
    drop_marks_set(*state, &b, USER, NOW);
    drop_marks_use(*state, &a);
    assert_false(allows(*state, ID_A, USER, NOW));
    assert_false(allows(*state, ID_A, USER + 1, NOW));
    assert_true(allows(*state, ID_B, USER, NOW));
}

static int parse(const char *text)
{
    auto_bytes struct bytes *bytes = bytes_new_text(text);
    return drop_marks_parse(bytes, NULL);
}

static void the_word_is_drop(void **state)
{
    assert_int_equal(parse("drop"), 0);
    assert_int_equal(parse("drop\n"), 0);
    assert_int_equal(parse("drop \r\n"), 0);
    assert_int_equal(parse(""), ERR_INVALID);
    assert_int_equal(parse("active\n"), ERR_INVALID);
    assert_int_equal(parse(" drop"), ERR_INVALID);
    assert_int_equal(parse("drop\nve\n"), ERR_INVALID);
    assert_int_equal(parse("dropped"), ERR_INVALID);
    assert_int_equal(parse("DROP"), ERR_INVALID);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_has_marked_a_fork_may_drop_it_for_a_minute),
        TEST(nobody_else_may_and_no_other_fork),
        TEST(marking_again_begins_the_minute_anew),
        TEST(a_drop_uses_up_the_marks_of_the_fork),
        TEST(the_word_is_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

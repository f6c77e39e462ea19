#include <string.h>

#include "fs/content/ttl.h"
#include "unit/unit.h"

static char *text_of(struct timespec expires_at, struct timespec now)
{
    struct fork_entry entry = {.has_expiry = true, .expires_at = expires_at};
    auto_bytes struct bytes *text = ttl_render(&entry, now);
    return g_strndup(text->data, text->size);
}

static void a_fork_without_expiry_shows_none(void **state)
{
    struct fork_entry entry = {.has_expiry = false};
    auto_bytes struct bytes *text = ttl_render(&entry, (struct timespec){5, 0});
    assert_string_equal(text->data, "none\n");
}

static void seconds_are_rounded_up(void **state)
{
    g_autofree char *whole = text_of((struct timespec){100, 5}, (struct timespec){40, 5});
    g_autofree char *more = text_of((struct timespec){100, 6}, (struct timespec){40, 5});
    g_autofree char *less = text_of((struct timespec){100, 4}, (struct timespec){40, 5});
    assert_string_equal(whole, "60\n");
    assert_string_equal(more, "61\n");
    assert_string_equal(less, "60\n");
}

static void only_what_has_expired_shows_zero(void **state)
{
    g_autofree char *last = text_of((struct timespec){40, 6}, (struct timespec){40, 5});
    g_autofree char *now = text_of((struct timespec){40, 5}, (struct timespec){40, 5});
    g_autofree char *past = text_of((struct timespec){-9, 5}, (struct timespec){40, 5});
    assert_string_equal(last, "1\n");
    assert_string_equal(now, "0\n");
    assert_string_equal(past, "0\n");
}

static int parse(const char *text, size_t length, bool *has_ttl, uint64_t *seconds)
{
    auto_bytes struct bytes *body = bytes_new(text, length);
    return ttl_parse(body, has_ttl, seconds, NULL);
}

static void numbers_and_none_are_read(void **state)
{
    const struct {
        const char *text;
        bool has_ttl;
        uint64_t seconds;
    } cases[] = {{"60", true, 60},          {"0\n", true, 0},
                 {"007 \t\r\n\n", true, 7}, {"18446744073709551615", true, UINT64_MAX},
                 {"none", false, 0},        {"none \n", false, 0}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        bool has_ttl = !cases[i].has_ttl;
        uint64_t seconds = 99;
        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &has_ttl, &seconds), 0);
        assert_int_equal(has_ttl, cases[i].has_ttl);
        assert_true(seconds == cases[i].seconds);
    }
}

static void everything_else_is_invalid(void **state)
{
    const char *const texts[] = {"",
                                 "\n",
                                 "-1",
                                 "+1",
                                 "1.5",
                                 "1s",
                                 " 60",
                                 "1 2",
                                 "None",
                                 "nonee",
                                 "non",
                                 "60\nnone\n",
                                 "0x10",
                                 "1e3",
                                 "none60",
                                 "\xc2\xb2",
                                 "18446744073709551616",
                                 "99999999999999999999999999"};
    bool has_ttl = false;
    uint64_t seconds = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_int_equal(parse(texts[i], strlen(texts[i]), &has_ttl, &seconds), ERR_INVALID);
    assert_int_equal(parse("60\0", 3, &has_ttl, &seconds), ERR_INVALID);
    assert_int_equal(parse("\0", 1, &has_ttl, &seconds), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_without_expiry_shows_none),
        cmocka_unit_test(seconds_are_rounded_up),
        cmocka_unit_test(only_what_has_expired_shows_zero),
        cmocka_unit_test(numbers_and_none_are_read),
        cmocka_unit_test(everything_else_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

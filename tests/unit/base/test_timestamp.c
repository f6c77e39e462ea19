#include <stdio.h>
#include <string.h>

#include "base/timestamp.h"
#include "unit/unit.h"

static void assert_format(int64_t seconds, long nanoseconds, const char *expected)
{
    char text[TIMESTAMP_TEXT_SIZE];
    timestamp_format((struct timespec){.tv_sec = seconds, .tv_nsec = nanoseconds}, text);
    assert_string_equal(text, expected);
}

static void assert_parse(const char *text, int64_t seconds, long nanoseconds)
{
    struct timespec time;
    if (!timestamp_parse(text, strlen(text), &time))
        fail_msg("refused: %s", text);
    assert_int_equal(time.tv_sec, seconds);
    assert_int_equal(time.tv_nsec, nanoseconds);
}

static void assert_refused(const char *text)
{
    struct timespec time;
    if (timestamp_parse(text, strlen(text), &time))
        fail_msg("accepted: %s", text);
}

static void format_uses_the_shortest_exact_fraction(void **state)
{
    assert_format(1785587696, 0, "2026-08-01T12:34:56Z");
    assert_format(1785587696, 123000000, "2026-08-01T12:34:56.123Z");
    assert_format(1785587696, 120000000, "2026-08-01T12:34:56.120Z");
    assert_format(1785587696, 123456000, "2026-08-01T12:34:56.123456Z");
    assert_format(1785587696, 123456789, "2026-08-01T12:34:56.123456789Z");
    assert_format(1785587696, 1, "2026-08-01T12:34:56.000000001Z");
    assert_format(1785587696, 1000, "2026-08-01T12:34:56.000001Z");
    assert_format(1785587696, 1000000, "2026-08-01T12:34:56.001Z");
    assert_format(1785587696, 999999999, "2026-08-01T12:34:56.999999999Z");
}

static void format_knows_the_calendar(void **state)
{
    assert_format(0, 0, "1970-01-01T00:00:00Z");
    assert_format(-1, 0, "1969-12-31T23:59:59Z");
    assert_format(951782400, 0, "2000-02-29T00:00:00Z");
    assert_format(951868800, 0, "2000-03-01T00:00:00Z");
    assert_format(4107542400, 0, "2100-03-01T00:00:00Z");
    assert_format(4107542399, 0, "2100-02-28T23:59:59Z");
    assert_format(1709164800, 0, "2024-02-29T00:00:00Z");
    assert_format(2147483648, 0, "2038-01-19T03:14:08Z");
    assert_format(-62167219200, 0, "0000-01-01T00:00:00Z");
    assert_format(253402300799, 0, "9999-12-31T23:59:59Z");
}

static void format_clamps_times_beyond_four_digit_years(void **state)
{
    assert_format(INT64_MAX, 0, "9999-12-31T23:59:59Z");
    assert_format(INT64_MIN, 0, "0000-01-01T00:00:00Z");
}

static void parse_takes_offsets_to_utc(void **state)
{
    assert_parse("2026-08-01T12:34:56Z", 1785587696, 0);
    assert_parse("2026-08-01T12:34:56z", 1785587696, 0);
    assert_parse("2026-08-01T12:34:56+00:00", 1785587696, 0);
    assert_parse("2026-08-01T12:34:56-00:00", 1785587696, 0);
    assert_parse("2026-08-01T14:34:56+02:00", 1785587696, 0);
    assert_parse("2026-08-01T07:04:56-05:30", 1785587696, 0);
    assert_parse("2026-07-31T12:35:56-23:59", 1785587696, 0);
    assert_parse("1970-01-01T01:00:00+01:00", 0, 0);
    assert_parse("1970-01-01T00:00:00+00:01", -60, 0);
}

static void parse_takes_three_separators(void **state)
{
    assert_parse("2026-08-01t12:34:56Z", 1785587696, 0);
    assert_parse("2026-08-01 12:34:56Z", 1785587696, 0);
    assert_refused("2026-08-01_12:34:56Z");
    assert_refused("2026-08-0112:34:56Z");
    assert_refused("2026-08-01  12:34:56Z");
}

static void parse_takes_fractions_of_any_length(void **state)
{
    assert_parse("1970-01-01T00:00:00.5Z", 0, 500000000);
    assert_parse("1970-01-01T00:00:00.000000001Z", 0, 1);
    assert_parse("1970-01-01T00:00:00.123456789Z", 0, 123456789);
    assert_parse("1970-01-01T00:00:00.1234567899999999999999999Z", 0, 123456789);
    assert_refused("1970-01-01T00:00:00.Z");
    assert_refused("1970-01-01T00:00:00,5Z");
    assert_refused("1970-01-01T00:00:00.-5Z");
}

static void parse_takes_a_leap_second_as_the_last_instant_before(void **state)
{
    assert_parse("2016-12-31T23:59:60Z", 1483228799, 999999999);
    assert_parse("2016-12-31T23:59:60.25Z", 1483228799, 999999999);
    assert_refused("2016-12-31T23:59:61Z");
}

static void parse_knows_the_calendar(void **state)
{
    assert_parse("2000-02-29T00:00:00Z", 951782400, 0);
    assert_parse("2024-02-29T00:00:00Z", 1709164800, 0);
    assert_parse("0000-02-29T00:00:00Z", -62162121600, 0);
    assert_refused("2023-02-29T00:00:00Z");
    assert_refused("2100-02-29T00:00:00Z");
    assert_refused("2026-02-30T00:00:00Z");
    assert_refused("2026-04-31T00:00:00Z");
    assert_refused("2026-00-10T00:00:00Z");
    assert_refused("2026-13-10T00:00:00Z");
    assert_refused("2026-01-00T00:00:00Z");
    assert_refused("2026-01-32T00:00:00Z");
}

static void parse_refuses_what_is_no_timestamp(void **state)
{
    static const char *const texts[] = {
        "",
        "2026",
        "2026-08-01",
        "2026-08-01T12:34:56",
        "2026-08-01T12:34Z",
        "2026-08-01T24:00:00Z",
        "2026-08-01T12:60:00Z",
        " 2026-08-01T12:34:56Z",
        "2026-08-01T12:34:56Z ",
        "2026-08-01T12:34:56 Z",
        "2026-08-01T12:34:56Zx",
        "+2026-08-01T12:34:56Z",
        "-026-08-01T12:34:56Z",
        "12026-08-01T12:34:56Z",
        "2026-8-01T12:34:56Z",
        "2026-08-01T12:34:56+0200",
        "2026-08-01T12:34:56+2:00",
        "2026-08-01T12:34:56+24:00",
        "2026-08-01T12:34:56+02:60",
        "2026-08-01T12:34:56+02",
        "2026-08-01T12:34:56 UTC",
        "20260801T123456Z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refused(texts[i]);
    struct timespec time;
    assert_false(timestamp_parse("2026-08-01T12:34:56Z\0", 21, &time));
    assert_false(timestamp_parse("2026-08-01T12:34:56Z", 19, &time));
}

/* Against the C library, over every day from 1600 to 2400. */
static void format_and_parse_agree_with_the_c_library(void **state)
{
    for (int64_t seconds = -11676096000; seconds < 13569465600; seconds += 86399) {
        struct tm parts;
        time_t time = seconds;
        gmtime_r(&time, &parts);
        char expected[80];
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
        assert_format(seconds, 0, expected);
        assert_parse(expected, seconds, 0);
    }
}

static void nanoseconds_end_where_64_bits_do(void **state)
{
    assert_int_equal(timespec_ns((struct timespec){.tv_sec = 1785587696, .tv_nsec = 5}),
                     INT64_C(1785587696000000005));
    assert_true(timespec_ns((struct timespec){.tv_sec = INT64_C(253402300799)}) == INT64_MAX);
    assert_true(timespec_ns((struct timespec){.tv_sec = INT64_C(-62167219200)}) == INT64_MIN);
    struct timespec back = timespec_from_ns(INT64_C(1785587696000000005));
    assert_int_equal(back.tv_sec, 1785587696);
    assert_int_equal(back.tv_nsec, 5);
}

static void monotonic_clock_does_not_go_back(void **state)
{
    int64_t first = monotonic_now_ns();
    assert_true(monotonic_now_ns() >= first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_uses_the_shortest_exact_fraction),
        cmocka_unit_test(format_knows_the_calendar),
        cmocka_unit_test(format_clamps_times_beyond_four_digit_years),
        cmocka_unit_test(parse_takes_offsets_to_utc),
        cmocka_unit_test(parse_takes_three_separators),
        cmocka_unit_test(parse_takes_fractions_of_any_length),
        cmocka_unit_test(parse_takes_a_leap_second_as_the_last_instant_before),
        cmocka_unit_test(parse_knows_the_calendar),
        cmocka_unit_test(parse_refuses_what_is_no_timestamp),
        cmocka_unit_test(format_and_parse_agree_with_the_c_library),
        cmocka_unit_test(nanoseconds_end_where_64_bits_do),
        cmocka_unit_test(monotonic_clock_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/timestamp.h"

#include <glib.h>
#include <stdio.h>

#define SECONDS_PER_DAY INT64_C(86400)
#define DAYS_PER_ERA 146097                /* 400 years */
#define DAYS_BEFORE_1970 719468            /* from 0000-03-01 */
#define FIRST_SECOND INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define LAST_SECOND INT64_C(253402300799)  /* 9999-12-31T23:59:59Z */
#define LAST_NANOSECOND 999999999

struct timespec timestamp_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

int64_t timestamp_now_ns(void)
{
    return timespec_ns(timestamp_now());
}

int64_t monotonic_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return timespec_ns(now);
}

int64_t timespec_ns(struct timespec time)
{
    int64_t ns;
    if (__builtin_mul_overflow((int64_t)time.tv_sec, NS_PER_SECOND, &ns) ||
        __builtin_add_overflow(ns, time.tv_nsec, &ns))
        return time.tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

struct timespec timespec_from_ns(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND};
}

/* Both conversions count years from March, so that the leap day ends a year, and in eras of 400
 * years, so that the rule of 4, 100 and 400 is plain arithmetic. */
static int64_t days_from_date(int year, int month, int day)
{
    int shifted_year = month > 2 ? year : year - 1;
    int era = (shifted_year >= 0 ? shifted_year : shifted_year - 399) / 400;
    int year_of_era = shifted_year - era * 400;
    int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * DAYS_PER_ERA + day_of_era - DAYS_BEFORE_1970;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t shifted = days + DAYS_BEFORE_1970;
    int64_t era = (shifted >= 0 ? shifted : shifted - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int day_of_era = (int)(shifted - era * DAYS_PER_ERA);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (DAYS_PER_ERA - 1)) /
        365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *year = year_of_era + (int)era * 400 + (*month <= 2 ? 1 : 0);
}

void timestamp_format(struct timespec time, char text[static TIMESTAMP_TEXT_SIZE])
{
    int64_t seconds = CLAMP((int64_t)time.tv_sec, FIRST_SECOND, LAST_SECOND);
    int64_t days = seconds / SECONDS_PER_DAY;
    if (seconds % SECONDS_PER_DAY < 0)
        days--;
    int second_of_day = (int)(seconds - days * SECONDS_PER_DAY);
    int year, month, day;
    date_from_days(days, &year, &month, &day);

    char fraction[16] = "";
    int nanoseconds = (int)CLAMP(time.tv_nsec, 0, LAST_NANOSECOND);
    if (nanoseconds % 1000 != 0)
        snprintf(fraction, sizeof fraction, ".%09d", nanoseconds);
    else if (nanoseconds % 1000000 != 0)
        snprintf(fraction, sizeof fraction, ".%06d", nanoseconds / 1000);
    else if (nanoseconds != 0)
        snprintf(fraction, sizeof fraction, ".%03d", nanoseconds / 1000000);
    g_snprintf(text, TIMESTAMP_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", year, month, day,
               second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60, fraction);
}

struct reader {
    const char *at, *end;
};

static bool read_digits(struct reader *reader, int count, int *ret)
{
    int value = 0;
    for (int i = 0; i < count; i++, reader->at++) {
        if (reader->at == reader->end || !g_ascii_isdigit(*reader->at))
            return false;
        value = value * 10 + (*reader->at - '0');
    }
    *ret = value;
    return true;
}

/* One character out of `allowed`. */
static bool read_any_of(struct reader *reader, const char *allowed)
{
    for (; *allowed; allowed++) {
        if (reader->at < reader->end && *reader->at == *allowed) {
            reader->at++;
            return true;
        }
    }
    return false;
}

static bool read_date(struct reader *reader, int64_t *ret_days)
{
    static const int days_in_month[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    if (!read_digits(reader, 4, &year) || !read_any_of(reader, "-") ||
        !read_digits(reader, 2, &month) || !read_any_of(reader, "-") ||
        !read_digits(reader, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month[month - 1])
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month == 2 && day == 29 && !leap)
        return false;
    *ret_days = days_from_date(year, month, day);
    return true;
}

static bool read_fraction(struct reader *reader, long *ret)
{
    *ret = 0;
    if (!read_any_of(reader, "."))
        return true;
    const char *start = reader->at;
    long scale = 100000000;
    for (; reader->at < reader->end && g_ascii_isdigit(*reader->at); reader->at++) {
        *ret += (*reader->at - '0') * scale;
        scale /= 10;
    }
    return reader->at > start;
}

static bool read_time(struct reader *reader, int *ret_seconds, long *ret_nanoseconds)
{
    int hour, minute, second;
    if (!read_digits(reader, 2, &hour) || !read_any_of(reader, ":") ||
        !read_digits(reader, 2, &minute) || !read_any_of(reader, ":") ||
        !read_digits(reader, 2, &second) || !read_fraction(reader, ret_nanoseconds))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    if (second == 60) {
        second = 59;
        *ret_nanoseconds = LAST_NANOSECOND;
    }
    *ret_seconds = (hour * 60 + minute) * 60 + second;
    return true;
}

static bool read_offset(struct reader *reader, int *ret_seconds)
{
    *ret_seconds = 0;
    if (read_any_of(reader, "Zz"))
        return true;
    if (reader->at == reader->end)
        return false;
    int sign = *reader->at == '-' ? -1 : 1;
    int hours, minutes;
    if (!read_any_of(reader, "+-") || !read_digits(reader, 2, &hours) ||
        !read_any_of(reader, ":") || !read_digits(reader, 2, &minutes))
        return false;
    *ret_seconds = sign * (hours * 60 + minutes) * 60;
    return hours <= 23 && minutes <= 59;
}

bool timestamp_parse(const char *text, size_t length, struct timespec *ret)
{
    struct reader reader = {text, text + length};
    int64_t days;
    int seconds, offset;
    long nanoseconds;
    if (!read_date(&reader, &days) || !read_any_of(&reader, "Tt ") ||
        !read_time(&reader, &seconds, &nanoseconds) || !read_offset(&reader, &offset) ||
        reader.at != reader.end)
        return false;
    ret->tv_sec = (time_t)(days * SECONDS_PER_DAY + seconds - offset);
    ret->tv_nsec = nanoseconds;
    return true;
}

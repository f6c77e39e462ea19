/*
 * The clocks, times in nanoseconds, and wall-clock times as documents carry them (RFC 3339,
 * chrono's form).
 */
#ifndef FORKFS_BASE_TIMESTAMP_H
#define FORKFS_BASE_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* "YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ" and NUL. */
#define TIMESTAMP_TEXT_SIZE 40

/* The last second that a text of four-digit years can carry: 9999-12-31T23:59:59Z. */
#define TIMESTAMP_MAX_SECONDS INT64_C(253402300799)

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SECOND INT64_C(1000000000)

struct timespec timestamp_now(void);
int64_t timestamp_now_ns(void); /* since 1970 */
int64_t monotonic_now_ns(void); /* of CLOCK_MONOTONIC */

int64_t timespec_ns(struct timespec time);    /* the nearest that fits */
struct timespec timespec_from_ns(int64_t ns); /* not negative */

/* chrono's serde form: UTC with "Z"; a fraction of 0, 3, 6 or 9 digits, the shortest exact one.
 * Years 0000 to 9999. */
void timestamp_format(struct timespec time, char text[static TIMESTAMP_TEXT_SIZE]);

/* Parses RFC 3339 with any offset, 'T', 't' or blank as separator, a fraction of any length (cut
 * to nanoseconds), second 60 taken as 59.999999999. False when it is none. Not locale-dependent. */
bool timestamp_parse(const char *text, size_t length, struct timespec *ret);

#endif

/*
 * ULIDs, the ids of forks: 26 Crockford base-32 characters, 48 bits of milliseconds since 1970 and
 * 80 random bits. Source of the format: github.com/ulid/spec; forks write upper case, readers
 * accept lower case, and refuse I, L, O, U (see docs/formats.md).
 */
#ifndef FORKFS_BASE_ULID_H
#define FORKFS_BASE_ULID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ULID_LENGTH 26

struct ulid {
    char text[ULID_LENGTH + 1]; /* upper case, terminated */
};

/* A new id from the wall clock and getrandom(). Strictly increasing within one process. */
struct ulid ulid_new(void);

/* Parses exactly `length` characters; false when they are not a ULID (first character above '7'
 * included). *ret is upper case. `ret` may be NULL to check only. */
bool ulid_parse(const char *text, size_t length, struct ulid *ret);

bool ulid_equal(const struct ulid *a, const struct ulid *b);

/* The time in it, in milliseconds since 1970. */
int64_t ulid_time_ms(const struct ulid *ulid);

/* A stable non-zero 64-bit value derived from the id, for inode numbers. */
uint64_t ulid_hash(const struct ulid *ulid);

#endif

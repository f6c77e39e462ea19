/*
 * Blanks and string literals of JSON. Private to the JSON modules of base. Pure, thread-safe.
 */
#ifndef FORKFS_BASE_JSON_STRING_H
#define FORKFS_BASE_JSON_STRING_H

#include <stddef.h>

static inline const char *json_skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* Decodes what stands between the quotes of a checked string. The result may hold NULs, is followed
 * by one that *ret_length does not count, and is freed with g_free(). */
char *json_string_decode(const char *text, size_t length, size_t *ret_length);

#endif

/*
 * The set of member names met so far in one JSON object, to find duplicates in linear time.
 * Private to json_text.c.
 *
 * Names are compared decoded. They are not copied (the text must outlive the set) unless they hold
 * escapes. Not thread-safe.
 */
#ifndef FORKFS_BASE_JSON_KEY_SET_H
#define FORKFS_BASE_JSON_KEY_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most objects are small: so many names are compared one by one, without a table. */
#define JSON_KEY_SET_SMALL 8

struct json_key {
    const char *text; /* decoded, not terminated */
    size_t length;
    uint32_t hash;
    bool owned; /* text is to be freed */
};

struct json_key_set {
    size_t count;
    size_t capacity;        /* of table; 0: the names are in small[] */
    struct json_key *table; /* open addressing; text NULL: free place */
    struct json_key small[JSON_KEY_SET_SMALL];
};

void json_key_set_init(struct json_key_set *set);
void json_key_set_clear(struct json_key_set *set);

/* Adds the name between the quotes of a checked string. False: the set has it already. */
bool json_key_set_add(struct json_key_set *set, const char *text, size_t length);

#endif

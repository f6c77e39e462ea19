/*
 * Typed access to the members of a JSON object, as strict as serde: right type, right range, `null`
 * only where it is allowed; and serde's form of values that are made here.
 *
 * The object is json-c's, parsed after the strict check. Every failure is ERR_CORRUPT and its text
 * names the member. What is returned lives as long as the object. Pure, thread-safe.
 */
#ifndef FORKFS_BASE_JSON_MEMBERS_H
#define FORKFS_BASE_JSON_MEMBERS_H

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ulid.h"

/* Checks and parses a whole document, which must be an object. A name may hold U+0000 (see
 * json_parse_any_names()). *ret: json_object_put(). */
int members_of_document(const struct bytes *body, struct json_object **ret, struct error *err);

/* Of an object that is kept as source text: json_split_members() has split it. Its objects and
 * arrays are there, but empty. json_object_put(). */
struct json_object *members_of_source(const GArray *members);

/* Whether there is such a member, null or not. */
bool members_has(struct json_object *object, const char *name);
/* The member's value; NULL when an Option is None: absent or null. */
struct json_object *members_find(struct json_object *object, const char *name);

/* Required members. *ret is set on success only. */
int members_string(struct json_object *object, const char *name, const char **ret,
                   struct error *err);
int members_unsigned(struct json_object *object, const char *name, uint64_t max, uint64_t *ret,
                     struct error *err);
int members_time(struct json_object *object, const char *name, struct timespec *ret,
                 struct error *err);
int members_ulid(struct json_object *object, const char *name, struct ulid *ret, struct error *err);
int members_object(struct json_object *object, const char *name, struct json_object **ret,
                   struct error *err);
int members_array(struct json_object *object, const char *name, struct json_object **ret,
                  struct error *err);
/* An array of strings: const char *, appended to `ret`. */
int members_strings(struct json_object *object, const char *name, GPtrArray *ret,
                    struct error *err);
/* NULL: absent or null. */
int members_optional_string(struct json_object *object, const char *name, const char **ret,
                            struct error *err);

/* ---- Single values ---- */

/* A string without U+0000; NULL: the value is none. */
const char *json_value_text(struct json_object *value);
/* An unsigned integer of at most `max`. False: the value is none. */
bool json_value_unsigned(struct json_object *value, uint64_t max, uint64_t *ret);

/* ---- Writing ---- */

/* In serde_json's pretty form, without newline at the end. bytes_unref(). */
struct bytes *json_value_render(struct json_object *value);

static inline void cleanup_json(struct json_object **object)
{
    json_object_put(*object);
}
#define auto_json __attribute__((cleanup(cleanup_json)))

#endif

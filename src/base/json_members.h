/*
 * Typed access to the members of a JSON object, as strict as serde: right type, right range, `null`
 * only where it is allowed.
 *
 * `members` is what json_members() gives for a checked object. Every failure is ERR_CORRUPT and its
 * text names the member. Pure, thread-safe.
 */
#ifndef FORKFS_BASE_JSON_MEMBERS_H
#define FORKFS_BASE_JSON_MEMBERS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/json_text.h"
#include "base/ulid.h"

/* The span without surrounding blanks. */
struct json_span members_trim(struct json_span span);

/* Checks a whole document and splits the object that it must be. *ret: g_array_unref(); its spans
 * live as long as `body`. */
int members_of_document(const struct bytes *body, GArray **ret, struct error *err);

/* The member of that (decoded) name, or NULL. */
const struct json_member *members_find(const GArray *members, const char *name);

/* Whether an Option is None: absent or null. */
bool members_is_none(const GArray *members, const char *name);

/* Required members. *ret is set on success only. */
int members_string(const GArray *members, const char *name, char **ret /* g_free */,
                   struct error *err);
int members_unsigned(const GArray *members, const char *name, uint64_t max, uint64_t *ret,
                     struct error *err);
int members_time(const GArray *members, const char *name, struct timespec *ret, struct error *err);
int members_ulid(const GArray *members, const char *name, struct ulid *ret, struct error *err);
int members_object(const GArray *members, const char *name, struct json_span *ret,
                   struct error *err);

#endif

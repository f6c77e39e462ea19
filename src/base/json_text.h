/*
 * JSON as source text: the strict check before json-c, splitting objects and arrays into the spans
 * of their members, and serde_json's pretty form, byte for byte. Values are read with
 * json_members.h.
 *
 * Why not json-c alone: it clamps integers beyond 64 bits, takes -0 for 0, cuts keys at a NUL, and
 * accepts duplicate members, NaN, comments and trailing text, where serde refuses. And a document
 * that others own must keep members that we do not know exactly as they were written, numbers
 * included.
 *
 * All functions are pure and thread-safe. Spans point into the caller's text and live as long.
 */
#ifndef FORKFS_BASE_JSON_TEXT_H
#define FORKFS_BASE_JSON_TEXT_H

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

/* serde_json allows so many open objects and arrays. */
#define JSON_NESTING_LIMIT 127

struct json_span {
    const char *text; /* not terminated */
    size_t length;
};

enum json_kind {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

/* Strict RFC 8259 check of a whole document: valid UTF-8, no BOM, no trailing text, no duplicate
 * members within an object (compared decoded), valid escapes without lone surrogates, nesting of
 * at most 127 levels (serde_json's limit). Returns 0, or ERR_CORRUPT with line and column in the
 * text. An empty document is an error. Time: linear. */
int json_check(const char *text, size_t length, struct error *err);

/* json_check, then json-c's parser. *ret is released with json_object_put(); NULL for the document
 * "null". An unsigned integer of 64 bits is of json_type_int, every other number a double.
 * ERR_CORRUPT, also for a member's name with U+0000 (json-c would cut it, so that it could pass for
 * another) and for documents of 2 GiB. */
int json_parse(const char *text, size_t length, struct json_object **ret, struct error *err);
/* json_parse(), but a name may hold U+0000: this character then stands for the backslash of its
 * escape. It is not UTF-8, so such a name equals no other. */
#define JSON_NUL_IN_NAME "\xff"
int json_parse_any_names(const char *text, size_t length, struct json_object **ret,
                         struct error *err);

/* ---- Spans ---- */

/* The span without surrounding blanks. */
struct json_span json_trim(struct json_span span);

/* For a span that json_check accepted (directly or as part of a checked document). */
enum json_kind json_span_kind(struct json_span span);

struct json_member {
    char *key; /* decoded; NULL when it holds U+0000: such a key is kept in key_source only */
    struct json_span key_source; /* with the quotes */
    struct json_span value;      /* without surrounding blanks */
};

/* The members of a checked object, in source order; elements are struct json_member, freed with
 * the array (g_array_unref). The span must be an object, checked. */
GArray *json_split_members(struct json_span object);
/* Checks a whole document and splits the object that it must be; ERR_CORRUPT. */
int json_document_members(const struct bytes *body, GArray **ret, struct error *err);
/* The member of that (decoded) name, or NULL. */
struct json_member *json_find_member(const GArray *members, const char *name);

/* The elements of a checked array: struct json_span. */
GArray *json_elements(struct json_span array);

/* Decodes a checked string value. False when it is no string or holds U+0000. *ret: g_free(). */
bool json_span_string(struct json_span span, char **ret);

/* An unsigned integer literal (no sign, fraction or exponent) of at most `max`; else false. */
bool json_span_unsigned(struct json_span span, uint64_t max, uint64_t *ret);

/* Appends `span` in serde_json's pretty form: two blanks per level, one member or element a line,
 * empty containers closed up, no trailing newline. The first line is not indented; further lines
 * are, by `level` levels. Strings and numbers are copied as they stand. */
void json_append_pretty(GString *out, struct json_span span, unsigned level);
struct bytes *json_pretty(struct json_span span); /* at level 0; bytes_unref() */

/* Appends a quoted string with serde_json's escapes: only '"', '\\' and bytes below 0x20. */
void json_append_string(GString *out, const char *text);

/* Appends 2 * level blanks. */
void json_append_indent(GString *out, unsigned level);

#endif

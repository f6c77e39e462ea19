/*
 * The third part of json_text.h: handing checked text to json-c, without what it would misread.
 */
#include "base/json_text.h"

#include <string.h>

#include "base/json_string.h"

/* json-c counts the scalar at the bottom as a level, and refuses the last one allowed. */
#define TOKENER_DEPTH (JSON_NESTING_LIMIT + 3)

/* json-c would cut the name at a NUL. */
static void mark_nuls(char *name)
{
    for (char *at = strchr(name, '\\'); at; at = strchr(at + 2, '\\'))
        if (strncmp(at, "\\u0000", 6) == 0)
            *at = JSON_NUL_IN_NAME[0];
}

/* Appends the string at `at`; returns the place after it. */
static const char *append_string(GString *out, const char *at, const char *end)
{
    const char *start = at;
    const gsize place = out->len;
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    at++;
    g_string_append_len(out, start, at - start);
    const char *next = json_skip_blanks(at, end);
    if (next < end && *next == ':')
        mark_nuls(out->str + place);
    return at;
}

/* Appends the number at `at`; an integer that is no unsigned one, which would be clamped or lose
 * its sign, becomes a double. Returns the place after it. */
static const char *append_number(GString *out, const char *at, const char *end)
{
    uint64_t value;
    struct json_span number = {at, 0};
    bool is_integer = true;
    for (; at < end && (g_ascii_isdigit(*at) || strchr("+-.eE", *at)); at++)
        is_integer = is_integer && !strchr(".eE", *at);
    number.length = (size_t)(at - number.text);
    g_string_append_len(out, number.text, (gssize)number.length);
    if (is_integer && !json_span_unsigned(number, UINT64_MAX, &value))
        g_string_append(out, ".0");
    return at;
}

static GString *readable_text(const char *text, size_t length)
{
    GString *out = g_string_sized_new(length + 1);
    const char *end = text + length;
    while (text < end) {
        if (*text == '"')
            text = append_string(out, text, end);
        else if (*text == '-' || g_ascii_isdigit(*text))
            text = append_number(out, text, end);
        else
            g_string_append_c(out, *text++);
    }
    return out;
}

static int parse_text(const char *text, size_t length, bool any_names, struct json_object **ret,
                      struct error *err)
{
    int code = json_check(text, length, err);
    if (code)
        return code;
    g_autoptr(GString) readable = readable_text(text, length);
    if (!any_names && strstr(readable->str, JSON_NUL_IN_NAME))
        return error_set(err, ERR_CORRUPT, "a member's name holds U+0000");
    if (readable->len >= INT32_MAX)
        return error_set(err, ERR_CORRUPT, "a JSON document of %zu bytes is too long", length);
    struct json_tokener *tokener = json_tokener_new_ex(TOKENER_DEPTH);
    struct json_object *object = json_tokener_parse_ex(tokener, readable->str, -1);
    enum json_tokener_error failure = json_tokener_get_error(tokener);
    json_tokener_free(tokener);
    if (failure != json_tokener_success)
        return error_set(err, ERR_CORRUPT, "json-c: %s", json_tokener_error_desc(failure));
    *ret = object;
    return 0;
}

int json_parse(const char *text, size_t length, struct json_object **ret, struct error *err)
{
    return parse_text(text, length, false, ret, err);
}

int json_parse_any_names(const char *text, size_t length, struct json_object **ret,
                         struct error *err)
{
    return parse_text(text, length, true, ret, err);
}

/*
 * The second half of json_text.h: cutting checked text into spans, and writing. Everything here
 * relies on json_check() having accepted the text, and only looks for the ends of things.
 */
#include "base/json_text.h"

#include <string.h>

#include "base/json_string.h"

/* `at` is the opening quote; returns the place after the closing one. */
static const char *skip_string(const char *at)
{
    for (at++; *at != '"'; at++) {
        if (*at == '\\')
            at++;
    }
    return at + 1;
}

/* A number or literal. */
static const char *skip_word(const char *at, const char *end)
{
    while (at < end && !strchr(" \t\n\r,:]}", *at))
        at++;
    return at;
}

/* Not recursive: within checked text it is enough to count brackets of either kind. */
static const char *skip_value(const char *at, const char *end)
{
    size_t depth = 0;
    do {
        at = json_skip_blanks(at, end);
        if (*at == '"')
            at = skip_string(at);
        else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            depth--;
            at++;
        } else if (*at == ',' || *at == ':')
            at++;
        else
            at = skip_word(at, end);
    } while (depth > 0);
    return at;
}

struct json_span json_trim(struct json_span span)
{
    const char *end = span.text + span.length;
    const char *start = json_skip_blanks(span.text, end);
    while (end > start && strchr(" \t\n\r", end[-1]))
        end--;
    return (struct json_span){start, (size_t)(end - start)};
}

enum json_kind json_span_kind(struct json_span span)
{
    switch (json_trim(span).text[0]) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/* Cuts the next value off [*at, end). */
static struct json_span take_value(const char **at, const char *end)
{
    const char *start = json_skip_blanks(*at, end);
    *at = skip_value(start, end);
    return (struct json_span){start, (size_t)(*at - start)};
}

static void clear_member(gpointer member)
{
    g_free(((struct json_member *)member)->key);
}

GArray *json_split_members(struct json_span object)
{
    GArray *members = g_array_new(FALSE, FALSE, sizeof(struct json_member));
    g_array_set_clear_func(members, clear_member);
    object = json_trim(object);
    const char *end = object.text + object.length - 1;
    const char *at = json_skip_blanks(object.text + 1, end);
    while (at < end) {
        struct json_member member = {0};
        member.key_source = take_value(&at, end);
        json_span_string(member.key_source, &member.key);
        at = json_skip_blanks(at, end) + 1; /* the colon */
        member.value = take_value(&at, end);
        g_array_append_val(members, member);
        at = json_skip_blanks(at, end) + 1; /* the comma, or the end */
    }
    return members;
}

int json_document_members(const struct bytes *body, GArray **ret, struct error *err)
{
    const struct json_span document = {body->data, body->size};
    int code = json_check(body->data, body->size, err);
    if (code)
        return code;
    if (json_span_kind(document) != JSON_OBJECT)
        return error_set(err, ERR_CORRUPT, "the document is not an object");
    *ret = json_split_members(document);
    return 0;
}

struct json_member *json_find_member(const GArray *members, const char *name)
{
    for (guint i = 0; i < members->len; i++) {
        struct json_member *member = &g_array_index(members, struct json_member, i);
        if (member->key && strcmp(member->key, name) == 0)
            return member;
    }
    return NULL;
}

GArray *json_elements(struct json_span array)
{
    GArray *elements = g_array_new(FALSE, FALSE, sizeof(struct json_span));
    array = json_trim(array);
    const char *end = array.text + array.length - 1;
    const char *at = json_skip_blanks(array.text + 1, end);
    while (at < end) {
        struct json_span element = take_value(&at, end);
        g_array_append_val(elements, element);
        at = json_skip_blanks(at, end) + 1; /* the comma, or the end */
    }
    return elements;
}

bool json_span_string(struct json_span span, char **ret)
{
    span = json_trim(span);
    if (span.text[0] != '"')
        return false;
    size_t length;
    char *decoded = json_string_decode(span.text + 1, span.length - 2, &length);
    if (strlen(decoded) != length) {
        g_free(decoded);
        return false;
    }
    *ret = decoded;
    return true;
}

bool json_span_unsigned(struct json_span span, uint64_t max, uint64_t *ret)
{
    span = json_trim(span);
    uint64_t value = 0;
    for (size_t i = 0; i < span.length; i++) {
        if (!g_ascii_isdigit(span.text[i]))
            return false;
        unsigned digit = (unsigned)(span.text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *ret = value;
    return true;
}

void json_append_indent(GString *out, unsigned level)
{
    for (unsigned i = 0; i < level; i++)
        g_string_append_len(out, "  ", 2);
}

static void append_line_break(GString *out, unsigned level)
{
    g_string_append_c(out, '\n');
    json_append_indent(out, level);
}

/* An opening bracket; an empty container is closed at once. Returns the place after it. */
static const char *append_opening(GString *out, const char *at, const char *end, unsigned *level)
{
    g_string_append_c(out, *at);
    const char *next = json_skip_blanks(at + 1, end);
    if (*next == '}' || *next == ']') {
        g_string_append_c(out, *next);
        return next + 1;
    }
    append_line_break(out, ++*level);
    return next;
}

void json_append_pretty(GString *out, struct json_span span, unsigned level)
{
    const char *end = span.text + span.length;
    const char *at = json_skip_blanks(span.text, end);
    while (at < end) {
        const char *next = at + 1;
        if (*at == '{' || *at == '[')
            next = append_opening(out, at, end, &level);
        else if (*at == '}' || *at == ']') {
            append_line_break(out, --level);
            g_string_append_c(out, *at);
        } else if (*at == ',') {
            g_string_append_c(out, ',');
            append_line_break(out, level);
        } else if (*at == ':')
            g_string_append_len(out, ": ", 2);
        else {
            next = *at == '"' ? skip_string(at) : skip_word(at, end);
            g_string_append_len(out, at, next - at);
        }
        at = json_skip_blanks(next, end);
    }
}

struct bytes *json_pretty(struct json_span span)
{
    g_autoptr(GString) text = g_string_sized_new(span.length);
    json_append_pretty(text, span, 0);
    return bytes_new(text->str, text->len);
}

void json_append_string(GString *out, const char *text)
{
    static const char escaped[] = "\"\\\b\t\n\f\r", names[] = "\"\\btnfr";
    g_string_append_c(out, '"');
    for (const char *at = text; *at;) {
        const char *plain = at;
        while ((unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
            at++;
        g_string_append_len(out, plain, at - plain);
        if (!*at)
            break;
        const char *found = strchr(escaped, *at);
        if (found)
            g_string_append_printf(out, "\\%c", names[found - escaped]);
        else
            g_string_append_printf(out, "\\u%04x", (unsigned char)*at);
        at++;
    }
    g_string_append_c(out, '"');
}

/* JSON text: the strict check, json-c behind it, and the cutting into spans agree. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/json_members.h"

/* Looking for a member by its name takes as long as there are members. */
#define MEMBERS_SOUGHT 100

static json_type type_of(struct json_span span)
{
    static const json_type types[] = {
        [JSON_OBJECT] = json_type_object, [JSON_ARRAY] = json_type_array,
        [JSON_STRING] = json_type_string, [JSON_NUMBER] = json_type_double,
        [JSON_TRUE] = json_type_boolean,  [JSON_FALSE] = json_type_boolean,
        [JSON_NULL] = json_type_null,
    };
    return types[json_span_kind(span)];
}

/* An unsigned integer is an integer to both, every other number a double. */
static void check_number(struct json_span span, struct json_object *value)
{
    uint64_t from_span = 0, from_value = 1;
    bool is_integer = json_span_unsigned(span, UINT64_MAX, &from_span);
    HOLDS(is_integer == json_value_unsigned(value, UINT64_MAX, &from_value));
    HOLDS(!is_integer || from_span == from_value);
    HOLDS(is_integer || json_object_is_type(value, json_type_double));
}

static void check_string(struct json_span span, struct json_object *value)
{
    g_autofree char *text = NULL;
    const char *expected = json_value_text(value);
    HOLDS(json_span_string(span, &text) == (expected != NULL));
    if (!expected)
        return;
    HOLDS(strcmp(text, expected) == 0);
    g_autoptr(GString) quoted = g_string_new(NULL);
    g_autofree char *again = NULL;
    json_append_string(quoted, text);
    HOLDS(json_check(quoted->str, quoted->len, NULL) == 0);
    HOLDS(json_span_string((struct json_span){quoted->str, quoted->len}, &again));
    HOLDS(strcmp(text, again) == 0);
}

static void check_value(struct json_span span, struct json_object *value);

static void check_object(struct json_span span, struct json_object *value)
{
    g_autoptr(GArray) members = json_split_members(span);
    HOLDS(members->len == (size_t)json_object_object_length(value));
    auto_json struct json_object *shallow = members_of_source(members);
    for (guint i = 0; i < members->len; i++) {
        const struct json_member *member = &g_array_index(members, struct json_member, i);
        struct json_object *found = NULL, *copy = NULL;
        if (!member->key)
            continue;
        HOLDS(i >= MEMBERS_SOUGHT || json_find_member(members, member->key) == member);
        HOLDS(json_object_object_get_ex(value, member->key, &found));
        HOLDS(json_object_object_get_ex(shallow, member->key, &copy));
        HOLDS(json_object_get_type(copy) == json_object_get_type(found));
        check_value(member->value, found);
    }
}

static void check_array(struct json_span span, struct json_object *value)
{
    g_autoptr(GArray) elements = json_elements(span);
    HOLDS(elements->len == json_object_array_length(value));
    for (guint i = 0; i < elements->len; i++)
        check_value(g_array_index(elements, struct json_span, i),
                    json_object_array_get_idx(value, i));
}

/* Recursion is bounded by the nesting limit. */
static void check_value(struct json_span span, struct json_object *value)
{
    const json_type type = type_of(span);
    if (type == json_type_double) {
        check_number(span, value);
        return;
    }
    HOLDS(json_object_is_type(value, type));
    if (type == json_type_string)
        check_string(span, value);
    else if (type == json_type_object)
        check_object(span, value);
    else if (type == json_type_array)
        check_array(span, value);
}

static void check_rendering(struct json_span document, struct json_object *value)
{
    auto_bytes struct bytes *pretty = json_pretty(document);
    auto_json struct json_object *again = NULL;
    HOLDS(fuzz_is_pretty(pretty));
    HOLDS(json_parse_any_names(pretty->data, pretty->size, &again, NULL) == 0);
    HOLDS(json_object_equal(value, again));
}

/* What is accepted with any names, and refused without: there is a U+0000 in one. */
static void check_names(struct json_span document)
{
    auto_json struct json_object *strict = NULL;
    if (json_parse(document.text, document.length, &strict, NULL))
        HOLDS(memmem(document.text, document.length, "\\u0000", 6));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct json_span document = {(const char *)data, size};
    auto_json struct json_object *value = NULL;
    struct error error = {0};
    int code = json_check(document.text, size, &error);
    HOLDS(error.code == code && (code == 0) == (error.text[0] == '\0'));
    HOLDS(json_parse_any_names(document.text, size, &value, NULL) == code);
    if (code)
        return 0;
    check_value(document, value);
    check_rendering(document, value);
    check_names(document);
    return 0;
}

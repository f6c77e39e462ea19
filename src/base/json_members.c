#include "base/json_members.h"

#include <inttypes.h>
#include <string.h>

#include "base/json_string.h"
#include "base/json_text.h"
#include "base/timestamp.h"

int members_of_document(const struct bytes *body, struct json_object **ret, struct error *err)
{
    auto_json struct json_object *document = NULL;
    int code = json_parse_any_names(body->data, body->size, &document, err);
    if (code)
        return code;
    if (!json_object_is_type(document, json_type_object))
        return error_set(err, ERR_CORRUPT, "the document is not an object");
    *ret = g_steal_pointer(&document);
    return 0;
}

static struct json_object *string_of_source(struct json_span span)
{
    size_t length;
    g_autofree char *text = json_string_decode(span.text + 1, span.length - 2, &length);
    return json_object_new_string_len(text, (int)length);
}

static struct json_object *value_of_source(struct json_span span)
{
    const enum json_kind kind = json_span_kind(span);
    uint64_t number;
    switch (kind) {
    case JSON_OBJECT:
        return json_object_new_object();
    case JSON_ARRAY:
        return json_object_new_array();
    case JSON_STRING:
        return string_of_source(span);
    case JSON_NUMBER:
        return json_span_unsigned(span, UINT64_MAX, &number) ? json_object_new_uint64(number)
                                                             : json_object_new_double(-1);
    case JSON_NULL:
        return NULL;
    default:
        return json_object_new_boolean(kind == JSON_TRUE);
    }
}

struct json_object *members_of_source(const GArray *members)
{
    struct json_object *object = json_object_new_object();
    for (guint i = 0; i < members->len; i++) {
        const struct json_member *member = &g_array_index(members, struct json_member, i);
        if (member->key)
            json_object_object_add_ex(object, member->key, value_of_source(member->value),
                                      JSON_C_OBJECT_ADD_KEY_IS_NEW);
    }
    return object;
}

bool members_has(struct json_object *object, const char *name)
{
    return json_object_object_get_ex(object, name, NULL);
}

struct json_object *members_find(struct json_object *object, const char *name)
{
    return json_object_object_get(object, name);
}

/* A required member of that type. */
static int find_typed(struct json_object *object, const char *name, json_type type,
                      const char *expected, struct json_object **ret, struct error *err)
{
    struct json_object *value;
    if (!json_object_object_get_ex(object, name, &value))
        return error_set(err, ERR_CORRUPT, "member \"%s\" is missing", name);
    if (!json_object_is_type(value, type))
        return error_set(err, ERR_CORRUPT, "member \"%s\" is not %s", name, expected);
    *ret = value;
    return 0;
}

int members_string(struct json_object *object, const char *name, const char **ret,
                   struct error *err)
{
    struct json_object *value;
    int code = find_typed(object, name, json_type_string, "a string", &value, err);
    if (code)
        return code;
    const char *text = json_value_text(value);
    if (!text)
        return error_set(err, ERR_CORRUPT, "member \"%s\" holds the character U+0000", name);
    *ret = text;
    return 0;
}

int members_optional_string(struct json_object *object, const char *name, const char **ret,
                            struct error *err)
{
    *ret = NULL;
    return members_find(object, name) ? members_string(object, name, ret, err) : 0;
}

int members_unsigned(struct json_object *object, const char *name, uint64_t max, uint64_t *ret,
                     struct error *err)
{
    struct json_object *value;
    if (!json_object_object_get_ex(object, name, &value))
        return error_set(err, ERR_CORRUPT, "member \"%s\" is missing", name);
    if (!json_value_unsigned(value, max, ret))
        return error_set(err, ERR_CORRUPT,
                         "member \"%s\" is not an unsigned integer of at most %" PRIu64, name, max);
    return 0;
}

int members_time(struct json_object *object, const char *name, struct timespec *ret,
                 struct error *err)
{
    const char *text;
    int code = members_string(object, name, &text, err);
    if (code)
        return code;
    if (!timestamp_parse(text, strlen(text), ret))
        return error_set(err, ERR_CORRUPT, "member \"%s\" is not an RFC 3339 time: %.100s", name,
                         text);
    return 0;
}

int members_ulid(struct json_object *object, const char *name, struct ulid *ret, struct error *err)
{
    const char *text;
    int code = members_string(object, name, &text, err);
    if (code)
        return code;
    if (!ulid_parse(text, strlen(text), ret))
        return error_set(err, ERR_CORRUPT, "member \"%s\" is not a ULID: %.100s", name, text);
    return 0;
}

int members_object(struct json_object *object, const char *name, struct json_object **ret,
                   struct error *err)
{
    return find_typed(object, name, json_type_object, "an object", ret, err);
}

int members_array(struct json_object *object, const char *name, struct json_object **ret,
                  struct error *err)
{
    return find_typed(object, name, json_type_array, "an array", ret, err);
}

int members_strings(struct json_object *object, const char *name, GPtrArray *ret, struct error *err)
{
    struct json_object *array;
    int code = members_array(object, name, &array, err);
    for (size_t i = 0; code == 0 && i < json_object_array_length(array); i++) {
        const char *text = json_value_text(json_object_array_get_idx(array, i));
        if (!text)
            return error_set(err, ERR_CORRUPT, "member \"%s\": element %zu is not a string", name,
                             i);
        g_ptr_array_add(ret, (void *)text);
    }
    return code;
}

const char *json_value_text(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

bool json_value_unsigned(struct json_object *value, uint64_t max, uint64_t *ret)
{
    if (!json_object_is_type(value, json_type_int))
        return false;
    uint64_t number = json_object_get_uint64(value);
    if (number <= max)
        *ret = number;
    return number <= max;
}

struct bytes *json_value_render(struct json_object *value)
{
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE);
    return json_pretty((struct json_span){text, strlen(text)});
}

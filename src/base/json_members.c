#include "base/json_members.h"

#include <inttypes.h>
#include <string.h>

#include "base/timestamp.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct json_span members_trim(struct json_span span)
{
    while (span.length > 0 && is_blank(span.text[0])) {
        span.text++;
        span.length--;
    }
    while (span.length > 0 && is_blank(span.text[span.length - 1]))
        span.length--;
    return span;
}

int members_of_document(const struct bytes *body, GArray **ret, struct error *err)
{
    int code = json_check(body->data, body->size, err);
    if (code)
        return code;
    struct json_span span = members_trim((struct json_span){body->data, body->size});
    if (json_span_kind(span) != JSON_OBJECT)
        return error_set(err, ERR_CORRUPT, "the document is not an object");
    *ret = json_members(span);
    return 0;
}

const struct json_member *members_find(const GArray *members, const char *name)
{
    for (guint i = 0; i < members->len; i++) {
        const struct json_member *member = &g_array_index(members, struct json_member, i);
        if (member->key && strcmp(member->key, name) == 0)
            return member;
    }
    return NULL;
}

bool members_is_none(const GArray *members, const char *name)
{
    const struct json_member *member = members_find(members, name);
    return !member || json_span_kind(member->value) == JSON_NULL;
}

static int find_required(const GArray *members, const char *name, struct json_span *ret,
                         struct error *err)
{
    const struct json_member *member = members_find(members, name);
    if (!member)
        return error_set(err, ERR_CORRUPT, "member \"%s\" is missing", name);
    *ret = member->value;
    return 0;
}

int members_string(const GArray *members, const char *name, char **ret, struct error *err)
{
    struct json_span value;
    int code = find_required(members, name, &value, err);
    if (code)
        return code;
    if (json_span_kind(value) != JSON_STRING)
        return error_set(err, ERR_CORRUPT, "member \"%s\" is not a string", name);
    if (!json_span_string(value, ret))
        return error_set(err, ERR_CORRUPT, "member \"%s\" holds the character U+0000", name);
    return 0;
}

int members_unsigned(const GArray *members, const char *name, uint64_t max, uint64_t *ret,
                     struct error *err)
{
    struct json_span value;
    int code = find_required(members, name, &value, err);
    if (code)
        return code;
    if (!json_span_unsigned(value, max, ret))
        return error_set(err, ERR_CORRUPT,
                         "member \"%s\" is not an unsigned integer of at most %" PRIu64, name, max);
    return 0;
}

int members_time(const GArray *members, const char *name, struct timespec *ret, struct error *err)
{
    g_autofree char *text = NULL;
    int code = members_string(members, name, &text, err);
    if (code)
        return code;
    if (!timestamp_parse(text, strlen(text), ret))
        return error_set(err, ERR_CORRUPT, "member \"%s\" is not an RFC 3339 time: %.100s", name,
                         text);
    return 0;
}

int members_ulid(const GArray *members, const char *name, struct ulid *ret, struct error *err)
{
    g_autofree char *text = NULL;
    int code = members_string(members, name, &text, err);
    if (code)
        return code;
    if (!ulid_parse(text, strlen(text), ret))
        return error_set(err, ERR_CORRUPT, "member \"%s\" is not a ULID: %.100s", name, text);
    return 0;
}

int members_object(const GArray *members, const char *name, struct json_span *ret,
                   struct error *err)
{
    struct json_span value;
    int code = find_required(members, name, &value, err);
    if (code)
        return code;
    if (json_span_kind(value) != JSON_OBJECT)
        return error_set(err, ERR_CORRUPT, "member \"%s\" is not an object", name);
    *ret = value;
    return 0;
}

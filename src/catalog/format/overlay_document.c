#include "catalog/format/overlay_document.h"

#include <string.h>

#include "base/json_members.h"
#include "catalog/format/data_type.h"

/* Uni's rule for labels and edge types. */
static int check_name(const char *name, struct error *err)
{
    if (!*name || strlen(name) > 255)
        return error_set(err, ERR_INVALID, "a name has 1 to 255 bytes");
    for (const char *c = name; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        if (g_unichar_isspace(character) || g_unichar_iscntrl(character) || *c == '/' || *c == '\\')
            return error_set(err, ERR_INVALID,
                             "name '%s' holds a blank, a control character, "
                             "'/' or '\\'",
                             name);
    }
    return 0;
}

/* ---- Parts of an element ---- */

static int check_optional_time(const GArray *members, const char *name, struct error *err)
{
    struct timespec time;
    return members_find(members, name) ? members_time(members, name, &time, err) : 0;
}

static int check_optional_string(const GArray *members, const char *name, struct error *err)
{
    g_autofree char *text = NULL;
    return members_is_none(members, name) ? 0 : members_string(members, name, &text, err);
}

static int check_strings(const GArray *members, const char *name, struct error *err)
{
    const struct json_member *member = members_find(members, name);
    if (!member || json_span_kind(member->value) != JSON_ARRAY)
        return error_set(err, ERR_INVALID, "%s must be an array of names", name);
    g_autoptr(GArray) elements = json_elements(member->value);
    for (guint i = 0; i < elements->len; i++) {
        g_autofree char *text = NULL;
        if (!json_span_string(g_array_index(elements, struct json_span, i), &text))
            return error_set(err, ERR_INVALID, "%s must be an array of names", name);
    }
    return 0;
}

static int check_hidden(struct json_span value, struct error *err)
{
    if (json_span_kind(value) != JSON_OBJECT)
        return error_set(err, ERR_INVALID, "state Hidden must be an object");
    g_autoptr(GArray) members = json_members(value);
    struct timespec since;
    g_autofree char *snapshot = NULL;
    int code = members_time(members, "since", &since, err);
    return code ? code : members_string(members, "last_active_snapshot", &snapshot, err);
}

static int check_tombstone(struct json_span value, struct error *err)
{
    if (json_span_kind(value) != JSON_OBJECT)
        return error_set(err, ERR_INVALID, "state Tombstone must be an object");
    g_autoptr(GArray) members = json_members(value);
    struct timespec since;
    return members_time(members, "since", &since, err);
}

/* "Active", {"Hidden": {since, last_active_snapshot}} or {"Tombstone": {since}}. */
static int check_state(const GArray *members, struct error *err)
{
    const struct json_member *state = members_find(members, "state");
    if (!state)
        return 0;
    g_autofree char *word = NULL;
    if (json_span_string(state->value, &word) && strcmp(word, "Active") == 0)
        return 0;
    if (json_span_kind(state->value) == JSON_OBJECT) {
        g_autoptr(GArray) tags = json_members(state->value);
        const struct json_member *tag =
            tags->len == 1 ? &g_array_index(tags, struct json_member, 0) : NULL;
        if (tag && g_strcmp0(tag->key, "Hidden") == 0)
            return check_hidden(tag->value, err);
        if (tag && g_strcmp0(tag->key, "Tombstone") == 0)
            return check_tombstone(tag->value, err);
    }
    return error_set(err, ERR_INVALID, "unknown state");
}

/* ---- Elements ---- */

static int check_label(const GArray *members, struct error *err)
{
    uint64_t id;
    int code = members_unsigned(members, "id", UINT16_MAX, &id, err);
    return code ? code : check_optional_time(members, "created_at", err);
}

static int check_edge_type(const GArray *members, struct error *err)
{
    uint64_t id;
    int code = members_unsigned(members, "id", UINT32_MAX, &id, err);
    if (code == 0)
        code = check_strings(members, "src_labels", err);
    return code ? code : check_strings(members, "dst_labels", err);
}

/* A pair [name, meta], of a label or an edge type. */
static int check_pair(struct json_span pair, GHashTable *names,
                      int (*check_meta)(const GArray *, struct error *), struct error *err)
{
    g_autoptr(GArray) parts =
        json_span_kind(pair) == JSON_ARRAY ? json_elements(pair) : g_array_new(FALSE, FALSE, 1);
    g_autofree char *name = NULL;
    if (parts->len != 2 || !json_span_string(g_array_index(parts, struct json_span, 0), &name) ||
        json_span_kind(g_array_index(parts, struct json_span, 1)) != JSON_OBJECT)
        return error_set(err, ERR_INVALID, "must be a pair of a name and an object");
    g_autoptr(GArray) meta = json_members(g_array_index(parts, struct json_span, 1));
    int code = check_name(name, err);
    if (code == 0)
        code = check_meta(meta, err);
    if (code == 0)
        code = check_state(meta, err);
    if (code == 0)
        code = check_optional_string(meta, "description", err);
    if (code == 0 && !g_hash_table_add(names, g_strdup(name)))
        code = error_set(err, ERR_INVALID, "'%s' is added twice", name);
    return code;
}

static int check_property(struct json_span property, GHashTable *names, struct error *err)
{
    if (json_span_kind(property) != JSON_OBJECT)
        return error_set(err, ERR_INVALID, "must be an object");
    g_autoptr(GArray) members = json_members(property);
    g_autofree char *owner = NULL, *kind = NULL, *name = NULL;
    int code = members_string(members, "owner", &owner, err);
    if (code == 0)
        code = members_string(members, "owner_kind", &kind, err);
    if (code == 0)
        code = members_string(members, "property", &name, err);
    if (code)
        return code;
    if (strcmp(kind, "label") != 0 && strcmp(kind, "edgetype") != 0)
        return error_set(err, ERR_INVALID, "owner_kind must be \"label\" or \"edgetype\"");
    const struct json_member *type = members_find(members, "data_type");
    const struct json_member *nullable = members_find(members, "nullable");
    if (!type || !nullable)
        return error_set(err, ERR_INVALID, "\"data_type\" and \"nullable\" are required");
    if (json_span_kind(nullable->value) != JSON_TRUE &&
        json_span_kind(nullable->value) != JSON_FALSE)
        return error_set(err, ERR_INVALID, "nullable must be true or false");
    if (!g_hash_table_add(names, g_strdup_printf("%s %zu %s %s", kind, strlen(owner), owner, name)))
        return error_set(err, ERR_INVALID, "property %s of %s is added twice", name, owner);
    return data_type_check(type->value, err);
}

static int check_label_pair(struct json_span pair, GHashTable *names, struct error *err)
{
    return check_pair(pair, names, check_label, err);
}

static int check_edge_type_pair(struct json_span pair, GHashTable *names, struct error *err)
{
    return check_pair(pair, names, check_edge_type, err);
}

/* The name of an edge type that is not declared. */
static int check_schemaless_type(struct json_span value, GHashTable *names, struct error *err)
{
    g_autofree char *name = NULL;
    if (!json_span_string(value, &name))
        return error_set(err, ERR_INVALID, "must be a name");
    int code = check_name(name, err);
    if (code == 0 && !g_hash_table_add(names, g_strdup(name)))
        code = error_set(err, ERR_INVALID, "'%s' is added twice", name);
    return code;
}

/* ---- The document ---- */

static int check_list(const GArray *members, const char *name,
                      int (*check)(struct json_span, GHashTable *, struct error *),
                      struct error *err)
{
    const struct json_member *list = members_find(members, name);
    if (!list)
        return 0;
    if (json_span_kind(list->value) != JSON_ARRAY)
        return error_set(err, ERR_INVALID, "%s must be an array", name);
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GArray) elements = json_elements(list->value);
    for (guint i = 0; i < elements->len; i++) {
        struct error failure = {0};
        if (check(g_array_index(elements, struct json_span, i), names, &failure) == 0)
            continue;
        return error_set(err, ERR_INVALID, "%s[%u]: %s", name, i, failure.text);
    }
    return 0;
}

int overlay_document_check(const struct bytes *text, struct bytes **ret, struct error *err)
{
    g_autoptr(GArray) members = NULL;
    struct error failure = {0};
    if (members_of_document(text, &members, &failure))
        return error_set(err, ERR_INVALID, "not a valid overlay: %s", failure.text);
    int code = check_list(members, "added_labels", check_label_pair, err);
    if (code == 0)
        code = check_list(members, "added_edge_types", check_edge_type_pair, err);
    if (code == 0)
        code = check_list(members, "added_properties", check_property, err);
    if (code == 0)
        code = check_list(members, "added_schemaless_edge_types", check_schemaless_type, err);
    if (code)
        return code;
    g_autoptr(GString) pretty = g_string_sized_new(text->size);
    json_append_pretty(pretty, members_trim((struct json_span){text->data, text->size}), 0);
    *ret = bytes_new(pretty->str, pretty->len);
    return 0;
}

void overlay_document_add_name(GPtrArray *names, const char *name)
{
    if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        g_ptr_array_add(names, g_strdup(name));
}

int overlay_document_add_schemaless_types(const struct bytes *body, GPtrArray *names,
                                          struct error *err)
{
    g_autoptr(GArray) members = NULL;
    int code = body ? members_of_document(body, &members, err) : 0;
    const struct json_member *list =
        members ? members_find(members, "added_schemaless_edge_types") : NULL;
    if (code || !list)
        return code;
    if (json_span_kind(list->value) != JSON_ARRAY)
        return error_set(err, ERR_CORRUPT, "added_schemaless_edge_types is not an array");
    g_autoptr(GArray) elements = json_elements(list->value);
    for (guint i = 0; i < elements->len; i++) {
        g_autofree char *name = NULL;
        if (!json_span_string(g_array_index(elements, struct json_span, i), &name))
            return error_set(err, ERR_CORRUPT, "added_schemaless_edge_types[%u] is no name", i);
        overlay_document_add_name(names, name);
    }
    return 0;
}

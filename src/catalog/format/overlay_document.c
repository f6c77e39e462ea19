#include "catalog/format/overlay_document.h"

#include <string.h>

#include "base/json_members.h"
#include "base/json_text.h"
#include "catalog/format/fork_name.h"

/* Uni's rule for labels and edge types. */
static int check_name(const char *name, struct error *err)
{
    if (!*name || strlen(name) > LABEL_NAME_MAX)
        return error_set(err, ERR_INVALID, "a name has 1 to %d bytes", LABEL_NAME_MAX);
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

/* ---- Data types ---- */

static const char *const simple[] = {"String",   "Int32",       "Int64", "Float32", "Float64",
                                     "Bool",     "Timestamp",   "Date",  "Time",    "DateTime",
                                     "Duration", "CypherValue", "Bytes", "Btic",    NULL};
static const char *const points[] = {"Geographic", "Cartesian2D", "Cartesian3D", NULL};
static const char *const crdts[] = {
    "GCounter", "GSet", "ORSet", "LWWRegister", "LWWMap", "Rga", "VectorClock", "VCRegister", NULL};

/* `value` as it stands in a document. */
static int refuse_type(struct json_object *value, struct error *err)
{
    return error_set(err, ERR_INVALID, "unknown data type %.80s",
                     json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int check_word(struct json_object *value, const char *const *words, struct error *err)
{
    const char *word = json_value_text(value);
    return word && g_strv_contains(words, word) ? 0 : refuse_type(value, err);
}

static int check_point(struct json_object *value, struct error *err)
{
    return check_word(value, points, err);
}

static int check_crdt(struct json_object *value, struct error *err)
{
    return check_word(value, crdts, err);
}

/* Whether the value of a vector type is {"dimensions": n}. */
static int check_vector(struct json_object *value, struct error *err)
{
    uint64_t dimensions;
    if (json_object_is_type(value, json_type_object) &&
        members_unsigned(value, "dimensions", UINT64_MAX, &dimensions, NULL) == 0)
        return 0;
    return error_set(err, ERR_INVALID, "a vector type needs its \"dimensions\"");
}

static int check_map(struct json_object *value, struct error *err)
{
    if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) != 2)
        return error_set(err, ERR_INVALID, "a map type needs the types of key and value");
    int code = overlay_check_data_type(json_object_array_get_idx(value, 0), err);
    return code ? code : overlay_check_data_type(json_object_array_get_idx(value, 1), err);
}

static const struct {
    const char *tag;
    int (*check)(struct json_object *value, struct error *err);
} tagged[] = {
    {"Point", check_point},
    {"Vector", check_vector},
    {"SparseVector", check_vector},
    {"BinaryVector", check_vector},
    {"Crdt", check_crdt},
    {"List", overlay_check_data_type},
    {"Map", check_map},
};

int overlay_check_data_type(struct json_object *value, struct error *err)
{
    if (!json_object_is_type(value, json_type_object))
        return check_word(value, simple, err);
    if (json_object_object_length(value) != 1)
        return error_set(err, ERR_INVALID, "a data type has exactly one tag");
    struct json_object *content;
    for (size_t i = 0; i < G_N_ELEMENTS(tagged); i++)
        if (json_object_object_get_ex(value, tagged[i].tag, &content))
            return tagged[i].check(content, err);
    struct json_object_iterator first = json_object_iter_begin(value);
    auto_json struct json_object *tag = json_object_new_string(json_object_iter_peek_name(&first));
    return refuse_type(tag, err);
}

/* ---- Parts of an element ---- */

static int check_optional_time(struct json_object *object, const char *name, struct error *err)
{
    struct timespec time;
    return members_has(object, name) ? members_time(object, name, &time, err) : 0;
}

static int check_strings(struct json_object *object, const char *name, struct error *err)
{
    g_autoptr(GPtrArray) strings = g_ptr_array_new();
    if (members_strings(object, name, strings, NULL))
        return error_set(err, ERR_INVALID, "%s must be an array of names", name);
    return 0;
}

/* "Active", {"Hidden": {since, last_active_snapshot}} or {"Tombstone": {since}}. */
static int check_state(struct json_object *object, struct error *err)
{
    if (!members_has(object, "state"))
        return 0;
    struct json_object *state = members_find(object, "state"), *content;
    struct timespec since;
    const char *snapshot;
    if (g_strcmp0(json_value_text(state), "Active") == 0)
        return 0;
    if (!json_object_is_type(state, json_type_object) || json_object_object_length(state) != 1)
        return error_set(err, ERR_INVALID, "unknown state");
    const bool is_hidden = members_has(state, "Hidden");
    const char *tag = is_hidden ? "Hidden" : "Tombstone";
    if (!members_has(state, tag))
        return error_set(err, ERR_INVALID, "unknown state");
    if (members_object(state, tag, &content, NULL))
        return error_set(err, ERR_INVALID, "state %s must be an object", tag);
    int code = members_time(content, "since", &since, err);
    if (code == 0 && is_hidden)
        code = members_string(content, "last_active_snapshot", &snapshot, err);
    return code;
}

/* ---- Elements ---- */

static int check_label(struct json_object *meta, struct error *err)
{
    uint64_t id;
    int code = members_unsigned(meta, "id", UINT16_MAX, &id, err);
    return code ? code : check_optional_time(meta, "created_at", err);
}

static int check_edge_type(struct json_object *meta, struct error *err)
{
    uint64_t id;
    int code = members_unsigned(meta, "id", UINT32_MAX, &id, err);
    if (code == 0)
        code = check_strings(meta, "src_labels", err);
    return code ? code : check_strings(meta, "dst_labels", err);
}

static int note_name(const char *name, GHashTable *names, struct error *err)
{
    return g_hash_table_add(names, g_strdup(name))
               ? 0
               : error_set(err, ERR_INVALID, "'%s' is added twice", name);
}

/* A list of an overlay, and how its elements are checked. */
struct overlay_list {
    const char *name;
    int (*check)(const struct overlay_list *list, struct json_object *element, GHashTable *names,
                 struct error *err);
    int (*check_meta)(struct json_object *meta, struct error *err); /* of pairs */
};

/* A pair [name, meta], of a label or an edge type. */
static int check_pair(const struct overlay_list *list, struct json_object *pair, GHashTable *names,
                      struct error *err)
{
    const bool is_pair =
        json_object_is_type(pair, json_type_array) && json_object_array_length(pair) == 2;
    const char *name = is_pair ? json_value_text(json_object_array_get_idx(pair, 0)) : NULL;
    struct json_object *meta = is_pair ? json_object_array_get_idx(pair, 1) : NULL;
    const char *description;
    if (!name || !json_object_is_type(meta, json_type_object))
        return error_set(err, ERR_INVALID, "must be a pair of a name and an object");
    int code = check_name(name, err);
    if (code == 0)
        code = list->check_meta(meta, err);
    if (code == 0)
        code = check_state(meta, err);
    if (code == 0)
        code = members_optional_string(meta, "description", &description, err);
    return code ? code : note_name(name, names, err);
}

static int check_property(const struct overlay_list *list, struct json_object *property,
                          GHashTable *names, struct error *err)
{
    if (!json_object_is_type(property, json_type_object))
        return error_set(err, ERR_INVALID, "must be an object");
    const char *owner, *kind, *name;
    int code = members_string(property, "owner", &owner, err);
    if (code == 0)
        code = members_string(property, "owner_kind", &kind, err);
    if (code == 0)
        code = members_string(property, "property", &name, err);
    if (code)
        return code;
    if (strcmp(kind, "label") != 0 && strcmp(kind, "edgetype") != 0)
        return error_set(err, ERR_INVALID, "owner_kind must be \"label\" or \"edgetype\"");
    if (!members_has(property, "data_type") || !members_has(property, "nullable"))
        return error_set(err, ERR_INVALID, "\"data_type\" and \"nullable\" are required");
    if (!json_object_is_type(members_find(property, "nullable"), json_type_boolean))
        return error_set(err, ERR_INVALID, "nullable must be true or false");
    if (!g_hash_table_add(names, g_strdup_printf("%s %zu %s %s", kind, strlen(owner), owner, name)))
        return error_set(err, ERR_INVALID, "property %s of %s is added twice", name, owner);
    return overlay_check_data_type(members_find(property, "data_type"), err);
}

/* The name of an edge type that is not declared. */
static int check_schemaless_type(const struct overlay_list *list, struct json_object *value,
                                 GHashTable *names, struct error *err)
{
    const char *name = json_value_text(value);
    if (!name)
        return error_set(err, ERR_INVALID, "must be a name");
    int code = check_name(name, err);
    return code ? code : note_name(name, names, err);
}

/* ---- The document ---- */

#define SCHEMALESS_TYPES "added_schemaless_edge_types"

static const struct overlay_list lists[] = {
    {"added_labels", check_pair, check_label},
    {"added_edge_types", check_pair, check_edge_type},
    {"added_properties", check_property, NULL},
    {SCHEMALESS_TYPES, check_schemaless_type, NULL},
};

static int check_elements(struct json_object *array, const struct overlay_list *list,
                          struct error *err)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (size_t i = 0; i < json_object_array_length(array); i++)
        if (list->check(list, json_object_array_get_idx(array, i), names, err))
            return error_prefix(err, ERR_INVALID, "%s[%zu]", list->name, i);
    return 0;
}

int overlay_document_check(const struct bytes *text, struct bytes **ret, struct error *err)
{
    auto_json struct json_object *object = NULL;
    int code = 0;
    if (members_of_document(text, &object, err))
        return error_prefix(err, ERR_INVALID, "not a valid overlay");
    for (size_t i = 0; code == 0 && i < G_N_ELEMENTS(lists); i++) {
        struct json_object *array;
        if (!members_has(object, lists[i].name))
            continue;
        if (members_array(object, lists[i].name, &array, NULL))
            return error_set(err, ERR_INVALID, "%s must be an array", lists[i].name);
        code = check_elements(array, &lists[i], err);
    }
    if (code == 0)
        *ret = json_pretty((struct json_span){text->data, text->size});
    return code;
}

int overlay_document_normalise(const struct bytes *body, struct bytes **ret, struct error *err)
{
    const struct json_span document = {body->data, body->size};
    int code = json_check(body->data, body->size, err);
    if (code == 0 && json_span_kind(document) != JSON_OBJECT)
        code = error_set(err, ERR_CORRUPT, "not a JSON object");
    if (code == 0)
        *ret = json_pretty(document);
    return code;
}

int overlay_document_check_lists(const struct bytes *body, struct error *err)
{
    auto_json struct json_object *overlay = NULL;
    struct json_object *array;
    int code = members_of_document(body, &overlay, err);
    if (code)
        return code;
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        if (members_has(overlay, lists[i].name) &&
            members_array(overlay, lists[i].name, &array, NULL))
            return error_set(err, ERR_CORRUPT, "'%s' is no list", lists[i].name);
    return 0;
}

static bool is_empty(struct json_object *value)
{
    return !value ||
           (json_object_is_type(value, json_type_array) && json_object_array_length(value) == 0) ||
           (json_object_is_type(value, json_type_object) && json_object_object_length(value) == 0);
}

bool overlay_document_is_written(const struct bytes *body)
{
    auto_json struct json_object *overlay = NULL;
    if (members_of_document(body, &overlay, NULL))
        return true;
    json_object_object_foreach(overlay, name, value)
    {
        if (strcmp(name, SCHEMALESS_TYPES) != 0 && !is_empty(value))
            return true;
    }
    return false;
}

void overlay_document_add_names(GPtrArray *names, const GPtrArray *added)
{
    /* Of the names that are copies: the array only grows. */
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < names->len; i++)
        g_hash_table_add(known, names->pdata[i]);
    for (guint i = 0; i < added->len; i++) {
        if (g_hash_table_contains(known, added->pdata[i]))
            continue;
        char *name = g_strdup(added->pdata[i]);
        g_ptr_array_add(names, name);
        g_hash_table_add(known, name);
    }
}

int overlay_document_add_schemaless_types(const struct bytes *body, GPtrArray *names,
                                          struct error *err)
{
    auto_json struct json_object *object = NULL;
    g_autoptr(GPtrArray) added = g_ptr_array_new();
    int code = body ? members_of_document(body, &object, err) : 0;
    if (code == 0 && object && members_has(object, SCHEMALESS_TYPES))
        code = members_strings(object, SCHEMALESS_TYPES, added, err);
    if (code == 0)
        overlay_document_add_names(names, added);
    return code;
}

#include "catalog/format/data_type.h"

#include <glib.h>

#include "base/json_members.h"

static const char *const simple[] = {"String",   "Int32",       "Int64", "Float32", "Float64",
                                     "Bool",     "Timestamp",   "Date",  "Time",    "DateTime",
                                     "Duration", "CypherValue", "Bytes", "Btic",    NULL};
static const char *const points[] = {"Geographic", "Cartesian2D", "Cartesian3D", NULL};
static const char *const crdts[] = {
    "GCounter", "GSet", "ORSet", "LWWRegister", "LWWMap", "Rga", "VectorClock", "VCRegister", NULL};

/* `value` as it stands in a document. */
static int refuse(struct json_object *value, struct error *err)
{
    return error_set(err, ERR_INVALID, "unknown data type %.80s",
                     json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int check_word(struct json_object *value, const char *const *words, struct error *err)
{
    const char *word = json_value_text(value);
    return word && g_strv_contains(words, word) ? 0 : refuse(value, err);
}

static int check_point(struct json_object *value, struct error *err)
{
    return check_word(value, points, err);
}

static int check_crdt(struct json_object *value, struct error *err)
{
    return check_word(value, crdts, err);
}

/* {"dimensions": n} */
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
    int code = data_type_check(json_object_array_get_idx(value, 0), err);
    return code ? code : data_type_check(json_object_array_get_idx(value, 1), err);
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
    {"List", data_type_check},
    {"Map", check_map},
};

int data_type_check(struct json_object *value, struct error *err)
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
    return refuse(tag, err);
}

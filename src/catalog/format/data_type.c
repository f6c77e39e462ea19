#include "catalog/format/data_type.h"

#include <string.h>

static const char *const simple[] = {"String",   "Int32",       "Int64", "Float32", "Float64",
                                     "Bool",     "Timestamp",   "Date",  "Time",    "DateTime",
                                     "Duration", "CypherValue", "Bytes", "Btic",    NULL};
static const char *const points[] = {"Geographic", "Cartesian2D", "Cartesian3D", NULL};
static const char *const crdts[] = {
    "GCounter", "GSet", "ORSet", "LWWRegister", "LWWMap", "Rga", "VectorClock", "VCRegister", NULL};

static int check_word(struct json_span value, const char *const *words, struct error *err)
{
    g_autofree char *word = NULL;
    if (json_span_string(value, &word))
        for (size_t i = 0; words[i]; i++)
            if (strcmp(word, words[i]) == 0)
                return 0;
    return error_set(err, ERR_INVALID, "unknown data type %.*s", (int)MIN(value.length, 80),
                     value.text);
}

static int check_point(struct json_span value, struct error *err)
{
    return check_word(value, points, err);
}

static int check_crdt(struct json_span value, struct error *err)
{
    return check_word(value, crdts, err);
}

/* {"dimensions": n} */
static int check_vector(struct json_span value, struct error *err)
{
    uint64_t dimensions = 0;
    bool found = false;
    if (json_span_kind(value) == JSON_OBJECT) {
        g_autoptr(GArray) members = json_members(value);
        for (guint i = 0; i < members->len; i++) {
            const struct json_member *member = &g_array_index(members, struct json_member, i);
            if (g_strcmp0(member->key, "dimensions") == 0)
                found = json_span_unsigned(member->value, UINT64_MAX, &dimensions);
        }
    }
    return found ? 0 : error_set(err, ERR_INVALID, "a vector type needs its \"dimensions\"");
}

static int check_map(struct json_span value, struct error *err)
{
    if (json_span_kind(value) == JSON_ARRAY) {
        g_autoptr(GArray) elements = json_elements(value);
        if (elements->len == 2) {
            int code = data_type_check(g_array_index(elements, struct json_span, 0), err);
            return code ? code : data_type_check(g_array_index(elements, struct json_span, 1), err);
        }
    }
    return error_set(err, ERR_INVALID, "a map type needs the types of key and value");
}

static const struct {
    const char *tag;
    int (*check)(struct json_span value, struct error *err);
} tagged[] = {
    {"Point", check_point},
    {"Vector", check_vector},
    {"SparseVector", check_vector},
    {"BinaryVector", check_vector},
    {"Crdt", check_crdt},
    {"List", data_type_check},
    {"Map", check_map},
};

static int check_tagged(const struct json_member *member, struct error *err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tagged); i++)
        if (g_strcmp0(member->key, tagged[i].tag) == 0)
            return tagged[i].check(member->value, err);
    return error_set(err, ERR_INVALID, "unknown data type %.*s",
                     (int)MIN(member->key_source.length, 80), member->key_source.text);
}

int data_type_check(struct json_span value, struct error *err)
{
    if (json_span_kind(value) != JSON_OBJECT)
        return check_word(value, simple, err);
    g_autoptr(GArray) members = json_members(value);
    if (members->len != 1)
        return error_set(err, ERR_INVALID, "a data type has exactly one tag");
    return check_tagged(&g_array_index(members, struct json_member, 0), err);
}

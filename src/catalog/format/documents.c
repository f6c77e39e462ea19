#include "catalog/format/documents.h"

#include <inttypes.h>
#include <string.h>

#include "base/json_members.h"
#include "base/json_text.h"
#include "catalog/format/layout.h"

/* ---- Schema ---- */

static gint compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct schema *schema_new(void)
{
    struct schema *schema = g_new0(struct schema, 1);
    schema->version = 1;
    schema->labels = g_ptr_array_new_with_free_func(g_free);
    schema->edge_types = g_ptr_array_new_with_free_func(g_free);
    schema->schemaless_types = g_ptr_array_new_with_free_func(g_free);
    return schema;
}

/* Adds the keys of the member `name`, an object, to `keys`. */
static int collect_keys(struct json_object *object, const char *name, GPtrArray *keys,
                        struct error *err)
{
    struct json_object *named;
    int code = members_object(object, name, &named, err);
    if (code)
        return code;
    struct json_object_iter entry;
    json_object_object_foreachC(named, entry)
    {
        if (strstr(entry.key, JSON_NUL_IN_NAME))
            return error_set(err, ERR_CORRUPT,
                             "member \"%s\" has a key that holds the character U+0000", name);
        g_ptr_array_add(keys, g_strdup(entry.key));
    }
    g_ptr_array_sort(keys, compare_texts);
    return 0;
}

/* Databases that are older than edge types without declaration have no such member. */
static int collect_schemaless_types(struct json_object *object, GPtrArray *names, struct error *err)
{
    static const char name[] = "schemaless_registry";
    struct json_object *registry;
    if (!members_has(object, name))
        return 0;
    int code = members_object(object, name, &registry, err);
    if (code)
        return code;
    code = collect_keys(registry, "name_to_id", names, err);
    return error_prefix(err, code, "%s", name);
}

static int fill_schema(struct schema *schema, const struct bytes *body, struct error *err)
{
    auto_json struct json_object *object = NULL;
    struct json_object *properties;
    uint64_t version;
    int code = members_of_document(body, &object, err);
    if (!code)
        code = members_unsigned(object, "schema_version", UINT32_MAX, &version, err);
    if (!code)
        code = collect_keys(object, "labels", schema->labels, err);
    if (!code)
        code = collect_keys(object, "edge_types", schema->edge_types, err);
    if (!code)
        code = collect_schemaless_types(object, schema->schemaless_types, err);
    if (!code)
        code = members_object(object, "properties", &properties, err);
    if (!code)
        schema->version = (uint32_t)version;
    schema->branches_all = object && members_has(object, "writer_features");
    return code;
}

int schema_parse(const struct bytes *body, struct schema **ret, struct error *err)
{
    struct schema *schema = schema_new();
    int code = body ? fill_schema(schema, body, err) : 0;
    if (code) {
        schema_free(schema);
        return error_prefix(err, code, "schema");
    }
    *ret = schema;
    return 0;
}

void schema_free(struct schema *schema)
{
    if (!schema)
        return;
    g_ptr_array_unref(schema->labels);
    g_ptr_array_unref(schema->edge_types);
    g_ptr_array_unref(schema->schemaless_types);
    g_free(schema);
}

static void remove_duplicates(GPtrArray *sorted)
{
    guint kept = 0;
    for (guint i = 0; i < sorted->len; i++) {
        char *name = g_steal_pointer(&sorted->pdata[i]);
        if (kept > 0 && strcmp(sorted->pdata[kept - 1], name) == 0)
            g_free(name);
        else
            sorted->pdata[kept++] = name;
    }
    g_ptr_array_set_size(sorted, (gint)kept);
}

static void add_tables_of_edges(const GPtrArray *types, GPtrArray *names)
{
    static const char *const edge_tables[] = {"deltas", "adjacency"};
    static const char *const directions[] = {"fwd", "bwd"};
    for (guint i = 0; i < types->len; i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(edge_tables) * G_N_ELEMENTS(directions); j++)
            g_ptr_array_add(names, g_strconcat(edge_tables[j / 2], "_", types->pdata[i], "_",
                                               directions[j % 2], NULL));
    }
}

GPtrArray *schema_undeclared_tables(const struct schema *schema)
{
    GPtrArray *tables = g_ptr_array_new_with_free_func(g_free);
    add_tables_of_edges(schema->schemaless_types, tables);
    return tables;
}

static void add_tables_of_undeclared(const struct schema *schema, GPtrArray *names)
{
    g_autoptr(GPtrArray) tables = schema_undeclared_tables(schema);
    for (guint i = 0; i < tables->len; i++)
        if (schema->branches_all || layout_check_branchable(tables->pdata[i], NULL) == 0)
            g_ptr_array_add(names, g_strdup(tables->pdata[i]));
}

GPtrArray *schema_candidates(const struct schema *schema)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(names, g_strdup("vertices"));
    g_ptr_array_add(names, g_strdup("edges"));
    for (guint i = 0; i < schema->labels->len; i++)
        g_ptr_array_add(names, g_strconcat("vertices_", schema->labels->pdata[i], NULL));
    add_tables_of_edges(schema->edge_types, names);
    add_tables_of_undeclared(schema, names);
    g_ptr_array_sort(names, compare_texts);
    remove_duplicates(names);
    return names;
}

/* ---- Allocator ---- */

int allocator_parse(const struct bytes *body, struct allocator *ret, struct error *err)
{
    struct allocator allocator = {0};
    auto_json struct json_object *object = NULL;
    int code = body ? members_of_document(body, &object, err) : 0;
    if (!code && object)
        code =
            members_unsigned(object, "next_vid_batch", UINT64_MAX, &allocator.next_vid_batch, err);
    if (!code && object)
        code =
            members_unsigned(object, "next_eid_batch", UINT64_MAX, &allocator.next_eid_batch, err);
    if (code)
        return error_prefix(err, code, "id allocator");
    *ret = allocator;
    return 0;
}

struct bytes *allocator_render(const struct allocator *allocator)
{
    g_autofree char *text = g_strdup_printf("{\n  \"next_vid_batch\": %" PRIu64
                                            ",\n  \"next_eid_batch\": %" PRIu64 "\n}",
                                            allocator->next_vid_batch, allocator->next_eid_batch);
    return bytes_new_text(text);
}

/* ---- Snapshot ---- */

/* What the manifest must have to be one, but nobody here uses. */
static int check_rest_of_snapshot(struct json_object *object, struct error *err)
{
    const char *name;
    struct timespec created_at;
    uint64_t schema_version;
    int code = members_optional_string(object, "name", &name, err);
    if (!code)
        code = members_time(object, "created_at", &created_at, err);
    if (!code)
        code = members_unsigned(object, "schema_version", UINT32_MAX, &schema_version, err);
    return code;
}

/* Notes those that have rows; one that does not say so counts as one without. */
static void note_rows(struct json_object *tables, GHashTable *names)
{
    json_object_object_foreach(tables, name, table)
    {
        uint64_t rows = 0;
        if (json_object_is_type(table, json_type_object) &&
            members_unsigned(table, "count", UINT64_MAX, &rows, NULL) == 0 && rows > 0)
            g_hash_table_add(names, g_strdup(name));
    }
}

static int read_tables(struct json_object *object, struct snapshot *snapshot, struct error *err)
{
    struct json_object *labels, *edge_types;
    int code = members_object(object, "vertices", &labels, err);
    if (!code)
        code = members_object(object, "edges", &edge_types, err);
    if (code)
        return code;
    snapshot->has_tables =
        json_object_object_length(labels) + json_object_object_length(edge_types) > 0;
    note_rows(labels, snapshot->labels);
    note_rows(edge_types, snapshot->edge_types);
    return 0;
}

static int fill_snapshot(struct snapshot *snapshot, const struct bytes *body, struct error *err)
{
    auto_json struct json_object *object = NULL;
    const char *id = NULL, *parent_id = NULL;
    int code = members_of_document(body, &object, err);
    if (!code)
        code = members_string(object, "snapshot_id", &id, err);
    if (!code)
        code = members_optional_string(object, "parent_snapshot", &parent_id, err);
    if (!code)
        code = members_unsigned(object, "version_high_water_mark", UINT64_MAX,
                                &snapshot->version_mark, err);
    if (!code)
        code =
            members_unsigned(object, "wal_high_water_mark", UINT64_MAX, &snapshot->wal_mark, err);
    if (!code)
        code = check_rest_of_snapshot(object, err);
    if (!code)
        code = read_tables(object, snapshot, err);
    snapshot->branches_all = object && members_has(object, "writer_features");
    if (!code && parent_id && !layout_dataset_name_is_safe(parent_id))
        code = error_set(err, ERR_CORRUPT, "member \"parent_snapshot\" cannot be a file name");
    snapshot->id = g_strdup(id);
    snapshot->parent_id = g_strdup(parent_id);
    return code;
}

int snapshot_parse(const struct bytes *body, struct snapshot **ret, struct error *err)
{
    struct snapshot *snapshot = g_new0(struct snapshot, 1);
    snapshot->labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    snapshot->edge_types = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    int code = fill_snapshot(snapshot, body, err);
    if (code) {
        snapshot_free(snapshot);
        return error_prefix(err, code, "snapshot manifest");
    }
    *ret = snapshot;
    return 0;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    g_free(snapshot->id);
    g_free(snapshot->parent_id);
    g_hash_table_unref(snapshot->labels);
    g_hash_table_unref(snapshot->edge_types);
    g_free(snapshot);
}

bool snapshot_has_rows_in(const struct snapshot *snapshot, const char *dataset)
{
    static const char of_label[] = "vertices_", of_deltas[] = "deltas_";
    if (strcmp(dataset, "vertices") == 0)
        return g_hash_table_size(snapshot->labels) > 0;
    if (strcmp(dataset, "edges") == 0)
        return g_hash_table_size(snapshot->edge_types) > 0;
    if (g_str_has_prefix(dataset, of_label))
        return g_hash_table_contains(snapshot->labels, dataset + strlen(of_label));
    const char *end = strrchr(dataset, '_');
    if (!g_str_has_prefix(dataset, of_deltas) || end < dataset + strlen(of_deltas))
        return false;
    g_autofree char *type =
        g_strndup(dataset + strlen(of_deltas), (size_t)(end - dataset) - strlen(of_deltas));
    return g_hash_table_contains(snapshot->edge_types, type);
}

/* Unicode's White_Space, what Rust's str::trim removes. */
static bool is_white_space(gunichar c)
{
    return (c >= 0x09 && c <= 0x0d) || c == 0x85 || g_unichar_isspace(c);
}

int snapshot_pointer_parse(const struct bytes *body, char **ret, struct error *err)
{
    *ret = NULL;
    if (!body)
        return 0;
    if (!g_utf8_validate(body->data, (gssize)body->size, NULL))
        return error_set(err, ERR_CORRUPT, "snapshot pointer: not valid UTF-8");

    const char *start = body->data;
    const char *end = body->data + body->size;
    while (start < end && is_white_space(g_utf8_get_char(start)))
        start = g_utf8_next_char(start);
    while (start < end && is_white_space(g_utf8_get_char(g_utf8_prev_char(end))))
        end = g_utf8_prev_char(end);
    if (start == end)
        return 0;

    g_autofree char *id = g_strndup(start, (size_t)(end - start));
    if (!layout_dataset_name_is_safe(id))
        return error_set(err, ERR_CORRUPT, "snapshot pointer: '%.100s' cannot be a file name", id);
    *ret = g_steal_pointer(&id);
    return 0;
}

/* ---- Rendering ---- */

struct bytes *overlay_of_new_fork(const GPtrArray *schemaless_types)
{
    auto_json struct json_object *overlay = json_object_new_object();
    json_object_object_add(overlay, "added_labels", json_object_new_array());
    json_object_object_add(overlay, "added_edge_types", json_object_new_array());
    json_object_object_add(overlay, "added_properties", json_object_new_array());
    struct json_object *names = schemaless_types->len > 0 ? json_object_new_array() : NULL;
    for (guint i = 0; i < schemaless_types->len; i++)
        json_object_array_add(names, json_object_new_string(schemaless_types->pdata[i]));
    if (names)
        json_object_object_add(overlay, "added_schemaless_edge_types", names);
    return json_value_render(overlay);
}

struct bytes *overlay_empty(void)
{
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    return overlay_of_new_fork(none);
}

struct bytes *documents_array(GPtrArray *documents)
{
    g_autoptr(GString) text = g_string_new("[");
    for (guint i = 0; i < documents->len; i++) {
        const struct bytes *document = documents->pdata[i];
        g_string_append(text, i > 0 ? ",\n" : "\n");
        json_append_indent(text, 1);
        json_append_pretty(text, (struct json_span){document->data, document->size}, 1);
    }
    g_string_append(text, documents->len > 0 ? "\n]" : "]");
    return bytes_new(text->str, text->len);
}

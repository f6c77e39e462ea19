#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "catalog/format/documents.h"

static void assert_bytes(struct bytes *actual, const char *expected)
{
    assert_int_equal(actual->size, strlen(expected));
    assert_string_equal(actual->data, expected);
    bytes_unref(actual);
}

static char *join(GPtrArray *texts)
{
    g_autoptr(GString) joined = g_string_new(NULL);
    for (guint i = 0; i < texts->len; i++)
        g_string_append_printf(joined, "%s%s", i > 0 ? " " : "", (char *)texts->pdata[i]);
    return g_string_free(g_steal_pointer(&joined), FALSE);
}

/* ---- Schema ---- */

static struct schema *schema_of(const char *text)
{
    auto_bytes struct bytes *body = text ? bytes_new_text(text) : NULL;
    struct schema *schema = NULL;
    struct error error = {0};
    assert_int_equal(schema_parse(body, &schema, &error), 0);
    return schema;
}

static void an_absent_schema_is_version_1_without_labels(void **state)
{
    struct schema *schema = schema_of(NULL);
    assert_int_equal(schema->version, 1);
    assert_int_equal(schema->labels->len, 0);
    assert_int_equal(schema->edge_types->len, 0);
    g_autoptr(GPtrArray) candidates = schema_candidates(schema);
    g_autofree char *joined = join(candidates);
    assert_string_equal(joined, "edges vertices");
    schema_free(schema);
}

static void labels_and_edge_types_are_sorted(void **state)
{
    struct schema *schema =
        schema_of("{\"schema_version\":4294967295,\"labels\":{\"b\":{},\"B\":1,\"\\u00e9\":null},"
                  "\"edge_types\":{\"Z\":{},\"A\":{}},\"properties\":{},\"indexes\":[]}");
    assert_int_equal(schema->version, UINT32_MAX);
    g_autofree char *labels = join(schema->labels);
    g_autofree char *edge_types = join(schema->edge_types);
    assert_string_equal(labels, "B b \xc3\xa9");
    assert_string_equal(edge_types, "A Z");
    schema_free(schema);
}

static void candidates_are_all_datasets_sorted(void **state)
{
    struct schema *schema =
        schema_of("{\"schema_version\":4,\"labels\":{\"Person\":{},\"City\":{}},"
                  "\"edge_types\":{\"KNOWS\":{}},\"properties\":{}}");
    g_autoptr(GPtrArray) candidates = schema_candidates(schema);
    g_autofree char *joined = join(candidates);
    assert_string_equal(joined, "adjacency_KNOWS_bwd adjacency_KNOWS_fwd deltas_KNOWS_bwd "
                                "deltas_KNOWS_fwd edges vertices vertices_City vertices_Person");
    schema_free(schema);
}

/* Uni 5 branches their datasets, too; otherwise a fork reads the live ones of main. */
static void datasets_of_undeclared_edge_types_are_candidates(void **state)
{
    struct schema *schema = schema_of(
        "{\"schema_version\":4,\"labels\":{},\"edge_types\":{\"KNOWS\":{}},\"properties\":{},"
        "\"schemaless_registry\":{\"name_to_id\":{\"LIKES\":2147483649,\"KNOWS\":2147483650},"
        "\"id_to_name\":{},\"next_local_id\":3}}");
    g_autofree char *types = join(schema->schemaless_types);
    assert_string_equal(types, "KNOWS LIKES");
    g_autoptr(GPtrArray) candidates = schema_candidates(schema);
    g_autofree char *joined = join(candidates);
    assert_string_equal(joined, "adjacency_KNOWS_bwd adjacency_KNOWS_fwd adjacency_LIKES_bwd "
                                "adjacency_LIKES_fwd deltas_KNOWS_bwd deltas_KNOWS_fwd "
                                "deltas_LIKES_bwd deltas_LIKES_fwd edges vertices");
    schema_free(schema);
}

static char *candidates_of(const char *text)
{
    struct schema *schema = schema_of(text);
    g_autoptr(GPtrArray) candidates = schema_candidates(schema);
    schema_free(schema);
    return join(candidates);
}

#define UNDECLARED "\"schemaless_registry\":{\"name_to_id\":{\"a:b\":2147483649}}"

/* Uni 4 forks such a database, without them; Uni 5 fails. */
static void
an_undeclared_edge_type_that_cannot_be_branched_is_a_candidate_of_uni_5_only(void **state)
{
    g_autofree char *older = candidates_of("{\"schema_version\":4,\"labels\":{},\"edge_types\":{},"
                                           "\"properties\":{}," UNDECLARED "}");
    assert_string_equal(older, "edges vertices");
    g_autofree char *newer =
        candidates_of("{\"schema_version\":4,\"labels\":{},\"edge_types\":{},\"properties\":{},"
                      "\"writer_features\":[]," UNDECLARED "}");
    assert_non_null(strstr(newer, "deltas_a:b_fwd"));
}

static void broken_schemas_are_corrupt_and_say_where(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"", "schema"},
        {"[]", "not an object"},
        {"{\"labels\":{},\"edge_types\":{},\"properties\":{}}", "schema_version"},
        {"{\"schema_version\":-1,\"labels\":{},\"edge_types\":{},\"properties\":{}}",
         "schema_version"},
        {"{\"schema_version\":4294967296,\"labels\":{},\"edge_types\":{},\"properties\":{}}",
         "schema_version"},
        {"{\"schema_version\":1,\"labels\":null,\"edge_types\":{},\"properties\":{}}", "labels"},
        {"{\"schema_version\":1,\"labels\":{},\"edge_types\":[],\"properties\":{}}", "edge_types"},
        {"{\"schema_version\":1,\"labels\":{},\"edge_types\":{}}", "properties"},
        {"{\"schema_version\":1,\"labels\":{},\"edge_types\":{},\"properties\":{},"
         "\"schemaless_registry\":null}",
         "schemaless_registry"},
        {"{\"schema_version\":1,\"labels\":{},\"edge_types\":{},\"properties\":{},"
         "\"schemaless_registry\":{}}",
         "schemaless_registry: member \"name_to_id\""},
        {"{\"schema_version\":1,\"labels\":{\"\\u0000\":{}},\"edge_types\":{},\"properties\":{}}",
         "labels"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        auto_bytes struct bytes *body = bytes_new_text(cases[i].text);
        struct schema *schema = NULL;
        struct error error = {0};
        assert_int_equal(schema_parse(body, &schema, &error), ERR_CORRUPT);
        assert_non_null(strstr(error.text, cases[i].reason));
        assert_int_equal(schema_parse(body, &schema, NULL), ERR_CORRUPT);
        assert_null(schema);
    }
}

/* ---- Allocator ---- */

static void an_absent_allocator_starts_at_zero(void **state)
{
    struct allocator allocator = {7, 7};
    assert_int_equal(allocator_parse(NULL, &allocator, NULL), 0);
    assert_true(allocator.next_vid_batch == 0 && allocator.next_eid_batch == 0);
}

static void allocators_survive_a_round_trip(void **state)
{
    const struct allocator written = {3000, UINT64_MAX};
    auto_bytes struct bytes *body = allocator_render(&written);
    assert_string_equal(body->data, "{\n  \"next_vid_batch\": 3000,\n"
                                    "  \"next_eid_batch\": 18446744073709551615\n}");
    struct allocator read = {0};
    assert_int_equal(allocator_parse(body, &read, NULL), 0);
    assert_true(read.next_vid_batch == 3000 && read.next_eid_batch == UINT64_MAX);
}

static void broken_allocators_are_corrupt(void **state)
{
    static const char *const bad[] = {
        "",
        "null",
        "{}",
        "{\"next_vid_batch\":1}",
        "{\"next_eid_batch\":1}",
        "{\"next_vid_batch\":1,\"next_eid_batch\":1.0}",
        "{\"next_vid_batch\":\"1\",\"next_eid_batch\":1}",
        "{\"next_vid_batch\":18446744073709551616,\"next_eid_batch\":1}",
        "{\"next_vid_batch\":1,\"next_eid_batch\":1}x",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        auto_bytes struct bytes *body = bytes_new_text(bad[i]);
        struct allocator allocator = {1, 2};
        struct error error = {0};
        assert_int_equal(allocator_parse(body, &allocator, &error), ERR_CORRUPT);
        assert_non_null(strstr(error.text, "id allocator"));
        assert_true(allocator.next_vid_batch == 1 && allocator.next_eid_batch == 2);
    }
}

/* ---- Snapshot ---- */

#define SNAPSHOT_REST                                                                              \
    ",\"name\":null,\"created_at\":\"2026-08-01T12:34:55.900112233Z\",\"schema_version\":4,"       \
    "\"vertices\":{\"Person\":{\"version\":3,\"count\":120,\"lance_version\":5}},\"edges\":{}}"

static void snapshots_give_id_parent_and_marks(void **state)
{
    auto_bytes struct bytes *body =
        bytes_new_text("{\"snapshot_id\":\"s\",\"parent_snapshot\":\"p\","
                       "\"version_high_water_mark\":42,\"wal_high_water_mark\":9" SNAPSHOT_REST);
    struct snapshot *snapshot = NULL;
    assert_int_equal(snapshot_parse(body, &snapshot, NULL), 0);
    assert_string_equal(snapshot->id, "s");
    assert_string_equal(snapshot->parent_id, "p");
    assert_int_equal(snapshot->version_mark, 42);
    snapshot_free(snapshot);
}

static void a_snapshot_tells_which_datasets_have_rows(void **state)
{
    auto_bytes struct bytes *body = bytes_new_text(
        "{\"snapshot_id\":\"s\",\"version_high_water_mark\":1,\"wal_high_water_mark\":0,"
        "\"created_at\":\"2026-08-01T12:34:55.900112233Z\",\"schema_version\":4,"
        "\"vertices\":{\"Person\":{\"count\":120},\"City\":{\"count\":0},\"Odd\":{}},"
        "\"edges\":{\"KNOWS_OF\":{\"count\":1}}}");
    static const char *const with[] = {"vertices", "vertices_Person", "edges",
                                       "deltas_KNOWS_OF_fwd", "deltas_KNOWS_OF_bwd"};
    static const char *const without[] = {
        "vertices_City",    "vertices_Odd", "vertices_",  "adjacency_KNOWS_OF_fwd",
        "deltas_KNOWS_fwd", "deltas_",      "deltas_fwd", "other"};
    struct snapshot *snapshot = NULL;
    assert_int_equal(snapshot_parse(body, &snapshot, NULL), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(with); i++)
        assert_true(snapshot_has_rows_in(snapshot, with[i]));
    for (size_t i = 0; i < G_N_ELEMENTS(without); i++)
        assert_false(snapshot_has_rows_in(snapshot, without[i]));
    snapshot_free(snapshot);
}

static void a_snapshot_may_have_no_parent(void **state)
{
    auto_bytes struct bytes *body =
        bytes_new_text("{\"snapshot_id\":\"s\",\"version_high_water_mark\":18446744073709551615,"
                       "\"wal_high_water_mark\":0" SNAPSHOT_REST);
    struct snapshot *snapshot = NULL;
    assert_int_equal(snapshot_parse(body, &snapshot, NULL), 0);
    assert_null(snapshot->parent_id);
    assert_true(snapshot->version_mark == UINT64_MAX);
    snapshot_free(snapshot);
}

static void broken_snapshots_are_corrupt_and_say_where(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"", "snapshot manifest"},
        {"{}", "snapshot_id"},
        {"{\"snapshot_id\":1" SNAPSHOT_REST, "snapshot_id"},
        {"{\"snapshot_id\":\"s\",\"parent_snapshot\":1" SNAPSHOT_REST, "parent_snapshot"},
        {"{\"snapshot_id\":\"s\"" SNAPSHOT_REST, "version_high_water_mark"},
        {"{\"snapshot_id\":\"s\",\"version_high_water_mark\":1" SNAPSHOT_REST,
         "wal_high_water_mark"},
        {"{\"snapshot_id\":\"s\",\"version_high_water_mark\":1,\"wal_high_water_mark\":1}",
         "created_at"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        auto_bytes struct bytes *body = bytes_new_text(cases[i].text);
        struct snapshot *snapshot = NULL;
        struct error error = {0};
        assert_int_equal(snapshot_parse(body, &snapshot, &error), ERR_CORRUPT);
        assert_non_null(strstr(error.text, cases[i].reason));
        assert_null(snapshot);
    }
}

static void assert_pointer(const char *text, size_t size, int code, const char *expected)
{
    auto_bytes struct bytes *body = bytes_new(text, size);
    g_autofree char *id = NULL;
    assert_int_equal(snapshot_pointer_parse(body, &id, NULL), code);
    if (expected)
        assert_string_equal(id, expected);
    else
        assert_null(id);
}

static void snapshot_pointers_are_trimmed(void **state)
{
    g_autofree char *id = NULL;
    assert_int_equal(snapshot_pointer_parse(NULL, &id, NULL), 0);
    assert_null(id);
    assert_pointer("", 0, 0, NULL);
    assert_pointer(" \r\n\t\v\xc2\x85\xe3\x80\x80", 10, 0, NULL);
    assert_pointer("abc-1", 5, 0, "abc-1");
    assert_pointer("\xe2\x80\x83 abc-1\n", 10, 0, "abc-1");
}

static void snapshot_pointers_that_name_no_file_are_corrupt(void **state)
{
    assert_pointer("../latest", 9, ERR_CORRUPT, NULL);
    assert_pointer("..", 2, ERR_CORRUPT, NULL);
    assert_pointer("a\0b", 3, ERR_CORRUPT, NULL);
    assert_pointer("a\nb", 3, ERR_CORRUPT, NULL);
    assert_pointer("\xff", 1, ERR_CORRUPT, NULL);
    g_autofree char *long_text = g_strnfill(1000, 'x');
    assert_pointer(long_text, 1000, ERR_CORRUPT, NULL);
}

/* ---- Rendering ---- */

static void the_empty_overlay_has_three_empty_lists(void **state)
{
    assert_bytes(overlay_empty(), "{\n  \"added_labels\": [],\n  \"added_edge_types\": [],\n"
                                  "  \"added_properties\": []\n}");
}

static void the_overlay_of_a_new_fork_names_the_schemaless_types(void **state)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    assert_bytes(overlay_of_new_fork(names),
                 "{\n  \"added_labels\": [],\n  \"added_edge_types\": [],\n"
                 "  \"added_properties\": []\n}");
    g_ptr_array_add(names, (char *)"LIKES");
    g_ptr_array_add(names, (char *)"SE\"ES");
    assert_bytes(overlay_of_new_fork(names),
                 "{\n  \"added_labels\": [],\n  \"added_edge_types\": [],\n"
                 "  \"added_properties\": [],\n  \"added_schemaless_edge_types\": [\n"
                 "    \"LIKES\",\n    \"SE\\\"ES\"\n  ]\n}");
}

static void documents_become_one_pretty_array(void **state)
{
    g_autoptr(GPtrArray) documents = g_ptr_array_new_with_free_func((GDestroyNotify)bytes_unref);
    assert_bytes(documents_array(documents), "[]");
    g_ptr_array_add(documents, bytes_new_text(" {\"a\":[1e400,{}]}\n"));
    g_ptr_array_add(documents, bytes_new_text("{}"));
    assert_bytes(documents_array(documents), "[\n"
                                             "  {\n"
                                             "    \"a\": [\n"
                                             "      1e400,\n"
                                             "      {}\n"
                                             "    ]\n"
                                             "  },\n"
                                             "  {}\n"
                                             "]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_schema_is_version_1_without_labels),
        cmocka_unit_test(labels_and_edge_types_are_sorted),
        cmocka_unit_test(candidates_are_all_datasets_sorted),
        cmocka_unit_test(datasets_of_undeclared_edge_types_are_candidates),
        cmocka_unit_test(
            an_undeclared_edge_type_that_cannot_be_branched_is_a_candidate_of_uni_5_only),
        cmocka_unit_test(broken_schemas_are_corrupt_and_say_where),
        cmocka_unit_test(an_absent_allocator_starts_at_zero),
        cmocka_unit_test(allocators_survive_a_round_trip),
        cmocka_unit_test(broken_allocators_are_corrupt),
        cmocka_unit_test(snapshots_give_id_parent_and_marks),
        cmocka_unit_test(a_snapshot_tells_which_datasets_have_rows),
        cmocka_unit_test(a_snapshot_may_have_no_parent),
        cmocka_unit_test(broken_snapshots_are_corrupt_and_say_where),
        cmocka_unit_test(snapshot_pointers_are_trimmed),
        cmocka_unit_test(snapshot_pointers_that_name_no_file_are_corrupt),
        cmocka_unit_test(the_empty_overlay_has_three_empty_lists),
        cmocka_unit_test(the_overlay_of_a_new_fork_names_the_schemaless_types),
        cmocka_unit_test(documents_become_one_pretty_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit/unit.h"

#include <string.h>

#include "catalog/fork_point/database_state.h"
#include "unit/catalog/database_fixture.h"

/* The state of a database on a memory store. */
struct fixture {
    struct store *store;
    struct layout *layout;
    struct store_set *set;
    struct database_state state;
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->store = memory_store_new(1);
    assert_int_equal(layout_new("", "storage/", "/db/storage", &fixture->layout, NULL), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_set_unref(fixture->set);
    layout_free(fixture->layout);
    store_free(fixture->store);
    g_free(fixture);
    return 0;
}

static void read_state(struct fixture *fixture, const struct ulid *parent)
{
    store_set_unref(fixture->set);
    fixture->set = store_set_new();
    database_state_request(&fixture->state, fixture->set, fixture->layout, parent);
    assert_int_equal(store_run(fixture->store, fixture->set, NULL, NULL), 0);
    assert_int_equal(store_set_failure(fixture->set, ERR_NOT_FOUND, NULL), 0);
}

static void assert_clean(struct fixture *fixture, const struct ulid *parent, int code)
{
    read_state(fixture, parent);
    assert_int_equal(database_state_check_clean(&fixture->state, NULL), code);
}

static int check_present(struct fixture *fixture, struct error *err)
{
    struct store_set *set = store_set_new();
    read_state(fixture, NULL);
    const struct store_request *snapshot =
        database_state_request_snapshot(&fixture->state, set, fixture->layout);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    int code = database_state_check_present(&fixture->state, snapshot, err);
    store_set_unref(set);
    return code;
}

static void assert_present(struct fixture *fixture, int code)
{
    struct error err = {0};
    assert_int_equal(check_present(fixture, &err), code);
    if (code)
        assert_non_null(strstr(err.text, "no Uni database"));
}

static void an_empty_directory_is_no_database(void **state)
{
    assert_present(*state, ERR_NOT_FOUND);
}

static void other_files_make_no_database(void **state)
{
    struct fixture *fixture = *state;
    fixture_put(fixture->store, "README", "x");
    fixture_put(fixture->store, "storage/README", "x");
    fixture_put(fixture->store, "storage/notes/x", "x");
    fixture_put(fixture->store, "storage/file.lance", "x");
    assert_present(fixture, ERR_NOT_FOUND);
}

static void a_schema_makes_one(void **state)
{
    static const char *const keys[] = {"catalog/schema.json", "schema.json"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        fixture_put(fixture->store, keys[i], "x");
        assert_present(fixture, 0);
        fixture_delete(fixture->store, keys[i]);
    }
}

static void datasets_without_a_schema_are_a_wrong_prefix(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    fixture_put(fixture->store, "storage/edges.lance/_versions/x", "x");
    fixture_put(fixture->store, "storage/catalog/latest", "snap-1");
    assert_int_equal(check_present(fixture, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "datasets below 'storage/', but no schema"));
    assert_non_null(strstr(err.text, "prefixes"));
    fixture_put(fixture->store, "schema.json", "{}");
    assert_int_equal(check_present(fixture, &err), 0);
}

static void ids_without_rows_anywhere_are_a_wrong_prefix(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    fixture_put(fixture->store, "catalog/schema.json", "{}");
    fixture_put(fixture->store, "id_allocator.json", "{}");
    assert_int_equal(check_present(fixture, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "id_allocator.json"));
    fixture_put(fixture->store, "wal/00000000000000000001_x.wal", "x"); /* not flushed yet */
    assert_int_equal(check_present(fixture, &err), 0);
}

static void a_snapshot_without_any_dataset_is_a_wrong_prefix(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    fixture_put(fixture->store, "catalog/schema.json", "{}");
    fixture_put(fixture->store, "storage/catalog/latest", "snap-1");
    assert_int_equal(check_present(fixture, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no dataset below 'storage/'"));
    fixture_put(fixture->store, "storage/edges.lance/_versions/x", "x");
    assert_present(fixture, 0);
}

static void put_snapshot(struct fixture *fixture, const char *vertices, const char *edges)
{
    g_autofree char *text = g_strdup_printf(
        "{\"snapshot_id\": \"snap-1\", \"created_at\": \"2026-08-01T12:00:00Z\", "
        "\"schema_version\": 1, \"version_high_water_mark\": 0, \"wal_high_water_mark\": 0, "
        "\"vertices\": {%s}, \"edges\": {%s}}",
        vertices, edges);
    fixture_put(fixture->store, "storage/catalog/latest", "snap-1");
    fixture_put(fixture->store, "storage/catalog/manifests/snap-1.json", text);
}

/* Uni writes no schema before there is something in it. */
static void a_snapshot_of_an_empty_graph_makes_one(void **state)
{
    struct fixture *fixture = *state;
    put_snapshot(fixture, "", "");
    assert_present(fixture, 0);
}

static void a_snapshot_of_a_graph_with_rows_wants_datasets(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    put_snapshot(fixture, "\"Person\": {}", "");
    assert_int_equal(check_present(fixture, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no dataset below 'storage/'"));
    put_snapshot(fixture, "", "\"KNOWS\": {}");
    assert_int_equal(check_present(fixture, &err), ERR_NOT_FOUND);
}

static void a_blank_pointer_is_no_snapshot(void **state)
{
    struct fixture *fixture = *state;
    fixture_put(fixture->store, "catalog/schema.json", "{}");
    fixture_put(fixture->store, "storage/catalog/latest", " \n");
    assert_present(fixture, 0);
}

static void an_interrupted_load_or_swap_is_unclean(void **state)
{
    struct fixture *fixture = *state;
    fixture_put(fixture->store, "storage/catalog/bulk_flush_intent.json", "{}");
    assert_clean(fixture, NULL, ERR_UNCLEAN);
    fixture_delete(fixture->store, "storage/catalog/bulk_flush_intent.json");
    fixture_put(fixture->store, "storage/edges_staging.lance/_versions/x", "x");
    assert_clean(fixture, NULL, ERR_UNCLEAN);
}

static void the_schema_in_its_place_comes_first(void **state)
{
    static const char text[] =
        "{\"schema_version\": %d, \"labels\": {}, \"edge_types\": {}, \"properties\": {}}";
    struct fixture *fixture = *state;
    const char *keys[] = {NULL, "schema.json", "catalog/schema.json"};
    for (int version = 1; version <= 3; version++) {
        struct schema *schema = NULL;
        g_autofree char *body = g_strdup_printf(text, version);
        if (keys[version - 1])
            fixture_put(fixture->store, keys[version - 1], body);
        read_state(fixture, NULL);
        assert_int_equal(database_state_schema(&fixture->state, &schema, NULL), 0);
        assert_int_equal(schema->version, version);
        schema_free(schema);
    }
}

static void a_damaged_schema_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct schema *schema = NULL;
    struct error err = {0};
    fixture_put(fixture->store, "schema.json", "{}");
    read_state(fixture, NULL);
    assert_int_equal(database_state_schema(&fixture->state, &schema, &err), ERR_CORRUPT);
    assert_true(g_str_has_prefix(err.text, "schema.json: "));
}

/* ---- Opening a catalog ---- */

static int open_code(struct fixture *fixture)
{
    const struct catalog_settings settings = {0};
    struct catalog *catalog = NULL;
    int code = catalog_open(fixture->store, fixture->layout, &settings, NULL, &catalog, NULL);
    assert_int_not_equal(code, 0); /* store and layout stay ours */
    assert_null(catalog);
    return code;
}

static void a_catalog_is_not_opened_where_there_is_no_database(void **state)
{
    assert_int_equal(open_code(*state), ERR_NOT_FOUND);
}

static void a_catalog_with_a_damaged_registry_is_not_opened(void **state)
{
    struct fixture *fixture = *state;
    fixture_put(fixture->store, "catalog/schema.json",
                "{\"schema_version\": 1, \"labels\": {}, \"edge_types\": {}, \"properties\": {}}");
    fixture_put(fixture->store, FIXTURE_REGISTRY, "");
    assert_int_equal(open_code(fixture), ERR_CORRUPT);
}

static void a_schema_that_is_not_unis_is_no_database(void **state)
{
    static const char *const texts[] = {"", "x", "{}", "{\"properties\": {}}"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        fixture_put(fixture->store, "schema.json", texts[i]);
        assert_int_equal(open_code(fixture), ERR_CORRUPT);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_directory_is_no_database),
        TEST(other_files_make_no_database),
        TEST(a_schema_makes_one),
        TEST(datasets_without_a_schema_are_a_wrong_prefix),
        TEST(ids_without_rows_anywhere_are_a_wrong_prefix),
        TEST(a_snapshot_without_any_dataset_is_a_wrong_prefix),
        TEST(a_snapshot_of_an_empty_graph_makes_one),
        TEST(a_snapshot_of_a_graph_with_rows_wants_datasets),
        TEST(a_blank_pointer_is_no_snapshot),
        TEST(an_interrupted_load_or_swap_is_unclean),
        TEST(the_schema_in_its_place_comes_first),
        TEST(a_damaged_schema_is_named),
        TEST(a_catalog_is_not_opened_where_there_is_no_database),
        TEST(a_catalog_with_a_damaged_registry_is_not_opened),
        TEST(a_schema_that_is_not_unis_is_no_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

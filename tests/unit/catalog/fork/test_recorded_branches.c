#include "unit/unit.h"

#include <string.h>

#include "catalog/fork/recorded_branches.h"
#include "catalog/registry/registry_load.h"
#include "unit/catalog/database_fixture.h"
#include "unit/stores/latency_store.h"

/* More forks than are asked for first. */
#define MANY 40
#define JOBS 64

struct fixture {
    struct store *store;
    struct store *latency;
    struct layout *layout;
    GPtrArray *branches; /* struct dataset_branch */
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->store = memory_store_new(JOBS);
    fixture->latency = latency_store_new(fixture->store, false, JOBS);
    fixture->branches = dataset_branches_new();
    assert_int_equal(layout_new("", "storage/", "/db/storage", &fixture->layout, NULL), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->latency);
    store_free(fixture->store);
    layout_free(fixture->layout);
    g_ptr_array_unref(fixture->branches);
    g_free(fixture);
    return 0;
}

static bool find(struct fixture *fixture)
{
    bool found = false;
    assert_int_equal(recorded_branches_find(fixture->latency, fixture->layout, fixture->branches,
                                            NULL, &found, NULL),
                     0);
    return found;
}

/* So many forks with branches in edges and vertices, of that status. */
static void put_registry(struct fixture *fixture, unsigned forks, const char *status)
{
    g_autoptr(GString) text = g_string_new("{\"forks\": {");
    for (unsigned i = 0; i < forks; i++)
        g_string_append_printf(
            text,
            "%s\"f%02u\": {\"id\": \"01KYYN40FVQ2D7R9S4TAX6B0%02u\", \"name\": \"f%02u\", "
            "\"parent_snapshot_id\": \"uninitialized\", \"created_at\": \"2026-08-01T12:00:00Z\", "
            "\"schema_version_at_creation\": 1, \"datasets\": {\"edges\": \"e%02u\", "
            "\"vertices\": \"v%02u\"}, \"status\": \"%s\"}",
            i ? ", " : "", i, i, i, i, i, status);
    g_string_append(text, "}}");
    fixture_put(fixture->store, FIXTURE_REGISTRY, text->str);
}

static bool are_here(struct fixture *fixture)
{
    bool here = false;
    struct registry *registry = NULL;
    assert_int_equal(registry_load(fixture->store, FIXTURE_REGISTRY, NULL, NULL, &registry, NULL),
                     0);
    assert_int_equal(
        recorded_branches_are_here(fixture->latency, fixture->layout, registry, NULL, &here, NULL),
        0);
    registry_unref(registry);
    return here;
}

static void a_ref_or_a_file_below_the_tree_is_a_branch(void **state)
{
    struct fixture *fixture = *state;
    g_ptr_array_add(fixture->branches, dataset_branch_new("edges", "e"));
    g_ptr_array_add(fixture->branches, dataset_branch_new("vertices", "v"));
    assert_false(find(fixture));
    fixture_put(fixture->store, "storage/edges.lance/tree/other/x", "x");
    fixture_put(fixture->store, "storage/edges.lance/_refs/branches/other.json", "x");
    assert_false(find(fixture));
    fixture_put(fixture->store, "storage/vertices.lance/tree/v/_versions/1.manifest", "x");
    assert_true(find(fixture));
    fixture_delete(fixture->store, "storage/vertices.lance/tree/v/_versions/1.manifest");
    fixture_put(fixture->store, "storage/edges.lance/_refs/branches/e.json", "x");
    assert_true(find(fixture));
}

static void a_registry_that_records_none_misses_none(void **state)
{
    put_registry(*state, 0, "active");
    assert_true(are_here(*state));
}

static void forks_that_somebody_has_begun_to_delete_miss_none(void **state)
{
    put_registry(*state, 2, "tombstoned");
    assert_true(are_here(*state));
    put_registry(*state, 2, "pending");
    assert_true(are_here(*state));
}

static void one_branch_of_many_forks_is_enough(void **state)
{
    struct fixture *fixture = *state;
    put_registry(fixture, MANY, "active");
    assert_false(are_here(fixture));
    fixture_put(fixture->store, "storage/vertices.lance/_refs/branches/v39.json", "x");
    assert_true(are_here(fixture));
    fixture_delete(fixture->store, "storage/vertices.lance/_refs/branches/v39.json");
    fixture_put(fixture->store, "storage/vertices.lance/tree/v20/x", "x");
    assert_true(are_here(fixture));
}

static void a_fork_that_is_there_is_found_in_one_small_wave(void **state)
{
    struct fixture *fixture = *state;
    put_registry(fixture, MANY, "active");
    fixture_put(fixture->store, "storage/edges.lance/_refs/branches/e03.json", "x");
    struct latency_cost before = latency_store_cost(fixture->latency);
    assert_true(are_here(fixture));
    struct latency_cost after = latency_store_cost(fixture->latency);
    struct latency_cost cost = latency_cost_since(&before, &after);
    assert_int_equal(cost.rounds, 1);
    assert_true(latency_cost_requests(&cost) <= 16);
}

static void a_dataset_that_is_not_listed_is_away(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    g_autoptr(GPtrArray) datasets = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(fixture->branches, dataset_branch_new("edges", "e"));
    g_ptr_array_add(datasets, g_strdup("vertices"));
    assert_int_equal(
        recorded_branches_check_datasets(fixture->layout, fixture->branches, datasets, &err),
        ERR_AWAY);
    assert_non_null(strstr(err.text, "storage/edges.lance"));
    assert_non_null(strstr(err.text, "branch e"));
    g_ptr_array_add(datasets, g_strdup("edges"));
    assert_int_equal(
        recorded_branches_check_datasets(fixture->layout, fixture->branches, datasets, &err), 0);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_ref_or_a_file_below_the_tree_is_a_branch),
        WITH(a_registry_that_records_none_misses_none),
        WITH(forks_that_somebody_has_begun_to_delete_miss_none),
        WITH(one_branch_of_many_forks_is_enough),
        WITH(a_fork_that_is_there_is_found_in_one_small_wave),
        WITH(a_dataset_that_is_not_listed_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

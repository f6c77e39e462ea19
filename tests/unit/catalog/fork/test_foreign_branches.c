#include "unit/unit.h"

#include <string.h>

#include "catalog/fork/foreign_branches.h"
#include "catalog/registry/fork_entry.h"
#include "unit/catalog/database_fixture.h"

#define HERE "01KYYN40FVQ2D7R9S4TAX6B001"
#define THERE "01KYYN40FVQ2D7R9S4TAX6B002"
#define NOWHERE "01KYYN40FVQ2D7R9S4TAX6B003"

struct fixture {
    struct store *store;
    struct layout *layout;
};

static void put_ref(struct fixture *fixture, const char *prefix, const char *id)
{
    g_autofree char *key =
        g_strdup_printf("%svertices.lance/_refs/branches/fork_%s_vertices.json", prefix, id);
    fixture_put(fixture->store, key, "{}");
}

/* A bucket with the databases graph/ and other/, of which the first is looked at. */
static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->store = memory_store_new(1);
    assert_int_equal(
        layout_new_apart("", "storage/", "graph/", "s3://bucket/graph", &fixture->layout, NULL), 0);
    put_ref(fixture, "graph/", HERE);
    put_ref(fixture, "other/", THERE);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    layout_free(fixture->layout);
    g_free(fixture);
    return 0;
}

static int check(struct fixture *fixture, const char *id, struct error *err)
{
    g_autofree char *branch = g_strdup_printf("fork_%s_vertices", id);
    g_autoptr(GPtrArray) branches = dataset_branches_new();
    g_ptr_array_add(branches, dataset_branch_new("vertices", branch));
    return foreign_branches_check(fixture->store, fixture->layout, branches, NULL, err);
}

static void an_entry_whose_branches_are_below_another_prefix_is_that_databases(void **state)
{
    struct error err;
    assert_int_equal(check(*state, THERE, &err), ERR_AWAY);
    assert_non_null(strstr(err.text, "'other/'"));
}

static void an_entry_with_branches_here_or_nowhere_is_this_databases(void **state)
{
    assert_int_equal(check(*state, HERE, NULL), 0);
    assert_int_equal(check(*state, NOWHERE, NULL), 0);
}

/* The prefix of each id, of those that are elsewhere. */
static GHashTable *of_ids(struct fixture *fixture)
{
    GHashTable *elsewhere = NULL;
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_add(ids, (void *)HERE);
    g_hash_table_add(ids, (void *)THERE);
    g_hash_table_add(ids, (void *)NOWHERE);
    assert_int_equal(
        foreign_branches_of_ids(fixture->store, fixture->layout, ids, NULL, &elsewhere, NULL), 0);
    return elsewhere;
}

static void ids_with_branches_below_another_prefix_are_told_with_it(void **state)
{
    g_autoptr(GHashTable) elsewhere = of_ids(*state);
    assert_int_equal(g_hash_table_size(elsewhere), 1);
    assert_string_equal(g_hash_table_lookup(elsewhere, THERE), "other/");
}

static void a_directory_has_one_database(void **state)
{
    struct fixture *fixture = *state;
    layout_free(fixture->layout);
    assert_int_equal(layout_new("", "graph/", "/db/graph", &fixture->layout, NULL), 0);
    g_autoptr(GHashTable) elsewhere = of_ids(fixture);
    assert_int_equal(g_hash_table_size(elsewhere), 0);
    assert_int_equal(check(fixture, THERE, NULL), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_entry_whose_branches_are_below_another_prefix_is_that_databases),
        TEST(an_entry_with_branches_here_or_nowhere_is_this_databases),
        TEST(ids_with_branches_below_another_prefix_are_told_with_it),
        TEST(a_directory_has_one_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <string.h>

#include "fs/tree.h"
#include "fs_fixture.h"
#include "unit.h"

static const struct fixture_fork forks[] = {
    {"zebra", ID_A, "active"},
    {"a/b", ID_B, "pending"},
    {"bad\\u0007", ID_C, "active"},
};

static int set_up(void **state)
{
    *state = fixture_registry(forks, G_N_ELEMENTS(forks));
    return 0;
}

static int tear_down(void **state)
{
    registry_unref(*state);
    return 0;
}

/* All names of a directory, separated by blanks. */
static char *names_in(const struct registry *registry, enum node_kind directory,
                      struct fork_entry *entry)
{
    g_autoptr(GString) names = g_string_new(NULL);
    struct tree_child child;
    size_t position = 0;
    while ((position = tree_next(registry, directory, entry, position, &child)))
        g_string_append_printf(names, "%s ", child.name);
    return g_string_free(g_steal_pointer(&names), FALSE);
}

static void directories_list_what_is_in_them(void **state)
{
    struct fork_entry *entry = registry_find(*state, "zebra");
    g_autofree char *top = names_in(*state, NODE_ROOT, NULL);
    g_autofree char *all = names_in(*state, NODE_FORKS, NULL);
    g_autofree char *ids = names_in(*state, NODE_BY_ID, NULL);
    g_autofree char *files = names_in(*state, NODE_FORK, entry);
    assert_string_equal(top, "forks by-id registry.json tombstones errors ");
    assert_string_equal(all, "a%2Fb %" ID_C " zebra ");
    assert_string_equal(ids, ID_A " " ID_B " " ID_C " ");
    assert_string_equal(files, "status datasets schema.json info.json holders ");
}

static void an_empty_registry_has_empty_listings(void **state)
{
    auto_registry struct registry *empty = fixture_registry(NULL, 0);
    g_autofree char *all = names_in(empty, NODE_FORKS, NULL);
    g_autofree char *ids = names_in(empty, NODE_BY_ID, NULL);
    assert_string_equal(all, "");
    assert_string_equal(ids, "");
}

static void everything_listed_is_found(void **state)
{
    const enum node_kind directories[] = {NODE_ROOT, NODE_FORKS, NODE_BY_ID, NODE_FORK};
    struct fork_entry *entry = registry_find(*state, "zebra");
    for (size_t i = 0; i < G_N_ELEMENTS(directories); i++) {
        struct tree_child listed;
        struct tree_child found;
        size_t position = 0;
        while ((position = tree_next(*state, directories[i], entry, position, &listed))) {
            assert_true(tree_find(*state, directories[i], entry, listed.name, &found));
            assert_int_equal(found.kind, listed.kind);
            assert_ptr_equal(found.entry, listed.entry);
            assert_string_equal(found.name, listed.name);
        }
    }
}

static void nothing_else_is_found(void **state)
{
    struct tree_child child;
    assert_false(tree_find(*state, NODE_ROOT, NULL, "status", &child));
    assert_false(tree_find(*state, NODE_ROOT, NULL, "zebra", &child));
    assert_false(tree_find(*state, NODE_ROOT, NULL, "", &child));
    assert_false(tree_find(*state, NODE_FORKS, NULL, "errors", &child));
    assert_false(tree_find(*state, NODE_FORKS, NULL, ID_A, &child));
    assert_false(tree_find(*state, NODE_BY_ID, NULL, "zebra", &child));
    assert_false(tree_find(*state, NODE_BY_ID, NULL, "01kyyn40fvq2d7r9s4tax6bce3", &child));
    assert_false(tree_find(*state, NODE_FORK, registry_find(*state, "zebra"), "forks", &child));
}

static void a_node_stands_for_one_fork_only(void **state)
{
    struct node_table *table = node_table_new();
    struct ulid id = fixture_id(ID_A);
    auto_node struct node *root = node_table_get(table, NODE_TABLE_ROOT);
    auto_node struct node *top = node_table_enter(table, root, NODE_FORKS, "forks", NULL);
    auto_node struct node *fork = node_table_enter(table, top, NODE_FORK, "zebra", &id);
    auto_node struct node *file = node_table_enter(table, fork, NODE_STATUS, "status", &id);
    auto_node struct node *by_id = node_table_enter(table, root, NODE_BY_ID, "by-id", NULL);
    auto_node struct node *link = node_table_enter(table, by_id, NODE_ID_LINK, ID_A, &id);
    const struct fixture_fork anew[] = {{"zebra", ID_B, "active"}};
    auto_registry struct registry *later = fixture_registry(anew, 1);

    const struct node *of_fork[] = {fork, file, link};
    for (size_t i = 0; i < G_N_ELEMENTS(of_fork); i++) {
        assert_ptr_equal(tree_entry(*state, of_fork[i]), registry_find(*state, "zebra"));
        assert_null(tree_entry(later, of_fork[i]));
    }
    assert_null(tree_entry(*state, root));
    assert_null(tree_entry(*state, top));
    node_table_free(table);
}

static void links_point_to_the_entry_of_the_fork(void **state)
{
    g_autofree char *target = tree_link_target(NODE_ID_LINK, registry_find(*state, "a/b"));
    assert_string_equal(target, "../forks/a%2Fb");
}

static void one_id_with_two_names_is_listed_once(void **state)
{
    const struct fixture_fork hostile[] = {{"a\\u0007", ID_A, "active"},
                                           {"b\\u0007", ID_A, "active"}};
    auto_registry struct registry *registry = fixture_registry(hostile, 2);
    g_autofree char *all = names_in(registry, NODE_FORKS, NULL);
    g_autofree char *ids = names_in(registry, NODE_BY_ID, NULL);
    assert_string_equal(all, "%" ID_A " ");
    assert_string_equal(ids, ID_A " ");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(directories_list_what_is_in_them),     TEST(an_empty_registry_has_empty_listings),
        TEST(everything_listed_is_found),           TEST(nothing_else_is_found),
        TEST(a_node_stands_for_one_fork_only),      TEST(links_point_to_the_entry_of_the_fork),
        TEST(one_id_with_two_names_is_listed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

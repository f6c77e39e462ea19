#include <stdio.h>

#include "fs/tree/tree.h"
#include "unit/fs/fs_fixture.h"
#include "unit/unit.h"

static const struct fixture_fork forks[] = {
    {"zebra", ID_A, "active", NULL},
    {"a/b", ID_B, "pending", NULL},
    {"bad\\u0007", ID_C, "active", NULL},
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

/* The place of a directory of that kind that belongs to `entry`, directly in the root. */
static struct tree_place place_of(struct node *node, const struct registry *registry,
                                  enum node_kind directory, struct fork_entry *entry)
{
    static struct node root = {.id = NODE_TABLE_ROOT, .kind = NODE_ROOT, .name = (char *)""};
    *node = (struct node){.kind = directory, .parent = &root, .name = (char *)"x"};
    return (struct tree_place){.registry = registry, .node = node, .entry = entry};
}

static bool find(const struct registry *registry, enum node_kind directory,
                 struct fork_entry *entry, const char *name, struct tree_child *ret)
{
    struct node node;
    const struct tree_place place = place_of(&node, registry, directory, entry);
    return tree_find(&place, name, ret);
}

static char *names_at(const struct tree_place *place)
{
    g_autoptr(GString) names = g_string_new(NULL);
    struct tree_child child;
    size_t position = 0;
    while ((position = tree_next(place, position, &child)))
        g_string_append_printf(names, "%s ", child.name);
    return g_string_free(g_steal_pointer(&names), FALSE);
}

/* All names of a directory, separated by blanks. */
static char *names_in(const struct registry *registry, enum node_kind directory,
                      struct fork_entry *entry)
{
    struct node node;
    const struct tree_place place = place_of(&node, registry, directory, entry);
    return names_at(&place);
}

static void directories_list_what_is_in_them(void **state)
{
    struct fork_entry *entry = registry_find(*state, "zebra");
    g_autofree char *top = names_in(*state, NODE_ROOT, NULL);
    g_autofree char *all = names_in(*state, NODE_FORKS, NULL);
    g_autofree char *ids = names_in(*state, NODE_BY_ID, NULL);
    g_autofree char *files = names_in(*state, NODE_FORK, entry);
    assert_string_equal(top, "forks by-id registry.json tombstones errors batch events stats ");
    assert_string_equal(all, "a%2Fb %" ID_C " zebra ");
    assert_string_equal(ids, ID_A " " ID_B " " ID_C " ");
    assert_string_equal(files, "status datasets schema.json info.json holders children ttl tags ");
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
        struct node node;
        struct tree_child listed;
        struct tree_child found;
        size_t position = 0;
        const struct tree_place place = place_of(&node, *state, directories[i], entry);
        while ((position = tree_next(&place, position, &listed))) {
            assert_true(tree_find(&place, listed.name, &found));
            assert_int_equal(found.kind, listed.kind);
            assert_ptr_equal(found.entry, listed.entry);
            assert_string_equal(found.name, listed.name);
        }
    }
}

static void nothing_else_is_found(void **state)
{
    struct tree_child child;
    assert_false(find(*state, NODE_ROOT, NULL, "status", &child));
    assert_false(find(*state, NODE_ROOT, NULL, "zebra", &child));
    assert_false(find(*state, NODE_ROOT, NULL, "", &child));
    assert_false(find(*state, NODE_FORKS, NULL, "errors", &child));
    assert_false(find(*state, NODE_FORKS, NULL, ID_A, &child));
    assert_false(find(*state, NODE_BY_ID, NULL, "zebra", &child));
    assert_false(find(*state, NODE_BY_ID, NULL, "01kyyn40fvq2d7r9s4tax6bce3", &child));
    assert_false(find(*state, NODE_FORK, registry_find(*state, "zebra"), "forks", &child));
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
    const struct fixture_fork anew[] = {{"zebra", ID_B, "active", NULL}};
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
    const struct tree_child link = {.kind = NODE_ID_LINK, .entry = registry_find(*state, "a/b")};
    g_autofree char *target = tree_link_target(*state, &link);
    assert_string_equal(target, "../forks/a%2Fb");
}

static void one_id_with_two_names_is_listed_once(void **state)
{
    const struct fixture_fork hostile[] = {{"a\\u0007", ID_A, "active", NULL},
                                           {"b\\u0007", ID_A, "active", NULL}};
    auto_registry struct registry *registry = fixture_registry(hostile, 2);
    g_autofree char *all = names_in(registry, NODE_FORKS, NULL);
    g_autofree char *ids = names_in(registry, NODE_BY_ID, NULL);
    assert_string_equal(all, "%" ID_A " ");
    assert_string_equal(ids, ID_A " ");
}

/* ---- Nested forks ---- */

static const struct fixture_fork family[] = {
    {"top", ID_A, "active", NULL},
    {"mid/dle", ID_B, "active", ID_A},
    {"low", ID_C, "active", ID_B},
    {"lost", ID_D, "active", "01KYYN40FVQ2D7R9S4TAX6BCZZ"},
};

static void children_are_the_direct_ones(void **state)
{
    auto_registry struct registry *registry = fixture_registry(family, 4);
    const char *const keys[] = {"top", "mid/dle", "low", "lost"};
    const char *const expected[] = {"mid%2Fdle ", "low ", "", ""};
    for (size_t i = 0; i < 4; i++) {
        g_autofree char *names =
            names_in(registry, NODE_CHILDREN, registry_find(registry, keys[i]));
        assert_string_equal(names, expected[i]);
    }
    struct tree_child child;
    struct fork_entry *top = registry_find(registry, "top");
    assert_true(find(registry, NODE_CHILDREN, top, "mid%2Fdle", &child));
    assert_int_equal(child.kind, NODE_FORK);
    assert_false(find(registry, NODE_CHILDREN, top, "low", &child));
    assert_false(find(registry, NODE_CHILDREN, top, "top", &child));
}

static void only_forks_whose_parent_is_there_have_the_link(void **state)
{
    auto_registry struct registry *registry = fixture_registry(family, 4);
    struct tree_child child;
    assert_false(find(registry, NODE_FORK, registry_find(registry, "top"), "parent", &child));
    assert_false(find(registry, NODE_FORK, registry_find(registry, "lost"), "parent", &child));
    assert_true(find(registry, NODE_FORK, registry_find(registry, "low"), "parent", &child));
    assert_int_equal(child.kind, NODE_PARENT);
    assert_false(child.nested);
}

static void the_link_to_the_parent_is_right_at_each_path(void **state)
{
    auto_registry struct registry *registry = fixture_registry(family, 4);
    struct tree_child link = {.kind = NODE_PARENT, .entry = registry_find(registry, "low")};
    g_autofree char *in_forks = tree_link_target(registry, &link);
    link.nested = true;
    g_autofree char *in_children = tree_link_target(registry, &link);
    link.entry = registry_find(registry, "lost");
    assert_string_equal(in_forks, "../mid%2Fdle");
    assert_string_equal(in_children, "../..");
    assert_null(tree_link_target(registry, &link));
}

/* forks/top/children/mid%2Fdle and what is in it. */
struct path {
    struct node_table *table;
    struct node *nodes[5];
};

static struct node *enter(struct path *path, size_t index, enum node_kind kind, const char *name,
                          const char *id)
{
    struct ulid fork;
    if (id)
        fork = fixture_id(id);
    struct node *parent = path->nodes[index - 1];
    path->nodes[index] = node_table_enter(path->table, parent, kind, name, id ? &fork : NULL);
    return path->nodes[index];
}

static struct path enter_path(void)
{
    struct path path = {.table = node_table_new()};
    path.nodes[0] = node_table_get(path.table, NODE_TABLE_ROOT);
    enter(&path, 1, NODE_FORKS, "forks", NULL);
    enter(&path, 2, NODE_FORK, "top", ID_A);
    enter(&path, 3, NODE_CHILDREN, "children", ID_A);
    enter(&path, 4, NODE_FORK, "mid%2Fdle", ID_B);
    return path;
}

static void leave_path(struct path *path)
{
    for (size_t i = 0; i < G_N_ELEMENTS(path->nodes); i++)
        node_unref(path->nodes[i]);
    node_table_free(path->table);
}

static void a_path_through_children_is_checked_at_each_step(void **state)
{
    auto_registry struct registry *now = fixture_registry(family, 4);
    const struct fixture_fork other_parent[] = {
        family[0], {"mid/dle", ID_B, "active", ID_C}, family[2]};
    auto_registry struct registry *moved = fixture_registry(other_parent, 3);
    auto_registry struct registry *orphaned = fixture_registry(family + 1, 3);
    struct path path = enter_path();
    assert_ptr_equal(tree_entry(now, path.nodes[4]), registry_find(now, "mid/dle"));
    assert_ptr_equal(tree_entry(now, path.nodes[3]), registry_find(now, "top"));
    assert_null(tree_entry(moved, path.nodes[4]));
    assert_null(tree_entry(orphaned, path.nodes[4]));
    leave_path(&path);
}

static void entries_of_a_nested_directory_know_it(void **state)
{
    auto_registry struct registry *registry = fixture_registry(family, 4);
    struct path path = enter_path();
    struct tree_child child;
    const struct tree_place place = {registry, path.nodes[4], tree_entry(registry, path.nodes[4]),
                                     NULL};
    assert_true(tree_find(&place, "parent", &child));
    assert_true(child.nested);
    tree_self(&place, &child);
    assert_int_equal(child.kind, NODE_FORK);
    assert_string_equal(child.name, "mid%2Fdle");
    leave_path(&path);
}

static void forks_that_descend_from_each_other_have_no_children(void **state)
{
    const struct fixture_fork cycle[] = {{"a", ID_A, "active", ID_B},
                                         {"b", ID_B, "active", ID_A},
                                         {"c", ID_C, "active", ID_B},
                                         {"self", ID_D, "active", ID_D}};
    auto_registry struct registry *registry = fixture_registry(cycle, 4);
    for (size_t i = 0; i < 4; i++) {
        struct fork_entry *entry = registry_find(registry, cycle[i].key_source);
        g_autofree char *names = names_in(registry, NODE_CHILDREN, entry);
        assert_string_equal(names, "");
        assert_false(registry_allows_children(registry, entry));
    }
    struct tree_child child;
    assert_false(find(registry, NODE_CHILDREN, registry_find(registry, "b"), "c", &child));
    g_autofree char *all = names_in(registry, NODE_FORKS, NULL);
    assert_string_equal(all, "a b c self ");
}

static void children_end_at_the_greatest_depth(void **state)
{
    enum { FORKS = FORK_ANCESTORS_MAX + 2 };
    struct fixture_fork chain[FORKS];
    char ids[FORKS][27];
    char names[FORKS][8];
    for (int i = 0; i < FORKS; i++) {
        const unsigned number = (unsigned)i % 1000;
        snprintf(ids[i], sizeof ids[i], "01KYYN40FVQ2D7R9S4TAX6B%03u", number);
        snprintf(names[i], sizeof names[i], "f%03u", number);
        chain[i] = (struct fixture_fork){names[i], ids[i], "active", i > 0 ? ids[i - 1] : NULL};
    }
    auto_registry struct registry *registry = fixture_registry(chain, FORKS);
    for (int i = 0; i < FORKS; i++) {
        struct fork_entry *entry = registry_find(registry, names[i]);
        assert_int_equal(registry_allows_children(registry, entry), i <= FORK_ANCESTORS_MAX);
    }
}

/* ---- Tags ---- */

static void tags_are_listed_by_name(void **state)
{
    struct fork_tag tags[] = {{(char *)"one", NULL},
                              {(char *)"a/b", NULL},
                              {(char *)"..", NULL},
                              {(char *)"", NULL},
                              {(char *)"two", NULL}};
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    for (size_t i = 0; i < G_N_ELEMENTS(tags); i++)
        g_ptr_array_add(list, &tags[i]);
    struct node node;
    struct tree_child child;
    struct fork_entry *entry = registry_find(*state, "zebra");
    struct tree_place place = place_of(&node, *state, NODE_TAGS, entry);
    g_autofree char *unknown = names_at(&place);
    place.tags = list;
    g_autofree char *known = names_at(&place);
    assert_string_equal(unknown, "");
    assert_string_equal(known, "one two ");
    assert_true(tree_find(&place, "two", &child));
    assert_ptr_equal(child.tag, &tags[4]);
    assert_ptr_equal(child.entry, entry);
    assert_false(tree_find(&place, "a/b", &child));
    assert_false(tree_find(&place, "three", &child));
}

static void a_tag_holds_its_versions(void **state)
{
    struct fork_tag tag = {(char *)"one", NULL};
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    g_ptr_array_add(list, &tag);
    struct node node;
    struct tree_child child;
    struct tree_place place = place_of(&node, *state, NODE_TAG, registry_find(*state, "zebra"));
    place.tags = list;
    node.name = (char *)"one";
    g_autofree char *names = names_at(&place);
    assert_string_equal(names, "versions ");
    assert_true(tree_find(&place, "versions", &child));
    assert_ptr_equal(child.tag, &tag);
    tree_self(&place, &child);
    assert_ptr_equal(child.tag, &tag);
    node.name = (char *)"gone";
    tree_self(&place, &child);
    assert_null(child.tag);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(directories_list_what_is_in_them),
        TEST(an_empty_registry_has_empty_listings),
        TEST(everything_listed_is_found),
        TEST(nothing_else_is_found),
        TEST(a_node_stands_for_one_fork_only),
        TEST(links_point_to_the_entry_of_the_fork),
        TEST(one_id_with_two_names_is_listed_once),
        cmocka_unit_test(children_are_the_direct_ones),
        cmocka_unit_test(only_forks_whose_parent_is_there_have_the_link),
        cmocka_unit_test(the_link_to_the_parent_is_right_at_each_path),
        cmocka_unit_test(a_path_through_children_is_checked_at_each_step),
        cmocka_unit_test(entries_of_a_nested_directory_know_it),
        cmocka_unit_test(forks_that_descend_from_each_other_have_no_children),
        cmocka_unit_test(children_end_at_the_greatest_depth),
        TEST(tags_are_listed_by_name),
        TEST(a_tag_holds_its_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

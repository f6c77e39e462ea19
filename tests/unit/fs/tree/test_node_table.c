#include <pthread.h>

#include "fs/tree/node_table.h"
#include "unit/fs/fs_fixture.h"
#include "unit/unit.h"

static int set_up(void **state)
{
    *state = node_table_new();
    return 0;
}

static int tear_down(void **state)
{
    node_table_free(*state);
    return 0;
}

static struct node *enter(struct node_table *table, struct node *parent, const char *name,
                          const char *id_text)
{
    if (!id_text)
        return node_table_enter(table, parent, NODE_FORKS, name, NULL);
    struct ulid id = fixture_id(id_text);
    return node_table_enter(table, parent, NODE_FORK, name, &id);
}

static size_t count_of(struct node_table *table, const char *id_text)
{
    struct ulid id = fixture_id(id_text ? id_text : ID_A);
    g_autoptr(GPtrArray) nodes = node_table_of_fork(table, id_text ? &id : NULL);
    return nodes->len;
}

static void the_root_is_there_and_stays(void **state)
{
    auto_node struct node *root = node_table_get(*state, NODE_TABLE_ROOT);
    assert_int_equal(root->kind, NODE_ROOT);
    node_table_forget(*state, NODE_TABLE_ROOT, 5);
    auto_node struct node *again = node_table_get(*state, NODE_TABLE_ROOT);
    assert_ptr_equal(again, root);
    assert_null(node_table_get(*state, 0));
}

static void a_path_keeps_its_node(void **state)
{
    auto_node struct node *root = node_table_get(*state, NODE_TABLE_ROOT);
    auto_node struct node *forks = enter(*state, root, "forks", NULL);
    auto_node struct node *first = enter(*state, forks, "a", ID_A);
    auto_node struct node *second = enter(*state, forks, "a", ID_A);
    assert_ptr_equal(first, second);
    auto_node struct node *found = node_table_get(*state, first->id);
    assert_ptr_equal(found, first);
}

static void each_path_and_each_fork_has_a_node_of_its_own(void **state)
{
    auto_node struct node *root = node_table_get(*state, NODE_TABLE_ROOT);
    auto_node struct node *forks = enter(*state, root, "forks", NULL);
    auto_node struct node *fork = enter(*state, forks, "a", ID_A);
    auto_node struct node *elsewhere = enter(*state, root, "a", ID_A);
    auto_node struct node *anew = enter(*state, forks, "a", ID_B);
    assert_int_not_equal(fork->id, elsewhere->id);
    assert_int_not_equal(fork->id, anew->id);
    assert_int_equal(count_of(*state, ID_A), 2);
    assert_int_equal(count_of(*state, ID_B), 1);
    assert_int_equal(count_of(*state, NULL), 1);
}

static void forgotten_nodes_leave_and_their_number_is_not_used_again(void **state)
{
    auto_node struct node *root = node_table_get(*state, NODE_TABLE_ROOT);
    auto_node struct node *first = enter(*state, root, "a", ID_A);
    node_unref(enter(*state, root, "a", ID_A));
    uint64_t id = first->id;
    node_table_forget(*state, id, 1);
    auto_node struct node *still = node_table_get(*state, id);
    assert_ptr_equal(still, first);
    node_table_forget(*state, id, 1);
    assert_null(node_table_get(*state, id));
    auto_node struct node *anew = enter(*state, root, "a", ID_A);
    assert_true(anew->id > id);
}

static void a_node_in_use_survives_being_forgotten(void **state)
{
    auto_node struct node *root = node_table_get(*state, NODE_TABLE_ROOT);
    struct node *forks = enter(*state, root, "forks", NULL);
    auto_node struct node *fork = enter(*state, forks, "a", ID_A);
    node_table_forget(*state, fork->id, 1);
    node_table_forget(*state, forks->id, 1);
    node_unref(forks);
    g_autofree char *path = node_path(fork, "status");
    assert_string_equal(path, "forks/a/status");
}

static void forgetting_too_much_or_the_unknown_is_harmless(void **state)
{
    auto_node struct node *root = node_table_get(*state, NODE_TABLE_ROOT);
    auto_node struct node *fork = enter(*state, root, "a", ID_A);
    node_table_forget(*state, fork->id, 1000);
    node_table_forget(*state, fork->id, 1);
    node_table_forget(*state, 999, 1);
    assert_null(node_table_get(*state, fork->id));
}

static void the_nodes_of_a_fork_are_found(void **state)
{
    auto_node struct node *root = node_table_get(*state, NODE_TABLE_ROOT);
    auto_node struct node *forks = enter(*state, root, "forks", NULL);
    auto_node struct node *a = enter(*state, forks, "a", ID_A);
    auto_node struct node *b = enter(*state, forks, "b", ID_B);
    auto_node struct node *inside = enter(*state, a, "status", ID_A);
    auto_node struct node *link = enter(*state, root, "link", ID_A);
    assert_int_equal(count_of(*state, ID_A), 3);
    assert_int_equal(count_of(*state, ID_B), 1);
    assert_int_equal(count_of(*state, ID_C), 0);
    assert_int_equal(count_of(*state, NULL), 1);

    node_table_forget(*state, inside->id, 1);
    assert_int_equal(count_of(*state, ID_A), 2);
    node_table_forget(*state, a->id, 1);
    assert_int_equal(count_of(*state, ID_A), 1);
    node_table_forget(*state, link->id, 1);
    assert_int_equal(count_of(*state, ID_A), 0);
}

static void paths_are_relative_to_the_mount(void **state)
{
    auto_node struct node *root = node_table_get(*state, NODE_TABLE_ROOT);
    auto_node struct node *forks = enter(*state, root, "forks", NULL);
    g_autofree char *whole = node_path(root, NULL);
    g_autofree char *top = node_path(root, "x");
    g_autofree char *directory = node_path(forks, NULL);
    g_autofree char *inside = node_path(forks, "x");
    assert_string_equal(whole, "");
    assert_string_equal(top, "x");
    assert_string_equal(directory, "forks");
    assert_string_equal(inside, "forks/x");
}

static void *enter_and_forget(void *argument)
{
    struct node_table *table = argument;
    auto_node struct node *root = node_table_get(table, NODE_TABLE_ROOT);
    for (int i = 0; i < 2000; i++) {
        auto_node struct node *fork = enter(table, root, "a", i % 2 ? ID_A : ID_B);
        g_autoptr(GPtrArray) nodes = node_table_of_fork(table, &fork->fork_id);
        if (nodes->len == 0)
            return (void *)"a node is missing";
        node_table_forget(table, fork->id, 1);
    }
    return NULL;
}

static void threads_share_the_table(void **state)
{
    pthread_t threads[4];
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, enter_and_forget, *state), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
        void *failure;
        pthread_join(threads[i], &failure);
        assert_null(failure);
    }
    assert_int_equal(count_of(*state, ID_A) + count_of(*state, ID_B), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_root_is_there_and_stays),
        TEST(a_path_keeps_its_node),
        TEST(each_path_and_each_fork_has_a_node_of_its_own),
        TEST(forgotten_nodes_leave_and_their_number_is_not_used_again),
        TEST(a_node_in_use_survives_being_forgotten),
        TEST(forgetting_too_much_or_the_unknown_is_harmless),
        TEST(the_nodes_of_a_fork_are_found),
        TEST(paths_are_relative_to_the_mount),
        TEST(threads_share_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

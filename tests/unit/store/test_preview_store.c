/*
 * A preview shows the store below with the changes that were made to it, and changes nothing there.
 */
#include "unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "store/local/local_store.h"
#include "store/preview_store.h"
#include "unit/store/store_bench.h"

struct fixture {
    char *root;
    struct store *below, *preview;
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    struct store *inner;
    fixture->root = scratch_directory_new();
    assert_int_equal(local_store_open(fixture->root, 2, &fixture->below, NULL), 0);
    assert_int_equal(local_store_open(fixture->root, 2, &inner, NULL), 0);
    fixture->preview = preview_store_new(inner);
    put_text(fixture->below, "p/a/1", "one");
    put_text(fixture->below, "p/a/2", "two");
    put_text(fixture->below, "p/b/3", "three");
    put_text(fixture->below, "p/b/4#7", "temporary");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->preview);
    store_free(fixture->below);
    scratch_directory_free(fixture->root);
    g_free(fixture);
    return 0;
}

static void changes_are_shown_and_not_made(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture->preview, "p/a/1", "other");
    put_text(fixture->preview, "p/c/5", "five");
    delete_key(fixture->preview, "p/a/2");
    assert_text(get_text(fixture->preview, "p/a/1"), "other");
    assert_text(list_keys(fixture->preview, "p/", NULL, 0), "p/a/1 p/b/3 p/c/5");
    assert_text(list_keys(fixture->preview, "p/", "p/a/1", 1), "p/b/3 ...");
    assert_text(list_shallow(fixture->preview, "p/"), "p/a/ p/b/ p/c/");
    assert_text(get_text(fixture->below, "p/a/1"), "one");
    assert_text(list_keys(fixture->below, "p/", NULL, 0), "p/a/1 p/a/2 p/b/3");
}

static void preconditions_look_at_both(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *etag = etag_of(fixture->preview, "p/a/1");
    assert_int_equal(put_if(fixture->preview, "p/a/1", "x", STORE_IF_ABSENT, NULL),
                     ERR_PRECONDITION);
    assert_int_equal(put_if(fixture->preview, "p/a/1", "x", STORE_IF_MATCH, etag), 0);
    assert_int_equal(put_if(fixture->preview, "p/a/1", "x", STORE_IF_MATCH, etag),
                     ERR_PRECONDITION);
    delete_key(fixture->preview, "p/a/2");
    assert_int_equal(put_if(fixture->preview, "p/a/2", "x", STORE_IF_ABSENT, NULL), 0);
}

static void what_was_pruned_is_not_shown(void **state)
{
    struct fixture *fixture = *state;
    delete_key(fixture->preview, "p/b/3");
    assert_text(list_shallow(fixture->preview, "p/"), "p/a/ p/b/");
    prune_prefix(fixture->preview, "p/b/");
    prune_prefix(fixture->preview, "p/a/");
    assert_text(list_shallow(fixture->preview, "p/"), "p/a/");
    assert_text(list_shallow(fixture->below, "p/"), "p/a/ p/b/");
}

/* Deleted as what is a fork's own: a link goes, and with it what was seen through it. */
static void a_link_that_was_deleted_leads_nowhere(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *link = g_build_filename(fixture->root, "p", "b", "link", NULL);
    assert_int_equal(symlink("../a", link), 0);
    assert_text(list_keys(fixture->preview, "p/b/", NULL, 0), "p/b/3 p/b/link/1 p/b/link/2");
    struct store_set *set = store_set_new();
    store_request_keep_within(store_set_delete(set, "p/b/link"), 2);
    struct store_request *prune = store_set_prune(set, "p/b/");
    store_request_keep_within(prune, 2);
    assert_int_equal(store_run_all(fixture->preview, set, 0, NULL, NULL), 0);
    store_set_unref(set);
    assert_text(list_keys(fixture->preview, "p/b/", NULL, 0), "p/b/3");
    assert_text(list_keys(fixture->preview, "p/a/", NULL, 0), "p/a/1 p/a/2");
    assert_int_equal(access(link, F_OK), 0);
}

static void a_prune_tells_what_it_would_leave(void **state)
{
    struct fixture *fixture = *state;
    struct store_set *set = store_set_new();
    delete_key(fixture->preview, "p/a/1");
    struct store_request *prune = store_set_prune(set, "p/a/");
    store_request_keep_within(prune, 2);
    assert_int_equal(store_run_all(fixture->preview, set, 0, NULL, NULL), 0);
    assert_int_equal(prune->answer.objects->len, 1);
    const struct store_object *row = g_ptr_array_index(prune->answer.objects, 0);
    assert_string_equal(row->key, "p/a/2");
    store_set_unref(set);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(changes_are_shown_and_not_made),    TEST(preconditions_look_at_both),
        TEST(what_was_pruned_is_not_shown),      TEST(a_link_that_was_deleted_leads_nowhere),
        TEST(a_prune_tells_what_it_would_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

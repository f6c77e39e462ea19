#include "unit/unit.h"

#include <string.h>

#include "catalog/fork_point/known_things.h"

#define KEY "storage/edges.lance"

static int set_up(void **state)
{
    *state = known_things_new();
    return 0;
}

static int tear_down(void **state)
{
    known_things_free(*state);
    return 0;
}

static struct fork_entry *entry_with(const char *dataset)
{
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    g_ptr_array_add(datasets, dataset_branch_new(dataset, "b"));
    struct fork_description description = {
        .name = "a", .id = ulid_new(), .parent_snapshot_id = "uninitialized", .datasets = datasets};
    return fork_entry_new(&description);
}

static void what_was_never_seen_may_be_absent(void **state)
{
    assert_int_equal(known_things_check_object(*state, "catalog/latest", NULL), 0);
    assert_int_equal(known_things_check_dataset(*state, "edges", KEY, NULL), 0);
    assert_int_equal(known_things_check_version(*state, "edges", KEY, NULL), 0);
    assert_false(known_things_has_datasets(*state));
}

static void an_object_that_was_read_is_missed(void **state)
{
    struct error err;
    known_things_add_object(*state, "catalog/schema.json");
    known_things_add_object(*state, "catalog/schema.json");
    assert_int_equal(known_things_check_object(*state, "catalog/schema.json", &err), ERR_AWAY);
    assert_non_null(strstr(err.text, "catalog/schema.json was there and is not now"));
    assert_int_equal(known_things_check_object(*state, "schema.json", NULL), 0);
}

static void a_dataset_that_was_listed_is_missed_and_its_versions_are_not(void **state)
{
    struct error err;
    known_things_add_dataset(*state, "edges", false);
    assert_true(known_things_has_datasets(*state));
    assert_int_equal(known_things_check_dataset(*state, "edges", KEY, &err), ERR_AWAY);
    assert_non_null(strstr(err.text, KEY " was there and is not now"));
    assert_int_equal(known_things_check_version(*state, "edges", KEY, NULL), 0);
    assert_int_equal(known_things_check_dataset(*state, "vertices", KEY, NULL), 0);
}

static void versions_that_were_read_are_missed(void **state)
{
    struct error err;
    known_things_add_dataset(*state, "edges", true);
    known_things_add_dataset(*state, "edges", false);
    assert_int_equal(known_things_check_version(*state, "edges", KEY, &err), ERR_AWAY);
    assert_non_null(strstr(err.text, KEY "/_versions/"));
}

static void a_dataset_that_the_registry_names_is_missed(void **state)
{
    struct error err;
    struct fork_entry *entry = entry_with("edges");
    known_things_add_entry(*state, entry);
    fork_entry_unref(entry);
    assert_int_equal(known_things_check_dataset(*state, "edges", KEY, &err), ERR_AWAY);
    assert_non_null(strstr(err.text, "the registry records branches in it"));
    assert_int_equal(known_things_check_version(*state, "edges", KEY, NULL), 0);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(what_was_never_seen_may_be_absent),
        WITH(an_object_that_was_read_is_missed),
        WITH(a_dataset_that_was_listed_is_missed_and_its_versions_are_not),
        WITH(versions_that_were_read_are_missed),
        WITH(a_dataset_that_the_registry_names_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

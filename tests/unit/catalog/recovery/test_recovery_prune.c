/*
 * Directories of branches that a drop had emptied when it died, and whose entry Uni has removed
 * since.
 */
#include "unit/unit.h"

#include <string.h>

#include "lance/branch_name.h"
#include "unit/catalog/fork_fixture.h"

#define TREES FORK_DATASET "/tree/"

/* The drop dies after the deletes. */
static void die_in_drop(struct fork_fixture *fixture)
{
    fault_store_arm(fixture->faults, FAULT_KILL, 1u << STORE_PRUNE, 1, false, ERR_UNREACHABLE);
    assert_int_not_equal(drop(fixture), 0);
    assert_true(fault_store_fired(fixture->faults));
}

/* What Uni's recovery does then: the entry is all that it knows of. */
static void forget_entry(struct fork_fixture *fixture)
{
    fixture_delete(fixture->store, FIXTURE_REGISTRY);
    fork_fixture_reopen(fixture);
}

static bool has_directory(struct fork_fixture *fixture, const char *parent, const char *name)
{
    g_autofree char *key = g_strconcat(parent, name, "/", NULL);
    struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list_shallow(set, parent);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    bool found = false;
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing->answer.objects, i);
        found = found || strcmp(row->key, key) == 0;
    }
    store_set_unref(set);
    return found;
}

static void put_in_branch(struct fork_fixture *fixture, const char *name)
{
    g_autofree char *key = g_strconcat(TREES, fixture->branch, "/data/", name, NULL);
    fixture_put(fixture->store, key, "rows");
}

/* The objects of the branch go, its directories stay. */
static void empty_branch(struct fork_fixture *fixture)
{
    g_autofree char *ref = lance_branch_ref_key(FORK_DATASET, fixture->branch);
    g_autofree char *manifest = lance_manifest_key(FORK_DATASET, fixture->branch, 2);
    fixture_delete(fixture->store, ref);
    fixture_delete(fixture->store, manifest);
    assert_true(has_directory(fixture, TREES, fixture->branch));
}

static void temporary_files_of_refs_go(void **state)
{
    static const char *const names[] = {
        "branches/fork_x.json#18", "tags/fork_x.json#18",
        "branches/fork_x.json.tmp.0123456789abcdef0123456789abcdef", /* of Lance */
        "tags/fork_x.json.tmp.0123456789abcdef0123456789abcdef"};
    struct fork_fixture *fixture = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *key = g_strconcat(FORK_DATASET "/_refs/", names[i], NULL);
        fixture_put(fixture->store, key, "{");
        assert_true(fixture_exists(fixture->store, key));
        fixture_recover(fixture->catalog, NULL);
        assert_false(fixture_exists(fixture->store, key));
    }
}

static void emptied_branches_of_no_fork_go(void **state)
{
    struct fork_fixture *fixture = *state;
    unsigned problems;
    die_in_drop(fixture);
    put_in_branch(fixture, "x.lance#1"); /* of a writer that crashed */
    forget_entry(fixture);
    assert_true(has_directory(fixture, TREES, fixture->branch));
    fixture_recover(fixture->catalog, &problems);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
    assert_true(has_directory(fixture, FORK_DATASET "/", "tree"));
    fixture_assert_clean(fixture->store);
}

static void a_branch_of_no_fork_that_holds_files_is_left_as_it_is(void **state)
{
    struct fork_fixture *fixture = *state;
    die_in_drop(fixture);
    put_in_branch(fixture, "x.lance");
    put_in_branch(fixture, "x.lance#1");
    forget_entry(fixture);
    g_autofree char *kept = g_strconcat(TREES, fixture->branch, "/", NULL);
    fixture_recover(fixture->catalog, NULL);
    assert_true(has_directory(fixture, TREES, fixture->branch));
    assert_true(has_directory(fixture, kept, "data"));
    assert_true(has_directory(fixture, kept, "_versions"));
    g_autofree char *file = g_strconcat(kept, "data/x.lance", NULL);
    g_autofree char *temporary = g_strconcat(kept, "data/x.lance#1", NULL);
    assert_true(fixture_exists(fixture->store, file));
    assert_true(fixture_exists(fixture->store, temporary));
}

static void an_emptied_branch_of_a_fork_is_left(void **state)
{
    struct fork_fixture *fixture = *state;
    empty_branch(fixture);
    fork_fixture_reopen(fixture);
    fixture_recover(fixture->catalog, NULL);
    assert_true(has_directory(fixture, TREES, fixture->branch));
}

/* Another fork has the branch by its entry, whatever its name says. */
static void an_emptied_branch_that_an_entry_names_is_left(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    empty_branch(fixture);
    g_autofree char *id = g_strdup_printf("\"id\": \"%s\"", fixture->id.text);
    g_autofree char *name = g_strdup_printf("\"%s\"", fixture->branch);
    g_autofree char *theirs = layout_branch_name(&other, "vertices_Person");
    g_autofree char *quoted = g_strdup_printf("\"%s\"", theirs);
    struct ulid unknown = ulid_new();
    g_autofree char *changed = g_strdup_printf("\"id\": \"%s\"", unknown.text);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, id, changed);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, quoted, name);
    fork_fixture_reopen(fixture);
    fixture_recover(fixture->catalog, NULL);
    assert_true(has_directory(fixture, TREES, fixture->branch));
}

static void directories_that_are_not_named_after_forks_are_left(void **state)
{
    struct fork_fixture *fixture = *state;
    static const char *const names[] = {"team", "fork_team", "fork_01KYYN40FVQ2D7R9S4TAX6BCE3"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *key = g_strconcat(TREES, names[i], "/data/x", NULL);
        fixture_put(fixture->store, key, "rows");
        fixture_delete(fixture->store, key);
    }
    fixture_recover(fixture->catalog, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        assert_true(has_directory(fixture, TREES, names[i]));
}

/* ---- Cost ---- */

/* Listings of trees in a recovery that finds nothing. */
static unsigned listings(struct store *store, const char *uri)
{
    struct store *faults = fault_store_new(store, false);
    struct catalog_settings settings = {0};
    struct layout *layout = NULL;
    struct catalog *catalog = NULL;
    assert_int_equal(layout_new("", "storage/", uri, &layout, NULL), 0);
    assert_int_equal(catalog_open(faults, layout, &settings, NULL, &catalog, NULL), 0);
    fault_store_match(faults, "/tree/");
    fault_store_arm(faults, FAULT_NONE, 1u << STORE_LIST, 1, false, 0);
    assert_int_equal(fixture_recover(catalog, NULL), 0);
    unsigned count = fault_store_count(faults);
    catalog_free(catalog);
    return count;
}

static void a_directory_costs_a_listing_of_each_dataset(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "other", NULL);
    assert_int_equal(listings(fixture->store, "/srv/graph/storage"), FIXTURE_DATASETS);
}

static void a_bucket_costs_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(listings(fixture->store, "s3://bucket/graph"), 0);
}

/* ---- The store ---- */

static void what_cannot_be_removed_is_reported_and_goes_the_next_time(void **state)
{
    struct fork_fixture *fixture = *state;
    unsigned problems;
    die_in_drop(fixture);
    forget_entry(fixture);
    fault_store_match(fixture->faults, "/tree/");
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_PRUNE, 1, false, ERR_ACCESS);
    fixture_recover(fixture->catalog, &problems);
    assert_int_equal(problems, 1);
    assert_int_not_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
    fixture_recover(fixture->catalog, &problems);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

/* Nothing else looks into trees by now: a first recovery has removed the files of the fork. */
static void a_store_that_cannot_list_ends_recovery(void **state)
{
    struct fork_fixture *fixture = *state;
    die_in_drop(fixture);
    forget_entry(fixture);
    fault_store_match(fixture->faults, "/tree/");
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_PRUNE, 1, true, ERR_ACCESS);
    fixture_recover(fixture->catalog, NULL);
    for (unsigned n = 1; n <= 2 * FIXTURE_DATASETS; n++) { /* of all trees, and of the emptied */
        struct recovery_report report;
        fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_LIST, n, false, ERR_UNREACHABLE);
        assert_int_equal(catalog_recover(fixture->catalog, NULL, &report, NULL), ERR_UNREACHABLE);
        recovery_report_clear(&report);
    }
    assert_true(has_directory(fixture, TREES, fixture->branch));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)
#define TEST_ON_DISK(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fork_set_up_on_disk, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ON_DISK(temporary_files_of_refs_go),
        TEST_ON_DISK(emptied_branches_of_no_fork_go),
        TEST_ON_DISK(a_branch_of_no_fork_that_holds_files_is_left_as_it_is),
        TEST_ON_DISK(an_emptied_branch_of_a_fork_is_left),
        TEST_ON_DISK(an_emptied_branch_that_an_entry_names_is_left),
        TEST_ON_DISK(directories_that_are_not_named_after_forks_are_left),
        TEST_ON_DISK(a_directory_costs_a_listing_of_each_dataset),
        TEST(a_bucket_costs_nothing),
        TEST_ON_DISK(what_cannot_be_removed_is_reported_and_goes_the_next_time),
        TEST_ON_DISK(a_store_that_cannot_list_ends_recovery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

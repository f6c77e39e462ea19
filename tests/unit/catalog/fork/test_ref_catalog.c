/*
 * A dataset whose branches and tags lie in a catalog of refs, a layout that is not known: nothing
 * is made there, and nothing deleted.
 */
#include "unit/unit.h"

#include <string.h>

#include "catalog/fsck/fsck.h"
#include "lance/branch_name.h"
#include "unit/catalog/fork_fixture.h"

#define CATALOG_PREFIX FORK_DATASET "/_refs/catalog/"
#define CATALOG_OBJECT CATALOG_PREFIX "v1/1.json"

static void put_catalog(struct fork_fixture *fixture)
{
    fixture_put(fixture->store, CATALOG_OBJECT, "{\"branches\": []}");
}

static void take_catalog_away(struct fork_fixture *fixture)
{
    fixture_delete(fixture->store, CATALOG_OBJECT);
    fork_fixture_reopen(fixture);
}

/* What a change that is refused has answered, and that it has written nothing. */
static void assert_untouched(struct fork_fixture *fixture, const char *before, int code,
                             const struct error *err)
{
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    assert_int_equal(code, ERR_UNSUPPORTED);
    if (!strstr(err->text, CATALOG_PREFIX))
        fail_msg("'%s' does not name the catalog", err->text);
}

static void assert_not_created(struct fork_fixture *fixture, const char *parent)
{
    struct error err = {0};
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    int code = catalog_create(fixture->catalog, "new", parent, NULL, NULL, &err);
    assert_untouched(fixture, before, code, &err);
}

/* ---- Making ---- */

static void no_fork_is_made(void **state)
{
    struct fork_fixture *fixture = *state;
    put_catalog(fixture);
    fork_fixture_reopen(fixture);
    assert_not_created(fixture, NULL);
    assert_not_created(fixture, NULL); /* nor is it taken for known now */
    take_catalog_away(fixture);
    fixture_create(fixture->catalog, "new", NULL);
}

static void no_child_is_made(void **state)
{
    struct fork_fixture *fixture = *state;
    put_catalog(fixture);
    fork_fixture_reopen(fixture);
    assert_not_created(fixture, "audit");
    take_catalog_away(fixture);
    fixture_create(fixture->catalog, "new", "audit");
}

/* Main has been written since its manifest was read. */
static void a_catalog_that_comes_with_a_write_of_main_is_noticed(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "before", NULL);
    put_catalog(fixture);
    g_autofree char *key = lance_manifest_key(FORK_DATASET, NULL, 2);
    fixture_delete(fixture->store, key);
    fixture_put_dataset(fixture->store, "vertices_Person", "indexed", 4);
    assert_not_created(fixture, NULL);
}

static void a_dataset_that_is_not_branched_does_not_matter(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, "storage/other.lance/_refs/catalog/v1/1.json", "{}");
    fork_fixture_reopen(fixture);
    fixture_create(fixture->catalog, "new", NULL);
    assert_int_equal(drop(fixture), 0);
}

static void no_tag_is_made_or_removed(void **state)
{
    struct fork_fixture *fixture = *state;
    struct error err = {0};
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "old", NULL, NULL), 0);
    put_catalog(fixture);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    int code = catalog_tag(fixture->catalog, &fixture->id, "new", NULL, &err);
    assert_untouched(fixture, before, code, &err);
    code = catalog_untag(fixture->catalog, &fixture->id, "old", NULL, &err);
    assert_untouched(fixture, before, code, &err);
    take_catalog_away(fixture);
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "new", NULL, NULL), 0);
    assert_int_equal(catalog_untag(fixture->catalog, &fixture->id, "old", NULL, NULL), 0);
}

/* ---- Deleting ---- */

static void a_fork_is_not_dropped(void **state)
{
    struct fork_fixture *fixture = *state;
    put_catalog(fixture);
    assert_refused(fixture, ERR_UNSUPPORTED, CATALOG_PREFIX);
    take_catalog_away(fixture);
    assert_drops(fixture);
}

/* Recovery leaves a fork of that status alone, with a problem, until the catalog is gone. */
static void assert_left_alone(struct fork_fixture *fixture, const char *status)
{
    unsigned problems;
    fork_fixture_set_status(fixture, &fixture->id, status);
    put_catalog(fixture);
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 0);
    assert_int_equal(problems, 1);
    g_autofree char *ref = lance_branch_ref_key(FORK_DATASET, fixture->branch);
    g_autofree char *manifest = lance_manifest_key(FORK_DATASET, fixture->branch, 2);
    assert_true(fixture_exists(fixture->store, ref));
    assert_true(fixture_exists(fixture->store, manifest));
    assert_int_not_equal(fixture_status(fixture->store, "audit"), -1);

    take_catalog_away(fixture);
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

static void a_drop_is_not_finished(void **state)
{
    assert_left_alone(*state, "tombstoned");
}

static void a_create_is_not_rolled_back(void **state)
{
    assert_left_alone(*state, "pending");
}

/* Those that have no branch there are dropped. */
static void an_unfinished_fork_without_files_there_is_finished(void **state)
{
    struct fork_fixture *fixture = *state;
    unsigned problems;
    g_autofree char *ref = lance_branch_ref_key(FORK_DATASET, fixture->branch);
    g_autofree char *manifest = lance_manifest_key(FORK_DATASET, fixture->branch, 2);
    fixture_delete(fixture->store, ref);
    fixture_delete(fixture->store, manifest);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    put_catalog(fixture);
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
    assert_true(fixture_exists(fixture->store, CATALOG_OBJECT));
}

/* ---- Looking ---- */

static void the_check_names_it(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autoptr(GPtrArray) findings = NULL;
    struct layout *layout;
    put_catalog(fixture);
    assert_int_equal(layout_new("", "storage/", "/srv/graph/storage", &layout, NULL), 0);
    assert_int_equal(catalog_fsck(fixture->store, layout, NULL, &findings, NULL), 0);
    assert_int_equal(findings->len, 1);
    const struct fsck_finding *finding = g_ptr_array_index(findings, 0);
    assert_non_null(strstr(finding->text, CATALOG_PREFIX));
    layout_free(layout);
}

static void tags_that_are_there_are_shown(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autoptr(GPtrArray) tags = NULL;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "old", NULL, NULL), 0);
    put_catalog(fixture);
    fork_fixture_reopen(fixture);
    assert_int_equal(catalog_tags(fixture->catalog, &fixture->id, NULL, &tags, NULL), 0);
    assert_int_equal(tags->len, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_fork_is_made),
        TEST(no_child_is_made),
        TEST(a_catalog_that_comes_with_a_write_of_main_is_noticed),
        TEST(a_dataset_that_is_not_branched_does_not_matter),
        TEST(no_tag_is_made_or_removed),
        TEST(a_fork_is_not_dropped),
        TEST(a_drop_is_not_finished),
        TEST(a_create_is_not_rolled_back),
        TEST(an_unfinished_fork_without_files_there_is_finished),
        TEST(the_check_names_it),
        TEST(tags_that_are_there_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

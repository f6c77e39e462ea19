#include "unit/unit.h"

#include <string.h>

#include "catalog/fork/descendants.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "unit/catalog/fork_fixture.h"

/* Checks with a table of its own that stays over the calls of a test. */
struct checking {
    struct fork_fixture *fork;
    struct layout *layout;
    struct ref_cache *cache;
    struct descendants *descendants;
};

static int set_up(void **state)
{
    struct checking *checking = g_new0(struct checking, 1);
    void *fork = NULL;
    fork_set_up(&fork);
    checking->fork = fork;
    assert_int_equal(layout_new("", "storage/", "/srv/graph/storage", &checking->layout, NULL), 0);
    checking->cache = ref_cache_new();
    checking->descendants =
        descendants_new(checking->fork->faults, checking->layout, checking->cache);
    *state = checking;
    return 0;
}

static int tear_down(void **state)
{
    struct checking *checking = *state;
    void *fork = checking->fork;
    descendants_free(checking->descendants);
    ref_cache_free(checking->cache);
    layout_free(checking->layout);
    g_free(checking);
    return fork_tear_down(&fork);
}

static int check(struct checking *checking, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(checking->fork->catalog);
    const struct fork_entry *entry = registry_find(registry, "audit");
    struct error problem = {0};
    struct descendants_query query = {.entry = entry, .branches = entry->datasets, .err = &problem};
    descendants_check(checking->descendants, registry, &query, 1, NULL, NULL);
    return error_copy(err, &problem);
}

static unsigned reads(struct checking *checking)
{
    return fault_store_total(checking->fork->faults, STORE_GET);
}

static void put_ref(struct checking *checking, const char *branch, const char *parent)
{
    struct branch_ref *ref = NULL;
    g_autofree char *key = lance_branch_ref_key(FORK_DATASET, branch);
    assert_int_equal(branch_ref_derive(NULL, NULL, 2, 1, 1, &ref, NULL), 0);
    ref->parent_branch = g_strdup(parent);
    auto_bytes struct bytes *body = branch_ref_render(ref);
    fixture_put(checking->fork->store, key, body->data);
    branch_ref_free(ref);
}

static void put_tag(struct checking *checking, const char *name, const char *branch)
{
    struct tag_ref tag = {.branch = (char *)branch, .version = 2, .manifest_size = 1};
    auto_bytes struct bytes *body = tag_ref_render(&tag, (struct timespec){.tv_sec = 1});
    g_autofree char *key = g_strdup_printf(FORK_DATASET "/_refs/tags/%s.json", name);
    fixture_put(checking->fork->store, key, body->data);
}

static void without_foreign_refs_one_wave_of_listings_is_enough(void **state)
{
    struct checking *checking = *state;
    fixture_create(checking->fork->catalog, "other", NULL);
    unsigned waves = fault_store_waves(checking->fork->faults), before = reads(checking);
    assert_int_equal(check(checking, NULL), 0);
    assert_int_equal(fault_store_waves(checking->fork->faults) - waves, 1);
    assert_int_equal(reads(checking) - before, 0);
}

static void branches_of_known_forks_are_not_looked_into(void **state)
{
    struct checking *checking = *state;
    struct ulid child = fixture_create(checking->fork->catalog, "child", "audit");
    unsigned before = reads(checking);
    assert_int_equal(check(checking, NULL), 0); /* the registry tells of children */
    assert_int_equal(reads(checking) - before, 0);
    assert_int_not_equal(fixture_mentions(checking->fork->store, child.text), 0);
}

static void the_id_of_a_known_fork_may_be_in_lower_case(void **state)
{
    struct checking *checking = *state;
    struct ulid child = fixture_create(checking->fork->catalog, "child", NULL);
    g_autofree char *lower = g_ascii_strdown(child.text, -1);
    g_autofree char *branch = g_strdup_printf("fork_%s_vertices_Person", lower);
    put_ref(checking, branch, checking->fork->branch);
    assert_int_equal(check(checking, NULL), 0);
}

static void a_branch_with_the_id_of_no_fork_is_foreign(void **state)
{
    struct checking *checking = *state;
    struct ulid unknown = ulid_new();
    struct error err = {0};
    g_autofree char *branch = layout_branch_name(&unknown, "vertices_Person");
    put_ref(checking, branch, checking->fork->branch);
    assert_int_equal(check(checking, &err), ERR_NOT_EMPTY);
    assert_non_null(strstr(err.text, branch));
}

static void a_branch_that_only_looks_like_the_forks_is_foreign(void **state)
{
    struct checking *checking = *state;
    g_autofree char *branch = g_strdup_printf("fork_%s", checking->fork->id.text);
    put_ref(checking, branch, checking->fork->branch);
    assert_int_equal(check(checking, NULL), ERR_NOT_EMPTY);
}

static void refs_are_fetched_once_until_they_change(void **state)
{
    struct checking *checking = *state;
    put_ref(checking, "mine", NULL);
    put_tag(checking, "v1", NULL);
    unsigned before = reads(checking);
    assert_int_equal(check(checking, NULL), 0);
    assert_int_equal(reads(checking) - before, 3); /* with the fork's own */
    before = reads(checking);
    assert_int_equal(check(checking, NULL), 0);
    assert_int_equal(reads(checking) - before, 1);
    put_tag(checking, "v1", checking->fork->branch);
    before = reads(checking);
    assert_int_equal(check(checking, NULL), ERR_NOT_EMPTY);
    assert_int_equal(reads(checking) - before, 2);
}

static void a_ref_that_vanishes_meanwhile_does_not_matter(void **state)
{
    struct checking *checking = *state;
    put_tag(checking, "v1", checking->fork->branch);
    fault_store_arm(checking->fork->faults, FAULT_FAIL, 1u << STORE_GET, 1, false, ERR_NOT_FOUND);
    assert_int_equal(check(checking, NULL), 0);
    assert_int_equal(check(checking, NULL), ERR_NOT_EMPTY);
}

static void a_ref_that_cannot_be_fetched_or_read_is_an_error(void **state)
{
    struct checking *checking = *state;
    struct error err = {0};
    put_tag(checking, "v1", NULL);
    fault_store_arm(checking->fork->faults, FAULT_FAIL, 1u << STORE_GET, 1, false, ERR_ACCESS);
    assert_int_equal(check(checking, NULL), ERR_ACCESS);
    fixture_put(checking->fork->store, FORK_DATASET "/_refs/tags/v1.json", "{}");
    assert_int_equal(check(checking, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "v1.json"));
}

static void a_listing_that_fails_is_an_error(void **state)
{
    struct checking *checking = *state;
    fault_store_arm(checking->fork->faults, FAULT_FAIL, 1u << STORE_LIST, 1, false,
                    ERR_UNREACHABLE);
    assert_int_equal(check(checking, NULL), ERR_UNREACHABLE);
}

static void files_that_are_no_refs_do_not_matter(void **state)
{
    struct checking *checking = *state;
    fixture_put(checking->fork->store, FORK_DATASET "/_refs/branches/readme.txt", "?");
    fixture_put(checking->fork->store, FORK_DATASET "/_refs/tags/readme.txt", "?");
    assert_int_equal(check(checking, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_foreign_refs_one_wave_of_listings_is_enough),
        TEST(branches_of_known_forks_are_not_looked_into),
        TEST(the_id_of_a_known_fork_may_be_in_lower_case),
        TEST(a_branch_with_the_id_of_no_fork_is_foreign),
        TEST(a_branch_that_only_looks_like_the_forks_is_foreign),
        TEST(refs_are_fetched_once_until_they_change),
        TEST(a_ref_that_vanishes_meanwhile_does_not_matter),
        TEST(a_ref_that_cannot_be_fetched_or_read_is_an_error),
        TEST(a_listing_that_fails_is_an_error),
        TEST(files_that_are_no_refs_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What a drop refuses: dependents of the fork, and registries on whose word nothing is deleted.
 */
#include "unit/unit.h"

#include <string.h>

#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "unit/catalog/fork_fixture.h"

/* ---- Children ---- */

static void a_fork_with_children_is_refused_with_their_names(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "child_1", "audit");
    fixture_create(fixture->catalog, "child_2", "audit");
    assert_refused(fixture, ERR_NOT_EMPTY, "child_1, child_2");
    assert_int_equal(catalog_drop(fixture->catalog, "child_1", NULL, NULL, NULL), 0);
    assert_int_equal(catalog_drop(fixture->catalog, "child_2", NULL, NULL, NULL), 0);
    assert_drops(fixture);
}

static void a_pending_child_counts(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid child = fixture_create(fixture->catalog, "child", "audit");
    fork_fixture_set_status(fixture, &child, "pending");
    assert_refused(fixture, ERR_NOT_EMPTY, "child");
}

/* What Uni may leave: it looks for children and decides in two steps. */
static void a_half_dropped_fork_with_a_child_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "child", "audit");
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_refused(fixture, ERR_NOT_EMPTY, "child");
}

static void read_registry_with_parent(struct fork_fixture *fixture, const char *from,
                                      const char *to)
{
    fixture_replace(fixture->store, FIXTURE_REGISTRY, from, to);
    assert_int_equal(catalog_refresh(fixture->catalog, FIXTURE_REGISTRY, NULL, NULL, NULL), 0);
}

static void a_child_that_the_registry_gives_another_parent_by_now_counts(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *right = g_strdup_printf("\"parent_fork_id\": \"%s\"", fixture->id.text);
    fixture_create(fixture->catalog, "child", "audit");
    read_registry_with_parent(fixture, right, "\"parent_fork_id\": null");
    assert_refused(fixture, ERR_NOT_EMPTY, "\"child\" has a branch of dataset");
    read_registry_with_parent(fixture, "\"status\": \"active\"",
                              "\"status\": \"active\", \"x\": 1");
    assert_refused(fixture, ERR_NOT_EMPTY, "\"child\" has a branch of dataset");
    assert_int_equal(catalog_drop(fixture->catalog, "child", NULL, NULL, NULL), 0);
    assert_drops(fixture);
}

/* ---- What others made of it ---- */

static void put_foreign_branch(struct fork_fixture *fixture, const char *name, const char *parent)
{
    struct branch_ref *ref = NULL;
    g_autofree char *own_key = lance_branch_ref_key(FORK_DATASET, fixture->branch);
    g_autofree char *text = fixture_read(fixture->store, own_key);
    auto_bytes struct bytes *own_body = bytes_new_text(text);
    struct branch_ref *own = NULL;
    assert_int_equal(branch_ref_parse(own_body, &own, NULL), 0);
    assert_int_equal(branch_ref_derive(parent ? own : NULL, parent, 2, 1, 1, &ref, NULL), 0);
    auto_bytes struct bytes *body = branch_ref_render(ref);
    g_autofree char *key = lance_branch_ref_key(FORK_DATASET, name);
    fixture_put(fixture->store, key, body->data);
    branch_ref_free(ref);
    branch_ref_free(own);
}

static void a_fork_from_which_a_foreign_branch_descends_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    put_foreign_branch(fixture, "mine", fixture->branch);
    assert_refused(fixture, ERR_NOT_EMPTY, "the branch 'mine' of dataset vertices_Person");
    g_autofree char *key = lance_branch_ref_key(FORK_DATASET, "mine");
    fixture_delete(fixture->store, key);
    assert_drops(fixture);
}

static void the_lineage_tells_a_descendant_whose_parent_is_gone(void **state)
{
    struct fork_fixture *fixture = *state;
    put_foreign_branch(fixture, "mine", fixture->branch);
    g_autofree char *key = lance_branch_ref_key(FORK_DATASET, "mine");
    fixture_replace(fixture->store, key, fixture->branch, "gone");
    assert_refused(fixture, ERR_NOT_EMPTY, "the branch 'mine' of dataset vertices_Person");
}

static void a_foreign_branch_of_main_does_not_matter(void **state)
{
    struct fork_fixture *fixture = *state;
    put_foreign_branch(fixture, "mine", NULL);
    assert_int_equal(drop(fixture), 0);
    g_autofree char *key = lance_branch_ref_key(FORK_DATASET, "mine");
    assert_true(fixture_exists(fixture->store, key));
}

static void put_tag(struct fork_fixture *fixture, const char *branch)
{
    struct tag_ref tag = {.branch = (char *)branch, .version = 2, .manifest_size = 1};
    auto_bytes struct bytes *body = tag_ref_render(&tag, (struct timespec){.tv_sec = 1});
    fixture_put(fixture->store, FORK_DATASET "/_refs/tags/v1.json", body->data);
}

static void a_fork_with_a_tag_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tag(fixture, fixture->branch);
    assert_refused(fixture, ERR_NOT_EMPTY, "the Lance tag 'v1' of dataset vertices_Person");
    assert_refused(fixture, ERR_NOT_EMPTY, "then rmdir forks/audit"); /* from memory */
    put_tag(fixture, NULL);                                           /* it moves to main */
    assert_drops(fixture);
}

static void a_ref_that_nobody_can_read_refuses_the_drop(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, FORK_DATASET "/_refs/branches/odd.json", "{\"parentBranch\": ");
    assert_refused(fixture, ERR_CORRUPT, "odd.json");
}

/* ---- Hostile registries ---- */

static void a_dataset_name_that_leads_elsewhere_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_replace(fixture->store, FIXTURE_REGISTRY, "\"edges\": ", "\"../edges\": ");
    fork_fixture_reopen(fixture);
    assert_refused(fixture, ERR_CORRUPT, "../edges");
}

static void a_branch_name_that_leads_elsewhere_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *edges = layout_branch_name(&fixture->id, "edges");
    fixture_replace(fixture->store, FIXTURE_REGISTRY, edges, "../../x");
    fork_fixture_reopen(fixture);
    assert_refused(fixture, ERR_CORRUPT, "edges");
}

static void an_id_of_two_entries_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, other.text, fixture->id.text);
    fork_fixture_reopen(fixture);
    assert_refused(fixture, ERR_CORRUPT, "several entries");
}

static void a_branch_that_another_entry_names_is_left(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    g_autofree char *own = layout_branch_name(&fixture->id, "vertices_Person");
    g_autofree char *others = layout_branch_name(&other, "vertices_Person");
    g_autofree char *text = fixture_read(fixture->store, FIXTURE_REGISTRY);
    char *at = strstr(text, own); /* the entry of "audit" comes first */
    memcpy(at, others, strlen(others));
    fixture_put(fixture->store, FIXTURE_REGISTRY, text);
    fork_fixture_reopen(fixture);
    assert_int_equal(drop(fixture), 0);
    g_autofree char *ref = lance_branch_ref_key(FORK_DATASET, others);
    assert_true(fixture_exists(fixture->store, ref));
    fixture_assert_whole(fixture->store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fork_with_children_is_refused_with_their_names),
        TEST(a_pending_child_counts),
        TEST(a_half_dropped_fork_with_a_child_is_refused),
        TEST(a_child_that_the_registry_gives_another_parent_by_now_counts),
        TEST(a_fork_from_which_a_foreign_branch_descends_is_refused),
        TEST(the_lineage_tells_a_descendant_whose_parent_is_gone),
        TEST(a_foreign_branch_of_main_does_not_matter),
        TEST(a_fork_with_a_tag_is_refused),
        TEST(a_ref_that_nobody_can_read_refuses_the_drop),
        TEST(a_dataset_name_that_leads_elsewhere_is_refused),
        TEST(a_branch_name_that_leads_elsewhere_is_refused),
        TEST(an_id_of_two_entries_is_refused),
        TEST(a_branch_that_another_entry_names_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

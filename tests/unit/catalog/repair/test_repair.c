/*
 * The repair of a catalog: each state that the check finds and that can be put right, tried out and
 * then done, in memory and in a directory.
 */
#include "unit/unit.h"

#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "unit/catalog/repair/repair_fixture.h"

static void a_sound_catalog_is_left_as_it_is(void **state)
{
    assert_repairs_of(*state, REPAIR_PURGE, 0, (const char *const[]){NULL});
}

/* ---- Parents ---- */

static void set_parent(struct fork_fixture *fixture, const char *parent)
{
    g_autofree char *member = g_strdup_printf("\"parent_fork_id\": \"%s\"", parent);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, "\"parent_fork_id\": null", member);
}

static void a_fork_that_is_its_own_parent_gets_the_one_that_it_was_made_from(void **state)
{
    struct fork_fixture *fixture = *state;
    set_parent(fixture, fixture->id.text);
    assert_repairs(fixture, REPAIR_LEAVE, 0,
                   "correct the parent of fork \"audit\": its branches were made from main");
    fork_fixture_reopen(fixture);
    assert_drops(fixture);
}

static void a_circle_of_parents_is_opened_where_the_lineage_says(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid child = fixture_create(fixture->catalog, "child", "audit");
    fixture_create(fixture->catalog, "grandchild", "child");
    set_parent(fixture, child.text);
    assert_repairs(fixture, REPAIR_LEAVE, 0,
                   "parent of fork \"audit\": its branches were made "
                   "from main");
    auto_entry struct fork_entry *entry = stored_entry(fixture, "child");
    assert_true(ulid_equal(&entry->parent_id, &fixture->id));
}

/* `wrong`: what the entry of "child", which was made from "audit", says by now. */
static void assert_gets_its_parent_back(struct fork_fixture *fixture, const struct ulid *wrong)
{
    g_autofree char *right = g_strdup_printf("\"parent_fork_id\": \"%s\"", fixture->id.text);
    g_autofree char *other = g_strdup_printf("\"parent_fork_id\": \"%s\"", wrong->text);
    g_autofree char *action = g_strdup_printf("parent of fork \"child\": its branches were made "
                                              "from fork %s",
                                              fixture->id.text);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, right, other);
    assert_repairs(fixture, REPAIR_LEAVE, 0, action);
    auto_entry struct fork_entry *entry = stored_entry(fixture, "child");
    assert_true(ulid_equal(&entry->parent_id, &fixture->id));
}

static void a_child_that_claims_to_be_its_own_parent_gets_its_parent_back(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid child = fixture_create(fixture->catalog, "child", "audit");
    assert_gets_its_parent_back(fixture, &child);
}

static void a_child_that_claims_another_parent_gets_its_parent_back(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "child", "audit");
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    assert_gets_its_parent_back(fixture, &other);
}

static void a_parent_without_entry_is_corrected_when_the_fork_is_none_of_its(void **state)
{
    struct fork_fixture *fixture = *state;
    set_parent(fixture, UNKNOWN);
    assert_repairs(fixture, REPAIR_LEAVE, 0, "parent of fork \"audit\"");
}

static void a_parent_that_nothing_tells_is_left(void **state)
{
    struct fork_fixture *fixture = *state;
    static const char *const datasets[] = {"edges", "vertices", "vertices_Person"};
    set_parent(fixture, fixture->id.text);
    for (size_t i = 0; i < G_N_ELEMENTS(datasets); i++) {
        g_autofree char *root = g_strdup_printf("storage/%s.lance", datasets[i]);
        g_autofree char *branch = layout_branch_name(&fixture->id, datasets[i]);
        g_autofree char *ref = lance_branch_ref_key(root, branch);
        fixture_put(fixture->store, ref, "{");
    }
    assert_repairs_of(fixture, REPAIR_LEAVE, 4, (const char *const[]){NULL});
}

/* ---- Tags ---- */

static void put_tag(struct fork_fixture *fixture, const char *name, const char *branch,
                    uint64_t version)
{
    struct tag_ref ref = {.branch = (char *)branch, .version = version, .manifest_size = 1};
    auto_bytes struct bytes *body = tag_ref_render(&ref, (struct timespec){.tv_sec = 1});
    g_autofree char *key = g_strdup_printf(FORK_DATASET "/_refs/tags/%s.json", name);
    fixture_put(fixture->store, key, body->data);
}

static void tags_that_pin_nothing_go(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tag(fixture, "kept", fixture->branch, 2);
    put_tag(fixture, "late", fixture->branch, 99);
    put_tag(fixture, "lost", "gone", 1);
    put_tag(fixture, "main", NULL, 98);
    assert_repairs(fixture, REPAIR_LEAVE, 0, "tag 'late' of vertices_Person: version 99 of branch",
                   "tag 'lost' of vertices_Person: branch gone is gone",
                   "tag 'main' of vertices_Person: version 98 of main is gone");
    assert_true(fixture_exists(fixture->store, FORK_DATASET "/_refs/tags/kept.json"));
}

/* A part of the branch is there, so that the rest may be somewhere else. */
static void a_tag_of_a_branch_that_may_be_away_stays(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *key = lance_manifest_key(FORK_DATASET, fixture->branch, 2);
    g_autofree char *tree = lance_branch_tree_prefix(FORK_DATASET, fixture->branch);
    g_autofree char *data = g_strconcat(tree, "data/1.lance", NULL);
    fixture_put(fixture->store, data, "rows");
    fixture_delete(fixture->store, key);
    put_tag(fixture, "t", fixture->branch, 2);
    assert_repairs_of(fixture, REPAIR_LEAVE, 2, (const char *const[]){NULL});
}

static void a_fork_that_a_dangling_tag_keeps_is_finished(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tag(fixture, "late", fixture->branch, 99);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_repairs(fixture, REPAIR_LEAVE, 0, "tag 'late'", "clear up: fork \"audit\": tombstoned");
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

static void a_fork_that_a_tag_keeps_stays(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tag(fixture, "good", fixture->branch, 2);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_repairs_of(fixture, REPAIR_PURGE, 2, (const char *const[]){NULL});
}

/* ---- What a crash left ---- */

static void what_a_mount_would_recover_is_recovered(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, "catalog/fork_schemas/" UNKNOWN ".json", "{}");
    fixture_put(fixture->store, "storage/catalog/forks/" UNKNOWN "/id_allocator.json", "{}");
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    assert_repairs(fixture, REPAIR_LEAVE, 0, "clear up: fork \"audit\": pending",
                   "clear up: catalog/fork_schemas/" UNKNOWN ".json: overlay of an unknown fork",
                   "clear up: storage/catalog/forks/" UNKNOWN);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

/* ---- Kills ---- */

static void a_repair_that_is_killed_can_be_repeated(void **state)
{
    struct fork_fixture *fixture = *state;
    set_parent(fixture, fixture->id.text);
    g_free(put_orphan_branch(fixture, UNKNOWN, false));
    put_tag(fixture, "late", fixture->branch, 99);
    assert_repairs_killed(fixture, REPAIR_LEAVE);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_ACTIVE);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down),                            \
        cmocka_unit_test_setup_teardown(name, fork_set_up_on_disk, fork_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_catalog_is_left_as_it_is),
        TEST(a_fork_that_is_its_own_parent_gets_the_one_that_it_was_made_from),
        TEST(a_circle_of_parents_is_opened_where_the_lineage_says),
        TEST(a_child_that_claims_to_be_its_own_parent_gets_its_parent_back),
        TEST(a_parent_without_entry_is_corrected_when_the_fork_is_none_of_its),
        TEST(a_child_that_claims_another_parent_gets_its_parent_back),
        TEST(a_parent_that_nothing_tells_is_left),
        TEST(tags_that_pin_nothing_go),
        TEST(a_tag_of_a_branch_that_may_be_away_stays),
        TEST(a_fork_that_a_dangling_tag_keeps_is_finished),
        TEST(a_fork_that_a_tag_keeps_stays),
        TEST(what_a_mount_would_recover_is_recovered),
        TEST(a_repair_that_is_killed_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

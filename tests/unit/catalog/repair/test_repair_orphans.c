/*
 * Orphans and lost registries: what is removed, adopted and rebuilt, and what is not.
 */
#include "unit/unit.h"

#include <string.h>

#include "lance/branch_name.h"
#include "unit/catalog/repair/repair_fixture.h"

/* Takes an entry away, and leaves the branches: what a stale rewrite of the registry does. */
static void forget_all(struct fork_fixture *fixture)
{
    fixture_put(fixture->store, FIXTURE_REGISTRY, "{\n  \"forks\": {}\n}");
}

static char *recovered_name(const struct ulid *id)
{
    return g_strconcat("recovered-", id->text, NULL);
}

/* The entry says what it said before, but for its name, and was created when its id was. */
static void assert_recovered(struct fork_fixture *fixture, const struct fork_entry *before)
{
    g_autofree char *name = recovered_name(&before->id);
    auto_entry struct fork_entry *entry = stored_entry(fixture, name);
    assert_non_null(entry);
    assert_int_equal(entry->status, FORK_ACTIVE);
    assert_int_equal(entry->has_parent, before->has_parent);
    assert_true(!entry->has_parent || ulid_equal(&entry->parent_id, &before->parent_id));
    assert_string_equal(entry->parent_snapshot_id, before->parent_snapshot_id);
    assert_int_equal(entry->version_mark, before->version_mark);
    assert_int_equal(entry->schema_version, before->schema_version);
    assert_true(fork_entry_same_datasets(entry, before));
    assert_int_equal(entry->created_at.tv_sec, ulid_time_ms(&before->id) / 1000);
}

static void what_can_be_no_fork_any_more_and_is_empty_goes(void **state)
{
    struct fork_fixture *fixture = *state;
    g_free(put_orphan_branch(fixture, UNKNOWN, false));
    assert_repairs(fixture, REPAIR_LEAVE, 0,
                   "remove what there is of fork " UNKNOWN ", which nothing knows: 1 branch");
    assert_int_equal(fixture_mentions(fixture->store, UNKNOWN), 0);
    fixture_assert_whole(fixture->store);
}

static void an_orphan_with_data_stays_until_it_is_asked_for(void **state)
{
    struct fork_fixture *fixture = *state;
    g_free(put_orphan_branch(fixture, UNKNOWN, true));
    assert_repairs_of(fixture, REPAIR_LEAVE, 2, (const char *const[]){NULL});
    assert_repairs_of(fixture, REPAIR_ADOPT, 2, (const char *const[]){NULL});
    assert_repairs(fixture, REPAIR_PURGE, 0, "remove what there is of fork " UNKNOWN);
    assert_int_equal(fixture_mentions(fixture->store, UNKNOWN), 0);
}

static void a_whole_orphan_stays_until_it_is_asked_for(void **state)
{
    struct fork_fixture *fixture = *state;
    forget_all(fixture);
    assert_repairs_of(fixture, REPAIR_LEAVE, 5, (const char *const[]){NULL});
    assert_repairs(fixture, REPAIR_PURGE, 0, "3 branches, overlay, allocator");
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

static void whole_orphans_are_adopted_with_their_parents(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "child", "audit");
    auto_entry struct fork_entry *audit = stored_entry(fixture, "audit");
    auto_entry struct fork_entry *child = stored_entry(fixture, "child");
    forget_all(fixture);
    assert_repairs(fixture, REPAIR_ADOPT, 0, "of 3 datasets, made from main",
                   "of 3 datasets, made from fork");
    assert_recovered(fixture, audit);
    assert_recovered(fixture, child);
    fixture_assert_whole(fixture->store);
}

static void an_adopted_fork_lives_beside_the_others(void **state)
{
    struct fork_fixture *fixture = *state;
    auto_entry struct fork_entry *audit = stored_entry(fixture, "audit");
    forget_all(fixture);
    fork_fixture_reopen(fixture);
    fixture_create(fixture->catalog, "other", NULL);
    assert_repairs(fixture, REPAIR_ADOPT, 0, "adopt fork \"recovered-");
    assert_recovered(fixture, audit);
    fork_fixture_reopen(fixture);
    g_autofree char *name = recovered_name(&audit->id);
    fixture_create(fixture->catalog, "below", name);
    assert_int_equal(catalog_drop(fixture->catalog, "below", NULL, NULL, NULL), 0);
    assert_int_equal(catalog_drop(fixture->catalog, name, NULL, NULL, NULL), 0);
    assert_int_equal(catalog_drop(fixture->catalog, "other", NULL, NULL, NULL), 0);
    fixture_assert_clean(fixture->store);
}

static void an_adopted_fork_whose_name_is_taken_gets_another(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *name = recovered_name(&fixture->id);
    g_autofree char *second = g_strconcat(name, "-2", NULL);
    g_autofree char *third = g_strconcat(name, "-3", NULL);
    g_autofree char *adopted = g_strdup_printf("adopt fork \"%s\" of 3 datasets", third);
    fixture_create(fixture->catalog, "child", "audit");
    forget_all(fixture);
    fork_fixture_reopen(fixture);
    fixture_create(fixture->catalog, name, NULL);
    fixture_create(fixture->catalog, second, NULL);
    assert_repairs(fixture, REPAIR_ADOPT, 0, adopted, "of 3 datasets, made from fork");
    auto_entry struct fork_entry *entry = stored_entry(fixture, third);
    assert_true(ulid_equal(&entry->id, &fixture->id));
}

static void orphans_that_a_fork_descends_from_stay(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "child", "audit");
    auto_entry struct fork_entry *audit = stored_entry(fixture, "audit");
    auto_entry struct fork_entry *child = stored_entry(fixture, "child");
    auto_bytes struct bytes *document = fork_entry_document(child);
    g_autofree char *registry =
        g_strdup_printf("{\n  \"forks\": {\n    \"child\": %s\n  }\n}", document->data);
    fixture_put(fixture->store, FIXTURE_REGISTRY, registry);
    assert_repairs_of(fixture, REPAIR_PURGE, 6, (const char *const[]){NULL});
    assert_repairs(fixture, REPAIR_ADOPT, 0, "adopt fork \"recovered-");
    assert_recovered(fixture, audit);
}

static void orphans_that_descend_from_each_other_are_purged_together(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "child", "audit");
    forget_all(fixture);
    assert_repairs(fixture, REPAIR_PURGE, 0, "remove what there is", "remove what there is");
    assert_int_equal(fixture_mentions(fixture->store, "fork_0"), 0);
}

static void tags_that_keep_an_orphan_go_with_it_when_it_is_purged(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    forget_all(fixture);
    assert_repairs_of(fixture, REPAIR_LEAVE, 8, (const char *const[]){NULL});
    assert_repairs(fixture, REPAIR_PURGE, 0, "delete the tag 'fork_v1_edges' of edges, which keeps",
                   "delete the tag 'fork_v1_vertices' of vertices, which keeps",
                   "delete the tag 'fork_v1_vertices_Person' of vertices_Person, which keeps",
                   "remove what there is");
}

/* Two entries have one id; what is left of the other id is the second entry's. */
static void an_orphan_whose_branches_an_entry_names_stays_as_a_whole(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid twin = fixture_create(fixture->catalog, "twin", NULL);
    g_autofree char *right = g_strdup_printf("\"id\": \"%s\"", twin.text);
    g_autofree char *wrong = g_strdup_printf("\"id\": \"%s\"", fixture->id.text);
    assert_int_equal(catalog_tag(fixture->catalog, &twin, "v1", NULL, NULL), 0);
    g_autofree char *registry = fixture_read(fixture->store, FIXTURE_REGISTRY);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, right, wrong);
    assert_repairs_of(fixture, REPAIR_PURGE, 10, (const char *const[]){NULL});
    fixture_put(fixture->store, FIXTURE_REGISTRY, registry);
    fixture_assert_clean(fixture->store);
    fixture_assert_whole(fixture->store);
}

static void what_a_tombstone_names_is_left_to_recovery(void **state)
{
    struct fork_fixture *fixture = *state;
    auto_entry struct fork_entry *audit = stored_entry(fixture, "audit");
    auto_bytes struct bytes *document = fork_entry_document(audit);
    g_autofree char *key = g_strdup_printf("catalog/fork_tombstones/%s.json", fixture->id.text);
    fixture_put(fixture->store, key, document->data);
    forget_all(fixture);
    assert_repairs_of(
        fixture, REPAIR_ADOPT, 0,
        (const char *const[]){"clear up: catalog/fork_schemas/", "clear up: storage/catalog/forks",
                              "clear up: catalog/fork_tombstones", "clear up: storage/edges.lance",
                              "clear up: storage/vertices.lance",
                              "clear up: storage/vertices_Person.lance", NULL});
}

/* ---- A lost registry ---- */

static void a_lost_registry_is_rebuilt(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "child", "audit");
    auto_entry struct fork_entry *audit = stored_entry(fixture, "audit");
    auto_entry struct fork_entry *child = stored_entry(fixture, "child");
    fixture_delete(fixture->store, FIXTURE_REGISTRY);
    assert_repairs(fixture, REPAIR_LEAVE, 0,
                   "rebuild the registry catalog/fork_registry.json with 2 forks",
                   "of 3 datasets, made from main", "of 3 datasets, made from fork");
    assert_recovered(fixture, audit);
    assert_recovered(fixture, child);
    fixture_assert_whole(fixture->store);
}

/* Registries that were kept aside. */
static guint copies_of_broken_registry(struct fork_fixture *fixture)
{
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, FIXTURE_REGISTRY ".broken-", NULL, 0);
    assert_int_equal(store_run_all(fixture->store, set, 0, NULL, NULL), 0);
    return listing->answer.objects->len;
}

static void a_registry_that_does_not_parse_is_kept_beside_the_rebuilt_one(void **state)
{
    struct fork_fixture *fixture = *state;
    auto_entry struct fork_entry *audit = stored_entry(fixture, "audit");
    fixture_put(fixture->store, FIXTURE_REGISTRY, "{\"forks\": {\"audit\": {\"broken\"");
    assert_repairs(fixture, REPAIR_LEAVE, 0, "keep the registry that does not parse",
                   "rebuild the registry catalog/fork_registry.json with 1 fork", "enter fork");
    assert_recovered(fixture, audit);
    assert_true(fixture_mentions(fixture->store, "{\"broken\"") > 0);
    assert_int_equal(copies_of_broken_registry(fixture), 1);
}

static void a_registry_that_does_not_parse_is_rebuilt_without_forks_if_there_are_none(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_drops(fixture);
    fixture_put(fixture->store, FIXTURE_REGISTRY, "");
    assert_repairs(fixture, REPAIR_LEAVE, 0, "keep the registry that does not parse",
                   "with 0 forks");
}

static void an_absent_registry_without_forks_is_none_that_was_lost(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_drops(fixture);
    fixture_delete(fixture->store, FIXTURE_REGISTRY);
    assert_repairs_of(fixture, REPAIR_LEAVE, 0, (const char *const[]){NULL});
    assert_false(fixture_exists(fixture->store, FIXTURE_REGISTRY));
}

static void a_catalog_that_is_away_is_not_rebuilt(void **state)
{
    struct fork_fixture *fixture = *state;
    struct repair_report report;
    struct error err;
    fixture_delete(fixture->store, FIXTURE_REGISTRY);
    fixture_delete(fixture->store, "catalog/schema.json");
    g_clear_pointer(&fixture->catalog, catalog_free);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(
        run_repair(fault_store_new(fixture->store, false), REPAIR_PURGE, &report, &err),
        ERR_NOT_FOUND);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    repair_report_clear(&report);
}

/* ---- Kills ---- */

static void a_purge_that_is_killed_can_be_repeated(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "child", "audit");
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    forget_all(fixture);
    assert_repairs_killed(fixture, REPAIR_PURGE);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

static void an_adoption_that_is_killed_can_be_repeated(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "child", "audit");
    auto_entry struct fork_entry *audit = stored_entry(fixture, "audit");
    auto_entry struct fork_entry *child = stored_entry(fixture, "child");
    forget_all(fixture);
    assert_repairs_killed(fixture, REPAIR_ADOPT);
    assert_recovered(fixture, audit);
    assert_recovered(fixture, child);
}

static void a_rebuilding_that_is_killed_can_be_repeated(void **state)
{
    struct fork_fixture *fixture = *state;
    auto_entry struct fork_entry *audit = stored_entry(fixture, "audit");
    fixture_put(fixture->store, FIXTURE_REGISTRY, "{\"broken\"");
    assert_repairs_killed(fixture, REPAIR_LEAVE);
    assert_recovered(fixture, audit);
    assert_int_equal(copies_of_broken_registry(fixture), 1);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down),                            \
        cmocka_unit_test_setup_teardown(name, fork_set_up_on_disk, fork_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_can_be_no_fork_any_more_and_is_empty_goes),
        TEST(an_orphan_with_data_stays_until_it_is_asked_for),
        TEST(a_whole_orphan_stays_until_it_is_asked_for),
        TEST(whole_orphans_are_adopted_with_their_parents),
        TEST(an_adopted_fork_lives_beside_the_others),
        TEST(an_adopted_fork_whose_name_is_taken_gets_another),
        TEST(orphans_that_a_fork_descends_from_stay),
        TEST(orphans_that_descend_from_each_other_are_purged_together),
        TEST(tags_that_keep_an_orphan_go_with_it_when_it_is_purged),
        TEST(an_orphan_whose_branches_an_entry_names_stays_as_a_whole),
        TEST(what_a_tombstone_names_is_left_to_recovery),
        TEST(a_lost_registry_is_rebuilt),
        TEST(a_registry_that_does_not_parse_is_kept_beside_the_rebuilt_one),
        TEST(a_registry_that_does_not_parse_is_rebuilt_without_forks_if_there_are_none),
        TEST(an_absent_registry_without_forks_is_none_that_was_lost),
        TEST(a_catalog_that_is_away_is_not_rebuilt),
        TEST(a_purge_that_is_killed_can_be_repeated),
        TEST(an_adoption_that_is_killed_can_be_repeated),
        TEST(a_rebuilding_that_is_killed_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

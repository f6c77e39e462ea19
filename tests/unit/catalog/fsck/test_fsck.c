/*
 * The check of a catalog: entries, documents, tombstones and loose files.
 */
#include "unit/unit.h"

#include <string.h>

#include "lance/branch_name.h"
#include "unit/catalog/fsck/fsck_fixture.h"
#include "unit/stores/memory_store.h"

static void a_sound_catalog_has_no_findings(void **state)
{
    g_autoptr(GPtrArray) findings = findings_of(*state);
    assert_int_equal(findings->len, 0);
}

static void a_dropped_fork_leaves_no_findings(void **state)
{
    struct fsck_fixture *fixture = *state;
    assert_int_equal(catalog_drop(fixture->catalog, "audit", NULL, NULL, NULL), 0);
    g_autoptr(GPtrArray) findings = findings_of(fixture);
    assert_int_equal(findings->len, 0);
}

static void an_unparsable_registry_is_the_only_finding(void **state)
{
    put_text(*state, "catalog/fork_registry.json", "{");
    assert_findings(*state, "catalog/fork_registry.json");
}

static void no_database_is_an_error(void **state)
{
    struct store *store = memory_store_new(1);
    struct fsck_fixture *fixture = *state;
    GPtrArray *findings;
    assert_int_equal(catalog_fsck(store, fixture->layout, NULL, &findings, NULL), ERR_NOT_FOUND);
    store_free(store);
}

static void every_failing_read_is_an_error(void **state)
{
    struct fsck_fixture *fixture = *state;
    unsigned n = 0;
    bool fired = true;
    while (fired) {
        GPtrArray *findings = NULL;
        fault_store_arm(fixture->store, FAULT_FAIL, FAULT_ALL, ++n, false, ERR_UNREACHABLE);
        int code = catalog_fsck(fixture->store, fixture->layout, NULL, &findings, NULL);
        fired = fault_store_fired(fixture->store);
        fault_store_disarm(fixture->store);
        assert_int_equal(code, fired ? ERR_UNREACHABLE : 0);
        if (findings)
            g_ptr_array_unref(findings);
    }
    assert_true(n > 20);
}

static void forks_half_made_or_half_dropped_are_found(void **state)
{
    edit_registry(*state, "\"active\"", "\"pending\"");
    assert_findings(*state, "fork \"audit\": pending");
    edit_registry(*state, "\"pending\"", "\"tombstoned\"");
    assert_findings(*state, "fork \"audit\": tombstoned");
}

static void names_that_break_rules_are_found(void **state)
{
    edit_registry(*state, "\"audit\"", "\"au\\ndit\"");
    assert_findings(*state, "breaks the rule for names");
}

static void an_entry_under_a_wrong_key_is_found(void **state)
{
    edit_registry(*state, "\"audit\": {", "\"other\": {");
    assert_findings(*state, "own name differs");
}

static void a_missing_parent_is_found(void **state)
{
    edit_registry(*state, "\"parent_fork_id\": null", "\"parent_fork_id\": \"" UNKNOWN "\"");
    assert_findings(*state, "no parent fork " UNKNOWN);
}

static void parents_that_go_round_in_a_circle_are_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    struct ulid child;
    g_autofree char *self = g_strdup_printf("\"parent_fork_id\": \"%s\"", fixture->id.text);
    edit_registry(fixture, "\"parent_fork_id\": null", self);
    assert_findings(fixture, "fork \"audit\": it is its own parent");
    edit_registry(fixture, self, "\"parent_fork_id\": null");
    assert_int_equal(catalog_create(fixture->catalog, "child", "audit", NULL, &child, NULL), 0);
    g_autofree char *circle = g_strdup_printf("\"parent_fork_id\": \"%s\"", child.text);
    edit_registry(fixture, "\"parent_fork_id\": null", circle);
    assert_findings(fixture, "fork \"audit\": it descends from itself, by way of \"child\"",
                    "fork \"child\": it descends from itself, by way of \"audit\"");
}

static void a_parent_that_is_not_where_the_branches_were_made_from_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    struct ulid child;
    g_autofree char *right = g_strdup_printf("\"parent_fork_id\": \"%s\"", fixture->id.text);
    assert_int_equal(catalog_create(fixture->catalog, "child", "audit", NULL, &child, NULL), 0);
    edit_registry(fixture, right, "\"parent_fork_id\": null");
    assert_findings(fixture, "of storage/edges.lance was made from branch 'fork_",
                    "of storage/vertices.lance was made from branch 'fork_");
}

static void the_summary_says_how_many_findings_are_of_which_kind(void **state)
{
    struct fsck_fixture *fixture = *state;
    g_autoptr(GPtrArray) nothing = findings_of(fixture);
    g_autofree char *clean = fsck_summary(nothing);
    assert_string_equal(clean, "nothing found");
    put_text(fixture, "catalog/fork_schemas/" UNKNOWN ".json", "{}");
    g_autoptr(GPtrArray) leftover = findings_of(fixture);
    g_autofree char *one = fsck_summary(leftover);
    assert_string_equal(one, "1 finding: 1 leftover");
    put_text(fixture, "catalog/fork_schemas/" UNKNOWN ".json#1", "{}");
    put_text(fixture, "id_allocator.json", "{");
    edit_registry(fixture, "\"active\"", "\"pending\"");
    g_autoptr(GPtrArray) several = findings_of(fixture);
    g_autofree char *all = fsck_summary(several);
    assert_string_equal(all, "4 findings: 1 error, 1 unfinished, 2 leftovers");
}

static void a_double_id_is_found_at_both_entries(void **state)
{
    struct fsck_fixture *fixture = *state;
    auto_registry struct registry *before = catalog_registry(fixture->catalog);
    auto_bytes struct bytes *document = fork_entry_document(registry_find(before, "audit"));
    g_auto(GStrv) parts = g_strsplit(document->data, "\"audit\"", -1);
    g_autofree char *twin = g_strjoinv("\"twin\"", parts);
    g_autofree char *registry =
        g_strdup_printf("{\"forks\": {\"audit\": %s, \"twin\": %s}}", document->data, twin);
    put_text(fixture, "catalog/fork_registry.json", registry);
    assert_findings(fixture, "fork \"audit\": another entry", "fork \"twin\": another entry");
}

static void names_that_cannot_be_keys_are_found(void **state)
{
    edit_registry(*state, "\"vertices\":", "\"../vertices\":");
    assert_findings(*state, "dataset name '../vertices'", "dataset '../vertices' is missing",
                    "is not in the entry");
}

static void a_branch_of_another_fork_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    edit_registry(fixture, fixture->branch, "fork_" UNKNOWN "_vertices");
    assert_findings(fixture, "belongs to another fork", "is missing", "is not in the entry");
}

static void a_missing_overlay_or_allocator_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    g_autofree char *overlay = layout_overlay_key(fixture->layout, &fixture->id);
    g_autofree char *allocator = layout_fork_allocator_key(fixture->layout, &fixture->id);
    delete_key(fixture, overlay);
    delete_key(fixture, allocator);
    assert_findings(fixture, "the overlay catalog/", "the allocator storage/");
}

static void an_unparsable_overlay_or_allocator_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    g_autofree char *overlay = layout_overlay_key(fixture->layout, &fixture->id);
    g_autofree char *allocator = layout_fork_allocator_key(fixture->layout, &fixture->id);
    put_text(fixture, overlay, "{\"added_labels\": 3}");
    put_text(fixture, allocator, "");
    assert_findings(fixture, "overlay catalog/", "allocator storage/");
    put_text(fixture, overlay, "[]");
    assert_findings(fixture, "overlay catalog/", "allocator storage/");
}

static void an_allocator_of_the_primary_must_parse_if_there_is_one(void **state)
{
    struct fsck_fixture *fixture = *state;
    put_text(fixture, "id_allocator.json", "{\"next_vid_batch\": 1}");
    assert_findings(fixture, "the allocator id_allocator.json does not parse");
    delete_key(fixture, "id_allocator.json");
    g_autoptr(GPtrArray) findings = findings_of(fixture);
    assert_int_equal(findings->len, 0);
}

static void files_of_unknown_forks_are_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    put_text(fixture, "catalog/fork_schemas/" UNKNOWN ".json", "{}");
    put_text(fixture, "storage/catalog/forks/" UNKNOWN "/id_allocator.json", "{}");
    put_text(fixture, "storage/wal_forks/" UNKNOWN "/1.wal", "x");
    put_text(fixture, "catalog/fork_schemas/readme", "x");
    put_text(fixture, "catalog/fork_tombstones/readme", "x");
    put_text(fixture, "storage/catalog/forks/loose", "x");
    assert_findings(fixture, "fork_schemas/" UNKNOWN ".json: overlay of an unknown fork",
                    UNKNOWN "/id_allocator.json: file of an unknown fork",
                    UNKNOWN "/1.wal: file of an unknown fork", "fork_schemas/readme: is no overlay",
                    "fork_tombstones/readme: is no tombstone", "forks/loose: belongs to no fork");
}

static void tombstones_that_fit_no_drop_are_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    auto_registry struct registry *registry = catalog_registry(fixture->catalog);
    auto_bytes struct bytes *document = fork_entry_document(registry_find(registry, "audit"));
    g_autofree char *key = layout_tombstone_key(fixture->layout, &fixture->id);
    put_text(fixture, key, document->data);
    put_text(fixture, "catalog/fork_tombstones/" UNKNOWN ".json", document->data);
    assert_findings(fixture, "tombstone of the active fork \"audit\"", "tombstone is that of fork");
    put_text(fixture, "catalog/fork_tombstones/" UNKNOWN ".json", "{}");
    assert_findings(fixture, "tombstone of the active fork \"audit\"", "does not parse");
}

static void a_tombstone_of_an_unknown_fork_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    auto_registry struct registry *registry = catalog_registry(fixture->catalog);
    auto_bytes struct bytes *document = fork_entry_document(registry_find(registry, "audit"));
    g_autofree char *key = layout_tombstone_key(fixture->layout, &fixture->id);
    assert_int_equal(catalog_drop(fixture->catalog, "audit", NULL, NULL, NULL), 0);
    put_text(fixture, key, document->data);
    assert_findings(fixture, "tombstone of an unknown fork");
}

static void temporary_files_are_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    g_autofree char *ref = lance_branch_ref_key("storage/vertices.lance", fixture->branch);
    g_autofree char *ref_temporary = g_strconcat(ref, "#3", NULL);
    g_autofree char *tree = lance_branch_tree_prefix("storage/vertices.lance", fixture->branch);
    g_autofree char *tree_temporary = g_strconcat(tree, "_versions/1.manifest#4", NULL);
    put_text(fixture, "catalog/fork_registry.json#1", "x");
    put_text(fixture, "catalog/fork_schemas/" UNKNOWN ".json#2", "x");
    put_text(fixture, "storage/wal_forks/" UNKNOWN "/1.wal#5", "x");
    put_text(fixture, ref_temporary, "x");
    put_text(fixture, tree_temporary, "x");
    assert_findings(fixture, "fork_registry.json#1: temporary", ".json#2: temporary", ref_temporary,
                    tree_temporary, "1.wal#5: temporary");
}

static void a_finding_is_one_line_of_text(void **state)
{
    put_text(*state, "catalog/fork_schemas/a\nb\x7f", "x");
    assert_findings(*state, "fork_schemas/a\\x0ab\\x7f: is no overlay");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fsck_set_up, fsck_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_catalog_has_no_findings),
        TEST(a_dropped_fork_leaves_no_findings),
        TEST(an_unparsable_registry_is_the_only_finding),
        TEST(no_database_is_an_error),
        TEST(every_failing_read_is_an_error),
        TEST(forks_half_made_or_half_dropped_are_found),
        TEST(names_that_break_rules_are_found),
        TEST(an_entry_under_a_wrong_key_is_found),
        TEST(a_missing_parent_is_found),
        TEST(parents_that_go_round_in_a_circle_are_found),
        TEST(a_parent_that_is_not_where_the_branches_were_made_from_is_found),
        TEST(the_summary_says_how_many_findings_are_of_which_kind),
        TEST(a_double_id_is_found_at_both_entries),
        TEST(names_that_cannot_be_keys_are_found),
        TEST(a_branch_of_another_fork_is_found),
        TEST(a_missing_overlay_or_allocator_is_found),
        TEST(an_unparsable_overlay_or_allocator_is_found),
        TEST(an_allocator_of_the_primary_must_parse_if_there_is_one),
        TEST(files_of_unknown_forks_are_found),
        TEST(tombstones_that_fit_no_drop_are_found),
        TEST(a_tombstone_of_an_unknown_fork_is_found),
        TEST(temporary_files_are_found),
        TEST(a_finding_is_one_line_of_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

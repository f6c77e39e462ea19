/*
 * What users are told of forks on which something hangs: by rmdir, by what they do to tags, and in
 * the file `tombstones`.
 */
#include "unit/unit.h"

#include <string.h>

#include "catalog/fork/kept_reason.h"
#include "unit/catalog/recovery/kept_fixture.h"

/* ---- rmdir ---- */

static void rmdir_is_refused_with_the_reason_until_the_tag_goes(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    tombstone(fixture);
    assert_refused(fixture, ERR_NOT_EMPTY, "it stays tombstoned: the tag tags/v1");
    assert_shown(fixture, "tags/v1");
    assert_int_equal(catalog_untag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    assert_shown(fixture, "tags/v1 has been removed");
    assert_drops(fixture);
    assert_shown(fixture, NULL);
}

static void rmdir_looks_for_tags_on_branches_that_are_not_recorded(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tag(fixture, FORK_DATASET, "release", fixture->branch);
    fork_fixture_forget_datasets(fixture);
    tombstone(fixture);
    assert_refused(fixture, ERR_NOT_EMPTY, "release");
    delete_tag(fixture, FORK_DATASET, "release");
    assert_drops(fixture);
}

/* Removing the tag stopped half way: the tag is no obstacle any more. */
static void a_half_removed_tag_keeps_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    tombstone(fixture);
    fault_store_match(fixture->faults, "_refs/tags");
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_DELETE, 2, true, ERR_UNREACHABLE);
    assert_int_equal(catalog_untag(fixture->catalog, &fixture->id, "v1", NULL, NULL),
                     ERR_UNREACHABLE);
    fork_fixture_reopen(fixture);
    unsigned problems = 1;
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 2); /* the tag and the fork */
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
    fixture_assert_clean(fixture->store);
}

/* The removal had not begun, or what announced it arrived again, late. */
static void a_whole_tag_whose_removal_was_announced_still_keeps_it(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    tombstone(fixture);
    g_autofree char *intent =
        g_strdup_printf("storage/catalog/fork_taggings/%s.json", fixture->id.text);
    fixture_put(fixture->store, intent, "{\"writer\": \"x\", \"tag\": \"v1\", \"refs\": 3}");
    unsigned problems = 0;
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1); /* what announced it */
    assert_int_equal(problems, 1);
    assert_false(fixture_exists(fixture->store, intent));
    assert_kept(fixture, "tags/v1");
}

static void a_fork_that_is_not_active_cannot_be_tagged(void **state)
{
    struct fork_fixture *fixture = *state;
    tombstone(fixture);
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), ERR_STALE);
    assert_int_equal(catalog_untag(fixture->catalog, &fixture->id, "v1", NULL, NULL),
                     ERR_NOT_FOUND);
}

/* ---- What users see ---- */

static void tombstones_shows_what_keeps_a_fork_with_a_tombstone(void **state)
{
    struct fork_fixture *fixture = *state;
    auto_registry struct registry *registry = catalog_registry(fixture->catalog);
    auto_bytes struct bytes *document = fork_entry_document(registry_find(registry, "audit"));
    g_autofree char *key = g_strdup_printf("catalog/fork_tombstones/%s.json", fixture->id.text);
    put_tag(fixture, FORK_DATASET, "release", fixture->branch);
    fixture_put(fixture->store, key, document->data);
    tombstone(fixture);
    assert_kept(fixture, "release"); /* one line, not one of the entry and one of the tombstone */
    assert_shown(fixture, "\"status\": \"active\",\n    \"kept_by\": \"the Lance tag");
}

static void and_one_without(void **state)
{
    struct fork_fixture *fixture = *state;
    put_tag(fixture, FORK_DATASET, "release", fixture->branch);
    tombstone(fixture);
    assert_shown(fixture, NULL);
    assert_kept(fixture, "release");
    assert_shown(fixture, "\"status\": \"tombstoned\",\n    \"kept_by\": \"the Lance tag");
    delete_tag(fixture, FORK_DATASET, "release");
    assert_finished(fixture);
    assert_shown(fixture, NULL);
}

static void a_name_that_is_written_otherwise_in_the_mount_is_not_told_wrongly(void **state)
{
    static const char *const names[] = {"a/b", "100%", ".."};
    struct fork_fixture *fixture = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        struct ulid id = fixture_create(fixture->catalog, names[i], NULL);
        auto_registry struct registry *registry = catalog_registry(fixture->catalog);
        const struct fork_entry *entry = registry_find_id(registry, &id);
        g_autofree char *branch = layout_branch_name(&id, "edges");
        struct error err = {0};
        assert_int_equal(kept_by_tag(entry, "edges", branch,
                                     OTHER_DATASET "/_refs/tags/fork_v1_edges.json", &err),
                         ERR_NOT_EMPTY);
        assert_non_null(strstr(err.text, "rmdir tags/v1 in the fork's directory, then rmdir the "
                                         "fork's directory"));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)
#define TEST_ON_DISK(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fork_set_up_on_disk, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rmdir_is_refused_with_the_reason_until_the_tag_goes),
        TEST_ON_DISK(rmdir_is_refused_with_the_reason_until_the_tag_goes),
        TEST(rmdir_looks_for_tags_on_branches_that_are_not_recorded),
        TEST(a_half_removed_tag_keeps_nothing),
        TEST_ON_DISK(a_half_removed_tag_keeps_nothing),
        TEST(a_whole_tag_whose_removal_was_announced_still_keeps_it),
        TEST(a_fork_that_is_not_active_cannot_be_tagged),
        TEST(tombstones_shows_what_keeps_a_fork_with_a_tombstone),
        TEST(and_one_without),
        TEST(a_name_that_is_written_otherwise_in_the_mount_is_not_told_wrongly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

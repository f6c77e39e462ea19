/*
 * What a catalog knows and finds gone: nothing is written, until it is back.
 */
#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/fork_fixture.h"

#define SCHEMA "catalog/schema.json"
#define POINTER "storage/catalog/latest"

/* What is taken away, and put back. */
struct away {
    struct store *store;
    GPtrArray *keys;
    GPtrArray *bodies;
};

static void take_away(struct away *away, struct store *store, const char *prefix)
{
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, prefix, NULL, 0);
    *away = (struct away){.store = store,
                          .keys = g_ptr_array_new_with_free_func(g_free),
                          .bodies = g_ptr_array_new_with_free_func((GDestroyNotify)bytes_unref)};
    assert_int_equal(store_run_all(store, set, 0, NULL, NULL), 0);
    assert_true(listing->answer.objects->len > 0);
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(listing->answer.objects, i);
        struct bytes *body = NULL;
        assert_int_equal(store_get(store, object->key, NULL, &body, NULL, NULL), 0);
        g_ptr_array_add(away->keys, g_strdup(object->key));
        g_ptr_array_add(away->bodies, body);
        fixture_delete(store, object->key);
    }
}

static void put_back(struct away *away)
{
    for (guint i = 0; i < away->keys->len; i++)
        assert_int_equal(store_put(away->store, g_ptr_array_index(away->keys, i),
                                   g_ptr_array_index(away->bodies, i), STORE_ALWAYS, NULL, NULL,
                                   NULL, NULL),
                         0);
    g_ptr_array_unref(away->keys);
    g_ptr_array_unref(away->bodies);
}

/* Making a fork fails, says `part`, and writes nothing. */
static void assert_makes_none(struct fork_fixture *fixture, const char *parent, const char *part)
{
    struct error err = {0};
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(catalog_create(fixture->catalog, "new", parent, NULL, NULL, &err), ERR_AWAY);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    if (!strstr(err.text, part))
        fail_msg("'%s' does not say '%s'", err.text, part);
}

static void assert_makes_one(struct fork_fixture *fixture)
{
    fixture_create(fixture->catalog, "new", NULL);
    fixture_assert_whole(fixture->store);
}

/* ---- Opening ---- */

/* Opens the fixture's store as a bucket with the datasets below a prefix. The fork's are below
 * "storage/". */
static int open_bucket(struct fork_fixture *fixture, const char *datasets, struct error *err)
{
    const struct catalog_settings settings = {.read_only = true};
    struct store *faults = fault_store_new(fixture->store, false);
    struct layout *layout = NULL;
    struct catalog *catalog = NULL;
    g_autofree char *uri = g_strconcat("s3://bucket/", datasets, NULL);
    uri[strlen(uri) - 1] = '\0';
    assert_int_equal(layout_new_apart("", "storage/", datasets, uri, &layout, NULL), 0);
    int code = catalog_open(faults, layout, &settings, NULL, &catalog, err);
    if (code) {
        store_free(faults);
        layout_free(layout);
    }
    catalog_free(catalog);
    return code;
}

static void a_bucket_is_refused_whose_forks_are_below_another_prefix(void **state)
{
    struct fork_fixture *fixture = *state;
    struct error err = {0};
    fixture_put(fixture->store, "other/vertices_Person.lance/_versions/x", "x");
    assert_int_equal(open_bucket(fixture, "other/", &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "none of them is below 'other/'"));
    assert_int_equal(open_bucket(fixture, "storage/", NULL), 0);
    g_autofree char *ref =
        g_strdup_printf("other/vertices_Person.lance/_refs/branches/%s.json", fixture->branch);
    fixture_put(fixture->store, ref, "x"); /* one of them is */
    assert_int_equal(open_bucket(fixture, "other/", NULL), 0);
}

static void a_bucket_without_forks_has_any_prefix_with_datasets(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_drops(fixture);
    fixture_put(fixture->store, "other/vertices_Person.lance/_versions/x", "x");
    assert_int_equal(open_bucket(fixture, "other/", NULL), 0);
}

/* ---- Creating ---- */

static void a_schema_that_is_away_is_missed(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    take_away(&away, fixture->store, SCHEMA);
    assert_makes_none(fixture, NULL, SCHEMA " was there and is not now");
    assert_makes_none(fixture, "audit", SCHEMA);
    put_back(&away);
    assert_makes_one(fixture);
}

static void an_old_schema_does_not_take_the_place_of_one_that_is_away(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    g_autofree char *schema = fixture_read(fixture->store, SCHEMA);
    fixture_put(fixture->store, "schema.json", schema);
    take_away(&away, fixture->store, SCHEMA);
    assert_makes_none(fixture, NULL, SCHEMA);
    put_back(&away);
}

static void a_pointer_that_is_away_is_missed(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    take_away(&away, fixture->store, POINTER);
    assert_makes_none(fixture, NULL, POINTER " was there and is not now");
    put_back(&away);
    assert_makes_one(fixture);
}

static void a_dataset_that_is_away_is_missed(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    take_away(&away, fixture->store, "storage/edges.lance/");
    assert_makes_none(fixture, NULL, "storage/edges.lance is not there");
    assert_makes_none(fixture, "audit", "storage/edges.lance is not there");
    put_back(&away);
    assert_makes_one(fixture);
}

static void a_dataset_of_which_the_versions_are_away_is_missed(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    take_away(&away, fixture->store, "storage/edges.lance/_versions/");
    assert_makes_none(fixture, NULL, "storage/edges.lance/_versions/");
    put_back(&away);
    assert_makes_one(fixture);
}

static void a_storage_that_is_away_is_missed(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    take_away(&away, fixture->store, "storage/");
    assert_makes_none(fixture, NULL, "datasets below 'storage/'");
    assert_makes_none(fixture, "audit", "datasets below 'storage/'");
    assert_refused(fixture, ERR_AWAY, "datasets below 'storage/'");
    put_back(&away);
    assert_makes_one(fixture);
}

static void a_dataset_that_was_there_at_the_mount_is_missed_by_the_first_fork(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    assert_drops(fixture);
    fork_fixture_reopen(fixture);
    take_away(&away, fixture->store, "storage/edges.lance/");
    assert_makes_none(fixture, NULL, "storage/edges.lance was there and is not now");
    put_back(&away);
    assert_makes_one(fixture);
}

static void a_dataset_that_the_registry_names_is_missed_after_the_mount(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    take_away(&away, fixture->store, "storage/edges.lance/");
    fork_fixture_reopen(fixture);
    assert_makes_none(fixture, NULL, "registry records branches in it");
    put_back(&away);
    assert_makes_one(fixture);
}

static void a_dataset_that_nobody_ever_knew_is_not_missed(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_drops(fixture);
    struct away away;
    take_away(&away, fixture->store, "storage/edges.lance/");
    fork_fixture_reopen(fixture);
    fixture_create(fixture->catalog, "new", NULL);
    put_back(&away);
}

static void datasets_that_are_not_needed_are_not_missed(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    fixture_put_dataset(fixture->store, "vertices_Gone", "plain", 2);
    fork_fixture_reopen(fixture);
    take_away(&away, fixture->store, "storage/vertices_Gone.lance/");
    assert_makes_one(fixture);
    put_back(&away);
}

/* ---- Dropping ---- */

static void a_fork_is_not_dropped_while_a_dataset_of_its_branches_is_away(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    take_away(&away, fixture->store, "storage/edges.lance/");
    assert_refused(fixture, ERR_AWAY, "storage/edges.lance is not there");
    put_back(&away);
    assert_drops(fixture);
}

static void take_branches(struct fork_fixture *fixture)
{
    static const char *const datasets[] = {"edges", "vertices", "vertices_Person"};
    for (size_t i = 0; i < G_N_ELEMENTS(datasets); i++) {
        struct away away;
        g_autofree char *branch = layout_branch_name(&fixture->id, datasets[i]);
        g_autofree char *tree = g_strdup_printf("storage/%s.lance/tree/%s/", datasets[i], branch);
        g_autofree char *ref =
            g_strdup_printf("storage/%s.lance/_refs/branches/%s.json", datasets[i], branch);
        take_away(&away, fixture->store, tree);
        g_ptr_array_unref(away.keys);
        g_ptr_array_unref(away.bodies);
        fixture_delete(fixture->store, ref);
    }
}

static void a_fork_without_any_of_its_branches_is_not_dropped(void **state)
{
    struct fork_fixture *fixture = *state;
    take_branches(fixture);
    assert_refused(fixture, ERR_AWAY, "none of the branches that its entry records");
    g_autofree char *file = g_strdup_printf(FORK_DATASET "/tree/%s/x", fixture->branch);
    fixture_put(fixture->store, file, "x"); /* all that is left of one */
    assert_drops(fixture);
}

static void a_fork_that_records_no_branch_is_dropped(void **state)
{
    struct fork_fixture *fixture = *state;
    take_branches(fixture);
    fork_fixture_forget_datasets(fixture);
    assert_drops(fixture);
}

static void a_drop_that_had_begun_is_finished_without_any_branch(void **state)
{
    struct fork_fixture *fixture = *state;
    take_branches(fixture);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_drops(fixture);
}

static void recovery_finishes_what_has_no_branch_any_more(void **state)
{
    struct fork_fixture *fixture = *state;
    unsigned problems;
    take_branches(fixture);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_status(fixture->store, "audit"), -1);
}

static void recovery_waits_for_a_dataset_that_is_away(void **state)
{
    struct fork_fixture *fixture = *state;
    unsigned problems;
    struct away away;
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    take_away(&away, fixture->store, "storage/edges.lance/");
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 0);
    assert_int_equal(problems, 1);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_TOMBSTONED);
    assert_refused(fixture, ERR_AWAY, "storage/edges.lance");
    put_back(&away);
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

static void recovery_does_not_miss_what_was_gone_before_the_mount(void **state)
{
    struct fork_fixture *fixture = *state;
    unsigned problems;
    struct away away;
    take_away(&away, fixture->store, "storage/edges.lance/");
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_status(fixture->store, "audit"), -1);
    put_back(&away);
}

static void a_tombstone_without_entry_waits_for_a_dataset_that_is_away(void **state)
{
    struct fork_fixture *fixture = *state;
    unsigned problems;
    struct away away;
    auto_registry struct registry *registry = catalog_registry(fixture->catalog);
    auto_bytes struct bytes *document =
        fork_entry_document(registry_find_id(registry, &fixture->id));
    g_autofree char *key = g_strdup_printf("catalog/fork_tombstones/%s.json", fixture->id.text);
    fixture_put(fixture->store, key, document->data);
    fixture_put(fixture->store, FIXTURE_REGISTRY, "{\"forks\": {}}");
    fork_fixture_reopen(fixture);
    take_away(&away, fixture->store, "storage/edges.lance/");
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 0);
    assert_true(problems > 0);
    assert_true(fixture_exists(fixture->store, key));
    put_back(&away);
    fixture_recover(fixture->catalog, &problems);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

/* ---- Tags ---- */

static void a_tag_is_not_removed_in_part(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    struct error err = {0};
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "t", NULL, NULL), 0);
    take_away(&away, fixture->store, "storage/edges.lance/");
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(catalog_untag(fixture->catalog, &fixture->id, "t", NULL, &err), ERR_AWAY);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    put_back(&away);
    assert_int_equal(catalog_untag(fixture->catalog, &fixture->id, "t", NULL, NULL), 0);
    assert_drops(fixture);
}

/* ---- The registry ---- */

static void a_registry_that_is_away_is_not_an_empty_one(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    struct error err = {0};
    take_away(&away, fixture->store, FIXTURE_REGISTRY);
    assert_int_equal(catalog_refresh(fixture->catalog, FIXTURE_REGISTRY, NULL, NULL, &err),
                     ERR_AWAY);
    assert_non_null(strstr(err.text, FIXTURE_REGISTRY));
    assert_int_equal(catalog_poll(fixture->catalog, NULL, NULL, NULL, NULL), ERR_AWAY);
    auto_registry struct registry *shown = catalog_registry(fixture->catalog);
    assert_non_null(registry_find(shown, "audit"));
    assert_makes_none(fixture, NULL, FIXTURE_REGISTRY);
    assert_refused(fixture, ERR_AWAY, FIXTURE_REGISTRY);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &fixture->id, true, 60, NULL, NULL),
                     ERR_AWAY);
    assert_false(fixture_exists(fixture->store, FIXTURE_REGISTRY));
    put_back(&away);
    assert_makes_one(fixture);
    assert_drops(fixture);
}

static void a_database_that_never_had_a_registry_has_no_forks(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_drops(fixture);
    fixture_delete(fixture->store, FIXTURE_REGISTRY);
    fork_fixture_reopen(fixture);
    assert_int_equal(catalog_poll(fixture->catalog, NULL, NULL, NULL, NULL), 0);
    assert_makes_one(fixture);
}

static void an_overlay_is_not_empty_because_all_of_the_catalog_is_away(void **state)
{
    struct fork_fixture *fixture = *state;
    struct away away;
    struct overlay *overlay = NULL;
    fork_fixture_reopen(fixture);
    take_away(&away, fixture->store, "catalog/");
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(catalog_overlay(fixture->catalog, &fixture->id, NULL, &overlay, NULL),
                     ERR_AWAY);
    auto_bytes struct bytes *text = bytes_new_text("{}");
    assert_int_equal(
        catalog_write_overlay(fixture->catalog, &fixture->id, text, NULL, NULL, NULL, NULL),
        ERR_AWAY);
    assert_int_equal(
        catalog_write_overlay(fixture->catalog, &fixture->id, text, "1", NULL, NULL, NULL),
        ERR_AWAY);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    put_back(&away);
    assert_int_equal(catalog_overlay(fixture->catalog, &fixture->id, NULL, &overlay, NULL), 0);
    overlay_free(overlay);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, fork_set_up, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_bucket_is_refused_whose_forks_are_below_another_prefix),
        WITH(a_bucket_without_forks_has_any_prefix_with_datasets),
        WITH(a_schema_that_is_away_is_missed),
        WITH(an_old_schema_does_not_take_the_place_of_one_that_is_away),
        WITH(a_pointer_that_is_away_is_missed),
        WITH(a_dataset_that_is_away_is_missed),
        WITH(a_dataset_of_which_the_versions_are_away_is_missed),
        WITH(a_storage_that_is_away_is_missed),
        WITH(a_dataset_that_was_there_at_the_mount_is_missed_by_the_first_fork),
        WITH(a_dataset_that_the_registry_names_is_missed_after_the_mount),
        WITH(a_dataset_that_nobody_ever_knew_is_not_missed),
        WITH(datasets_that_are_not_needed_are_not_missed),
        WITH(a_fork_is_not_dropped_while_a_dataset_of_its_branches_is_away),
        WITH(a_fork_without_any_of_its_branches_is_not_dropped),
        WITH(a_fork_that_records_no_branch_is_dropped),
        WITH(a_drop_that_had_begun_is_finished_without_any_branch),
        WITH(recovery_finishes_what_has_no_branch_any_more),
        WITH(recovery_waits_for_a_dataset_that_is_away),
        WITH(recovery_does_not_miss_what_was_gone_before_the_mount),
        WITH(a_tombstone_without_entry_waits_for_a_dataset_that_is_away),
        WITH(a_tag_is_not_removed_in_part),
        WITH(a_registry_that_is_away_is_not_an_empty_one),
        WITH(a_database_that_never_had_a_registry_has_no_forks),
        WITH(an_overlay_is_not_empty_because_all_of_the_catalog_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

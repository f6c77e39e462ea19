/*
 * Forks of databases whose allocator is not where it should be, or in a local directory (hybrid
 * mode).
 */
#include "unit/unit.h"

#include <string.h>
#include <unistd.h>

#include "lance/branch_name.h"
#include "store/local/routed_store.h"
#include "unit/catalog/database_fixture.h"
#include "unit/store/store_bench.h"

#define ALLOCATOR "id_allocator.json"
#define SEGMENT "wal/00000000000000000001_x.wal"
#define BUCKET "s3://graphs/social"
#define DIRECTORY "/srv/graph/storage"

struct fixture {
    struct store *store;
    struct store *faults; /* around `store`, what the catalog uses */
    struct catalog *catalog;
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->store = fixture_database();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    catalog_free(fixture->catalog);
    store_free(fixture->store);
    g_free(fixture);
    return 0;
}

/* Mounts the database, known by that URI; local_metadata may be NULL. */
static void open_as(struct fixture *fixture, const char *base_uri, const char *local_metadata)
{
    static const struct catalog_settings settings = {0};
    struct error err = {0};
    struct layout *layout = NULL;
    g_clear_pointer(&fixture->catalog, catalog_free);
    fixture->faults = fault_store_new(fixture->store, false);
    assert_int_equal(layout_new("", "storage/", base_uri, &layout, NULL), 0);
    if (local_metadata)
        layout_set_local_metadata(layout, local_metadata);
    if (catalog_open(fixture->faults, layout, &settings, NULL, &fixture->catalog, &err))
        fail_msg("%s", err.text);
}

/* A manifest of version 2 without fragments. */
static void put_without_rows(struct fixture *fixture, const char *root, const char *branch)
{
    static const char manifest[] = "\2\0\0\0\030\2"
                                   "\0\0\0\0\0\0\0\0\0\0\2\0LANC";
    g_autofree char *key = lance_manifest_key(root, branch, 2);
    auto_bytes struct bytes *body = bytes_new(manifest, sizeof(manifest) - 1);
    assert_int_equal(store_put(fixture->store, key, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
}

static void take_rows_away(struct fixture *fixture)
{
    g_autofree char *indexed = lance_manifest_key("storage/vertices.lance", NULL, 4);
    fixture_delete(fixture->store, indexed);
    put_without_rows(fixture, "storage/edges.lance", NULL);
    put_without_rows(fixture, "storage/vertices.lance", NULL);
    put_without_rows(fixture, "storage/vertices_Person.lance", NULL);
}

static void assert_refuses(struct fixture *fixture, const char *parent, int code, const char *part)
{
    struct error err = {0};
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(catalog_create(fixture->catalog, "new", parent, NULL, NULL, &err), code);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    if (!strstr(err.text, part))
        fail_msg("'%s' does not say '%s'", err.text, part);
}

static char *allocator_key_of(const struct ulid *id)
{
    return g_strdup_printf("storage/catalog/forks/%s/" ALLOCATOR, id->text);
}

static void assert_seeded(struct fixture *fixture, const struct ulid *id, const char *vid)
{
    g_autofree char *key = allocator_key_of(id);
    g_autofree char *allocator = fixture_read(fixture->store, key);
    g_autofree char *member = g_strdup_printf("\"next_vid_batch\": %s,", vid);
    assert_non_null(allocator);
    assert_non_null(strstr(allocator, member));
}

/* ---- The primary graph ---- */

static void a_bucket_with_rows_and_no_allocator_is_taken_for_hybrid(void **state)
{
    struct fixture *fixture = *state;
    fixture_delete(fixture->store, ALLOCATOR);
    open_as(fixture, BUCKET, NULL);
    assert_refuses(fixture, NULL, ERR_UNSUPPORTED,
                   "looks like hybrid mode: mount with -o local_metadata=DIR");
    fixture_put(fixture->store, ALLOCATOR, "{\"next_vid_batch\": 5, \"next_eid_batch\": 6}");
    struct ulid id = fixture_create(fixture->catalog, "new", NULL);
    assert_seeded(fixture, &id, "5");
}

static void that_refusal_takes_the_one_wave_of_reads(void **state)
{
    struct fixture *fixture = *state;
    open_as(fixture, BUCKET, NULL);
    fixture_create(fixture->catalog, "first", NULL); /* warms the caches */
    fixture_delete(fixture->store, ALLOCATOR);
    unsigned waves = fault_store_waves(fixture->faults);
    assert_refuses(fixture, NULL, ERR_UNSUPPORTED, "hybrid");
    assert_int_equal(fault_store_waves(fixture->faults) - waves, 1);
}

static void one_dataset_with_rows_is_enough(void **state)
{
    struct fixture *fixture = *state;
    take_rows_away(fixture);
    fixture_put_dataset(fixture->store, "vertices_Person", "plain", 2);
    fixture_delete(fixture->store, ALLOCATOR);
    open_as(fixture, BUCKET, NULL);
    assert_refuses(fixture, NULL, ERR_UNSUPPORTED, "dataset vertices_Person has rows");
}

static void a_directory_without_the_allocator_is_the_wrong_one(void **state)
{
    struct fixture *fixture = *state;
    fixture_delete(fixture->store, ALLOCATOR);
    open_as(fixture, BUCKET, "/srv/other");
    assert_refuses(fixture, NULL, ERR_UNSUPPORTED, "local_metadata=/srv/other");
    assert_refuses(fixture, NULL, ERR_UNSUPPORTED, "is that the directory of this database?");
}

static void a_local_database_that_has_lost_its_allocator_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    fixture_delete(fixture->store, ALLOCATOR);
    open_as(fixture, DIRECTORY, NULL);
    assert_refuses(fixture, NULL, ERR_CORRUPT, "use their ids again");
}

static void without_rows_no_allocator_is_needed(void **state)
{
    static const char *const uris[] = {BUCKET, DIRECTORY};
    struct fixture *fixture = *state;
    take_rows_away(fixture);
    fixture_delete(fixture->store, ALLOCATOR);
    for (size_t i = 0; i < G_N_ELEMENTS(uris); i++) {
        open_as(fixture, uris[i], NULL);
        struct ulid id = fixture_create(fixture->catalog, uris[i], NULL);
        assert_seeded(fixture, &id, "0");
    }
}

static void a_manifest_that_does_not_parse_is_the_reason(void **state)
{
    struct fixture *fixture = *state;
    fixture_delete(fixture->store, ALLOCATOR);
    fixture_put(fixture->store, "storage/edges.lance/_versions/18446744073709551612.manifest", "x");
    open_as(fixture, BUCKET, NULL);
    assert_refuses(fixture, NULL, ERR_CORRUPT, "edges");
}

static void no_dataset_of_a_hybrid_database_is_registered(void **state)
{
    struct fixture *fixture = *state;
    open_as(fixture, BUCKET, NULL);
    struct ulid id = fixture_create(fixture->catalog, "audit", NULL);
    fixture_delete(fixture->store, ALLOCATOR);
    fixture_put_dataset(fixture->store, "vertices_Late", "plain", 2);
    auto_bytes struct bytes *text = bytes_new_text("{\"vertices_Late\": null}");
    struct error err = {0};
    assert_int_equal(catalog_register_datasets(fixture->catalog, &id, text, NULL, &err),
                     ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "hybrid"));
    assert_int_equal(fixture_mentions(fixture->store, "fork_registrations"), 0);
}

/* ---- Forks of forks: these have their allocators in the bucket ---- */

static void a_child_needs_its_parents_allocator_only(void **state)
{
    struct fixture *fixture = *state;
    open_as(fixture, BUCKET, NULL);
    struct ulid parent = fixture_create(fixture->catalog, "audit", NULL);
    fixture_delete(fixture->store, ALLOCATOR);
    g_autofree char *key = allocator_key_of(&parent);
    fixture_put(fixture->store, key, "{\"next_vid_batch\": 7000, \"next_eid_batch\": 8000}");
    struct ulid child = fixture_create(fixture->catalog, "child", "audit");
    assert_seeded(fixture, &child, "7000");
}

static void a_parent_that_has_lost_its_allocator_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    open_as(fixture, BUCKET, NULL);
    struct ulid parent = fixture_create(fixture->catalog, "audit", NULL);
    g_autofree char *key = allocator_key_of(&parent);
    fixture_delete(fixture->store, key);
    assert_refuses(fixture, "audit", ERR_CORRUPT, key);
    open_as(fixture, DIRECTORY, NULL);
    assert_refuses(fixture, "audit", ERR_CORRUPT, "a child would use their ids again");
}

static void a_parent_without_rows_needs_none(void **state)
{
    struct fixture *fixture = *state;
    take_rows_away(fixture);
    open_as(fixture, BUCKET, NULL);
    struct ulid parent = fixture_create(fixture->catalog, "audit", NULL);
    g_autofree char *key = allocator_key_of(&parent);
    fixture_delete(fixture->store, key);
    struct ulid child = fixture_create(fixture->catalog, "child", "audit");
    assert_seeded(fixture, &child, "0");
}

/* ---- With the directory ---- */

static void allocator_and_log_of_a_hybrid_database_are_the_directorys(void **state)
{
    struct fixture *fixture = *state;
    char *directory = scratch_directory_new();
    static const char *const keys[] = {ALLOCATOR, "wal/", NULL};
    const struct store_routing routing = {directory, "", keys};
    struct store *bucket = fixture->store;
    fixture_delete(bucket, ALLOCATOR);
    scratch_write(directory, ALLOCATOR, "{\"next_vid_batch\": 31, \"next_eid_batch\": 32}");
    scratch_write(directory, SEGMENT, "log");
    assert_int_equal(routed_store_new(bucket, &routing, &fixture->store, NULL), 0);
    open_as(fixture, BUCKET, directory);
    assert_refuses(fixture, NULL, ERR_UNCLEAN, SEGMENT);
    g_autofree char *segment = scratch_path(directory, SEGMENT);
    assert_int_equal(unlink(segment), 0);
    struct ulid id = fixture_create(fixture->catalog, "one", NULL);
    assert_seeded(fixture, &id, "31");
    /* Nothing of it is remembered. */
    scratch_write(directory, ALLOCATOR, "{\"next_vid_batch\": 1031, \"next_eid_batch\": 32}");
    id = fixture_create(fixture->catalog, "two", NULL);
    assert_seeded(fixture, &id, "1031");
    assert_text(scratch_names(directory, ""), ALLOCATOR " wal");
    fixture_assert_clean_at(fixture->store, BUCKET);
    scratch_directory_free(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bucket_with_rows_and_no_allocator_is_taken_for_hybrid),
        TEST(that_refusal_takes_the_one_wave_of_reads),
        TEST(one_dataset_with_rows_is_enough),
        TEST(a_directory_without_the_allocator_is_the_wrong_one),
        TEST(a_local_database_that_has_lost_its_allocator_is_damaged),
        TEST(without_rows_no_allocator_is_needed),
        TEST(a_manifest_that_does_not_parse_is_the_reason),
        TEST(no_dataset_of_a_hybrid_database_is_registered),
        TEST(a_child_needs_its_parents_allocator_only),
        TEST(a_parent_that_has_lost_its_allocator_is_damaged),
        TEST(a_parent_without_rows_needs_none),
        TEST(allocator_and_log_of_a_hybrid_database_are_the_directorys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Looks at the store while this mount writes an overlay: one that has landed is no change by
 * somebody else, though the writer does not know yet that it has.
 */
#include "unit/unit.h"

#include "unit/catalog/shared_fixture.h"

#define THEIRS "{\"added_labels\": [], \"theirs\": 1}"

struct fixture {
    struct store *memory;
    struct store *inner; /* where the answer to the put gets lost */
    struct store *outer; /* where the look at what has become of it is held up */
    struct catalog *catalog;
    struct ulid id;
    char *key;
    char *version; /* of the overlay before the write */
    struct bytes *text;
    pthread_t writer;
    int code;                       /* of the write */
    struct refreshed_overlay found; /* by run_refresh() */
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->memory = fixture_database_with_jobs(4);
    fixture->inner = fault_store_new(fixture->memory, false);
    fixture->catalog = fixture_open(fixture->inner, &fixture->outer);
    fixture->id = fixture_create(fixture->catalog, "audit", NULL);
    fixture->key = g_strdup_printf("catalog/fork_schemas/%s.json", fixture->id.text);
    fixture->text = bytes_new_text("{\n  \"added_labels\": []\n}");
    assert_int_equal(shared_poll(fixture->catalog), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    catalog_free(fixture->catalog);
    store_free(fixture->inner);
    store_free(fixture->memory);
    bytes_unref(fixture->text);
    g_free(fixture->version);
    g_free(fixture->key);
    g_free(fixture);
    return 0;
}

static void *write_overlay(void *argument)
{
    struct fixture *fixture = argument;
    fixture->code = catalog_write_overlay(fixture->catalog, &fixture->id, fixture->text,
                                          fixture->version, NULL, NULL, NULL);
    return NULL;
}

static void note_version(struct fixture *fixture)
{
    struct overlay *before = catalog_overlay_cached(fixture->catalog, &fixture->id);
    assert_non_null(before);
    fixture->version = g_strdup(before->version);
    overlay_free(before);
}

/* Until the new overlay is on the store. */
static void begin_write(struct fixture *fixture)
{
    note_version(fixture);
    fault_store_arm(fixture->inner, FAULT_LOSE_ANSWER, 1u << STORE_PUT, 1, false, 0);
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_GET, 1, false, 0);
    assert_int_equal(pthread_create(&fixture->writer, NULL, write_overlay, fixture), 0);
    fault_store_wait_held(fixture->outer);
    assert_true(fault_store_fired(fixture->inner));
}

static void assert_write_ends(struct fixture *fixture, int code)
{
    fault_store_release(fixture->outer);
    pthread_join(fixture->writer, NULL);
    assert_int_equal(fixture->code, code);
}

static struct refreshed_overlay refresh(struct fixture *fixture)
{
    struct refreshed_overlay overlay;
    struct error err = {0};
    if (catalog_refresh(fixture->catalog, fixture->key, NULL, &overlay, &err))
        fail_msg("%s", err.text);
    return overlay;
}

static void assert_kept(struct fixture *fixture)
{
    struct overlay *kept = catalog_overlay_cached(fixture->catalog, &fixture->id);
    assert_non_null(kept);
    assert_true(bytes_equal(kept->text, fixture->text));
    overlay_free(kept);
}

static void a_listing_does_not_take_it_for_somebody_elses(void **state)
{
    struct fixture *fixture = *state;
    begin_write(fixture);
    unsigned told = shared_poll(fixture->catalog);
    assert_write_ends(fixture, 0);
    assert_int_equal(told, 0);
    assert_int_equal(shared_poll(fixture->catalog), 0);
    assert_kept(fixture);
}

static void a_look_at_the_one_object_asks_to_look_again(void **state)
{
    struct fixture *fixture = *state;
    begin_write(fixture);
    struct refreshed_overlay during = refresh(fixture);
    assert_write_ends(fixture, 0);
    assert_false(during.changed);
    assert_true(during.again);
    struct refreshed_overlay after = refresh(fixture);
    assert_false(after.changed);
    assert_false(after.again);
    assert_kept(fixture);
}

/* Somebody else replaces it before the writer has seen it on the store. */
static void what_another_writes_meanwhile_is_told_of_by_the_next_listing(void **state)
{
    struct fixture *fixture = *state;
    begin_write(fixture);
    fixture_put(fixture->memory, fixture->key, THEIRS);
    unsigned told = shared_poll(fixture->catalog);
    assert_write_ends(fixture, ERR_CHANGED);
    assert_int_equal(told, 0);
    assert_null(catalog_overlay_cached(fixture->catalog, &fixture->id));
    assert_int_equal(shared_poll(fixture->catalog), 1);
    assert_int_equal(shared_poll(fixture->catalog), 0);
}

static void and_by_the_next_look_at_the_object(void **state)
{
    struct fixture *fixture = *state;
    begin_write(fixture);
    fixture_put(fixture->memory, fixture->key, THEIRS);
    struct refreshed_overlay during = refresh(fixture);
    assert_write_ends(fixture, ERR_CHANGED);
    assert_true(during.again);
    struct refreshed_overlay after = refresh(fixture);
    assert_true(after.changed);
    assert_false(after.again);
    assert_true(ulid_equal(&after.fork, &fixture->id));
}

static void *run_refresh(void *argument)
{
    struct fixture *fixture = argument;
    fixture->found = refresh(fixture);
    return NULL;
}

static void what_another_writes_behind_it_during_a_look_is_not_lost(void **state)
{
    struct fixture *fixture = *state;
    pthread_t looker;
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_HEAD, 1, false, 0);
    assert_int_equal(pthread_create(&looker, NULL, run_refresh, fixture), 0);
    fault_store_wait_held(fixture->outer);
    note_version(fixture);
    write_overlay(fixture);
    assert_int_equal(fixture->code, 0);
    fixture_put(fixture->memory, fixture->key, THEIRS);
    fault_store_release(fixture->outer);
    pthread_join(looker, NULL);
    assert_false(fixture->found.changed);
    assert_true(fixture->found.again);
    assert_true(refresh(fixture).changed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_listing_does_not_take_it_for_somebody_elses),
        TEST(a_look_at_the_one_object_asks_to_look_again),
        TEST(what_another_writes_meanwhile_is_told_of_by_the_next_listing),
        TEST(and_by_the_next_look_at_the_object),
        TEST(what_another_writes_behind_it_during_a_look_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

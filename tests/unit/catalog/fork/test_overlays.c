#include "unit/unit.h"

#include <string.h>

#include "catalog/fork/overlays.h"
#include "unit/catalog/database_fixture.h"

struct fixture {
    struct store *memory;
    struct store *faults;
    struct layout *layout;
    struct overlays *overlays;
    struct ulid id;
    char *key;
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->memory = memory_store_new(2);
    fixture->faults = fault_store_new(fixture->memory, false);
    assert_int_equal(layout_new("", "storage/", "/db/storage", &fixture->layout, NULL), 0);
    fixture->overlays = overlays_new(fixture->faults, fixture->layout, false);
    fixture->id = ulid_new();
    fixture->key = layout_overlay_key(fixture->layout, &fixture->id);
    fixture_put(fixture->memory, FIXTURE_REGISTRY, "{}");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    overlays_free(fixture->overlays);
    layout_free(fixture->layout);
    store_free(fixture->faults);
    store_free(fixture->memory);
    g_free(fixture->key);
    g_free(fixture);
    return 0;
}

static void assert_reads(struct fixture *fixture, const char *expected)
{
    struct overlay *overlay = NULL;
    struct error err = {0};
    if (overlays_read(fixture->overlays, &fixture->id, NULL, &overlay, &err))
        fail_msg("%s", err.text);
    assert_string_equal(overlay->text->data, expected);
    overlay_free(overlay);
}

static bool is_cached(struct fixture *fixture)
{
    struct overlay *overlay = overlays_cached(fixture->overlays, &fixture->id);
    overlay_free(overlay);
    return overlay != NULL;
}

static unsigned reads(struct fixture *fixture)
{
    return fault_store_total(fixture->faults, STORE_GET);
}

static void an_overlay_is_read_once_and_shown_pretty(void **state)
{
    struct fixture *fixture = *state;
    fixture_put(fixture->memory, fixture->key, " \r\n{\"added_labels\":[],\"x\":1e400}\n\n");
    assert_false(is_cached(fixture));
    assert_reads(fixture, "{\n  \"added_labels\": [],\n  \"x\": 1e400\n}");
    assert_reads(fixture, "{\n  \"added_labels\": [],\n  \"x\": 1e400\n}");
    assert_int_equal(reads(fixture), 1);
    struct overlay *overlay = overlays_cached(fixture->overlays, &fixture->id);
    assert_non_null(overlay);
    assert_true(overlay->modified_ns > 0);
    overlay_free(overlay);
}

static void an_absent_overlay_is_an_empty_one(void **state)
{
    struct fixture *fixture = *state;
    assert_reads(fixture, "{\n  \"added_labels\": [],\n  \"added_edge_types\": [],\n"
                          "  \"added_properties\": []\n}");
    assert_true(is_cached(fixture));
    assert_false(fixture_exists(fixture->memory, fixture->key));
}

static void nothing_is_absent_where_the_registry_is_not_there_either(void **state)
{
    struct fixture *fixture = *state;
    struct overlay *overlay = NULL;
    struct error err = {0};
    auto_bytes struct bytes *text = bytes_new_text("{}");
    fixture_delete(fixture->memory, FIXTURE_REGISTRY);
    assert_int_equal(overlays_read(fixture->overlays, &fixture->id, NULL, &overlay, &err),
                     ERR_AWAY);
    assert_non_null(strstr(err.text, fixture->key));
    assert_non_null(strstr(err.text, FIXTURE_REGISTRY));
    assert_false(is_cached(fixture));
    assert_int_equal(overlays_write(fixture->overlays, &fixture->id, text, NULL, NULL, NULL, NULL),
                     ERR_AWAY);
    assert_int_equal(overlays_write(fixture->overlays, &fixture->id, text, "1", NULL, NULL, NULL),
                     ERR_AWAY);
    assert_false(fixture_exists(fixture->memory, fixture->key));
    fixture_put(fixture->memory, FIXTURE_REGISTRY, "{}");
    assert_int_equal(overlays_read(fixture->overlays, &fixture->id, NULL, &overlay, &err), 0);
    overlay_free(overlay);
}

/* Uni takes every failure for an empty overlay, and writes that back. */
static void no_other_failure_is(void **state)
{
    struct fixture *fixture = *state;
    struct overlay *overlay = NULL;
    struct error err = {0};
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_READS, 1, false, ERR_UNREACHABLE);
    assert_int_equal(overlays_read(fixture->overlays, &fixture->id, NULL, &overlay, &err),
                     ERR_UNREACHABLE);
    assert_null(overlay);
    assert_non_null(strstr(err.text, fixture->key));
    assert_false(is_cached(fixture));
}

static void an_overlay_that_does_not_parse_is_not_kept(void **state)
{
    static const char *const damaged[] = {"", "{", "[]", "null", "{} x"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(damaged); i++) {
        struct overlay *overlay = NULL;
        fixture_put(fixture->memory, fixture->key, damaged[i]);
        assert_int_equal(overlays_read(fixture->overlays, &fixture->id, NULL, &overlay, NULL),
                         ERR_CORRUPT);
        assert_false(is_cached(fixture));
    }
    fixture_put(fixture->memory, fixture->key, "{}");
    assert_reads(fixture, "{}");
}

static void what_was_written_is_kept(void **state)
{
    struct fixture *fixture = *state;
    auto_bytes struct bytes *body = bytes_new_text("{\n  \"a\": 1\n}");
    overlays_note_put(fixture->overlays, &fixture->id, body, "etag");
    assert_reads(fixture, body->data);
    assert_int_equal(reads(fixture), 0);
    overlays_forget(fixture->overlays, &fixture->id);
    assert_false(is_cached(fixture));
}

struct reader {
    struct fixture *fixture;
    pthread_t thread;
    struct overlay *overlay;
};

static void *run_reader(void *argument)
{
    struct reader *reader = argument;
    overlays_read(reader->fixture->overlays, &reader->fixture->id, NULL, &reader->overlay, NULL);
    return NULL;
}

static void start_slow_reader(struct reader *reader, struct fixture *fixture)
{
    *reader = (struct reader){.fixture = fixture};
    fault_store_arm(fixture->faults, FAULT_DELAY, FAULT_READS, 1, false, 0);
    assert_int_equal(pthread_create(&reader->thread, NULL, run_reader, reader), 0);
    fault_store_wait_held(fixture->faults);
}

static void finish_slow_reader(struct reader *reader)
{
    fault_store_release(reader->fixture->faults);
    pthread_join(reader->thread, NULL);
    assert_non_null(reader->overlay);
    overlay_free(reader->overlay);
}

static void a_slow_read_does_not_replace_what_was_written_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    struct reader reader;
    auto_bytes struct bytes *body = bytes_new_text("{\n  \"new\": 1\n}");
    fixture_put(fixture->memory, fixture->key, "{\"old\": 1}");
    start_slow_reader(&reader, fixture);
    overlays_note_put(fixture->overlays, &fixture->id, body, "etag");
    finish_slow_reader(&reader);
    assert_reads(fixture, body->data);
}

static void a_slow_read_does_not_keep_what_was_forgotten_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    struct reader reader;
    fixture_put(fixture->memory, fixture->key, "{}");
    start_slow_reader(&reader, fixture);
    overlays_forget(fixture->overlays, &fixture->id);
    finish_slow_reader(&reader);
    assert_false(is_cached(fixture));
}

static void the_catalog_shows_the_overlay_of_a_new_fork_from_memory(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_database();
    struct catalog *catalog = fixture_open(store, NULL);
    struct ulid id = fixture_create(catalog, "audit", NULL);
    struct overlay *cached = catalog_overlay_cached(catalog, &id), *read = NULL;
    assert_non_null(cached);
    assert_int_equal(catalog_overlay(catalog, &id, NULL, &read, NULL), 0);
    assert_true(bytes_equal(cached->text, read->text));
    assert_string_equal(cached->version, read->version);
    overlay_free(cached);
    overlay_free(read);
    assert_int_equal(catalog_drop(catalog, "audit", NULL, NULL, NULL), 0);
    assert_null(catalog_overlay_cached(catalog, &id));
    catalog_free(catalog);
    store_free(store);
    assert_false(is_cached(fixture));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_overlay_is_read_once_and_shown_pretty),
        TEST(an_absent_overlay_is_an_empty_one),
        TEST(nothing_is_absent_where_the_registry_is_not_there_either),
        TEST(no_other_failure_is),
        TEST(an_overlay_that_does_not_parse_is_not_kept),
        TEST(what_was_written_is_kept),
        TEST(a_slow_read_does_not_replace_what_was_written_meanwhile),
        TEST(a_slow_read_does_not_keep_what_was_forgotten_meanwhile),
        TEST(the_catalog_shows_the_overlay_of_a_new_fork_from_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

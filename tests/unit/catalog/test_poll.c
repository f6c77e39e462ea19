#include "unit/unit.h"

#include <string.h>

#include "base/cleanup.h"
#include "catalog/care/caretaker.h"
#include "unit/catalog/shared_fixture.h"

#define TOMBSTONE "catalog/fork_tombstones/01KYYN40FVQ2D7R9S4TAX6BCE3.json"

static unsigned requests(struct store *faults)
{
    unsigned count = 0;
    for (int method = 0; method < STORE_METHODS; method++)
        count += fault_store_total(faults, (enum store_method)method);
    return count;
}

static void a_look_at_an_unchanged_store_is_one_wave_of_three(void **state)
{
    struct shared_fixture *fixture = *state;
    struct store *faults = fixture->faults[1];
    fixture_create(fixture->catalogs[0], "what_if", NULL);
    fixture_put(fixture->store, TOMBSTONE, "{}");
    shared_poll(fixture->catalogs[1]);
    unsigned before = requests(faults), waves = fault_store_waves(faults);
    assert_int_equal(shared_poll(fixture->catalogs[1]), 0);
    assert_int_equal(requests(faults), before + 3);
    assert_true(fault_store_waves(faults) <= waves + 2); /* the second one is empty */
}

static void what_another_mount_makes_and_drops_appears(void **state)
{
    struct shared_fixture *fixture = *state;
    fixture_create(fixture->catalogs[0], "what_if", NULL);
    assert_int_equal(shared_status(fixture->catalogs[1], "what_if"), -1);
    shared_poll(fixture->catalogs[1]);
    assert_int_equal(shared_status(fixture->catalogs[1], "what_if"), FORK_ACTIVE);
    assert_int_equal(catalog_drop(fixture->catalogs[1], "what_if", NULL, NULL, NULL), 0);
    shared_poll(fixture->catalogs[0]);
    assert_int_equal(shared_status(fixture->catalogs[0], "what_if"), -1);
}

static void tombstones_come_and_go(void **state)
{
    struct shared_fixture *fixture = *state;
    fixture_put(fixture->store, TOMBSTONE, "{}");
    shared_poll(fixture->catalogs[1]);
    auto_bytes struct bytes *there = catalog_tombstones(fixture->catalogs[1]);
    assert_non_null(strstr(there->data, TOMBSTONE));
    fixture_delete(fixture->store, TOMBSTONE);
    shared_poll(fixture->catalogs[1]);
    auto_bytes struct bytes *gone = catalog_tombstones(fixture->catalogs[1]);
    assert_string_equal(gone->data, "[]");
}

static struct overlay *read_overlay(struct catalog *catalog, const struct ulid *id)
{
    struct error err = {0};
    struct overlay *overlay = NULL;
    if (catalog_overlay(catalog, id, NULL, &overlay, &err))
        fail_msg("%s", err.text);
    return overlay;
}

static void write_overlay(struct catalog *catalog, const struct ulid *id, const char *label)
{
    struct error err = {0};
    struct overlay *seen = read_overlay(catalog, id);
    g_autofree char *text = g_strdup_printf(
        "{\"added_labels\": [[\"%s\", {\"id\": 9, \"state\": \"Active\"}]]}", label);
    auto_bytes struct bytes *body = bytes_new_text(text);
    if (catalog_write_overlay(catalog, id, body, seen->version, NULL, NULL, &err))
        fail_msg("%s", err.text);
    overlay_free(seen);
}

static void an_overlay_that_another_mount_writes_is_told_of_once_and_read_again(void **state)
{
    struct shared_fixture *fixture = *state;
    struct ulid id = fixture_create(fixture->catalogs[0], "what_if", NULL);
    assert_int_equal(shared_poll(fixture->catalogs[1]), 0);
    overlay_free(read_overlay(fixture->catalogs[1], &id));
    write_overlay(fixture->catalogs[0], &id, "Robot");
    assert_int_equal(shared_poll(fixture->catalogs[1]), 1);
    assert_null(catalog_overlay_cached(fixture->catalogs[1], &id));
    struct overlay *overlay = read_overlay(fixture->catalogs[1], &id);
    assert_non_null(strstr(overlay->text->data, "Robot"));
    overlay_free(overlay);
    assert_int_equal(shared_poll(fixture->catalogs[1]), 0);
    assert_int_equal(shared_poll(fixture->catalogs[0]), 0); /* its own */
}

static void an_overlay_that_was_never_read_is_told_of_too(void **state)
{
    struct shared_fixture *fixture = *state;
    struct ulid id = fixture_create(fixture->catalogs[0], "what_if", NULL);
    shared_poll(fixture->catalogs[1]);
    write_overlay(fixture->catalogs[0], &id, "Robot");
    assert_int_equal(shared_poll(fixture->catalogs[1]), 1);
    assert_int_equal(shared_poll(fixture->catalogs[1]), 0);
}

static void one_listing_that_fails_does_not_hold_up_the_rest(void **state)
{
    struct shared_fixture *fixture = *state;
    struct error err = {0};
    fixture_create(fixture->catalogs[0], "what_if", NULL);
    fault_store_match(fixture->faults[1], "fork_tombstones");
    fault_store_arm(fixture->faults[1], FAULT_FAIL, 1u << STORE_LIST, 1, false, ERR_UNREACHABLE);
    assert_int_equal(catalog_poll(fixture->catalogs[1], NULL, NULL, NULL, &err), ERR_UNREACHABLE);
    assert_int_equal(shared_status(fixture->catalogs[1], "what_if"), FORK_ACTIVE);
}

static void a_registry_that_does_not_parse_leaves_what_was_known(void **state)
{
    struct shared_fixture *fixture = *state;
    fixture_create(fixture->catalogs[0], "what_if", NULL);
    shared_poll(fixture->catalogs[1]);
    fixture_put(fixture->store, FIXTURE_REGISTRY, "{");
    assert_int_equal(catalog_poll(fixture->catalogs[1], NULL, NULL, NULL, NULL), ERR_CORRUPT);
    assert_int_equal(shared_status(fixture->catalogs[1], "what_if"), FORK_ACTIVE);
}

/* ---- The caretaker ---- */

struct diary {
    pthread_mutex_t lock;
    unsigned registry_changes, overlays, failures;
};

static void note(struct diary *diary, unsigned *count)
{
    LOCK_SCOPE(&diary->lock);
    ++*count;
}

static bool has_noted(struct diary *diary, const unsigned *count)
{
    LOCK_SCOPE(&diary->lock);
    return *count > 0;
}

static void registry_changed(void *argument, const struct registry *before,
                             const struct registry *after)
{
    struct diary *diary = argument;
    note(diary, &diary->registry_changes);
}

static void overlay_changed(void *argument, const struct ulid *fork)
{
    struct diary *diary = argument;
    note(diary, &diary->overlays);
}

static void care_failed(void *argument, const char *fork, const struct error *failure)
{
    struct diary *diary = argument;
    note(diary, &diary->failures);
}

struct cared {
    struct diary diary;
    struct store *faults;
    struct catalog *catalog;
    struct caretaker *caretaker;
};

static void cared_begin(struct cared *cared, struct store *store)
{
    *cared = (struct cared){0};
    pthread_mutex_init(&cared->diary.lock, NULL);
    const struct catalog_settings settings = {.shared = true,
                                              .takeover_ms = SHARED_TAKEOVER_MS,
                                              .observer = registry_changed,
                                              .observer_argument = &cared->diary};
    cared->catalog = fixture_open_with(store, &settings, &cared->faults);
    const struct caretaker_settings care = {.catalog = cared->catalog,
                                            .refresh_ms = 1,
                                            .operation_timeout_ms = 60000,
                                            .failed = care_failed,
                                            .overlay_changed = overlay_changed,
                                            .argument = &cared->diary};
    assert_int_equal(caretaker_start(&care, &cared->caretaker, NULL), 0);
}

static void cared_end(struct cared *cared)
{
    caretaker_stop(cared->caretaker);
    catalog_free(cared->catalog);
    pthread_mutex_destroy(&cared->diary.lock);
}

static void the_caretaker_looks_from_time_to_time(void **state)
{
    struct shared_fixture *fixture = *state;
    struct cared cared;
    cared_begin(&cared, fixture->store);
    struct ulid id = fixture_create(fixture->catalogs[0], "what_if", NULL);
    AWAIT(has_noted(&cared.diary, &cared.diary.registry_changes));
    AWAIT(shared_status(cared.catalog, "what_if") == FORK_ACTIVE);
    overlay_free(read_overlay(cared.catalog, &id));
    unsigned looks = fault_store_total(cared.faults, STORE_HEAD);
    AWAIT(fault_store_total(cared.faults, STORE_HEAD) >= looks + 2);
    write_overlay(fixture->catalogs[0], &id, "Robot");
    AWAIT(has_noted(&cared.diary, &cared.diary.overlays));
    cared_end(&cared);
}

static void a_store_that_cannot_be_reached_is_reported_once_and_found_again(void **state)
{
    struct shared_fixture *fixture = *state;
    struct cared cared;
    cared_begin(&cared, fixture->store);
    fault_store_arm(cared.faults, FAULT_FAIL, FAULT_ALL, 1, true, ERR_UNREACHABLE);
    AWAIT(has_noted(&cared.diary, &cared.diary.failures));
    unsigned looks = fault_store_total(cared.faults, STORE_HEAD);
    AWAIT(fault_store_total(cared.faults, STORE_HEAD) >= looks + 4);
    assert_int_equal(cared.diary.failures, 1);
    fault_store_disarm(cared.faults);
    fixture_create(fixture->catalogs[0], "what_if", NULL);
    AWAIT(has_noted(&cared.diary, &cared.diary.registry_changes));
    cared_end(&cared);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, shared_set_up, shared_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_look_at_an_unchanged_store_is_one_wave_of_three),
        TEST(what_another_mount_makes_and_drops_appears),
        TEST(tombstones_come_and_go),
        TEST(an_overlay_that_another_mount_writes_is_told_of_once_and_read_again),
        TEST(an_overlay_that_was_never_read_is_told_of_too),
        TEST(one_listing_that_fails_does_not_hold_up_the_rest),
        TEST(a_registry_that_does_not_parse_leaves_what_was_known),
        TEST(the_caretaker_looks_from_time_to_time),
        TEST(a_store_that_cannot_be_reached_is_reported_once_and_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

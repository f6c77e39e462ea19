/*
 * When forks expire: from the mount's default, from a line of a batch, from `ttl`.
 */
#include "unit/unit.h"

#include <string.h>

#include "base/timestamp.h"
#include "unit/catalog/change/change_fixture.h"

/* Creation and expiry of a fork lie so many seconds apart. */
static void assert_lives(struct change_fixture *fixture, const char *name, int64_t seconds)
{
    struct fork_entry *entry = change_fixture_entry(fixture, name);
    assert_true(entry->has_expiry);
    assert_int_equal(entry->expires_at.tv_sec - entry->created_at.tv_sec, seconds);
    assert_int_equal(entry->expires_at.tv_nsec, entry->created_at.tv_nsec);
    fork_entry_unref(entry);
}

static void assert_lives_forever(struct change_fixture *fixture, const char *name)
{
    struct fork_entry *entry = change_fixture_entry(fixture, name);
    assert_false(entry->has_expiry);
    fork_entry_unref(entry);
}

static void new_forks_take_the_default(void **state)
{
    struct change_fixture *fixture = *state;
    static const struct catalog_settings settings = {.default_ttl_s = 3600};
    change_fixture_reopen(fixture, &settings);
    struct change changes[] = {
        create_line("default", NULL),
        {.kind = CHANGE_CREATE, .name = "none", .expiry = EXPIRY_NONE},
        {.kind = CHANGE_CREATE, .name = "own", .expiry = EXPIRY_SECONDS, .ttl_seconds = 60},
        {.kind = CHANGE_CREATE, .name = "at once", .expiry = EXPIRY_SECONDS, .ttl_seconds = 0}};
    assert_all_change(fixture, changes, G_N_ELEMENTS(changes));
    assert_lives(fixture, "default", 3600);
    assert_lives_forever(fixture, "none");
    assert_lives(fixture, "own", 60);
    assert_lives(fixture, "at once", 0);
}

static void without_a_default_they_live_forever(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "f", NULL);
    assert_lives_forever(fixture, "f");
}

static void absurd_times_are_refused(void **state)
{
    struct change_fixture *fixture = *state;
    static const uint64_t absurd[] = {UINT64_MAX, INT64_MAX, (uint64_t)TIMESTAMP_MAX_SECONDS};
    struct ulid id = fixture_create(fixture->catalog, "f", NULL);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(absurd); i++) {
        struct change changes[] = {{.kind = CHANGE_CREATE,
                                    .name = "g",
                                    .expiry = EXPIRY_SECONDS,
                                    .ttl_seconds = absurd[i]}};
        static const int codes[] = {ERR_INVALID};
        assert_changes(fixture, changes, codes, 1);
        assert_int_equal(catalog_set_ttl(fixture->catalog, &id, true, absurd[i], NULL, NULL),
                         ERR_INVALID);
    }
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void the_latest_time_is_taken(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid id = fixture_create(fixture->catalog, "f", NULL);
    uint64_t longest = (uint64_t)(TIMESTAMP_MAX_SECONDS - timestamp_now().tv_sec - 60);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &id, true, longest, NULL, NULL), 0);
    change_fixture_reopen(fixture, NULL); /* the registry still parses */
    struct fork_entry *entry = change_fixture_entry(fixture, "f");
    assert_true(entry->expires_at.tv_sec <= TIMESTAMP_MAX_SECONDS);
    fork_entry_unref(entry);
}

static void the_expiry_is_set_and_cleared(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid id = fixture_create(fixture->catalog, "f", NULL);
    int64_t before = timestamp_now().tv_sec;
    assert_int_equal(catalog_set_ttl(fixture->catalog, &id, true, 600, NULL, NULL), 0);
    struct fork_entry *entry = change_fixture_entry(fixture, "f");
    assert_true(entry->has_expiry);
    assert_true(entry->expires_at.tv_sec >= before + 600);
    assert_true(entry->expires_at.tv_sec <= timestamp_now().tv_sec + 600);
    fork_entry_unref(entry);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &id, false, 0, NULL, NULL), 0);
    assert_lives_forever(fixture, "f");
    g_autofree char *text = fixture_read(fixture->store, FIXTURE_REGISTRY);
    assert_non_null(strstr(text, "\"ttl_expires_at\": null"));
    fixture_assert_clean(fixture->store);
}

static void only_active_forks_have_their_expiry_set(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid nobody = ulid_new(), id = fixture_create(fixture->catalog, "f", NULL);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &nobody, true, 1, NULL, NULL), ERR_STALE);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, "\"active\"", "\"tombstoned\"");
    change_fixture_reopen(fixture, NULL);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &id, true, 1, NULL, NULL), ERR_STALE);
    static const struct catalog_settings read_only = {.read_only = true};
    change_fixture_reopen(fixture, &read_only);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &id, true, 1, NULL, NULL), ERR_READ_ONLY);
}

static void a_lost_answer_does_not_matter(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid id = fixture_create(fixture->catalog, "f", NULL);
    fault_store_arm(fixture->faults, FAULT_LOSE_ANSWER, 1u << STORE_PUT, 1, false, 0);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &id, true, 600, NULL, NULL), 0);
    assert_true(fault_store_fired(fixture->faults));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, change_set_up, change_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_forks_take_the_default),    TEST(without_a_default_they_live_forever),
        TEST(absurd_times_are_refused),      TEST(the_latest_time_is_taken),
        TEST(the_expiry_is_set_and_cleared), TEST(only_active_forks_have_their_expiry_set),
        TEST(a_lost_answer_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

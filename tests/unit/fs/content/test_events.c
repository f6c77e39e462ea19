#include "unit/unit.h"

#include "fs/content/events.h"
#include "unit/fs/fs_fixture.h"

#define FORKS(...)                                                                                 \
    (const struct fixture_fork[])                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define REGISTRY(...)                                                                              \
    fixture_registry(FORKS(__VA_ARGS__), sizeof(FORKS(__VA_ARGS__)) / sizeof(struct fixture_fork))

static const struct timespec now = {0, 0};

static int set_up(void **state)
{
    *state = events_new();
    return 0;
}

static int tear_down(void **state)
{
    events_free(*state);
    return 0;
}

static char *render(struct events *events)
{
    auto_bytes struct bytes *text = events_render(events, NULL, NULL);
    return g_strndup(text->data, text->size);
}

/* Compares, frees the images, and expects these lines, without their time. */
static void assert_events(struct events *events, struct registry *before, struct registry *after,
                          bool sweeping, const char *expected)
{
    assert_int_equal(events_compare(events, now, before, after, sweeping), expected[0] != '\0');
    registry_unref(before);
    registry_unref(after);
    g_autofree char *text = render(events);
    g_auto(GStrv) pieces = g_strsplit(text, "1970-01-01T00:00:00Z ", -1);
    g_autofree char *lines = g_strjoinv("", pieces);
    assert_string_equal(lines, expected);
}

static void the_same_image_has_no_events(void **state)
{
    struct registry *registry = REGISTRY({"a", ID_A, "active", NULL});
    assert_events(*state, registry_ref(registry), registry, false, "");
}

static void an_image_read_again_has_no_events(void **state)
{
    assert_events(*state, REGISTRY({"a", ID_A, "active", NULL}),
                  REGISTRY({"a", ID_A, "active", NULL}), false, "");
}

static void a_new_fork_is_named_by_its_status(void **state)
{
    assert_events(*state, fixture_registry(NULL, 0),
                  REGISTRY({"a", ID_A, "pending", NULL}, {"b", ID_B, "active", NULL}), false,
                  "pending a " ID_A "\nactive b " ID_B "\n");
}

static void a_change_of_status_is_named_by_the_new_one(void **state)
{
    assert_events(*state,
                  REGISTRY({"a", ID_A, "pending", NULL}, {"b", ID_B, "active", NULL},
                           {"c", ID_C, "active", NULL}),
                  REGISTRY({"a", ID_A, "active", NULL}, {"b", ID_B, "tombstoned", NULL},
                           {"c", ID_C, "active", NULL}),
                  false, "active a " ID_A "\ntombstoned b " ID_B "\n");
}

static void a_fork_that_is_gone_was_dropped(void **state)
{
    assert_events(*state,
                  REGISTRY({"a", ID_A, "active", NULL}, {"b", ID_B, "active", NULL},
                           {"c", ID_C, "active", NULL}),
                  REGISTRY({"b", ID_B, "active", NULL}), false,
                  "dropped a " ID_A "\ndropped c " ID_C "\n");
}

static void a_fork_made_anew_under_the_name_is_another(void **state)
{
    assert_events(*state, REGISTRY({"a", ID_B, "active", NULL}),
                  REGISTRY({"a", ID_A, "active", NULL}), false,
                  "active a " ID_A "\ndropped a " ID_B "\n");
}

static struct registry *with_expiry(struct registry *registry, time_t second)
{
    struct registry_edit *edit = registry_edit_new(registry);
    const struct timespec expires_at = {second, 0};
    struct fork_entry *entry =
        fork_entry_with_expiry(g_ptr_array_index(registry->entries, 0), &expires_at);
    registry_edit_replace(edit, entry);
    fork_entry_unref(entry);
    registry_unref(registry);
    return registry_edit_finish(edit);
}

static void another_difference_is_a_change(void **state)
{
    struct registry *before = REGISTRY({"a", ID_A, "active", NULL});
    struct registry *after = with_expiry(registry_ref(before), 100);
    assert_events(*state, before, after, false, "changed a " ID_A "\n");
}

static void an_expired_fork_that_goes_during_a_sweep_has_expired(void **state)
{
    assert_events(*state, with_expiry(REGISTRY({"a", ID_A, "tombstoned", NULL}), 0),
                  fixture_registry(NULL, 0), true, "expired a " ID_A "\n");
}

static void descendants_of_an_expired_fork_expire_with_it(void **state)
{
    assert_events(
        *state,
        with_expiry(REGISTRY({"a", ID_A, "active", NULL}, {"b", ID_B, "active", ID_A},
                             {"c", ID_C, "tombstoned", ID_B}),
                    0),
        with_expiry(REGISTRY({"a", ID_A, "active", NULL}, {"b", ID_B, "active", ID_A}), 0), true,
        "expired c " ID_C "\n");
}

static void an_expired_fork_that_somebody_drops_was_dropped(void **state)
{
    assert_events(*state, with_expiry(REGISTRY({"a", ID_A, "tombstoned", NULL}), 0),
                  fixture_registry(NULL, 0), false, "dropped a " ID_A "\n");
}

static void a_fork_dropped_by_others_during_a_sweep_was_dropped(void **state)
{
    assert_events(*state, with_expiry(REGISTRY({"a", ID_A, "tombstoned", NULL}), 1),
                  fixture_registry(NULL, 0), true, "dropped a " ID_A "\n");
}

static void names_are_those_of_directories_with_blanks_encoded(void **state)
{
    assert_events(*state, fixture_registry(NULL, 0),
                  REGISTRY({"a b/c%", ID_A, "active", NULL}, {"x\\ny", ID_B, "active", NULL}),
                  false, "active a%20b%2Fc%25 " ID_A "\nactive %" ID_B " " ID_B "\n");
}

static void overlays_and_failed_sweeps_are_events(void **state)
{
    struct error failure;
    auto_registry struct registry *registry = REGISTRY({"a", ID_A, "active", NULL});
    const struct fork_entry *entry = g_ptr_array_index(registry->entries, 0);
    error_set(&failure, ERR_HELD, "held\nby 1 open handle");
    events_add_overlay(*state, now, entry);
    events_add_sweep_failure(*state, now, entry, &failure);
    g_autofree char *text = render(*state);
    assert_string_equal(text, "1970-01-01T00:00:00Z overlay a " ID_A "\n"
                              "1970-01-01T00:00:00Z sweep-failed a " ID_A
                              " EBUSY held\\012by 1 open handle\n");
}

static void the_last_thousand_are_kept_and_all_are_counted(void **state)
{
    auto_registry struct registry *registry = REGISTRY({"a", ID_A, "active", NULL});
    for (int i = 0; i < EVENTS_KEPT + 5; i++)
        events_add_overlay(*state, (struct timespec){i, 0},
                           g_ptr_array_index(registry->entries, 0));
    struct timespec last;
    uint64_t count;
    auto_bytes struct bytes *text = events_render(*state, &last, &count);
    g_auto(GStrv) lines = g_strsplit(text->data, "\n", -1);
    assert_int_equal(g_strv_length(lines), EVENTS_KEPT + 1);
    assert_true(g_str_has_prefix(lines[0], "1970-01-01T00:00:05Z "));
    assert_int_equal(count, EVENTS_KEPT + 5);
    assert_int_equal(events_count(*state), EVENTS_KEPT + 5);
    assert_int_equal(last.tv_sec, EVENTS_KEPT + 4);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_image_has_no_events),
        TEST(an_image_read_again_has_no_events),
        TEST(a_new_fork_is_named_by_its_status),
        TEST(a_change_of_status_is_named_by_the_new_one),
        TEST(a_fork_that_is_gone_was_dropped),
        TEST(a_fork_made_anew_under_the_name_is_another),
        TEST(another_difference_is_a_change),
        TEST(an_expired_fork_that_goes_during_a_sweep_has_expired),
        TEST(descendants_of_an_expired_fork_expire_with_it),
        TEST(an_expired_fork_that_somebody_drops_was_dropped),
        TEST(a_fork_dropped_by_others_during_a_sweep_was_dropped),
        TEST(names_are_those_of_directories_with_blanks_encoded),
        TEST(overlays_and_failed_sweeps_are_events),
        TEST(the_last_thousand_are_kept_and_all_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

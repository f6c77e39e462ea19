#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/change/change_fixture.h"

#define THREADS 8
#define TRIES 6

static const struct catalog_settings two = {.max_forks = 2}, three = {.max_forks = 3};

static size_t count_forks(struct change_fixture *fixture)
{
    auto_registry struct registry *registry = catalog_registry(fixture->catalog);
    return registry->entries->len;
}

static void the_budget_is_not_exceeded(void **state)
{
    struct change_fixture *fixture = *state;
    change_fixture_reopen(fixture, &two);
    fixture_create(fixture->catalog, "a", NULL);
    fixture_create(fixture->catalog, "b", NULL);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    struct error err = {0};
    assert_int_equal(catalog_create(fixture->catalog, "c", NULL, NULL, NULL, &err), ERR_BUDGET);
    assert_non_null(strstr(err.text, "2 forks"));
    assert_int_equal(catalog_create(fixture->catalog, "c", "a", NULL, NULL, NULL), ERR_BUDGET);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    assert_int_equal(catalog_drop(fixture->catalog, "a", NULL, NULL, NULL), 0);
    fixture_create(fixture->catalog, "c", NULL);
}

static void every_status_counts(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "a", NULL);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, "\"active\"", "\"tombstoned\"");
    change_fixture_reopen(fixture, &two);
    fixture_create(fixture->catalog, "b", NULL);
    assert_int_equal(catalog_create(fixture->catalog, "c", NULL, NULL, NULL, NULL), ERR_BUDGET);
}

static void the_first_lines_of_a_list_get_what_is_left(void **state)
{
    struct change_fixture *fixture = *state;
    change_fixture_reopen(fixture, &three);
    fixture_create(fixture->catalog, "old", NULL);
    struct change changes[] = {create_line("a", NULL), create_line("b", NULL),
                               create_line("c", NULL), create_line("d", NULL)};
    static const int codes[] = {0, 0, ERR_BUDGET, ERR_BUDGET};
    assert_changes(fixture, changes, codes, G_N_ELEMENTS(changes));
    assert_status(fixture, "c", -1);
    fixture_assert_clean(fixture->store);
}

static void a_drop_makes_room_for_a_later_line(void **state)
{
    struct change_fixture *fixture = *state;
    change_fixture_reopen(fixture, &two);
    fixture_create(fixture->catalog, "a", NULL);
    fixture_create(fixture->catalog, "b", NULL);
    struct change changes[] = {drop_line("a"), create_line("c", NULL), drop_line("b"),
                               create_line("d", NULL), create_line("e", NULL)};
    static const int codes[] = {0, 0, 0, 0, ERR_BUDGET};
    assert_changes(fixture, changes, codes, G_N_ELEMENTS(changes));
    assert_int_equal(count_forks(fixture), 2);
}

static void with_room_enough_drops_and_creates_share_the_writes(void **state)
{
    struct change_fixture *fixture = *state;
    change_fixture_reopen(fixture, &three);
    fixture_create(fixture->catalog, "a", NULL);
    struct change changes[] = {drop_line("a"), create_line("b", NULL), create_line("c", NULL)};
    uint64_t writes = registry_writes(fixture);
    assert_all_change(fixture, changes, G_N_ELEMENTS(changes));
    assert_int_equal(registry_writes(fixture) - writes, 2);
}

/* ---- Many at once ---- */

struct creator {
    struct change_fixture *fixture;
    unsigned number;
    unsigned made;
    size_t most;
    pthread_t thread;
};

static void *run_creator(void *argument)
{
    struct creator *creator = argument;
    struct catalog *catalog = creator->fixture->catalog;
    for (unsigned i = 0; i < TRIES; i++) {
        g_autofree char *name = g_strdup_printf("f-%u-%u", creator->number, i);
        int code = catalog_create(catalog, name, NULL, NULL, NULL, NULL);
        if (code == 0)
            creator->made++;
        creator->most = MAX(creator->most, count_forks(creator->fixture));
        if (code == 0 && i % 2 == 0 && catalog_drop(catalog, name, NULL, NULL, NULL) == 0)
            creator->made--;
    }
    return NULL;
}

static void creators_that_race_stay_within_the_budget(void **state)
{
    struct change_fixture *fixture = *state;
    struct creator creators[THREADS];
    unsigned made = 0;
    change_fixture_reopen(fixture, &three);
    for (unsigned i = 0; i < THREADS; i++) {
        creators[i] = (struct creator){.fixture = fixture, .number = i};
        assert_int_equal(pthread_create(&creators[i].thread, NULL, run_creator, &creators[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(creators[i].thread, NULL);
        made += creators[i].made;
        assert_true(creators[i].most <= 3);
    }
    assert_int_equal(count_forks(fixture), made);
    assert_true(made <= 3);
    fixture_assert_whole(fixture->store);
    fixture_assert_clean(fixture->store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, change_set_up, change_tear_down)
#define WIDE(name) cmocka_unit_test_setup_teardown(name, change_set_up_wide, change_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_budget_is_not_exceeded),
        TEST(every_status_counts),
        TEST(the_first_lines_of_a_list_get_what_is_left),
        TEST(a_drop_makes_room_for_a_later_line),
        TEST(with_room_enough_drops_and_creates_share_the_writes),
        WIDE(creators_that_race_stay_within_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

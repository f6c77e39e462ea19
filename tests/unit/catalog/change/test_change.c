#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/change/change_fixture.h"

#define MANY 20

static char **make_names(unsigned count)
{
    char **names = g_new0(char *, count + 1);
    for (unsigned i = 0; i < count; i++)
        names[i] = g_strdup_printf("fork-%02u", i);
    return names;
}

static void create_lines(struct change *changes, char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        changes[i] = create_line(names[i], NULL);
}

/* ---- What a group costs ---- */

static void creates_share_two_registry_writes_and_four_waves(void **state)
{
    struct change_fixture *fixture = *state;
    g_auto(GStrv) names = make_names(MANY);
    struct change changes[MANY];
    fixture_create(fixture->catalog, "warm", NULL);
    create_lines(changes, names, MANY);
    uint64_t writes = registry_writes(fixture);
    unsigned waves = fault_store_waves(fixture->faults);
    unsigned puts = fault_store_total(fixture->faults, STORE_PUT);
    unsigned gets = fault_store_total(fixture->faults, STORE_GET);
    assert_all_change(fixture, changes, MANY);
    assert_int_equal(registry_writes(fixture) - writes, 2);
    assert_int_equal(fault_store_waves(fixture->faults) - waves, 4);
    /* Manifest and ref of each branch, allocator, overlay. */
    assert_int_equal(fault_store_total(fixture->faults, STORE_PUT) - puts,
                     2 + MANY * (2 * FIXTURE_DATASETS + 2));
    /* The state of the database, read once for all. */
    assert_true(fault_store_total(fixture->faults, STORE_GET) - gets <= 5);
    fixture_assert_whole(fixture->store);
    fixture_assert_clean(fixture->store);
}

static void drops_share_two_registry_writes_and_list_each_dataset_once(void **state)
{
    struct change_fixture *fixture = *state;
    g_auto(GStrv) names = make_names(MANY);
    struct change changes[MANY];
    create_lines(changes, names, MANY);
    assert_all_change(fixture, changes, MANY);
    for (unsigned i = 0; i < MANY; i++)
        changes[i] = drop_line(names[i]);
    uint64_t writes = registry_writes(fixture);
    unsigned waves = fault_store_waves(fixture->faults);
    unsigned lists = fault_store_total(fixture->faults, STORE_LIST);
    assert_all_change(fixture, changes, MANY);
    assert_int_equal(registry_writes(fixture) - writes, 2);
    assert_true(fault_store_waves(fixture->faults) - waves <= 9);
    /* Refs once per dataset, datasets once; tree, files, WAL of each fork. */
    assert_int_equal(fault_store_total(fixture->faults, STORE_LIST) - lists,
                     FIXTURE_DATASETS + 1 + MANY * (FIXTURE_DATASETS + 2));
    for (unsigned i = 0; i < MANY; i++)
        assert_status(fixture, names[i], -1);
    assert_int_equal(fixture_mentions(fixture->store, "fork_0"), 0);
    fixture_assert_clean(fixture->store);
}

static void creates_and_drops_share_two_registry_writes(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "old-1", NULL);
    fixture_create(fixture->catalog, "old-2", NULL);
    struct change changes[] = {drop_line("old-1"), create_line("new-1", NULL),
                               create_line("new-2", NULL), drop_line("old-2")};
    uint64_t writes = registry_writes(fixture);
    assert_all_change(fixture, changes, G_N_ELEMENTS(changes));
    assert_int_equal(registry_writes(fixture) - writes, 2);
    assert_status(fixture, "old-1", -1);
    assert_status(fixture, "new-2", FORK_ACTIVE);
    fixture_assert_whole(fixture->store);
    fixture_assert_clean(fixture->store);
}

static void an_unclean_database_is_looked_at_once(void **state)
{
    struct change_fixture *fixture = *state;
    g_auto(GStrv) names = make_names(MANY);
    struct change changes[MANY];
    int codes[MANY];
    create_lines(changes, names, MANY);
    for (unsigned i = 0; i < MANY; i++)
        codes[i] = ERR_UNCLEAN;
    fixture_put(fixture->store, "wal/00000000000000000001_x.wal", "UNIWAL2");
    unsigned waves = fault_store_waves(fixture->faults);
    assert_changes(fixture, changes, codes, MANY);
    /* All lines together: what there is in the log, and what is in that. */
    assert_int_equal(fault_store_waves(fixture->faults) - waves, 2);
}

static void children_of_several_parents_share_the_writes(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "p", NULL);
    fixture_create(fixture->catalog, "q", NULL);
    struct change changes[] = {create_line("p-1", "p"), create_line("q-1", "q"),
                               create_line("p-2", "p"), create_line("main-1", NULL)};
    uint64_t writes = registry_writes(fixture);
    assert_all_change(fixture, changes, G_N_ELEMENTS(changes));
    assert_int_equal(registry_writes(fixture) - writes, 2);
    struct fork_entry *parent = change_fixture_entry(fixture, "q");
    struct fork_entry *child = change_fixture_entry(fixture, "q-1");
    assert_true(child->has_parent && ulid_equal(&child->parent_id, &parent->id));
    fork_entry_unref(child);
    fork_entry_unref(parent);
    fixture_assert_whole(fixture->store);
    fixture_assert_clean(fixture->store);
}

/* ---- Lines that depend on each other ---- */

static void dependent_lines_are_carried_out_in_order(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid before = fixture_create(fixture->catalog, "a", NULL);
    struct change changes[] = {drop_line("a"),         create_line("a", NULL),
                               create_line("p", NULL), create_line("c", "p"),
                               drop_line("c"),         drop_line("p")};
    assert_all_change(fixture, changes, G_N_ELEMENTS(changes));
    struct fork_entry *a = change_fixture_entry(fixture, "a");
    assert_false(ulid_equal(&a->id, &before));
    assert_true(ulid_equal(&a->id, &changes[1].id));
    fork_entry_unref(a);
    assert_status(fixture, "p", -1);
    assert_status(fixture, "c", -1);
    assert_int_equal(fixture_mentions(fixture->store, before.text), 0);
    fixture_assert_clean(fixture->store);
}

static void a_family_is_dropped_from_below(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "p", NULL);
    fixture_create(fixture->catalog, "c", "p");
    fixture_create(fixture->catalog, "g", "c");
    struct change changes[] = {drop_line("g"), drop_line("c"), drop_line("p")};
    assert_all_change(fixture, changes, G_N_ELEMENTS(changes));
    assert_int_equal(fixture_mentions(fixture->store, "fork_0"), 0);
    fixture_assert_clean(fixture->store);
}

static void a_parent_listed_before_its_child_is_refused_alone(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "p", NULL);
    fixture_create(fixture->catalog, "c", "p");
    struct change changes[] = {drop_line("p"), drop_line("c")};
    static const int codes[] = {ERR_NOT_EMPTY, 0};
    assert_changes(fixture, changes, codes, G_N_ELEMENTS(changes));
    assert_status(fixture, "p", FORK_ACTIVE);
    assert_status(fixture, "c", -1);
    fixture_assert_clean(fixture->store);
}

/* Also when that has to wait for a line above. */
static void a_drop_does_not_see_what_a_later_line_does(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "p", NULL);
    fixture_create(fixture->catalog, "c", "p");
    fixture_create(fixture->catalog, "d", "p");
    struct change changes[] = {drop_line("c"), drop_line("p"), drop_line("d")};
    static const int codes[] = {0, ERR_NOT_EMPTY, 0};
    assert_changes(fixture, changes, codes, G_N_ELEMENTS(changes));
    assert_status(fixture, "p", FORK_ACTIVE);
    fixture_assert_clean(fixture->store);
}

static void a_parent_that_is_being_dropped_gets_no_child(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "p", NULL);
    struct change changes[] = {drop_line("p"), create_line("c", "p")};
    static const int codes[] = {0, ERR_NOT_FOUND};
    assert_changes(fixture, changes, codes, G_N_ELEMENTS(changes));
    fixture_assert_clean(fixture->store);
}

static void a_parent_that_was_dropped_and_made_anew_gets_no_child(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid former = ulid_new();
    struct change changes[] = {create_line("parent", NULL), create_line("child", "parent")};
    changes[1].parent_id = &former;
    catalog_change(fixture->catalog, changes, 2, NULL);
    assert_int_equal(changes[0].error.code, 0);
    assert_int_equal(changes[1].error.code, ERR_NOT_FOUND);
    assert_int_equal(fixture_status(fixture->store, "child"), -1);
}

static void of_two_lines_with_one_name_the_first_counts(void **state)
{
    struct change_fixture *fixture = *state;
    struct change creates[] = {create_line("a", NULL), create_line("a", NULL)};
    struct change drops[] = {drop_line("a"), drop_line("a")};
    static const int exists[] = {0, ERR_EXISTS}, gone[] = {0, ERR_NOT_FOUND};
    assert_changes(fixture, creates, exists, 2);
    assert_changes(fixture, drops, gone, 2);
}

static void a_fork_given_by_id_and_by_name_is_one(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid id = fixture_create(fixture->catalog, "a", NULL);
    struct change changes[] = {{.kind = CHANGE_DROP, .expected_id = &id},
                               {.kind = CHANGE_DROP, .expected_id = &id},
                               drop_line("a"),
                               create_line("a", NULL)};
    static const int codes[] = {0, ERR_NOT_FOUND, ERR_NOT_FOUND, 0};
    assert_changes(fixture, changes, codes, G_N_ELEMENTS(changes));
}

/* ---- Each on its own merits ---- */

static void a_bad_line_fails_alone(void **state)
{
    struct change_fixture *fixture = *state;
    fixture_create(fixture->catalog, "taken", NULL);
    fixture_create(fixture->catalog, "base", NULL);
    g_autofree char *long_name = g_strnfill(256, 'x');
    struct change changes[] = {create_line("good", NULL),   create_line("taken", NULL),
                               create_line("tab\t", NULL),  create_line(long_name, NULL),
                               create_line("c", "no such"), drop_line("no such"),
                               create_line("", NULL),       create_line("better", "base")};
    static const int codes[] = {
        0,           ERR_EXISTS, ERR_INVALID, ERR_NAME_TOO_LONG, ERR_NOT_FOUND, ERR_NOT_FOUND,
        ERR_INVALID, 0};
    uint64_t writes = registry_writes(fixture);
    assert_changes(fixture, changes, codes, G_N_ELEMENTS(changes));
    assert_int_equal(registry_writes(fixture) - writes, 2);
    assert_non_null(strstr(changes[1].error.text, "creating fork 'taken'"));
    assert_non_null(strstr(changes[5].error.text, "dropping fork 'no such'"));
    fixture_assert_clean(fixture->store);
}

static void a_held_fork_stays_and_the_others_go(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid held = fixture_create(fixture->catalog, "held", NULL);
    fixture_create(fixture->catalog, "free", NULL);
    struct hold *hold = NULL;
    assert_int_equal(catalog_hold(fixture->catalog, &held, true, 1, "sh", &hold, NULL), 0);
    struct change changes[] = {drop_line("held"), drop_line("free")};
    static const int codes[] = {ERR_HELD, 0};
    assert_changes(fixture, changes, codes, 2);
    holders_release(catalog_holders(fixture->catalog), hold);
    assert_all_change(fixture, changes, 1);
    fixture_assert_clean(fixture->store);
}

/* Whichever file it is that cannot be written. */
static void a_fork_whose_file_cannot_be_written_fails_alone(void **state)
{
    struct change_fixture *fixture = *state;
    for (unsigned n = 1; n <= 3 * (2 * FIXTURE_DATASETS + 2); n++) {
        struct change changes[] = {create_line("a", NULL), create_line("b", NULL),
                                   create_line("c", NULL)};
        unsigned failed = 0;
        fault_store_match(fixture->faults, "storage/");
        fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_PUT, n, false, ERR_NO_SPACE);
        catalog_change(fixture->catalog, changes, 3, NULL);
        for (unsigned i = 0; i < 3; i++) {
            if (changes[i].error.code == 0)
                continue;
            failed++;
            assert_int_equal(changes[i].error.code, ERR_NO_SPACE);
            assert_status(fixture, changes[i].name, -1);
            assert_int_equal(fixture_mentions(fixture->store, changes[i].id.text), 0);
        }
        assert_int_equal(failed, fault_store_fired(fixture->faults) ? 1 : 0);
        fault_store_disarm(fixture->faults);
        fixture_assert_clean(fixture->store);
        for (unsigned i = 0; i < 3; i++)
            catalog_drop(fixture->catalog, changes[i].name, NULL, NULL, NULL);
    }
}

static void a_fork_that_cannot_be_deleted_stays_tombstoned_alone(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid stuck = fixture_create(fixture->catalog, "stuck", NULL);
    fixture_create(fixture->catalog, "free", NULL);
    struct change changes[] = {drop_line("stuck"), drop_line("free")};
    static const int codes[] = {ERR_ACCESS, 0};
    g_autofree char *overlay = g_strdup_printf("fork_schemas/%s", stuck.text);
    fault_store_match(fixture->faults, overlay);
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_DELETE, 1, true, ERR_ACCESS);
    assert_changes(fixture, changes, codes, 2);
    assert_non_null(strstr(changes[0].error.text, "stays tombstoned"));
    assert_status(fixture, "stuck", FORK_TOMBSTONED);
    fault_store_disarm(fixture->faults);
    assert_all_change(fixture, changes, 1);
    fixture_assert_clean(fixture->store);
}

static void a_read_only_catalog_refuses_every_line(void **state)
{
    struct change_fixture *fixture = *state;
    static const struct catalog_settings read_only = {.read_only = true};
    change_fixture_reopen(fixture, &read_only);
    struct change changes[] = {create_line("a", NULL), drop_line("b")};
    static const int codes[] = {ERR_READ_ONLY, ERR_READ_ONLY};
    assert_changes(fixture, changes, codes, 2);
}

static void an_empty_list_is_done(void **state)
{
    struct change_fixture *fixture = *state;
    unsigned waves = fault_store_waves(fixture->faults);
    catalog_change(fixture->catalog, NULL, 0, NULL);
    assert_int_equal(fault_store_waves(fixture->faults), waves);
}

/* ---- Others ---- */

/* Datasets that another process registered after the drop had looked at the entry. */
static void a_drop_deletes_branches_that_are_registered_meanwhile(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid id = fixture_create(fixture->catalog, "a", NULL);
    fixture_put_dataset(fixture->store, "vertices_Ghost", "plain", 2);
    struct change changes[] = {drop_line("a")};
    struct change_thread thread;
    fault_store_match(fixture->faults, FIXTURE_REGISTRY);
    fault_store_arm(fixture->faults, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    change_thread_start(&thread, fixture, changes, 1);
    fault_store_wait_held(fixture->faults);
    struct catalog *other = fixture_open(fixture->store, NULL);
    auto_bytes struct bytes *text = bytes_new_text("{\"vertices_Ghost\": null}");
    assert_int_equal(catalog_register_datasets(other, &id, text, NULL, NULL), 0);
    fault_store_release(fixture->faults);
    change_thread_join(&thread);
    catalog_free(other);
    if (changes[0].error.code)
        fail_msg("%s", changes[0].error.text);
    assert_int_equal(fixture_mentions(fixture->store, id.text), 0);
    fixture_assert_clean(fixture->store);
}

static void lists_in_opposite_order_do_not_wait_for_each_other(void **state)
{
    struct change_fixture *fixture = *state;
    struct change there[] = {create_line("a", NULL), create_line("b", NULL),
                             create_line("c", NULL)};
    struct change back[] = {create_line("c", NULL), create_line("b", NULL), create_line("a", NULL)};
    struct change_thread threads[2];
    change_thread_start(&threads[0], fixture, there, 3);
    change_thread_start(&threads[1], fixture, back, 3);
    change_thread_join(&threads[0]);
    change_thread_join(&threads[1]);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(there[i].error.code == 0 || there[i].error.code == ERR_EXISTS);
        assert_true((there[i].error.code == 0) != (back[2 - i].error.code == 0));
    }
    fixture_assert_whole(fixture->store);
    fixture_assert_clean(fixture->store);
}

/* A child being made and its parent being dropped at the same time: never an orphan. */
static void a_child_and_the_end_of_its_parent_exclude_each_other(void **state)
{
    struct change_fixture *fixture = *state;
    for (unsigned i = 0; i < 30; i++) {
        fixture_create(fixture->catalog, "p", NULL);
        struct change create[] = {create_line("c", "p")};
        struct change drop[] = {drop_line("p")};
        struct change_thread threads[2];
        change_thread_start(&threads[0], fixture, create, 1);
        change_thread_start(&threads[1], fixture, drop, 1);
        change_thread_join(&threads[0]);
        change_thread_join(&threads[1]);
        assert_true((create[0].error.code == 0) != (drop[0].error.code == 0));
        if (create[0].error.code == 0) {
            assert_int_equal(drop[0].error.code, ERR_NOT_EMPTY);
            fixture_assert_clean(fixture->store);
            assert_int_equal(catalog_drop(fixture->catalog, "c", NULL, NULL, NULL), 0);
            assert_int_equal(catalog_drop(fixture->catalog, "p", NULL, NULL, NULL), 0);
        }
        assert_int_equal(fixture_mentions(fixture->store, "fork_0"), 0);
        fixture_assert_clean(fixture->store);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, change_set_up, change_tear_down)
#define WIDE(name) cmocka_unit_test_setup_teardown(name, change_set_up_wide, change_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(creates_share_two_registry_writes_and_four_waves),
        TEST(drops_share_two_registry_writes_and_list_each_dataset_once),
        TEST(creates_and_drops_share_two_registry_writes),
        TEST(an_unclean_database_is_looked_at_once),
        TEST(children_of_several_parents_share_the_writes),
        TEST(dependent_lines_are_carried_out_in_order),
        TEST(a_family_is_dropped_from_below),
        TEST(a_parent_listed_before_its_child_is_refused_alone),
        TEST(a_drop_does_not_see_what_a_later_line_does),
        TEST(a_parent_that_is_being_dropped_gets_no_child),
        TEST(a_parent_that_was_dropped_and_made_anew_gets_no_child),
        TEST(of_two_lines_with_one_name_the_first_counts),
        TEST(a_fork_given_by_id_and_by_name_is_one),
        TEST(a_bad_line_fails_alone),
        TEST(a_held_fork_stays_and_the_others_go),
        TEST(a_fork_whose_file_cannot_be_written_fails_alone),
        TEST(a_fork_that_cannot_be_deleted_stays_tombstoned_alone),
        TEST(a_read_only_catalog_refuses_every_line),
        TEST(an_empty_list_is_done),
        WIDE(a_drop_deletes_branches_that_are_registered_meanwhile),
        WIDE(lists_in_opposite_order_do_not_wait_for_each_other),
        WIDE(a_child_and_the_end_of_its_parent_exclude_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

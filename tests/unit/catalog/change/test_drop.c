#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/fork_fixture.h"

/* ---- What is left ---- */

static void nothing_is_left_of_a_dropped_fork(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *data = g_strdup_printf(FORK_DATASET "/tree/%s/data/x.lance", fixture->branch);
    g_autofree char *wal = g_strdup_printf("storage/wal_forks/%s/%020d_x.wal", fixture->id.text, 1);
    g_autofree char *snapshot =
        g_strdup_printf("storage/catalog/forks/%s/manifests/s.json", fixture->id.text);
    fixture_put(fixture->store, data, "rows");
    fixture_put(fixture->store, wal, "log");
    fixture_put(fixture->store, snapshot, "{}");
    assert_drops(fixture);
    assert_int_equal(fixture_status(fixture->store, "audit"), -1);
}

/* Writes into the branch, each time in a file of its own. */
static struct fork_fixture *written;
static unsigned files_written;

static void write_into_branch(int64_t unused)
{
    g_autofree char *key = g_strdup_printf(FORK_DATASET "/tree/%s/data/%u.lance", written->branch,
                                           __atomic_add_fetch(&files_written, 1, __ATOMIC_RELAXED));
    fixture_put(written->store, key, "rows");
}

static void write_at_prunes(struct fork_fixture *fixture, bool each)
{
    written = fixture;
    fault_store_match(fixture->faults, fixture->branch);
    fault_store_set_delay(fixture->faults, 0);
    fault_store_when_fired(fixture->faults, write_into_branch, 0);
    fault_store_arm(fixture->faults, FAULT_DELAY, 1u << STORE_PRUNE, 1, each, 0);
}

static void what_comes_after_the_deletes_is_deleted_as_well(void **state)
{
    struct fork_fixture *fixture = *state;
    write_at_prunes(fixture, false);
    assert_drops(fixture);
    assert_true(fault_store_fired(fixture->faults));
}

static void a_fork_that_somebody_goes_on_writing_into_stays_tombstoned(void **state)
{
    struct fork_fixture *fixture = *state;
    struct error err = {0};
    write_at_prunes(fixture, true);
    assert_int_equal(catalog_drop(fixture->catalog, "audit", NULL, NULL, &err), ERR_HELD);
    assert_non_null(strstr(err.text, "goes on writing"));
    assert_non_null(strstr(err.text, "stays tombstoned"));
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_TOMBSTONED);
    fault_store_disarm(fixture->faults);
    assert_drops(fixture);
}

static void recovery_finishes_what_somebody_went_on_writing_into(void **state)
{
    struct fork_fixture *fixture = *state;
    unsigned problems;
    write_at_prunes(fixture, true);
    assert_int_equal(drop(fixture), ERR_HELD);
    fixture_recover(fixture->catalog, &problems);
    assert_int_equal(problems, 1);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_TOMBSTONED);
    fault_store_disarm(fixture->faults);
    fixture_recover(fixture->catalog, &problems);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

static void dropping_leaves_other_forks_and_unknown_members(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_create(fixture->catalog, "other", NULL);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, "\"forks\"", "\"x\": [1e400],\n  \"forks\"");
    fork_fixture_reopen(fixture);
    assert_drops(fixture);
    g_autofree char *text = fixture_read(fixture->store, FIXTURE_REGISTRY);
    assert_non_null(strstr(text, "1e400"));
    assert_int_equal(fixture_status(fixture->store, "other"), FORK_ACTIVE);
    fixture_assert_whole(fixture->store);
}

static void the_name_is_free_afterwards(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_drops(fixture);
    struct ulid again = fixture_create(fixture->catalog, "audit", NULL);
    assert_false(ulid_equal(&again, &fixture->id));
    fixture_assert_clean(fixture->store);
}

static void there_is_a_limit_to_dependent_requests(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *data = g_strdup_printf(FORK_DATASET "/tree/%s/data/x.lance", fixture->branch);
    fixture_put(fixture->store, data, "rows");
    unsigned before = fault_store_waves(fixture->faults);
    assert_drops(fixture);
    assert_in_range(fault_store_waves(fixture->faults) - before, 1, 6);
}

static void datasets_that_cannot_be_listed_leave_the_fork(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_LIST, 1, false, ERR_UNREACHABLE);
    assert_refused(fixture, ERR_UNREACHABLE, "audit");
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_ACTIVE);
}

/* ---- Which fork ---- */

static void an_unknown_fork_is_not_found(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(catalog_drop(fixture->catalog, "nobody", NULL, NULL, NULL), ERR_NOT_FOUND);
    struct ulid nobody = ulid_new();
    assert_int_equal(catalog_drop(fixture->catalog, NULL, &nobody, NULL, NULL), ERR_NOT_FOUND);
}

static void another_fork_of_the_name_is_not_dropped(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid expected = ulid_new();
    assert_int_equal(catalog_drop(fixture->catalog, "audit", &expected, NULL, NULL), ERR_STALE);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_ACTIVE);
    assert_int_equal(catalog_drop(fixture->catalog, "audit", &fixture->id, NULL, NULL), 0);
}

static void a_fork_whose_key_is_no_c_string_is_dropped_by_its_id(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_replace(fixture->store, FIXTURE_REGISTRY, "\"audit\"", "\"au\\u0000dit\"");
    fork_fixture_reopen(fixture);
    assert_int_equal(catalog_drop(fixture->catalog, "au", NULL, NULL, NULL), ERR_NOT_FOUND);
    assert_int_equal(catalog_drop(fixture->catalog, NULL, &fixture->id, NULL, NULL), 0);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

static void a_read_only_catalog_drops_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    struct catalog *catalog = fixture_open_read_only(fixture->store);
    assert_int_equal(catalog_drop(catalog, "audit", NULL, NULL, NULL), ERR_READ_ONLY);
    catalog_free(catalog);
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_ACTIVE);
}

/* ---- Holders ---- */

static struct hold *hold_fork(struct fork_fixture *fixture, int expected)
{
    struct hold *hold = NULL;
    assert_int_equal(catalog_hold(fixture->catalog, &fixture->id, true, 42, "cat", &hold, NULL),
                     expected);
    return hold;
}

static void a_held_fork_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    struct hold *hold = hold_fork(fixture, 0);
    assert_refused(fixture, ERR_HELD, "42 cat");
    struct hold *second = hold_fork(fixture, 0); /* the door is open */
    holders_release(catalog_holders(fixture->catalog), hold);
    holders_release(catalog_holders(fixture->catalog), second);
    assert_drops(fixture);
    hold_fork(fixture, ERR_STALE);
}

struct dropper {
    struct fork_fixture *fixture;
    const char *key;
    struct operation operation;
    pthread_t thread;
    int code;
};

static void *run_drop(void *argument)
{
    struct dropper *dropper = argument;
    dropper->code =
        catalog_drop(dropper->fixture->catalog, dropper->key,
                     dropper->key ? NULL : &dropper->fixture->id, &dropper->operation, NULL);
    return NULL;
}

static void start_drop(struct dropper *dropper, struct fork_fixture *fixture, const char *key)
{
    *dropper = (struct dropper){.fixture = fixture, .key = key};
    operation_init(&dropper->operation, 60000);
    assert_int_equal(pthread_create(&dropper->thread, NULL, run_drop, dropper), 0);
}

static int join_drop(struct dropper *dropper)
{
    pthread_join(dropper->thread, NULL);
    operation_destroy(&dropper->operation);
    return dropper->code;
}

static void a_fork_cannot_be_held_while_it_is_dropped(void **state)
{
    struct fork_fixture *fixture = *state;
    struct dropper dropper;
    fault_store_arm(fixture->faults, FAULT_DELAY, FAULT_WRITES, 1, false, 0);
    start_drop(&dropper, fixture, "audit");
    fault_store_wait_held(fixture->faults); /* the decision is under way */
    hold_fork(fixture, ERR_STALE);
    fault_store_release(fixture->faults);
    assert_int_equal(join_drop(&dropper), 0);
}

static void a_fork_can_be_held_again_after_a_failed_drop(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 1, false, ERR_NO_SPACE);
    assert_refused(fixture, ERR_NO_SPACE, "audit");
    holders_release(catalog_holders(fixture->catalog), hold_fork(fixture, 0));
}

static void a_tombstoned_fork_cannot_be_held(void **state)
{
    struct fork_fixture *fixture = *state;
    struct hold *hold = NULL;
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 2, false, ERR_ACCESS);
    assert_int_equal(drop(fixture), ERR_ACCESS);
    hold_fork(fixture, ERR_STALE);
    assert_int_equal(catalog_hold(fixture->catalog, &fixture->id, false, 1, "cat", &hold, NULL), 0);
    assert_null(hold);
    assert_drops(fixture);
}

static void where_there_is_no_room_for_a_tombstone_the_fork_is_dropped_without(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_match(fixture->faults, "fork_tombstones");
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_PUT, 1, true, ERR_NO_SPACE);
    assert_drops(fixture);
    assert_true(fault_store_fired(fixture->faults));
    assert_int_equal(fixture_status(fixture->store, "audit"), -1);
}

/* ---- Half-made and half-dropped forks ---- */

static void a_pending_fork_is_removed_with_branches_it_does_not_record(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_forget_datasets(fixture);
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    assert_drops(fixture);
}

static void a_drop_that_failed_after_the_decision_is_resumed(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_DELETE, 1, true, ERR_ACCESS);
    struct error err = {0};
    assert_int_equal(catalog_drop(fixture->catalog, "audit", NULL, NULL, &err), ERR_ACCESS);
    assert_non_null(strstr(err.text, "stays tombstoned"));
    assert_int_equal(fixture_status(fixture->store, "audit"), FORK_TOMBSTONED);
    auto_bytes struct bytes *tombstones = catalog_tombstones(fixture->catalog);
    assert_non_null(strstr(tombstones->data, fixture->id.text));
    fault_store_disarm(fixture->faults);
    assert_drops(fixture);
    auto_bytes struct bytes *none = catalog_tombstones(fixture->catalog);
    assert_string_equal(none->data, "[]");
}

static void the_tombstone_is_the_entry_from_before_the_decision(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_DELETE, 1, true, ERR_ACCESS);
    assert_int_equal(drop(fixture), ERR_ACCESS);
    g_autofree char *key = g_strdup_printf("catalog/fork_tombstones/%s.json", fixture->id.text);
    g_autofree char *text = fixture_read(fixture->store, key);
    assert_true(g_str_has_prefix(text, "{\n  \"id\": \""));
    assert_true(g_str_has_suffix(text, "\"status\": \"active\"\n}"));
}

/* ---- Interrupts ---- */

/* Cancels the drop while its n-th write is under way. */
static int cancel_at_write(struct fork_fixture *fixture, unsigned n)
{
    struct dropper dropper;
    fault_store_arm(fixture->faults, FAULT_DELAY, FAULT_WRITES, n, false, 0);
    start_drop(&dropper, fixture, "audit");
    fault_store_wait_held(fixture->faults);
    operation_cancel(&dropper.operation);
    fault_store_release(fixture->faults);
    return join_drop(&dropper);
}

static void an_interrupt_before_the_decision_leaves_the_fork(void **state)
{
    struct fork_fixture *fixture = *state;
    struct operation operation;
    operation_init(&operation, -1);
    operation_cancel(&operation);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(catalog_drop(fixture->catalog, "audit", NULL, &operation, NULL),
                     ERR_INTERRUPTED);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    operation_destroy(&operation);
    holders_release(catalog_holders(fixture->catalog), hold_fork(fixture, 0));
}

static void an_interrupt_after_the_decision_comes_too_late(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(cancel_at_write(fixture, 2), 0);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

static void an_interrupt_during_the_decision_comes_too_late(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(cancel_at_write(fixture, 1), 0);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

/* ---- Several at once ---- */

static void of_two_drops_one_finds_the_fork_gone(void **state)
{
    struct fork_fixture *fixture = *state;
    struct dropper first, second;
    fault_store_arm(fixture->faults, FAULT_DELAY, FAULT_WRITES, 1, false, 0);
    start_drop(&first, fixture, "audit");
    fault_store_wait_held(fixture->faults);
    start_drop(&second, fixture, NULL); /* by id: the same lock */
    fault_store_release(fixture->faults);
    assert_int_equal(join_drop(&first), 0);
    assert_int_equal(join_drop(&second), ERR_NOT_FOUND);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
}

/* A fork that comes and goes, and one who opens it again and again. */
struct hammering {
    struct fork_fixture *fixture;
    bool done;      /* atomic */
    unsigned held;  /* atomic: how often it was held, */
    unsigned stale; /* and how often that fork had been decided on */
};

static void hold_once(struct hammering *hammering)
{
    struct catalog *catalog = hammering->fixture->catalog;
    auto_registry struct registry *before = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find(before, "audit");
    struct hold *hold = NULL;
    if (!entry || catalog_hold(catalog, &entry->id, true, 1, "cat", &hold, NULL) != 0)
        return;
    auto_registry struct registry *after = catalog_registry(catalog);
    const struct fork_entry *now = registry_find_id(after, &entry->id);
    __atomic_fetch_add(&hammering->held, 1, __ATOMIC_RELAXED);
    hammering->stale += !now || now->status != FORK_ACTIVE;
    holders_release(catalog_holders(catalog), hold);
}

static void *run_hammering(void *argument)
{
    struct hammering *hammering = argument;
    while (!__atomic_load_n(&hammering->done, __ATOMIC_ACQUIRE))
        hold_once(hammering);
    return NULL;
}

static unsigned drop_and_make(struct catalog *catalog)
{
    int code = catalog_drop(catalog, "audit", NULL, NULL, NULL);
    assert_true(code == 0 || code == ERR_HELD);
    if (code == 0)
        fixture_create(catalog, "audit", NULL);
    return code == 0;
}

static void whoever_holds_a_fork_holds_an_active_one(void **state)
{
    struct hammering hammering = {.fixture = *state};
    struct catalog *catalog = hammering.fixture->catalog;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_hammering, &hammering), 0);
    unsigned dropped = 0;
    AWAIT((dropped += drop_and_make(catalog)) >= 200 &&
          __atomic_load_n(&hammering.held, __ATOMIC_RELAXED) > 0);
    __atomic_store_n(&hammering.done, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    assert_int_equal(hammering.stale, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)
#define TEST_ON_DISK(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fork_set_up_on_disk, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_left_of_a_dropped_fork),
        TEST_ON_DISK(nothing_is_left_of_a_dropped_fork),
        TEST_ON_DISK(what_comes_after_the_deletes_is_deleted_as_well),
        TEST_ON_DISK(a_fork_that_somebody_goes_on_writing_into_stays_tombstoned),
        TEST_ON_DISK(recovery_finishes_what_somebody_went_on_writing_into),
        TEST(dropping_leaves_other_forks_and_unknown_members),
        TEST(the_name_is_free_afterwards),
        TEST(there_is_a_limit_to_dependent_requests),
        TEST(datasets_that_cannot_be_listed_leave_the_fork),
        TEST(an_unknown_fork_is_not_found),
        TEST(another_fork_of_the_name_is_not_dropped),
        TEST(a_fork_whose_key_is_no_c_string_is_dropped_by_its_id),
        TEST(a_read_only_catalog_drops_nothing),
        TEST(a_held_fork_is_refused),
        TEST(a_fork_cannot_be_held_while_it_is_dropped),
        TEST(a_fork_can_be_held_again_after_a_failed_drop),
        TEST(a_tombstoned_fork_cannot_be_held),
        TEST(where_there_is_no_room_for_a_tombstone_the_fork_is_dropped_without),
        TEST(a_pending_fork_is_removed_with_branches_it_does_not_record),
        TEST(a_drop_that_failed_after_the_decision_is_resumed),
        TEST_ON_DISK(a_drop_that_failed_after_the_decision_is_resumed),
        TEST(the_tombstone_is_the_entry_from_before_the_decision),
        TEST(an_interrupt_before_the_decision_leaves_the_fork),
        TEST(an_interrupt_after_the_decision_comes_too_late),
        TEST(an_interrupt_during_the_decision_comes_too_late),
        TEST(of_two_drops_one_finds_the_fork_gone),
        TEST(whoever_holds_a_fork_holds_an_active_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

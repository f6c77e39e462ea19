/*
 * Several mounts on one catalog, of which one hangs in the middle of its work: at the n-th request,
 * n = 1, 2, 3 ... Whatever the others do about it, and whether or not it comes back to life, the
 * invariants of docs/architecture.md hold.
 */
#include "unit/unit.h"

#include "unit/catalog/recovery/takeover_fixture.h"
#include "unit/virtual_clock.h"

/* How many requests the work makes when nothing is in its way. */
static unsigned count_requests(const struct work *work)
{
    struct store *store = database_for(work), *wrapper;
    struct catalog *catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    fault_store_arm(wrapper, FAULT_NONE, FAULT_ALL, 1, false, 0);
    assert_int_equal(work->change(catalog, NULL, NULL), 0);
    unsigned count = fault_store_count(wrapper);
    catalog_free(catalog);
    store_free(store);
    return count;
}

/* It comes back to life when others have taken its work over. Far too late, for no operation has so
 * much time; forks are safe all the same. */
static void wake_after_takeover(const struct work *work, unsigned n)
{
    struct store *store = database_for(work);
    struct sleeper sleeper = {0};
    sleeper_start(&sleeper, store, work, n, -1);
    struct heir heirs[] = {{.catalog = shared_open(store, 0, NULL)},
                           {.catalog = shared_open(store, 0, NULL)}};
    take_over_together(heirs, G_N_ELEMENTS(heirs));
    assert_neighbour_unharmed(store);
    sleeper_let_go(&sleeper);
    assert_answer(store, work, sleeper.code);
    settle(store, heirs, G_N_ELEMENTS(heirs));
    sleeper_end(&sleeper);
    store_free(store);
}

static void an_owner_that_wakes_after_the_takeover_does_no_harm(void **state)
{
    for (size_t i = 0; i < WORKS; i++) {
        if (i == WORK_REGISTER || i == WORK_TAG)
            continue;
        unsigned count = count_requests(&works[i]);
        for (unsigned n = 1; n <= count; n += FAULT_STRIDE)
            wake_after_takeover(&works[i], n);
    }
}

/* Its time passes, it gives up, and what it had under way arrives after that. */
static void arrive_late(const struct work *work, unsigned n)
{
    struct store *store = database_for(work);
    struct sleeper sleeper = {0};
    sleeper_start(&sleeper, store, work, n, AMPLE_MS);
    pthread_join(sleeper.thread, NULL);
    shared_recover(sleeper.catalog); /* it knows that something may still arrive */
    fault_store_release(sleeper.faults);
    assert_neighbour_unharmed(store);
    sleeper_end(&sleeper);
    struct heir heirs[] = {{.catalog = shared_open(store, 0, NULL)},
                           {.catalog = shared_open(store, 0, NULL)}};
    assert_answer(store, work, sleeper.code);
    settle(store, heirs, G_N_ELEMENTS(heirs));
    store_free(store);
}

static void what_arrives_late_is_cleaned_up(void **state)
{
    for (size_t i = 0; i < WORKS; i++) {
        unsigned count = count_requests(&works[i]);
        for (unsigned n = 1; n <= count; n += FAULT_STRIDE)
            arrive_late(&works[i], n);
    }
}

/* Another mount has seen it active, decides to drop it, and may take that back. */
static void a_creator_leaves_its_fork_alone_once_another_mount_drops_it(void **state)
{
    struct store *store = database_for(&works[WORK_CREATE]);
    struct sleeper sleeper = {0};
    sleeper_hold_at(&sleeper, store, &works[WORK_CREATE], SHARED_TAKEOVER_MS, FIXTURE_REGISTRY, 2);
    fixture_replace(store, FIXTURE_REGISTRY, "\"status\": \"pending\"",
                    "\"status\": \"tombstoned\"");
    g_autofree char *before = fixture_dump(store, NULL);
    sleeper_let_go(&sleeper);
    assert_int_equal(sleeper.code, ERR_STALE);
    assert_int_equal(shared_recover(sleeper.catalog), 0);
    g_autofree char *after = fixture_dump(store, NULL);
    assert_string_equal(before, after);
    sleeper_end(&sleeper);
    struct heir heir = {.catalog = shared_open(store, 0, NULL)};
    settle(store, &heir, 1);
    store_free(store);
}

/* However short the time of takeover. */
static void what_this_mount_is_doing_is_not_recovered(void **state)
{
    static const char *const files[] = {"_refs/branches", "fork_schemas", "id_allocator.json"};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        struct store *store = database_for(&works[WORK_CREATE]);
        struct sleeper sleeper = {0};
        sleeper_hold_at(&sleeper, store, &works[WORK_CREATE], 0, files[i], 1);
        assert_int_equal(shared_recover(sleeper.catalog), 0);
        assert_int_equal(fixture_status(store, "what_if"), FORK_PENDING);
        sleeper_let_go(&sleeper);
        assert_int_equal(sleeper.code, 0);
        assert_settled(store, sleeper.catalog);
        sleeper_end(&sleeper);
        store_free(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_owner_that_wakes_after_the_takeover_does_no_harm, side_by_side),
        cmocka_unit_test_setup(what_arrives_late_is_cleaned_up, side_by_side),
        cmocka_unit_test_setup(a_creator_leaves_its_fork_alone_once_another_mount_drops_it,
                               side_by_side),
        cmocka_unit_test_setup(what_this_mount_is_doing_is_not_recovered, side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

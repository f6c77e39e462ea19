#include "unit/unit.h"

#include "unit/catalog/recovery/takeover_fixture.h"
#include "unit/virtual_clock.h"

/* ---- The work ---- */

static int make_child(struct catalog *catalog, struct operation *operation, struct error *err)
{
    return catalog_create(catalog, "child", "neighbour", operation, NULL, err);
}

static int run_batch(struct catalog *catalog, struct operation *operation, struct error *err)
{
    struct change changes[] = {{.kind = CHANGE_DROP, .name = "what_if"},
                               {.kind = CHANGE_CREATE, .name = "one"},
                               {.kind = CHANGE_CREATE, .name = "two", .parent = "one"},
                               {.kind = CHANGE_CREATE, .name = "three"}};
    catalog_change(catalog, changes, G_N_ELEMENTS(changes), operation);
    int code = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(changes) && code == 0; i++)
        code = error_copy(err, &changes[i].error);
    return code;
}

const struct work works[WORKS] = {
    [WORK_CREATE] = {NULL, make_what_if},       [WORK_CREATE_CHILD] = {NULL, make_child},
    [WORK_DROP] = {make_what_if, drop_what_if}, [WORK_BATCH] = {make_what_if, run_batch},
    [WORK_REGISTER] = {NULL, enroll_ghost},     [WORK_TAG] = {NULL, tag_fork},
    [WORK_UNTAG] = {tag_fork, untag_fork},
};

struct store *database_for(const struct work *work)
{
    struct store *store = fault_database();
    fixture_put_dataset(store, FAULT_GHOST, "plain", 2);
    struct catalog *catalog = fixture_open(store, NULL);
    struct error err = {0};
    if (work->prepare && work->prepare(catalog, NULL, &err))
        fail_msg("%s", err.text);
    catalog_free(catalog);
    return store;
}

/* ---- What must hold ---- */

static bool is_tagged_whole_or_not(struct store *store)
{
    unsigned refs = fixture_mentions(store, "_refs/tags/fork_v1_");
    return refs == 0 || refs == FIXTURE_DATASETS;
}

void assert_settled(struct store *store, struct catalog *catalog)
{
    shared_poll(catalog);
    assert_int_equal(shared_recover(catalog), 0);
    assert_neighbour_unharmed(store);
    assert_memory_equals_store(catalog, store);
    assert_true(is_tagged_whole_or_not(store));
    fixture_assert_clean(store);
}

void assert_answer(struct store *store, const struct work *work, int code)
{
    if (code == 0 && work->change == make_what_if)
        assert_int_equal(fixture_status(store, "what_if"), FORK_ACTIVE);
    if (code == 0 && (work->change == drop_what_if || work->change == run_batch))
        assert_int_equal(fixture_status(store, "what_if"), -1);
    if (code == 0 && work->change == tag_fork)
        assert_int_equal(fixture_mentions(store, "_refs/tags/fork_v1_"), FIXTURE_DATASETS);
}

/* ---- A mount that hangs ---- */

static void *work_on(void *argument)
{
    struct sleeper *sleeper = argument;
    sleeper->code = sleeper->change(sleeper->catalog, &sleeper->operation, NULL);
    __atomic_store_n(&sleeper->ended, true, __ATOMIC_RELEASE);
    return NULL;
}

void sleeper_start(struct sleeper *sleeper, struct store *store, const struct work *work,
                   unsigned n, int64_t timeout_ms)
{
    sleeper->catalog = shared_open(store, SHARED_TAKEOVER_MS, &sleeper->faults);
    sleeper->change = work->change;
    operation_init(&sleeper->operation, timeout_ms);
    if (timeout_ms >= 0)
        fault_store_when_fired(sleeper->faults, virtual_clock_jump, timeout_ms);
    fault_store_arm(sleeper->faults, FAULT_DELAY, FAULT_ALL, n, false, 0);
    pthread_create(&sleeper->thread, NULL, work_on, sleeper);
    AWAIT(fault_store_fired(sleeper->faults) || __atomic_load_n(&sleeper->ended, __ATOMIC_ACQUIRE));
}

void sleeper_hold_at(struct sleeper *sleeper, struct store *store, const struct work *work,
                     int64_t takeover_ms, const char *part, unsigned n)
{
    sleeper->catalog = shared_open(store, takeover_ms, &sleeper->faults);
    sleeper->change = work->change;
    operation_init(&sleeper->operation, -1);
    fault_store_match(sleeper->faults, part);
    fault_store_arm(sleeper->faults, FAULT_DELAY, 1u << STORE_PUT, n, false, 0);
    pthread_create(&sleeper->thread, NULL, work_on, sleeper);
    fault_store_wait_held(sleeper->faults);
}

void sleeper_let_go(struct sleeper *sleeper)
{
    fault_store_release(sleeper->faults);
    pthread_join(sleeper->thread, NULL);
}

void sleeper_end(struct sleeper *sleeper)
{
    operation_destroy(&sleeper->operation);
    catalog_free(sleeper->catalog);
}

/* ---- Mounts that take over ---- */

static void *take_over(void *argument)
{
    const struct heir *heir = argument;
    shared_poll(heir->catalog);
    shared_recover(heir->catalog);
    return NULL;
}

void take_over_together(struct heir *heirs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_create(&heirs[i].thread, NULL, take_over, &heirs[i]);
    for (size_t i = 0; i < count; i++)
        pthread_join(heirs[i].thread, NULL);
}

void settle(struct store *store, struct heir *heirs, size_t count)
{
    take_over_together(heirs, count);
    for (size_t i = 0; i < count; i++) {
        assert_settled(store, heirs[i].catalog);
        catalog_free(heirs[i].catalog);
    }
}

/* ---- Set-ups ---- */

static struct store *wide_database(void)
{
    return fixture_database_with_jobs(4);
}

int one_by_one(void **state)
{
    fault_fixture_use(fixture_database);
    return 0;
}

int side_by_side(void **state)
{
    fault_fixture_use(wide_database);
    return 0;
}

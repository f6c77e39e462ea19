/*
 * Fault sweeps over lists of changes: nested forks, creates and drops in one group, sweeps of
 * expired forks.
 */
#include "unit/unit.h"

#include "unit/catalog/fault_fixture.h"

/* A list, and the forks that exist before. */
struct list {
    void (*prepare)(struct catalog *catalog);
    struct change changes[5];
    size_t count;
};

static struct change create_line(const char *name, const char *parent)
{
    return (struct change){.kind = CHANGE_CREATE, .name = name, .parent = parent};
}

static struct change drop_line(const char *name)
{
    return (struct change){.kind = CHANGE_DROP, .name = name};
}

static struct list list; /* the one being swept */

static int run_list(struct catalog *catalog, struct operation *operation, struct error *err)
{
    catalog_change(catalog, list.changes, list.count, operation);
    return 0;
}

/* ---- What must hold ---- */

/* Each line by itself: `settled` when recovery has run. */
static void assert_line(struct store *store, const struct change *change, bool settled,
                        const struct fault *fault, unsigned n)
{
    int status = fixture_status(store, change->name);
    int done = change->kind == CHANGE_CREATE ? FORK_ACTIVE : -1;
    if (change->error.code == 0 && status != done)
        fail_msg("%s, n %u: '%s' answered success, but its status is %d", fault->name, n,
                 change->name, status);
    if (settled && status != -1 && status != FORK_ACTIVE)
        fail_msg("%s, n %u: '%s' has status %d after recovery", fault->name, n, change->name,
                 status);
    if (change->kind == CHANGE_CREATE && change->error.code != 0 && !fault->persistent &&
        status != -1)
        fail_msg("%s, n %u: '%s' was refused (%s), but its status is %d", fault->name, n,
                 change->name, change->error.text, status);
    if (change->kind == CHANGE_CREATE && status == -1 && (settled || !fault->persistent))
        assert_int_equal(fixture_mentions(store, change->id.text), 0);
}

static void assert_lines(struct store *store, bool settled, const struct fault *fault, unsigned n)
{
    for (size_t i = 0; i < list.count; i++)
        assert_line(store, &list.changes[i], settled, fault, n);
}

/* ---- The sweep ---- */

static bool list_with_fault(const struct fault *fault, unsigned n)
{
    struct store *store = fault_database(), *wrapper;
    struct catalog *catalog = fixture_open(store, NULL);
    if (list.prepare)
        list.prepare(catalog);
    catalog_free(catalog);
    for (size_t i = 0; i < list.count; i++) {
        list.changes[i].error.code = ERR_IO;
        list.changes[i].error = (struct error){0};
    }
    catalog = fault_open(store, fault, n, &wrapper);
    arm_fault(wrapper, fault, n);
    run_change(catalog, run_list, NULL);
    bool fired = fault_store_fired(wrapper);
    fault_store_disarm(wrapper);
    assert_neighbour_unharmed(store);
    if (!fault->persistent)
        assert_memory_equals_store(catalog, store);
    assert_lines(store, false, fault, n);
    if (outlives_fault(fault))
        finish_leftovers(catalog, store, fault, n);
    else
        catalog_free(catalog);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    assert_lines(store, true, fault, n);
    store_free(store);
    return fired;
}

static void a_nested_mkdir_with_a_fault_at_any_request_is_whole_or_nothing(void **state)
{
    list = (struct list){.changes = {create_line("child", "neighbour")}, .count = 1};
    sweep_faults(list_with_fault, 10);
}

static void creates_with_a_fault_at_any_request_are_whole_or_nothing(void **state)
{
    list = (struct list){
        .changes = {create_line("a", NULL), create_line("b", NULL), create_line("c", "neighbour")},
        .count = 3};
    sweep_faults(list_with_fault, 25);
}

static void make_old_forks(struct catalog *catalog)
{
    fixture_create(catalog, "old", NULL);
    fixture_create(catalog, "older", NULL);
    fixture_create(catalog, "child", "older");
}

static void creates_and_drops_with_a_fault_at_any_request_do_not_mix(void **state)
{
    list = (struct list){.prepare = make_old_forks,
                         .changes = {drop_line("old"), create_line("a", NULL), drop_line("child"),
                                     create_line("b", "neighbour"), drop_line("older")},
                         .count = 5};
    sweep_faults(list_with_fault, 40);
}

/* ---- Expired forks ---- */

static int sweep_expired(struct catalog *catalog, struct operation *operation, struct error *err)
{
    catalog_sweep(catalog, operation, NULL, NULL);
    return 0;
}

static struct store *database_with_expired(void)
{
    struct store *store = fault_database();
    struct catalog *catalog = fixture_open(store, NULL);
    struct ulid id = fixture_create(catalog, "expired", NULL);
    fixture_create(catalog, "below", "expired");
    assert_int_equal(catalog_set_ttl(catalog, &id, true, 0, NULL, NULL), 0);
    catalog_free(catalog);
    return store;
}

static bool sweep_with_fault(const struct fault *fault, unsigned n)
{
    struct store *store = database_with_expired(), *wrapper;
    struct catalog *catalog = fault_open(store, fault, n, &wrapper);
    arm_fault(wrapper, fault, n);
    run_change(catalog, sweep_expired, NULL);
    bool fired = fault_store_fired(wrapper);
    fault_store_disarm(wrapper);
    assert_neighbour_unharmed(store);
    if (!fault->persistent)
        assert_memory_equals_store(catalog, store);
    catalog_free(catalog);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    /* The next sweep finishes what this one could not. */
    catalog = fixture_open(store, NULL);
    catalog_sweep(catalog, NULL, NULL, NULL);
    catalog_free(catalog);
    assert_int_equal(fixture_status(store, "expired"), -1);
    assert_int_equal(fixture_status(store, "below"), -1);
    fixture_assert_clean(store);
    store_free(store);
    return fired;
}

static void a_sweep_with_a_fault_at_any_request_is_finished_by_the_next(void **state)
{
    sweep_faults(sweep_with_fault, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_nested_mkdir_with_a_fault_at_any_request_is_whole_or_nothing),
        cmocka_unit_test(creates_with_a_fault_at_any_request_are_whole_or_nothing),
        cmocka_unit_test(creates_and_drops_with_a_fault_at_any_request_do_not_mix),
        cmocka_unit_test(a_sweep_with_a_fault_at_any_request_is_finished_by_the_next),
    };
    int failed =
        cmocka_run_group_tests_name("memory store", tests, fault_fixture_on_one_processor, NULL);
    fault_fixture_use(fixture_database_on_disk);
    return failed +
           cmocka_run_group_tests_name("local store", tests, fault_fixture_on_one_processor, NULL);
}

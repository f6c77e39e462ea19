/*
 * Fault sweeps: mkdir, rmdir and recovery with a fault at the n-th store request, n = 1, 2, 3 ...
 * until none fires; after each, the invariants of docs/architecture.md hold.
 */
#include "unit.h"

#include <string.h>

#include "database_fixture.h"

#define STEPS_MAX 400

struct fault {
    const char *name;
    enum fault_kind kind;
    bool persistent;
    int code;
};

static const struct fault faults[] = {
    {"fail once", FAULT_FAIL, false, ERR_IO},
    {"fail from then on", FAULT_FAIL, true, ERR_UNREACHABLE},
    {"no space once", FAULT_FAIL, false, ERR_NO_SPACE},
    {"lose the answer once", FAULT_LOSE_ANSWER, false, ERR_IO},
    {"kill before", FAULT_KILL, true, ERR_IO},
    {"kill after", FAULT_KILL_AFTER, true, ERR_IO},
};

/* The store that a group of tests runs on. */
static struct store *(*make_database)(void) = fixture_database;

typedef int change_function(struct catalog *catalog, struct operation *operation,
                            struct error *err);

static int make_fork(struct catalog *catalog, struct operation *operation, struct error *err)
{
    return catalog_create(catalog, "what_if", NULL, operation, NULL, err);
}

static int drop_fork(struct catalog *catalog, struct operation *operation, struct error *err)
{
    return catalog_drop(catalog, "what_if", NULL, operation, err);
}

/* A database with an unrelated fork, whose entry has a member that nobody knows. */
static struct store *database_with_neighbour(void)
{
    struct store *store = make_database();
    struct catalog *catalog = fixture_open(store, NULL);
    struct error err = {0};
    if (catalog_create(catalog, "neighbour", NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
    catalog_free(catalog);
    g_autofree char *text = fixture_read(store, "catalog/fork_registry.json");
    char *status = strstr(text, "\"status\": \"active\"");
    assert_non_null(status);
    g_autofree char *head = g_strndup(text, (size_t)(status - text));
    g_autofree char *extended = g_strdup_printf("%s\"colour\": 1e400,\n      %s", head, status);
    fixture_put(store, "catalog/fork_registry.json", extended);
    return store;
}

static struct store *database_with_fork(void)
{
    struct store *store = database_with_neighbour();
    struct catalog *catalog = fixture_open(store, NULL);
    struct error err = {0};
    if (make_fork(catalog, NULL, &err))
        fail_msg("%s", err.text);
    catalog_free(catalog);
    return store;
}

/* A store whose answers never come cannot be waited for without end. */
static int run_change(struct catalog *catalog, change_function *change, struct error *err)
{
    struct operation operation;
    operation_init(&operation, 400);
    int code = change(catalog, &operation, err);
    operation_destroy(&operation);
    return code;
}

static void assert_neighbour_unharmed(struct store *store)
{
    g_autofree char *text = fixture_read(store, "catalog/fork_registry.json");
    assert_non_null(strstr(text, "\"colour\": 1e400"));
    assert_int_equal(fixture_status(store, "neighbour"), FORK_ACTIVE);
    fixture_assert_whole(store);
}

/* Memory must show what the store holds; only the latest change may still be unknown to it. */
static void assert_memory_equals_store(struct catalog *catalog, struct store *store)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autofree char *text = fixture_read(store, "catalog/fork_registry.json");
    assert_int_equal(registry->text->size, strlen(text));
    assert_memory_equal(registry->text->data, text, registry->text->size);
}

/* Recovers, twice: the second time there is nothing to do. */
static void recover_completely(struct store *store)
{
    struct catalog *catalog = fixture_open(store, NULL);
    unsigned problems = 0;
    fixture_recover(catalog, &problems);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_recover(catalog, &problems), 0);
    assert_int_equal(problems, 0);
    assert_memory_equals_store(catalog, store);
    catalog_free(catalog);
    fixture_assert_clean(store);
}

/* ---- mkdir ---- */

static bool create_with_fault(const struct fault *fault, unsigned n)
{
    struct store *store = database_with_neighbour();
    g_autofree char *before = fixture_dump(store, NULL);
    struct store *wrapper;
    struct catalog *catalog = fixture_open(store, &wrapper);
    fault_store_arm(wrapper, fault->kind, FAULT_ALL, n, fault->persistent, fault->code);
    struct error err = {0};
    int code = run_change(catalog, make_fork, &err);
    bool fired = fault_store_fired(wrapper);
    fault_store_disarm(wrapper);
    bool died = fault->persistent;
    assert_neighbour_unharmed(store);
    if (!died)
        assert_memory_equals_store(catalog, store);
    catalog_free(catalog);

    int status = fixture_status(store, "what_if");
    if (code == 0)
        assert_int_equal(status, FORK_ACTIVE);
    else if (!died && status >= 0)
        fail_msg("%s, n %u: refused (%s), but its entry is there", fault->name, n, err.text);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    status = fixture_status(store, "what_if");
    g_autofree char *after = fixture_dump(store, NULL);
    if (code == 0)
        assert_int_equal(status, FORK_ACTIVE);
    if (status < 0)
        assert_string_equal(before, after);
    else
        assert_int_equal(status, FORK_ACTIVE);
    store_free(store);
    return fired;
}

static void sweep(bool (*attempt)(const struct fault *, unsigned))
{
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        unsigned n = 1;
        while (attempt(&faults[i], n)) {
            assert_true(n < STEPS_MAX);
            n++;
        }
        assert_true(n > 10);
    }
}

static void mkdir_with_a_fault_at_any_request_is_whole_or_nothing(void **state)
{
    sweep(create_with_fault);
}

/* ---- rmdir ---- */

static bool drop_with_fault(const struct fault *fault, unsigned n)
{
    struct store *store = database_with_fork();
    struct store *wrapper;
    struct catalog *catalog = fixture_open(store, &wrapper);
    auto_registry struct registry *registry = catalog_registry(catalog);
    struct ulid id = registry_find(registry, "what_if")->id;
    fault_store_arm(wrapper, fault->kind, FAULT_ALL, n, fault->persistent, fault->code);
    struct error err = {0};
    int code = run_change(catalog, drop_fork, &err);
    bool fired = fault_store_fired(wrapper);
    fault_store_disarm(wrapper);
    assert_neighbour_unharmed(store);
    if (!fault->persistent)
        assert_memory_equals_store(catalog, store);
    if (code == 0)
        assert_int_equal(fixture_mentions(store, id.text), 0);
    if (code != 0 && !fault->persistent && fixture_status(store, "what_if") >= 0) {
        /* Another rmdir goes on. */
        if (catalog_drop(catalog, "what_if", NULL, NULL, &err))
            fail_msg("%s, n %u: %s", fault->name, n, err.text);
        assert_int_equal(fixture_mentions(store, id.text), 0);
    }
    catalog_free(catalog);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    int status = fixture_status(store, "what_if");
    if (status < 0)
        assert_int_equal(fixture_mentions(store, id.text), 0);
    else
        assert_int_equal(status, FORK_ACTIVE);
    store_free(store);
    return fired;
}

static void rmdir_with_a_fault_at_any_request_can_be_finished(void **state)
{
    sweep(drop_with_fault);
}

/* ---- Recovery ---- */

/* Leaves a database in which `change` was killed after its k-th write. False when there are fewer.
 */
static struct store *killed_at(struct store *store, change_function *change, unsigned k,
                               bool *fired)
{
    struct store *wrapper;
    struct catalog *catalog = fixture_open(store, &wrapper);
    fault_store_arm(wrapper, FAULT_KILL_AFTER, FAULT_WRITES, k, true, ERR_IO);
    run_change(catalog, change, NULL);
    *fired = fault_store_fired(wrapper);
    catalog_free(catalog);
    return store;
}

static bool recover_with_fault(change_function *change, unsigned k, const struct fault *fault,
                               unsigned n, bool *crashed)
{
    struct store *store = killed_at(
        change == make_fork ? database_with_neighbour() : database_with_fork(), change, k, crashed);
    struct store *wrapper;
    struct catalog *catalog = fixture_open(store, &wrapper);
    fault_store_arm(wrapper, fault->kind, FAULT_ALL, n, fault->persistent, fault->code);
    struct operation operation;
    operation_init(&operation, 400);
    struct recovery_report report = {0};
    catalog_recover(catalog, &operation, &report, NULL);
    recovery_report_clear(&report);
    operation_destroy(&operation);
    bool fired = fault_store_fired(wrapper);
    catalog_free(catalog);
    assert_neighbour_unharmed(store);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    int status = fixture_status(store, "what_if");
    assert_true(status < 0 || status == FORK_ACTIVE);
    store_free(store);
    return fired;
}

static void sweep_recovery(change_function *change)
{
    const struct fault *chosen[] = {&faults[0], &faults[3], &faults[4]};
    bool crashed = true;
    for (unsigned k = 1; crashed; k += 3) {
        for (size_t i = 0; i < G_N_ELEMENTS(chosen); i++) {
            unsigned n = 1;
            while (recover_with_fault(change, k, chosen[i], n, &crashed))
                n++;
        }
        assert_true(k < STEPS_MAX);
    }
}

static void recovery_of_a_killed_mkdir_survives_a_fault_at_any_request(void **state)
{
    sweep_recovery(make_fork);
}

static void recovery_of_a_killed_rmdir_survives_a_fault_at_any_request(void **state)
{
    sweep_recovery(drop_fork);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mkdir_with_a_fault_at_any_request_is_whole_or_nothing),
        cmocka_unit_test(rmdir_with_a_fault_at_any_request_can_be_finished),
        cmocka_unit_test(recovery_of_a_killed_mkdir_survives_a_fault_at_any_request),
        cmocka_unit_test(recovery_of_a_killed_rmdir_survives_a_fault_at_any_request),
    };
    int failed = cmocka_run_group_tests_name("memory store", tests, NULL, NULL);
    make_database = fixture_database_on_disk;
    return failed + cmocka_run_group_tests_name("local store", tests, NULL, NULL);
}

/*
 * The repair of a catalog that others may write: only when nobody does.
 */
#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/repair/repair_fixture.h"

#define LEASE "storage/catalog/fork_leases/01BX5ZZKBKACTAV9WEVGEMMVRZ.json"

/* A store on which somebody else puts an object at the second look at a key. */
struct busy_store {
    struct store base;
    const char *watched; /* key or prefix */
    const char *key, *text;
    unsigned looks; /* atomic */
};

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    struct busy_store *store = (struct busy_store *)base;
    if (store->watched && strcmp(request->key, store->watched) == 0 &&
        __atomic_add_fetch(&store->looks, 1, __ATOMIC_RELAXED) == 2)
        fixture_put(base->wrapped, store->key, store->text);
    base->wrapped->operations->perform(base->wrapped, request, operation, answer);
}

static void destroy(struct store *base)
{
}

/* The fixture's store, which stays the fixture's. */
static struct busy_store *busy_store_new(struct fork_fixture *fixture)
{
    static const struct store_operations operations = {.perform = perform, .destroy = destroy};
    struct busy_store *store = g_new0(struct busy_store, 1);
    store_initialize_wrapper(&store->base, &operations, fixture->store);
    g_clear_pointer(&fixture->catalog, catalog_free);
    return store;
}

static int repair_shared(struct busy_store *store, struct repair_report *report, struct error *err)
{
    const struct repair_settings settings = {.shared = true, .lease_ms = 1, .watch_ms = 1};
    struct layout *layout;
    assert_int_equal(layout_new("", "storage/", "/srv/graph/storage", &layout, NULL), 0);
    return catalog_repair(&store->base, layout, &settings, NULL, report, err);
}

/* Refused, with a text that holds the part; nothing else is changed than what the other one did. */
static void assert_is_held(struct fork_fixture *fixture, struct busy_store *store, const char *part)
{
    struct repair_report report;
    struct error err;
    g_autofree char *key = g_strdup(store->key);
    g_autofree char *before = fixture_dump(fixture->store, key);
    assert_int_equal(repair_shared(store, &report, &err), ERR_HELD);
    if (!strstr(err.text, part))
        fail_msg("'%s' does not say '%s'", err.text, part);
    g_autofree char *after = fixture_dump(fixture->store, key);
    assert_string_equal(before, after);
    assert_int_equal(report.actions->len, 0);
    repair_report_clear(&report);
}

static void break_catalog(struct fork_fixture *fixture)
{
    fixture_put(fixture->store, "catalog/fork_schemas/" UNKNOWN ".json", "{}");
}

static void a_mount_that_renews_its_lease_refuses_the_repair(void **state)
{
    struct fork_fixture *fixture = *state;
    struct busy_store *store = busy_store_new(fixture);
    break_catalog(fixture);
    fixture_put(fixture->store, LEASE, "{}");
    store->watched = "storage/catalog/fork_leases/";
    store->key = LEASE;
    store->text = "{\"renewed\": true}";
    assert_is_held(fixture, store, "mounted for writing; its lease is " LEASE);
}

static void a_mount_that_begins_meanwhile_refuses_the_repair(void **state)
{
    struct fork_fixture *fixture = *state;
    struct busy_store *store = busy_store_new(fixture);
    break_catalog(fixture);
    store->watched = "storage/catalog/fork_leases/";
    store->key = LEASE;
    store->text = "{}";
    assert_is_held(fixture, store, "mounted for writing; its lease is " LEASE);
}

static void a_registry_that_changes_refuses_the_repair(void **state)
{
    struct fork_fixture *fixture = *state;
    struct busy_store *store = busy_store_new(fixture);
    break_catalog(fixture);
    store->watched = "storage/catalog/fork_leases/";
    store->key = FIXTURE_REGISTRY;
    store->text = "{\"forks\": {}}";
    assert_is_held(fixture, store, "the registry has changed");
}

static void files_that_come_meanwhile_refuse_the_repair(void **state)
{
    struct fork_fixture *fixture = *state;
    struct busy_store *store = busy_store_new(fixture);
    break_catalog(fixture);
    store->watched = "storage/catalog/fork_leases/";
    store->key = "storage/catalog/forks/" UNKNOWN "/id_allocator.json";
    store->text = "{}";
    assert_is_held(fixture, store, "has changed while it was watched");
}

static void the_lease_of_a_mount_that_is_gone_goes(void **state)
{
    struct fork_fixture *fixture = *state;
    struct repair_report report;
    struct error err;
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    struct busy_store *store = busy_store_new(fixture);
    break_catalog(fixture);
    fixture_put(fixture->store, LEASE, "{}");
    if (repair_shared(store, &report, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(g_ptr_array_index(report.actions, 0),
                        "delete " LEASE ", the lease of a mount that is gone");
    assert_int_equal(report.actions->len, 3);
    assert_int_equal(report.findings->len, 0);
    repair_report_clear(&report);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
    assert_int_equal(fixture_mentions(fixture->store, "fork_leases"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_mount_that_renews_its_lease_refuses_the_repair),
        TEST(a_mount_that_begins_meanwhile_refuses_the_repair),
        TEST(a_registry_that_changes_refuses_the_repair),
        TEST(files_that_come_meanwhile_refuse_the_repair),
        TEST(the_lease_of_a_mount_that_is_gone_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

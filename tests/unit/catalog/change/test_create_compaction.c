/*
 * Making branches beside a Uni that compacts: its lock is had from the reading of the fork point
 * until the refs are there, and nothing else waits for it.
 */
#include "unit/catalog/uni/uni_lock.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit/catalog/database_fixture.h"

#define GHOST "vertices_Ghost"

struct fixture {
    char *directory;
    char *path; /* of the lock */
    struct store *store;
    struct store *faults;
    struct catalog *catalog;
    struct ulid id; /* of a fork "audit" */
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->directory = g_dir_make_tmp("forkfs-compaction-XXXXXX", NULL);
    assert_non_null(fixture->directory);
    fixture->path = g_build_filename(fixture->directory, "compaction.lock", NULL);
    assert_true(g_file_set_contents(fixture->path, "", 0, NULL));
    const struct catalog_settings settings = {.compaction_lock = fixture->path};
    fixture->store = fixture_database_with_jobs(4);
    fixture->catalog = fixture_open_with(fixture->store, &settings, &fixture->faults);
    fixture->id = fixture_create(fixture->catalog, "audit", NULL);
    fixture_put_dataset(fixture->store, GHOST, "plain", 2);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    catalog_free(fixture->catalog);
    store_free(fixture->store);
    unlink(fixture->path);
    assert_int_equal(rmdir(fixture->directory), 0);
    g_free(fixture->path);
    g_free(fixture->directory);
    g_free(fixture);
    return 0;
}

/* ---- What has the lock ---- */

static void *create(void *argument)
{
    struct fixture *fixture = argument;
    fixture_create(fixture->catalog, "new", NULL);
    return NULL;
}

static void *create_child(void *argument)
{
    struct fixture *fixture = argument;
    fixture_create(fixture->catalog, "child", "audit");
    return NULL;
}

static void *add_dataset(void *argument)
{
    struct fixture *fixture = argument;
    auto_bytes struct bytes *text = bytes_new_text("{\"" GHOST "\": null}");
    return GINT_TO_POINTER(
        catalog_register_datasets(fixture->catalog, &fixture->id, text, NULL, NULL));
}

static void *make_batch(void *argument)
{
    struct fixture *fixture = argument;
    struct change changes[] = {{.kind = CHANGE_CREATE, .name = "one"},
                               {.kind = CHANGE_CREATE, .name = "two", .parent = "audit"}};
    catalog_change(fixture->catalog, changes, G_N_ELEMENTS(changes), NULL);
    return GINT_TO_POINTER(changes[0].error.code ? changes[0].error.code : changes[1].error.code);
}

/* While a request of that kind is under way. */
static void assert_locked_during(struct fixture *fixture, GThreadFunc change, unsigned methods,
                                 const char *key_part)
{
    fault_store_match(fixture->faults, key_part);
    fault_store_arm(fixture->faults, FAULT_DELAY, methods, 1, false, 0);
    GThread *thread = g_thread_new("change", change, fixture);
    fault_store_wait_held(fixture->faults);
    const bool is_free = uni_gets_lock(fixture->path);
    fault_store_release(fixture->faults);
    assert_int_equal(GPOINTER_TO_INT(g_thread_join(thread)), 0);
    assert_false(is_free);
    assert_true(uni_gets_lock(fixture->path));
}

static void a_create_has_it_from_the_first_read_on(void **state)
{
    assert_locked_during(*state, create, FAULT_READS, "schema.json");
}

static void a_create_has_it_while_refs_are_put(void **state)
{
    assert_locked_during(*state, create, FAULT_WRITES, "_refs/branches");
}

static void so_has_a_create_below_a_fork(void **state)
{
    assert_locked_during(*state, create_child, FAULT_WRITES, "_refs/branches");
}

static void so_have_those_of_a_batch(void **state)
{
    assert_locked_during(*state, make_batch, FAULT_WRITES, "_refs/branches");
}

static void so_has_a_registration_that_makes_branches(void **state)
{
    assert_locked_during(*state, add_dataset, FAULT_WRITES, GHOST ".lance/_refs");
}

/* The refs protect what they name. */
static void it_is_let_go_before_a_fork_becomes_active(void **state)
{
    struct fixture *fixture = *state;
    fault_store_match(fixture->faults, FIXTURE_REGISTRY);
    fault_store_arm(fixture->faults, FAULT_DELAY, 1u << STORE_PUT, 2, false, 0);
    GThread *thread = g_thread_new("change", create, fixture);
    fault_store_wait_held(fixture->faults);
    const bool is_free = uni_gets_lock(fixture->path);
    fault_store_release(fixture->faults);
    g_thread_join(thread);
    assert_true(is_free);
}

/* ---- What does not get it ---- */

static int create_within(struct fixture *fixture, int64_t timeout_ms)
{
    struct operation operation;
    operation_init(&operation, timeout_ms);
    int code = catalog_create(fixture->catalog, "new", NULL, &operation, NULL, NULL);
    operation_destroy(&operation);
    return code;
}

static void a_create_waits_no_longer_than_its_time_and_writes_nothing(void **state)
{
    struct fixture *fixture = *state;
    auto_close int uni = lock_as_uni(fixture->path);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(create_within(fixture, 50), ERR_DEADLINE);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void a_create_that_failed_has_let_go(void **state)
{
    struct fixture *fixture = *state;
    fixture_put(fixture->store, "wal/1.wal", "x");
    assert_int_equal(create_within(fixture, -1), ERR_UNCLEAN);
    assert_true(uni_gets_lock(fixture->path));
    fixture_delete(fixture->store, "wal/1.wal");
    fault_store_match(fixture->faults, "_refs/branches");
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 1, false, ERR_NO_SPACE);
    assert_int_equal(create_within(fixture, -1), ERR_NO_SPACE);
    assert_true(uni_gets_lock(fixture->path));
}

static void what_makes_no_branch_does_not_wait(void **state)
{
    struct fixture *fixture = *state;
    auto_close int uni = lock_as_uni(fixture->path);
    auto_bytes struct bytes *nothing = bytes_new_text("{}");
    assert_int_equal(catalog_register_datasets(fixture->catalog, &fixture->id, nothing, NULL, NULL),
                     0);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &fixture->id, true, 60, NULL, NULL), 0);
    assert_int_equal(create_within(fixture, 0), ERR_DEADLINE);
    assert_int_equal(catalog_create(fixture->catalog, "audit", NULL, NULL, NULL, NULL), ERR_EXISTS);
    assert_int_equal(catalog_drop(fixture->catalog, "audit", NULL, NULL, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_create_has_it_from_the_first_read_on),
        TEST(a_create_has_it_while_refs_are_put),
        TEST(so_has_a_create_below_a_fork),
        TEST(so_have_those_of_a_batch),
        TEST(so_has_a_registration_that_makes_branches),
        TEST(it_is_let_go_before_a_fork_becomes_active),
        TEST(a_create_waits_no_longer_than_its_time_and_writes_nothing),
        TEST(a_create_that_failed_has_let_go),
        TEST(what_makes_no_branch_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

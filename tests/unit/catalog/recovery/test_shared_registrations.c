/*
 * Registrations of several mounts: what one of them saw before its intent was there, or knows from
 * memory, does not count. What an entry names is never deleted.
 */
#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/recovery/takeover_fixture.h"

#define GHOST "vertices_Ghost"
#define GHOST_ROOT "storage/" GHOST ".lance"
#define ENROLL_GHOST "{\"" GHOST "\": null}"

static int enroll(struct catalog *catalog, const struct ulid *id, const char *text)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    return catalog_register_datasets(catalog, id, body, NULL, NULL);
}

/* A file in the branch of the dataset that a fork has by name; g_free(). */
static char *ghost_file(const struct ulid *id, const char *name)
{
    g_autofree char *branch = layout_branch_name(id, GHOST);
    return g_strdup_printf(GHOST_ROOT "/tree/%s/%s", branch, name);
}

/* An intent that a mount left which is gone. */
static void put_intent(struct store *store, const struct ulid *id)
{
    g_autofree char *branch = layout_branch_name(id, GHOST);
    g_autofree char *key = g_strdup_printf("storage/catalog/fork_registrations/%s.json", id->text);
    g_autofree char *text = g_strdup_printf(
        "{\"writer\": \"a dead mount\", \"datasets\": {\"" GHOST "\": \"%s\"}}", branch);
    fixture_put(store, key, text);
}

static void assert_registered(struct store *store, const struct ulid *id, bool expected)
{
    struct catalog *catalog = fixture_open(store, NULL);
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, id);
    assert_non_null(entry);
    assert_int_equal(fork_entry_branch(entry, GHOST) != NULL, expected);
    catalog_free(catalog);
    fixture_assert_whole(store);
}

/* ---- Of those at work ---- */

struct registering {
    struct catalog *catalog;
    struct ulid id;
    const char *text;
    pthread_t thread;
    int code;
};

static void *run_register(void *argument)
{
    struct registering *registering = argument;
    registering->code = enroll(registering->catalog, &registering->id, registering->text);
    return NULL;
}

/* It has seen half of a branch; before its intent is there, another mount makes the whole. */
static void a_branch_registered_since_it_was_seen_half_made_is_left_alone(void **state)
{
    struct store *store = database_for(&works[WORK_REGISTER]);
    struct catalog *other = shared_open(store, SHARED_TAKEOVER_MS, NULL);
    struct ulid id = neighbour_of(other);
    struct sleeper sleeper = {0};
    g_autofree char *half = ghost_file(&id, "_versions/2.manifest");
    g_autofree char *data = ghost_file(&id, "data/new.lance");
    fixture_put(store, half, "half");
    sleeper_hold_at(&sleeper, store, &works[WORK_REGISTER], SHARED_TAKEOVER_MS,
                    "fork_registrations", 1);
    assert_int_equal(enroll(other, &id, ENROLL_GHOST), 0);
    fixture_put(store, data, "written since");
    sleeper_let_go(&sleeper);
    assert_int_equal(sleeper.code, 0);
    assert_true(fixture_exists(store, data));
    assert_registered(store, &id, true);
    assert_settled(store, other);
    sleeper_end(&sleeper);
    catalog_free(other);
    store_free(store);
}

/* The other mount's registration fails, as it names a branch of another fork, too. */
static void a_branch_that_its_maker_may_take_back_is_not_registered(void **state)
{
    struct store *store = database_for(&works[WORK_REGISTER]), *wrapper;
    struct catalog *maker = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    struct ulid id = neighbour_of(maker), second = fixture_create(maker, "second", NULL);
    fixture_put_dataset(store, "vertices_Two", "plain", 2);
    assert_int_equal(enroll(maker, &second, "{\"vertices_Two\": null}"), 0);
    struct catalog *other = shared_open(store, SHARED_TAKEOVER_MS, NULL);
    g_autofree char *text = g_strdup_printf(
        "{\"" GHOST "\": null, \"vertices_Two\": \"fork_%s_vertices_Two\"}", second.text);
    struct registering making = {.catalog = maker, .id = id, .text = text};
    fault_store_match(wrapper, GHOST);
    fault_store_arm(wrapper, FAULT_DELAY, 1u << STORE_DELETE, 1, true, 0);
    pthread_create(&making.thread, NULL, run_register, &making);
    fault_store_wait_held(wrapper);
    assert_int_equal(enroll(other, &id, ENROLL_GHOST), ERR_HELD);
    fault_store_release(wrapper);
    pthread_join(making.thread, NULL);
    assert_int_equal(making.code, ERR_CONFLICT);
    assert_registered(store, &id, false);
    assert_int_equal(enroll(other, &id, ENROLL_GHOST), 0);
    assert_registered(store, &id, true);
    assert_settled(store, other);
    catalog_free(maker);
    catalog_free(other);
    store_free(store);
}

/* By somebody who does not mind intents: the engine, or an earlier version of forkfs. */
static void a_failed_registration_leaves_what_the_entry_names_by_now(void **state)
{
    struct store *store = database_for(&works[WORK_REGISTER]);
    struct store *refusing = fault_store_new(store, false);
    struct catalog *careless = fixture_open(store, NULL);
    struct ulid id = neighbour_of(careless);
    struct sleeper sleeper = {0};
    fault_store_match(refusing, FIXTURE_REGISTRY);
    fault_store_arm(refusing, FAULT_FAIL, 1u << STORE_PUT, 1, true, ERR_ACCESS);
    sleeper_hold_at(&sleeper, refusing, &works[WORK_REGISTER], SHARED_TAKEOVER_MS, FIXTURE_REGISTRY,
                    1);
    assert_int_equal(enroll(careless, &id, ENROLL_GHOST), 0);
    sleeper_let_go(&sleeper);
    assert_int_equal(sleeper.code, ERR_ACCESS);
    assert_registered(store, &id, true);
    assert_settled(store, sleeper.catalog);
    sleeper_end(&sleeper);
    catalog_free(careless);
    store_free(refusing);
    store_free(store);
}

/* ---- Of those that are gone ---- */

static void *recover(void *argument)
{
    struct error problem;
    fixture_recover_due(argument, &problem);
    return NULL;
}

/* A mount has found two intents and is at work on the first; another has found the second, too. */
static void a_registration_made_after_its_old_intent_was_recovered_elsewhere_stays(void **state)
{
    struct store *store = fixture_database_with_jobs(4), *wrapper;
    struct catalog *slow = shared_open(store, 0, &wrapper);
    struct ulid one = fixture_create(slow, "one", NULL), two = fixture_create(slow, "two", NULL);
    struct ulid *later = strcmp(one.text, two.text) < 0 ? &two : &one;
    struct catalog *fast = shared_open(store, 0, NULL);
    pthread_t thread;
    fixture_put_dataset(store, GHOST, "plain", 2);
    put_intent(store, &one);
    put_intent(store, &two);
    fault_store_match(wrapper, "tree/");
    fault_store_arm(wrapper, FAULT_DELAY, 1u << STORE_LIST, 1, false, 0);
    pthread_create(&thread, NULL, recover, slow);
    fault_store_wait_held(wrapper);
    assert_int_equal(enroll(fast, later, ENROLL_GHOST), 0);
    fault_store_release(wrapper);
    pthread_join(thread, NULL);
    assert_registered(store, later, true);
    catalog_free(slow);
    catalog_free(fast);
    fixture_assert_clean(store);
    store_free(store);
}

static void what_is_registered_on_the_store_is_not_taken_back_from_memory(void **state)
{
    struct store *store = database_for(&works[WORK_REGISTER]);
    struct catalog *stale = shared_open(store, 0, NULL);
    struct catalog *other = shared_open(store, SHARED_TAKEOVER_MS, NULL);
    struct ulid id = neighbour_of(stale);
    fixture_put_dataset(store, "vertices_Two", "plain", 2);
    assert_int_equal(enroll(other, &id, ENROLL_GHOST), 0);
    put_intent(store, &id);
    assert_int_equal(enroll(stale, &id, "{\"vertices_Two\": null}"), 0);
    assert_registered(store, &id, true);
    assert_settled(store, stale);
    catalog_free(stale);
    catalog_free(other);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_branch_registered_since_it_was_seen_half_made_is_left_alone,
                               side_by_side),
        cmocka_unit_test_setup(a_branch_that_its_maker_may_take_back_is_not_registered,
                               side_by_side),
        cmocka_unit_test_setup(a_failed_registration_leaves_what_the_entry_names_by_now,
                               side_by_side),
        cmocka_unit_test_setup(
            a_registration_made_after_its_old_intent_was_recovered_elsewhere_stays, side_by_side),
        cmocka_unit_test_setup(what_is_registered_on_the_store_is_not_taken_back_from_memory,
                               one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

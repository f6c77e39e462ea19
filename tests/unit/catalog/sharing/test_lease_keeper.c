#include "unit/unit.h"

#include "unit/catalog/bucket_fixture.h"

static int holds_again(struct mount *mount, const struct ulid *id)
{
    return lease_keeper_check(mount->catalog->keeper, id, NULL);
}

static enum lease_verdict asked_anew(struct mount *mount, const struct ulid *id, int64_t since_ns)
{
    leases_refresh(mount->catalog->leases, NULL, NULL);
    return leases_ask(mount->catalog->leases, id, since_ns, NULL);
}

static void opening_a_file_asks_nothing_of_the_store(void **state)
{
    struct bucket *bucket = *state;
    struct mount *mount = bucket_mount(bucket, 0, LONG_LEASE_MS);
    struct ulid id = fixture_create(mount->catalog, "audit", NULL);
    unsigned waves = fault_store_waves(mount->faults);
    for (unsigned i = 0; i < 1000; i++)
        mount_release(mount, mount_hold(mount, &id, 0));
    /* Nobody else is there, so not even the thread has anything to say; but for its first step. */
    assert_in_range(fault_store_waves(mount->faults) - waves, 0, 1);
}

static void holds_are_told_when_somebody_is_there(void **state)
{
    struct bucket *bucket = *state;
    struct mount *mount = bucket_mount(bucket, 0, LONG_LEASE_MS);
    struct ulid id = fixture_create(mount->catalog, "audit", NULL);
    struct hold *hold = mount_hold(mount, &id, 0);
    struct mount *reader = bucket_mount(bucket, 1, LONG_LEASE_MS);
    mount_await_others(mount, 1);
    mount_await_held(reader, &id, true);
    mount_release(mount, hold);
    mount_await_held(reader, &id, false);
}

static void a_lease_whose_put_lost_its_answer_goes_on(void **state)
{
    struct bucket *bucket = *state;
    struct mount *mount = bucket_mount(bucket, 0, LONG_LEASE_MS);
    struct mount *reader = bucket_mount(bucket, 1, LONG_LEASE_MS);
    struct ulid id = fixture_create(mount->catalog, "audit", NULL);
    mount_await_others(mount, 1);
    fault_store_match(mount->faults, "fork_leases");
    fault_store_arm(mount->faults, FAULT_LOSE_ANSWER, 1u << STORE_PUT, 1, false, ERR_IO);
    struct hold *hold = mount_hold(mount, &id, 0);
    mount_await_held(reader, &id, true);
    assert_true(fault_store_fired(mount->faults));
    mount_release(mount, hold);
    mount_await_held(reader, &id, false);
    assert_int_equal(bucket_leases(bucket), 2);
}

/* The heart of it: "closed" stays true as long as anybody may read it. */
static void a_fork_opens_again_only_when_the_lease_says_so(void **state)
{
    struct bucket *bucket = *state;
    struct mount *mount = bucket_mount(bucket, 0, LONG_LEASE_MS);
    struct mount *dropper = bucket_mount(bucket, 1, LONG_LEASE_MS);
    struct ulid id = fixture_create(dropper->catalog, "audit", NULL);
    mount_poll(mount);
    mount_await_status(mount, &id, FORK_ACTIVE);
    struct hold *hold = mount_hold(mount, &id, 0);
    fixture_replace(bucket->store, FIXTURE_REGISTRY, "\"active\"", "\"tombstoned\"");
    mount_await_status(mount, &id, FORK_TOMBSTONED);
    AWAIT(holds_again(mount, &id) == ERR_STALE);
    /* The lease that closes it is stored or about to be; from now on it cannot be changed. */
    mount_await_held(dropper, &id, true);
    int64_t now_ns = leases_now_ns(dropper->catalog->leases);
    mount_release(mount, hold);
    AWAIT(asked_anew(dropper, &id, now_ns) == LEASES_AGREE);
    fault_store_match(mount->faults, "fork_leases");
    fault_store_arm(mount->faults, FAULT_FAIL, 1u << STORE_PUT, 1, true, ERR_IO);
    fixture_replace(bucket->store, FIXTURE_REGISTRY, "\"tombstoned\"", "\"active\"");
    mount_await_status(mount, &id, FORK_ACTIVE);
    AWAIT(fault_store_fired(mount->faults));
    mount_hold(mount, &id, ERR_STALE);
    /* It can be stored, but meanwhile the fork is tombstoned again. */
    mount_poll_stop(mount);
    fixture_replace(bucket->store, FIXTURE_REGISTRY, "\"active\"", "\"tombstoned\"");
    fault_store_disarm(mount->faults);
    mount_await_status(mount, &id, FORK_TOMBSTONED); /* the keeper has read the registry */
    mount_hold(mount, &id, ERR_STALE);
    assert_int_equal(holds_again(mount, &id), ERR_STALE);
    fixture_replace(bucket->store, FIXTURE_REGISTRY, "\"tombstoned\"", "\"active\"");
    mount_poll(mount);
    struct operation operation;
    operation_init(&operation, 60000);
    mount_await_status(mount, &id, FORK_ACTIVE);
    lease_keeper_await_open(mount->catalog->keeper, &id, &operation);
    operation_destroy(&operation);
    mount_release(mount, mount_hold(mount, &id, 0));
}

static void a_mount_that_was_cut_off_begins_anew(void **state)
{
    struct bucket *bucket = *state;
    struct mount *mount = bucket_mount(bucket, 0, SHORT_LEASE_MS);
    struct mount *dropper = bucket_mount(bucket, 1, SHORT_LEASE_MS);
    struct ulid id = fixture_create(dropper->catalog, "audit", NULL);
    g_autofree char *before = NULL;
    assert_int_equal(catalog_refresh(mount->catalog, FIXTURE_REGISTRY, NULL, NULL, NULL), 0);
    struct hold *hold = mount_hold(mount, &id, 0);
    mount_await_others(mount, 1);
    mount_await_held(dropper, &id, true);
    fault_store_arm(mount->faults, FAULT_KILL, FAULT_ALL, 1, true, ERR_UNREACHABLE);
    AWAIT(mount_drop(dropper, 60000, NULL) == 0);
    mount_release(mount, mount_hold(mount, &id, 0)); /* from memory, as far as it knows */
    mount_release(mount, hold);
    fault_store_disarm(mount->faults);
    /* Nobody polls on it: the keeper reads the registry when it is back. */
    mount_await_status(mount, &id, -1);
    mount_await_others(dropper, 1);
    mount_hold(mount, &id, ERR_STALE);
}

static void a_lease_that_somebody_deleted_is_taken_anew(void **state)
{
    struct bucket *bucket = *state;
    struct mount *mount = bucket_mount(bucket, 0, 3000);
    struct mount *reader = bucket_mount(bucket, 1, 3000);
    mount_await_others(mount, 1);
    struct store_set *set = store_set_new();
    const struct store_request *listing =
        store_set_list(set, "storage/catalog/fork_leases/", NULL, 0);
    assert_int_equal(store_run(bucket->store, set, NULL, NULL), 0);
    for (guint i = 0; i < listing->answer.objects->len; i++)
        fixture_delete(bucket->store,
                       ((struct store_object *)g_ptr_array_index(listing->answer.objects, i))->key);
    store_set_unref(set);
    AWAIT(bucket_leases(bucket) == 2);
    mount_await_others(reader, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bucket_set_up, bucket_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opening_a_file_asks_nothing_of_the_store),
        TEST(holds_are_told_when_somebody_is_there),
        TEST(a_lease_whose_put_lost_its_answer_goes_on),
        TEST(a_fork_opens_again_only_when_the_lease_says_so),
        TEST(a_mount_that_was_cut_off_begins_anew),
        TEST(a_lease_that_somebody_deleted_is_taken_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

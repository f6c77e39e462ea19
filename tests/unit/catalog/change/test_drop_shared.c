#include "unit/unit.h"

#include <string.h>

#include "base/timestamp.h"
#include "catalog/registry/transitions.h"
#include "unit/catalog/bucket_fixture.h"
#include "unit/virtual_clock.h"

/* Two mounts and the fork "audit"; the second one polls. */
struct scene {
    struct mount *dropper;
    struct mount *other;
    struct ulid id;
};

static struct scene set_scene(struct bucket *bucket, int64_t lease_ms)
{
    struct scene scene = {.dropper = bucket_mount(bucket, 0, lease_ms)};
    scene.id = fixture_create(scene.dropper->catalog, "audit", NULL);
    scene.other = bucket_mount(bucket, 1, lease_ms);
    mount_poll(scene.other);
    return scene;
}

static void assert_untouched(struct bucket *bucket)
{
    assert_int_equal(fixture_status(bucket->store, "audit"), FORK_ACTIVE);
    fixture_assert_whole(bucket->store);
    assert_int_equal(fixture_mentions(bucket->store, "fork_tombstones"), 0);
}

static void assert_says(const struct error *err, const char *part)
{
    if (!strstr(err->text, part))
        fail_msg("'%s' does not say '%s'", err->text, part);
}

/* ---- Agreement ---- */

static void a_fork_that_nobody_holds_is_dropped(void **state)
{
    struct scene scene = set_scene(*state, LONG_LEASE_MS);
    struct bucket *bucket = *state;
    assert_int_equal(mount_drop(scene.dropper, 60000, NULL), 0);
    assert_int_equal(fixture_status(bucket->store, "audit"), -1);
    mount_await_status(scene.other, &scene.id, -1);
    mount_end(scene.other);
    mount_end(scene.dropper);
    assert_int_equal(fixture_mentions(bucket->store, scene.id.text), 0);
}

static void a_fork_known_to_be_held_elsewhere_is_refused_without_a_decision(void **state)
{
    struct scene scene = set_scene(*state, LONG_LEASE_MS);
    struct bucket *bucket = *state;
    struct hold *hold = mount_hold(scene.other, &scene.id, 0);
    mount_await_held(scene.dropper, &scene.id, true);
    g_autofree char *before = fixture_dump(bucket->store, "fork_leases");
    struct error err = {0};
    unsigned puts = fault_store_total(scene.dropper->faults, STORE_PUT);
    struct change change = {.kind = CHANGE_DROP, .name = "audit", .no_drain = true};
    catalog_change(scene.dropper->catalog, &change, 1, NULL);
    assert_int_equal(change.error.code, ERR_HELD);
    assert_int_equal(mount_drop(scene.dropper, 60000, &err), ERR_HELD);
    g_autofree char *pid = g_strdup_printf("pid %d on host ", (int)getpid());
    assert_says(&err, pid);
    assert_says(&err, "1 open handle");
    g_autofree char *after = fixture_dump(bucket->store, "fork_leases");
    assert_string_equal(before, after);
    assert_in_range(fault_store_total(scene.dropper->faults, STORE_PUT) - puts, 0, 1);
    mount_release(scene.other, hold);
    mount_await_held(scene.dropper, &scene.id, false);
    assert_int_equal(mount_drop(scene.dropper, 60000, NULL), 0);
}

static void a_hold_that_the_dropper_did_not_know_of_takes_the_decision_back(void **state)
{
    struct scene scene = set_scene(*state, LONG_LEASE_MS);
    struct bucket *bucket = *state;
    struct error err = {0};
    assert_int_equal(catalog_set_ttl(scene.dropper->catalog, &scene.id, true, 5000, NULL, NULL), 0);
    auto_registry struct registry *before = catalog_registry(scene.dropper->catalog);
    mount_await_status(scene.other, &scene.id, FORK_ACTIVE);
    struct hold *hold = mount_hold(scene.other, &scene.id, 0);
    assert_int_equal(mount_drop(scene.dropper, 60000, &err), ERR_HELD);
    assert_says(&err, "1 open handle");
    assert_untouched(bucket);
    auto_registry struct registry *after = catalog_registry(scene.dropper->catalog);
    const struct fork_entry *was = registry_find(before, "audit"),
                            *is = registry_find(after, "audit");
    assert_int_equal(is->expires_at.tv_sec, was->expires_at.tv_sec);
    assert_int_equal(is->expires_at.tv_nsec, was->expires_at.tv_nsec);
    /* What readers see is the same, but a delayed copy of the decision comes too late. */
    assert_true(bytes_equal(before->text, after->text));
    assert_string_not_equal(before->etag, after->etag);
    /* Here at once, there soon: it can be held again. */
    mount_release(scene.dropper, mount_hold(scene.dropper, &scene.id, 0));
    struct hold *again = NULL;
    AWAIT(catalog_hold(scene.other->catalog, &scene.id, true, 1, "cat", &again, NULL) == 0);
    mount_release(scene.other, again);
    mount_release(scene.other, hold);
    AWAIT(mount_drop(scene.dropper, 60000, NULL) == 0);
    assert_int_equal(fixture_status(bucket->store, "audit"), -1);
}

static void a_mount_that_does_not_answer_takes_the_decision_back(void **state)
{
    struct scene scene = set_scene(*state, LONG_LEASE_MS);
    struct error err = {0};
    mount_poll_stop(scene.other); /* it lives, but does not look */
    assert_int_equal(mount_drop_in_vain(scene.dropper, &err), ERR_HELD);
    assert_says(&err, "not answered");
    assert_untouched(*state);
    mount_poll(scene.other);
    assert_int_equal(mount_drop(scene.dropper, 60000, NULL), 0);
}

static void leases_that_cannot_be_read_take_the_decision_back(void **state)
{
    struct scene scene = set_scene(*state, LONG_LEASE_MS);
    struct error err = {0};
    fault_store_match(scene.dropper->faults, "fork_leases");
    fault_store_arm(scene.dropper->faults, FAULT_FAIL, FAULT_READS, 1, true, ERR_IO);
    assert_int_equal(mount_drop_in_vain(scene.dropper, &err), ERR_HELD);
    assert_untouched(*state);
    fault_store_disarm(scene.dropper->faults);
    assert_int_equal(mount_drop(scene.dropper, 60000, NULL), 0);
}

/* The tag comes after the first look and before the decision. */
static void a_tag_made_at_the_last_moment_takes_the_decision_back(void **state)
{
    struct bucket *bucket = *state;
    struct scene scene = set_scene(bucket, LONG_LEASE_MS);
    struct dropping dropping;
    mount_await_status(scene.other, &scene.id, FORK_ACTIVE);
    fault_store_match(scene.dropper->faults, FIXTURE_REGISTRY);
    fault_store_arm(scene.dropper->faults, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    start_drop(&dropping, scene.dropper);
    fault_store_wait_held(scene.dropper->faults);
    assert_int_equal(catalog_tag(scene.other->catalog, &scene.id, "v1", NULL, NULL), 0);
    fault_store_release(scene.dropper->faults);
    assert_int_equal(join_drop(&dropping), ERR_NOT_EMPTY);
    assert_untouched(bucket);
    mount_await_status(scene.other, &scene.id, FORK_ACTIVE);
    assert_int_equal(catalog_untag(scene.other->catalog, &scene.id, "v1", NULL, NULL), 0);
    assert_int_equal(mount_drop(scene.dropper, 60000, NULL), 0);
}

/* Nobody has seen that nothing points at the fork. */
static void a_second_look_that_fails_takes_the_decision_back(void **state)
{
    struct bucket *bucket = *state;
    struct scene scene = set_scene(bucket, LONG_LEASE_MS);
    fault_store_match(scene.dropper->faults, "_refs/tags");
    fault_store_arm(scene.dropper->faults, FAULT_FAIL, 1u << STORE_LIST, 1, false, ERR_IO);
    assert_int_equal(mount_drop(scene.dropper, 60000, NULL), ERR_IO);
    assert_untouched(bucket);
    fault_store_when_fired(scene.dropper->faults, virtual_clock_jump, UNTIL_UNDOING_MS(AMPLE_MS));
    fault_store_arm(scene.dropper->faults, FAULT_DELAY, 1u << STORE_LIST, 1, false, 0);
    assert_int_equal(mount_drop(scene.dropper, AMPLE_MS, NULL), ERR_DEADLINE);
    fault_store_release(scene.dropper->faults);
    assert_untouched(bucket);
}

static void an_interrupt_while_others_are_to_answer_takes_the_decision_back(void **state)
{
    struct scene scene = set_scene(*state, LONG_LEASE_MS);
    struct bucket *bucket = *state;
    struct dropping dropping;
    mount_poll_stop(scene.other);
    start_drop(&dropping, scene.dropper);
    AWAIT(fixture_status(bucket->store, "audit") == FORK_TOMBSTONED);
    operation_cancel(&dropping.operation);
    assert_int_equal(join_drop(&dropping), ERR_INTERRUPTED);
    assert_untouched(bucket);
}

static void a_fork_that_another_mount_is_dropping_is_left_to_it(void **state)
{
    struct scene scene = set_scene(*state, LONG_LEASE_MS);
    struct dropping dropping;
    fault_store_arm(scene.dropper->faults, FAULT_DELAY, 1u << STORE_DELETE, 1, false, 0);
    start_drop(&dropping, scene.dropper);
    fault_store_wait_held(scene.dropper->faults);
    mount_await_status(scene.other, &scene.id, FORK_TOMBSTONED);
    assert_int_equal(mount_drop(scene.other, 60000, NULL), ERR_HELD);
    mount_hold(scene.other, &scene.id, ERR_STALE);
    fault_store_release(scene.dropper->faults);
    assert_int_equal(join_drop(&dropping), 0);
}

/* It is not gone: the other mount may take the decision back. */
static void a_fork_that_another_mount_drops_at_the_same_time_is_left_to_it(void **state)
{
    struct bucket *bucket = *state;
    struct scene scene = set_scene(bucket, LONG_LEASE_MS);
    struct dropping dropping;
    fault_store_match(scene.dropper->faults, FIXTURE_REGISTRY);
    fault_store_arm(scene.dropper->faults, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    start_drop(&dropping, scene.dropper);
    fault_store_wait_held(scene.dropper->faults);
    fixture_replace(bucket->store, FIXTURE_REGISTRY, "\"status\": \"active\"",
                    "\"status\": \"tombstoned\"");
    fault_store_release(scene.dropper->faults);
    assert_int_equal(join_drop(&dropping), ERR_HELD);
}

static void what_this_mount_has_left_tombstoned_it_goes_on_with(void **state)
{
    struct scene scene = set_scene(*state, LONG_LEASE_MS);
    fault_store_match(scene.dropper->faults, "tree/");
    fault_store_arm(scene.dropper->faults, FAULT_FAIL, 1u << STORE_DELETE, 1, true, ERR_ACCESS);
    assert_int_equal(mount_drop(scene.dropper, 60000, NULL), ERR_ACCESS);
    fault_store_disarm(scene.dropper->faults);
    assert_int_equal(mount_drop(scene.dropper, 60000, NULL), 0);
}

/* ---- Mounts that come and go ---- */

static void a_dead_mount_is_waited_for_until_its_lease_has_run_out(void **state)
{
    struct scene scene = set_scene(*state, SHORT_LEASE_MS);
    mount_hold(scene.other, &scene.id, 0);
    mount_await_held(scene.dropper, &scene.id, true);
    /* Its holds die with it. */
    mount_kill(scene.other);
    assert_int_equal(bucket_leases(*state), 2);
    AWAIT(mount_drop(scene.dropper, 60000, NULL) == 0);
    struct bucket *bucket = *state;
    assert_int_equal(fixture_status(bucket->store, "audit"), -1);
}

static void a_mount_that_ended_is_not_waited_for(void **state)
{
    struct scene scene = set_scene(*state, LONG_LEASE_MS);
    mount_await_others(scene.dropper, 1);
    mount_end(scene.other);
    assert_int_equal(bucket_leases(*state), 1);
    /* It would have to wait for the lease for longer. */
    assert_int_equal(mount_drop(scene.dropper, LONG_LEASE_MS / 2, NULL), 0);
    mount_end(scene.dropper);
    assert_int_equal(bucket_leases(*state), 0);
}

static void a_mount_that_comes_after_the_decision_sees_it(void **state)
{
    struct bucket *bucket = *state;
    struct scene scene = set_scene(bucket, LONG_LEASE_MS);
    struct dropping dropping;
    fault_store_arm(scene.dropper->faults, FAULT_DELAY, 1u << STORE_DELETE, 1, false, 0);
    start_drop(&dropping, scene.dropper);
    fault_store_wait_held(scene.dropper->faults); /* all have agreed */
    struct mount *late = bucket_mount(bucket, 2, LONG_LEASE_MS);
    mount_hold(late, &scene.id, ERR_STALE);
    fault_store_release(scene.dropper->faults);
    assert_int_equal(join_drop(&dropping), 0);
}

static void a_single_mount_drops_in_six_waves(void **state)
{
    struct bucket *bucket = *state;
    struct mount *mount = bucket_mount(bucket, 0, LONG_LEASE_MS);
    fixture_create(mount->catalog, "audit", NULL);
    unsigned waves = fault_store_waves(mount->faults);
    assert_int_equal(mount_drop(mount, 60000, NULL), 0);
    assert_in_range(fault_store_waves(mount->faults) - waves, 1, 6);
}

static void read_only_mounts_have_no_lease(void **state)
{
    struct bucket *bucket = *state;
    struct catalog_settings settings = {.shared = true, .read_only = true};
    struct catalog *catalog = fixture_open_with(bucket->store, &settings, NULL);
    assert_int_equal(bucket_leases(bucket), 0);
    catalog_free(catalog);
}

/* ---- Taking over ---- */

static void what_a_dead_dropper_left_is_finished_when_nobody_holds_it(void **state)
{
    struct bucket *bucket = *state;
    struct scene scene = set_scene(bucket, MEDIUM_LEASE_MS);
    struct hold *hold = mount_hold(scene.other, &scene.id, 0);
    fault_store_match(scene.dropper->faults, "fork_tombstones");
    fault_store_arm(scene.dropper->faults, FAULT_KILL, FAULT_WRITES, 1, true, ERR_UNREACHABLE);
    assert_int_not_equal(mount_drop(scene.dropper, 60000, NULL), 0);
    fault_store_match(scene.dropper->faults, NULL);
    mount_kill(scene.dropper);
    assert_int_equal(fixture_status(bucket->store, "audit"), FORK_TOMBSTONED);
    struct mount *heir = bucket_mount_heir(bucket, 2, MEDIUM_LEASE_MS);
    struct error problem;
    mount_await_status(scene.other, &scene.id, FORK_TOMBSTONED);
    mount_await_held(heir, &scene.id, true);
    assert_int_equal(fixture_recover_due(heir->catalog, &problem), 0);
    assert_int_equal(problem.code, ERR_HELD);
    g_autofree char *overlay = g_strdup_printf("catalog/fork_schemas/%s.json", scene.id.text);
    assert_true(fixture_exists(bucket->store, overlay));
    mount_release(scene.other, hold);
    AWAIT(fixture_recover_due(heir->catalog, &problem) != 0);
    assert_int_equal(fixture_status(bucket->store, "audit"), -1);
}

/* One that was only asleep must not bring to life what others have begun to delete. */
static void a_dropper_cannot_take_back_what_was_taken_over(void **state)
{
    struct bucket *bucket = *state;
    struct scene scene = set_scene(bucket, LONG_LEASE_MS);
    struct dropping dropping;
    mount_poll_stop(scene.other); /* so that it does not answer */
    start_drop(&dropping, scene.dropper);
    AWAIT(fixture_status(bucket->store, "audit") == FORK_TOMBSTONED);
    struct mount *heir = bucket_mount_heir(bucket, 2, LONG_LEASE_MS);
    auto_registry struct registry *seen = catalog_registry(heir->catalog);
    struct timespec now = timestamp_now();
    assert_int_equal(transition_commit(heir->catalog->committer,
                                       (struct transition){.kind = TRANSITION_FENCE,
                                                           .id = &scene.id,
                                                           .entry = registry_find(seen, "audit"),
                                                           .decided_at = &now},
                                       NULL, NULL),
                     0);
    operation_cancel(&dropping.operation);
    assert_int_equal(join_drop(&dropping), ERR_INTERRUPTED);
    assert_int_equal(fixture_status(bucket->store, "audit"), FORK_TOMBSTONED);
}

/* ---- The guarantee ---- */

/* A mount that opens the fork again and again, while others drop it and make it anew. */
struct user {
    struct bucket *bucket;
    struct mount *mount;
    pthread_t thread;
    bool done;     /* atomic */
    unsigned held; /* atomic */
    unsigned lost; /* holds during which the fork went */
};

static bool is_on_store(struct user *user, const struct ulid *id)
{
    g_autofree char *overlay = g_strdup_printf("catalog/fork_schemas/%s.json", id->text);
    return fixture_exists(user->bucket->store, overlay);
}

static void use_once(struct user *user)
{
    struct catalog *catalog = user->mount->catalog;
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find(registry, "audit");
    struct hold *hold = NULL;
    if (!entry || catalog_hold(catalog, &entry->id, true, 1, "cat", &hold, NULL) != 0)
        return;
    __atomic_fetch_add(&user->held, 1, __ATOMIC_RELAXED);
    bool whole = is_on_store(user, &entry->id);
    for (int i = g_random_int_range(0, 8); i > 0; i--) {
        g_usleep(1000);
        whole = whole && is_on_store(user, &entry->id);
    }
    user->lost += !whole;
    mount_release(user->mount, hold);
}

static void *run_user(void *argument)
{
    struct user *user = argument;
    while (!__atomic_load_n(&user->done, __ATOMIC_ACQUIRE)) {
        use_once(user);
        g_usleep((gulong)g_random_int_range(0, 10000));
    }
    return NULL;
}

struct rival {
    struct mount *mount;
    struct user *users;
    pthread_t thread;
    unsigned dropped;
};

/* On a busy machine the users may not come to it for a while. */
static bool have_both_held(const struct user *users)
{
    return __atomic_load_n(&users[0].held, __ATOMIC_RELAXED) > 0 &&
           __atomic_load_n(&users[1].held, __ATOMIC_RELAXED) > 0;
}

static bool has_done_enough(const struct rival *rival)
{
    return rival->dropped >= 8 && have_both_held(rival->users);
}

static void *run_rival(void *argument)
{
    struct rival *rival = argument;
    int64_t until = end_of_patience();
    while (!has_done_enough(rival) && g_get_monotonic_time() < until) {
        struct operation operation;
        operation_init(&operation, 60000);
        rival->dropped += catalog_drop(rival->mount->catalog, "audit", NULL, &operation, NULL) == 0;
        catalog_create(rival->mount->catalog, "audit", NULL, &operation, NULL, NULL);
        operation_destroy(&operation);
    }
    return NULL;
}

static void whoever_holds_a_fork_on_any_mount_holds_a_whole_one(void **state)
{
    struct bucket *bucket = *state;
    struct user users[2] = {{.bucket = bucket}, {.bucket = bucket}};
    struct rival rivals[2] = {0};
    for (unsigned i = 0; i < 4; i++)
        mount_poll(bucket_mount(bucket, i, LONG_LEASE_MS));
    for (unsigned i = 0; i < 2; i++) {
        users[i].mount = &bucket->mounts[i];
        rivals[i] = (struct rival){.mount = &bucket->mounts[2 + i], .users = users};
        assert_int_equal(pthread_create(&users[i].thread, NULL, run_user, &users[i]), 0);
        assert_int_equal(pthread_create(&rivals[i].thread, NULL, run_rival, &rivals[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(rivals[i].thread, NULL);
    for (unsigned i = 0; i < 2; i++) {
        __atomic_store_n(&users[i].done, true, __ATOMIC_RELEASE);
        pthread_join(users[i].thread, NULL);
        assert_int_equal(users[i].lost, 0);
        assert_true(has_done_enough(&rivals[i]));
    }
    fixture_assert_whole(bucket->store);
    fixture_assert_clean(bucket->store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bucket_set_up, bucket_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fork_that_nobody_holds_is_dropped),
        TEST(a_fork_known_to_be_held_elsewhere_is_refused_without_a_decision),
        TEST(a_hold_that_the_dropper_did_not_know_of_takes_the_decision_back),
        TEST(a_mount_that_does_not_answer_takes_the_decision_back),
        TEST(leases_that_cannot_be_read_take_the_decision_back),
        TEST(a_tag_made_at_the_last_moment_takes_the_decision_back),
        TEST(a_second_look_that_fails_takes_the_decision_back),
        TEST(an_interrupt_while_others_are_to_answer_takes_the_decision_back),
        TEST(a_fork_that_another_mount_is_dropping_is_left_to_it),
        TEST(a_fork_that_another_mount_drops_at_the_same_time_is_left_to_it),
        TEST(what_this_mount_has_left_tombstoned_it_goes_on_with),
        TEST(a_dead_mount_is_waited_for_until_its_lease_has_run_out),
        TEST(a_mount_that_ended_is_not_waited_for),
        TEST(a_mount_that_comes_after_the_decision_sees_it),
        TEST(a_single_mount_drops_in_six_waves),
        TEST(read_only_mounts_have_no_lease),
        TEST(what_a_dead_dropper_left_is_finished_when_nobody_holds_it),
        TEST(a_dropper_cannot_take_back_what_was_taken_over),
        TEST(whoever_holds_a_fork_on_any_mount_holds_a_whole_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

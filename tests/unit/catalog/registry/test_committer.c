#include "unit/unit.h"

#include <glib.h>

#include "catalog/registry/transitions.h"
#include "unit/catalog/registry/committer_fixture.h"

/* A request that counts its calls. */
struct counted {
    struct fork_entry *entry;
    unsigned applied;
};

static int apply_counted(struct registry_edit *edit, void *argument, struct error *err)
{
    struct counted *counted = argument;
    counted->applied++;
    registry_edit_insert(edit, counted->entry);
    return 0;
}

static bool counted_landed(const struct registry *registry, void *argument)
{
    const struct counted *counted = argument;
    return registry_find_id(registry, &counted->entry->id) != NULL;
}

/* Commits an insert; the number of times that it was applied. */
static unsigned commit_counted(struct committer_fixture *fixture, const char *name)
{
    struct counted counted = {.entry = make_entry(name)};
    struct error err = {0};
    struct commit_request request = {
        .apply = apply_counted, .landed = counted_landed, .argument = &counted, .err = &err};
    committer_commit_all(fixture->committer, &request, 1, NULL);
    if (err.code)
        fail_msg("%s", err.text);
    fork_entry_unref(counted.entry);
    return counted.applied;
}

/* ---- Groups ---- */

#define CALLERS 16
#define INSERTS 10

struct inserter {
    struct committer *committer;
    unsigned number;
    unsigned failed;
    pthread_t thread;
};

/* Atomic: inserters that have not ended, and those of them that have a request. */
static unsigned inserting, requesting;

static void *insert_many(void *argument)
{
    struct inserter *inserter = argument;
    for (unsigned i = 0; i < INSERTS; i++) {
        g_autofree char *name = g_strdup_printf("fork-%u-%u", inserter->number, i);
        __atomic_add_fetch(&requesting, 1, __ATOMIC_ACQ_REL);
        inserter->failed += insert(inserter->committer, name, NULL) != 0;
        __atomic_sub_fetch(&requesting, 1, __ATOMIC_ACQ_REL);
    }
    __atomic_sub_fetch(&inserting, 1, __ATOMIC_ACQ_REL);
    return NULL;
}

/* Until all have ended, without a failure. */
static void run_inserters(struct inserter *inserters, unsigned count)
{
    __atomic_store_n(&inserting, count, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_create(&inserters[i].thread, NULL, insert_many, &inserters[i]), 0);
    for (unsigned i = 0; i < count; i++) {
        pthread_join(inserters[i].thread, NULL);
        assert_int_equal(inserters[i].failed, 0);
    }
}

/* Called before each put: busy machines take their time until the others have come again. */
static void await_requests(int64_t unused)
{
    int64_t until = end_of_patience();
    while (__atomic_load_n(&requesting, __ATOMIC_ACQUIRE) <
               __atomic_load_n(&inserting, __ATOMIC_ACQUIRE) &&
           g_get_monotonic_time() < until)
        g_usleep(1000);
}

static void requests_that_wait_share_a_put(void **state)
{
    struct committer_fixture *fixture = *state;
    struct inserter inserters[CALLERS];
    fault_store_set_delay(fixture->outer, 0);
    fault_store_when_fired(fixture->outer, await_requests, 0);
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_PUT, 1, true, 0);
    for (unsigned i = 0; i < CALLERS; i++)
        inserters[i] = (struct inserter){.committer = fixture->committer, .number = i};
    run_inserters(inserters, CALLERS);
    uint64_t puts, requests;
    committer_counts(fixture->committer, &puts, &requests);
    assert_int_equal(requests, CALLERS * INSERTS);
    assert_int_equal(puts, puts_so_far(fixture));
    assert_true(puts * 2 <= requests);
    assert_true(on_store(fixture, "fork-0-0"));
    assert_true(on_store(fixture, "fork-15-9"));
}

static void a_refused_request_does_not_hinder_the_others_of_its_group(void **state)
{
    struct committer_fixture *fixture = *state;
    struct caller first, twin, other;
    assert_int_equal(insert(fixture->committer, "taken", NULL), 0);
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    caller_start(&first, fixture->committer, "first", -1);
    fault_store_wait_held(fixture->outer);
    caller_start(&twin, fixture->committer, "taken", -1);
    caller_start(&other, fixture->committer, "other", -1);
    operation_await_watched(&twin.operation);
    operation_await_watched(&other.operation);
    fault_store_release(fixture->outer);
    assert_int_equal(caller_join(&first), 0);
    assert_int_equal(caller_join(&twin), ERR_EXISTS);
    assert_int_equal(caller_join(&other), 0);
    assert_true(on_store(fixture, "other"));
}

static void a_request_that_changes_nothing_writes_nothing(void **state)
{
    struct committer_fixture *fixture = *state;
    struct ulid nobody = ulid_new();
    assert_int_equal(transition_commit(
                         fixture->committer,
                         (struct transition){.kind = TRANSITION_REMOVE, .id = &nobody}, NULL, NULL),
                     0);
    assert_int_equal(puts_so_far(fixture), 0);
}

/* ---- Other writers ---- */

static void a_lost_precondition_applies_the_request_to_the_newer_registry(void **state)
{
    struct committer_fixture *fixture = *state;
    struct committer *other = committer_fixture_other(fixture);
    assert_int_equal(insert(other, "theirs", NULL), 0);
    assert_int_equal(commit_counted(fixture, "ours"), 2);
    assert_true(on_store(fixture, "theirs"));
    assert_true(on_store(fixture, "ours"));
    assert_true(in_memory(fixture->committer, "theirs"));
    committer_free(other);
}

static void a_lost_precondition_validates_again(void **state)
{
    struct committer_fixture *fixture = *state;
    struct committer *other = committer_fixture_other(fixture);
    assert_int_equal(insert(other, "wanted", NULL), 0);
    assert_int_equal(insert(fixture->committer, "wanted", NULL), ERR_EXISTS);
    assert_true(in_memory(fixture->committer, "wanted"));
    committer_free(other);
}

static void writers_on_two_mounts_lose_nothing(void **state)
{
    struct committer_fixture *fixture = *state;
    struct committer *other = committer_fixture_other(fixture);
    struct inserter inserters[4];
    for (unsigned i = 0; i < 4; i++)
        inserters[i] =
            (struct inserter){.committer = i % 2 ? other : fixture->committer, .number = i};
    run_inserters(inserters, 4);
    for (unsigned i = 0; i < 4; i++) {
        g_autofree char *name = g_strdup_printf("fork-%u-%u", i, (unsigned)INSERTS - 1);
        assert_true(on_store(fixture, name));
    }
    committer_free(other);
}

static void reloading_shows_what_others_wrote(void **state)
{
    struct committer_fixture *fixture = *state;
    struct committer *other = committer_fixture_other(fixture);
    assert_int_equal(insert(other, "theirs", NULL), 0);
    assert_false(in_memory(fixture->committer, "theirs"));
    assert_int_equal(committer_reload(fixture->committer, NULL, NULL), 0);
    assert_true(in_memory(fixture->committer, "theirs"));
    assert_int_equal(fixture->observed, 1);
    assert_int_equal(committer_reload(fixture->committer, NULL, NULL), 0);
    assert_int_equal(fixture->observed, 1);
    committer_free(other);
}

static void a_corrupt_registry_leaves_readers_the_old_one(void **state)
{
    struct committer_fixture *fixture = *state;
    assert_int_equal(insert(fixture->committer, "old", NULL), 0);
    overwrite(fixture, "{\"forks\": {");
    assert_int_equal(committer_reload(fixture->committer, NULL, NULL), ERR_CORRUPT);
    assert_int_equal(insert(fixture->committer, "new", NULL), ERR_CORRUPT);
    assert_true(in_memory(fixture->committer, "old"));
    assert_false(in_memory(fixture->committer, "new"));
    overwrite(fixture, "");
    assert_int_equal(committer_reload(fixture->committer, NULL, NULL), ERR_CORRUPT);
    overwrite(fixture, "{\"forks\": {}}");
    assert_int_equal(insert(fixture->committer, "new", NULL), 0);
    assert_false(on_store(fixture, "old"));
    assert_true(on_store(fixture, "new"));
}

/* ---- Unknown outcomes ---- */

static void a_lost_answer_is_recognised_by_content(void **state)
{
    struct committer_fixture *fixture = *state;
    fault_store_arm(fixture->outer, FAULT_LOSE_ANSWER, 1u << STORE_PUT, 1, false, 0);
    assert_int_equal(commit_counted(fixture, "made"), 1);
    assert_int_equal(puts_so_far(fixture), 1);
    assert_true(on_store(fixture, "made"));
    uint64_t puts, requests;
    committer_counts(fixture->committer, &puts, &requests);
    assert_int_equal(puts, 1); /* known as its own, not only as somebody's */
}

static void a_lost_answer_is_recognised_in_the_registry_of_another_writer(void **state)
{
    struct committer_fixture *fixture = *state;
    struct caller caller;
    struct committer *other = committer_fixture_other(fixture);
    fault_store_arm(fixture->inner, FAULT_LOSE_ANSWER, 1u << STORE_PUT, 1, false, 0);
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_GET, 1, false, 0);
    caller_start(&caller, fixture->committer, "ours", -1);
    fault_store_wait_held(fixture->outer); /* ours is stored, and about to be read again */
    assert_int_equal(insert(other, "theirs", NULL), 0);
    fault_store_release(fixture->outer);
    assert_int_equal(caller_join(&caller), 0);
    assert_int_equal(puts_so_far(fixture), 1);
    assert_true(in_memory(fixture->committer, "theirs"));
    assert_true(on_store(fixture, "ours"));
    committer_free(other);
}

static void a_put_that_had_no_effect_is_repeated_as_it_was(void **state)
{
    struct committer_fixture *fixture = *state;
    fault_store_arm(fixture->outer, FAULT_FAIL, 1u << STORE_PUT, 1, false, ERR_OUTCOME_UNKNOWN);
    assert_int_equal(commit_counted(fixture, "made"), 1);
    assert_int_equal(puts_so_far(fixture), 2);
    assert_true(on_store(fixture, "made"));
}

static void a_failure_after_an_unknown_outcome_decides_nothing(void **state)
{
    struct committer_fixture *fixture = *state;
    fault_store_arm(fixture->outer, FAULT_FAIL, 1u << STORE_PUT, 1, false, ERR_OUTCOME_UNKNOWN);
    fault_store_arm(fixture->inner, FAULT_FAIL, 1u << STORE_PUT, 1, false, ERR_NO_SPACE);
    assert_int_equal(insert(fixture->committer, "made", NULL), ERR_OUTCOME_UNKNOWN);
    assert_false(in_memory(fixture->committer, "made"));
}

static void a_failed_put_changes_nothing_in_memory(void **state)
{
    struct committer_fixture *fixture = *state;
    fault_store_arm(fixture->outer, FAULT_FAIL, 1u << STORE_PUT, 1, false, ERR_NO_SPACE);
    assert_int_equal(insert(fixture->committer, "made", NULL), ERR_NO_SPACE);
    assert_false(in_memory(fixture->committer, "made"));
    assert_int_equal(fixture->observed, 0);
    assert_int_equal(insert(fixture->committer, "made", NULL), 0);
    assert_int_equal(fixture->observed, 1);
}

static void readers_see_the_old_registry_while_a_put_is_under_way(void **state)
{
    struct committer_fixture *fixture = *state;
    struct caller caller;
    fault_store_arm(fixture->outer, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    caller_start(&caller, fixture->committer, "made", -1);
    fault_store_wait_held(fixture->outer);
    assert_false(in_memory(fixture->committer, "made"));
    fault_store_release(fixture->outer);
    assert_int_equal(caller_join(&caller), 0);
    assert_true(in_memory(fixture->committer, "made"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, committer_set_up, committer_tear_down)
#define TEST_WIDE(name)                                                                            \
    cmocka_unit_test_setup_teardown(name, committer_set_up_wide, committer_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_that_wait_share_a_put),
        TEST(a_refused_request_does_not_hinder_the_others_of_its_group),
        TEST(a_request_that_changes_nothing_writes_nothing),
        TEST(a_lost_precondition_applies_the_request_to_the_newer_registry),
        TEST(a_lost_precondition_validates_again),
        TEST(writers_on_two_mounts_lose_nothing),
        TEST(reloading_shows_what_others_wrote),
        TEST(a_corrupt_registry_leaves_readers_the_old_one),
        TEST(a_lost_answer_is_recognised_by_content),
        TEST_WIDE(a_lost_answer_is_recognised_in_the_registry_of_another_writer),
        TEST(a_put_that_had_no_effect_is_repeated_as_it_was),
        TEST(a_failure_after_an_unknown_outcome_decides_nothing),
        TEST(a_failed_put_changes_nothing_in_memory),
        TEST(readers_see_the_old_registry_while_a_put_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

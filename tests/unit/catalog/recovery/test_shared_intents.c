/*
 * Tags and registrations of several mounts, whose intents are on the store while they are under
 * way.
 */
#include "unit/unit.h"

#include "base/timestamp.h"
#include "catalog/catalog_private.h"
#include "unit/catalog/recovery/takeover_fixture.h"

/* Another mount decides to drop the fork while the tag's refs are put. */
static void a_tag_is_taken_back_when_another_mount_drops_the_fork(void **state)
{
    const struct work *work = &works[WORK_TAG];
    struct store *store = database_for(work);
    struct sleeper sleeper = {0};
    struct error err = {0};
    sleeper_hold_at(&sleeper, store, work, SHARED_TAKEOVER_MS, "_refs/tags", 1);
    fixture_replace(store, FIXTURE_REGISTRY, "\"status\": \"active\"",
                    "\"status\": \"tombstoned\"");
    sleeper_let_go(&sleeper);
    assert_int_equal(sleeper.code, ERR_STALE);
    assert_int_equal(fixture_mentions(store, "_refs/tags/fork_v1_"), 0);
    assert_int_equal(fixture_mentions(store, "fork_taggings"), 0);
    sleeper_end(&sleeper);
    struct heir heir = {.catalog = shared_open(store, 0, NULL)};
    take_over_together(&heir, 1);
    assert_int_equal(catalog_create(heir.catalog, "neighbour", NULL, NULL, NULL, &err), 0);
    catalog_free(heir.catalog);
    fixture_assert_clean(store);
    store_free(store);
}

/* The mount that decided on the drop died before it looked for tags again. */
static void a_tagged_fork_that_stays_tombstoned_is_left_alone(void **state)
{
    struct store *store = database_for(&works[WORK_UNTAG]);
    struct catalog *heir = shared_open(store, 0, NULL);
    struct error problem;
    fixture_replace(store, FIXTURE_REGISTRY, "\"status\": \"active\"",
                    "\"status\": \"tombstoned\"");
    g_autofree char *before = fixture_dump(store, NULL);
    shared_poll(heir);
    assert_int_equal(fixture_recover_due(heir, &problem), 0);
    assert_int_equal(problem.code, ERR_NOT_EMPTY);
    assert_int_equal(catalog_drop(heir, "neighbour", NULL, NULL, NULL), ERR_NOT_EMPTY);
    g_autofree char *after = fixture_dump(store, NULL);
    assert_string_equal(before, after);
    static const char *const datasets[] = {"edges", "vertices", "vertices_Person"};
    for (size_t i = 0; i < G_N_ELEMENTS(datasets); i++) {
        g_autofree char *key = g_strdup_printf("storage/%s.lance/_refs/tags/fork_v1_%s.json",
                                               datasets[i], datasets[i]);
        fixture_delete(store, key);
    }
    assert_int_equal(shared_recover(heir), 1);
    assert_int_equal(shared_status(heir, "neighbour"), -1);
    catalog_free(heir);
    fixture_assert_clean(store);
    store_free(store);
}

/* Of two mounts that do the same to a fork, the intent of one keeps the other away. */
static void two_mounts_do_not_tag_or_register_at_the_same_time(void **state)
{
    static const struct {
        enum work_kind work;
        const char *held_up;
    } cases[] = {{WORK_TAG, "_refs/tags"}, {WORK_REGISTER, "_refs/branches"}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct store *store = database_for(&works[WORK_REGISTER]);
        struct sleeper sleeper = {0};
        const struct work *work = &works[cases[i].work];
        struct catalog *other = shared_open(store, SHARED_TAKEOVER_MS, NULL);
        struct error err = {0};
        sleeper_hold_at(&sleeper, store, work, SHARED_TAKEOVER_MS, cases[i].held_up, 1);
        int code = work->change(other, NULL, &err);
        assert_true(code == ERR_HELD || code == ERR_EXISTS);
        sleeper_let_go(&sleeper);
        assert_int_equal(sleeper.code, 0);
        assert_settled(store, other);
        sleeper_end(&sleeper);
        catalog_free(other);
        store_free(store);
    }
}

/* Its own intent never came to be, or nobody knows: the one that is there belongs to somebody. */
static void the_intent_of_another_mount_is_never_deleted(void **state)
{
    static const struct {
        enum work_kind work;
        const char *folder;
    } cases[] = {{WORK_TAG, "fork_taggings"}, {WORK_REGISTER, "fork_registrations"}};
    static const enum fault_kind kinds[] = {FAULT_FAIL, FAULT_LOSE_ANSWER};
    for (size_t i = 0; i < G_N_ELEMENTS(cases) * G_N_ELEMENTS(kinds); i++) {
        struct store *store = database_for(&works[WORK_REGISTER]), *wrapper;
        struct catalog *catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
        struct ulid id = neighbour_of(catalog);
        g_autofree char *key =
            g_strdup_printf("storage/catalog/%s/%s.json", cases[i / 2].folder, id.text);
        fixture_put(store, key, "{\"writer\": \"another\", \"tag\": \"v0\", \"datasets\": {}}");
        fault_store_match(wrapper, key);
        int code = kinds[i % 2] == FAULT_FAIL ? ERR_IO : ERR_OUTCOME_UNKNOWN;
        fault_store_arm(wrapper, kinds[i % 2], 1u << STORE_PUT, 1, true, code);
        assert_int_not_equal(works[cases[i / 2].work].change(catalog, NULL, NULL), 0);
        assert_true(fault_store_fired(wrapper));
        assert_true(fixture_exists(store, key));
        catalog_free(catalog);
        store_free(store);
    }
}

/* The intent of a dead mount about the tag "v1", which has so many refs; its key, g_free(). */
static char *put_tag_intent(struct store *store, const struct ulid *id, unsigned refs)
{
    char *key = g_strdup_printf("storage/catalog/fork_taggings/%s.json", id->text);
    g_autofree char *text =
        g_strdup_printf("{\"writer\": \"a dead mount\", \"tag\": \"v1\", \"refs\": %u}", refs);
    fixture_put(store, key, text);
    return key;
}

/* A delayed copy of what was put when the tag was made, or when an earlier one was removed. */
static void an_intent_that_arrives_after_all_was_done_leaves_the_tag(void **state)
{
    struct store *store = database_for(&works[WORK_UNTAG]);
    struct catalog *heir = shared_open(store, 0, NULL);
    struct ulid id = neighbour_of(heir);
    g_autofree char *intent = put_tag_intent(store, &id, FIXTURE_DATASETS);
    assert_int_equal(shared_recover(heir), 1);
    assert_false(fixture_exists(store, intent));
    assert_int_equal(fixture_mentions(store, "_refs/tags/fork_v1_"), FIXTURE_DATASETS);
    /* One ref is missing: it is not whole. */
    g_free(put_tag_intent(store, &id, FIXTURE_DATASETS + 1));
    assert_int_equal(shared_recover(heir), 1);
    assert_int_equal(fixture_mentions(store, "_refs/tags/fork_v1_"), 0);
    assert_settled(store, heir);
    catalog_free(heir);
    store_free(store);
}

/* The mount that tagged the fork died; by the time that its intent is recovered, the fork is gone.
 */
static void a_tag_of_a_fork_that_is_gone_is_removed(void **state)
{
    struct store *store = database_for(&works[WORK_UNTAG]);
    struct catalog *heir = shared_open(store, 0, NULL);
    struct ulid id = neighbour_of(heir);
    g_autofree char *tag = fixture_read(store, "storage/edges.lance/_refs/tags/fork_v1_edges.json");
    assert_int_equal(untag_fork(heir, NULL, NULL), 0);
    g_autofree char *intent = put_tag_intent(store, &id, FIXTURE_DATASETS);
    assert_int_equal(catalog_drop(heir, "neighbour", NULL, NULL, NULL), 0);
    assert_true(fixture_exists(store, intent));
    fixture_put(store, "storage/edges.lance/_refs/tags/fork_v1_edges.json", tag);
    assert_int_equal(shared_recover(heir), 1);
    assert_false(fixture_exists(store, intent));
    fixture_assert_clean(store);
    assert_int_equal(fixture_mentions(store, "_refs/tags/fork_v1_"), 0);
    catalog_free(heir);
    store_free(store);
}

/* ---- Recovering while another mount may do so, too ---- */

/* As if the mount had seen the object, as it is now, ever since it could be taken over. */
static void watch_since_long_ago(struct store *store, struct catalog *catalog, const char *key)
{
    auto_bytes struct bytes *body = NULL;
    g_autofree char *etag = NULL;
    int64_t now_ns = monotonic_now_ns(), long_ns = SHARED_TAKEOVER_MS * INT64_C(2000000);
    assert_int_equal(store_get(store, key, NULL, &body, &etag, NULL), 0);
    takeover_wait_ms(catalog->takeover, TAKEOVER_TAGGING, key, etag, now_ns - long_ns);
    assert_int_equal(takeover_wait_ms(catalog->takeover, TAKEOVER_TAGGING, key, etag, now_ns), 0);
}

static void *recover(void *argument)
{
    struct error problem;
    fixture_recover_due(argument, &problem);
    return NULL;
}

/* Both found it due; one is looking for refs to delete when the other is told to make the tag. */
static void an_intent_that_is_being_recovered_keeps_the_fork_closed(void **state)
{
    struct store *store = database_for(&works[WORK_TAG]), *wrapper;
    struct catalog *slow = shared_open(store, 0, &wrapper);
    struct catalog *other = shared_open(store, SHARED_TAKEOVER_MS, NULL);
    struct ulid id = neighbour_of(slow);
    g_autofree char *intent = put_tag_intent(store, &id, FIXTURE_DATASETS);
    pthread_t thread;
    watch_since_long_ago(store, other, intent);
    fault_store_match(wrapper, "_refs/tags");
    fault_store_arm(wrapper, FAULT_DELAY, 1u << STORE_LIST, 1, false, 0);
    pthread_create(&thread, NULL, recover, slow);
    fault_store_wait_held(wrapper);
    assert_int_equal(tag_fork(other, NULL, NULL), ERR_HELD);
    fault_store_release(wrapper);
    pthread_join(thread, NULL);
    assert_false(fixture_exists(store, intent));
    assert_int_equal(tag_fork(other, NULL, NULL), 0);
    assert_int_equal(fixture_mentions(store, "_refs/tags/fork_v1_"), FIXTURE_DATASETS);
    assert_settled(store, other);
    catalog_free(slow);
    catalog_free(other);
    store_free(store);
}

static void an_intent_whose_claim_was_not_answered_is_left_alone(void **state)
{
    struct store *store = database_for(&works[WORK_TAG]), *wrapper;
    struct catalog *heir = shared_open(store, 0, &wrapper);
    struct ulid id = neighbour_of(heir);
    g_autofree char *intent = put_tag_intent(store, &id, FIXTURE_DATASETS);
    fault_store_match(wrapper, intent);
    fault_store_arm(wrapper, FAULT_LOSE_ANSWER, 1u << STORE_PUT, 1, false, ERR_IO);
    assert_int_equal(shared_recover(heir), 0);
    assert_true(fixture_exists(store, intent));
    assert_int_equal(shared_recover(heir), 1);
    assert_settled(store, heir);
    catalog_free(heir);
    store_free(store);
}

static void an_intent_that_does_not_parse_is_not_touched(void **state)
{
    static const char *const folders[] = {"fork_taggings", "fork_registrations"};
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
        struct store *store = database_for(&works[WORK_TAG]);
        struct catalog *heir = shared_open(store, 0, NULL);
        struct ulid id = neighbour_of(heir);
        struct error problem = {0};
        g_autofree char *key = g_strdup_printf("storage/catalog/%s/%s.json", folders[i], id.text);
        fixture_put(store, key, "{\"writer\": \"another\", \"datasets\": [], \"tag\": 7}");
        g_autofree char *before = fixture_dump(store, NULL);
        assert_int_equal(fixture_recover_due(heir, &problem), 0);
        assert_int_equal(problem.code, ERR_CORRUPT);
        g_autofree char *after = fixture_dump(store, NULL);
        assert_string_equal(before, after);
        catalog_free(heir);
        store_free(store);
    }
}

/* ---- Whether a tag is decided ---- */

struct doubt {
    enum fault_kind kind; /* of deleting the intent */
    bool persistent;
    int code;       /* of that */
    bool is_silent; /* looking at it fails, too */
    int answer;
};

/* It is whole whatever was answered; nothing of it is taken back without knowing. */
static void assert_tags_whole(const struct doubt *doubt)
{
    struct store *store = database_for(&works[WORK_TAG]), *wrapper;
    struct store *inner = fault_store_new(store, false);
    struct catalog *catalog = shared_open(inner, SHARED_TAKEOVER_MS, &wrapper);
    fault_store_match(wrapper, "fork_taggings");
    fault_store_arm(wrapper, doubt->kind, 1u << STORE_DELETE, 1, doubt->persistent, doubt->code);
    fault_store_match(inner, doubt->is_silent ? "fork_taggings" : "_refs/tags");
    fault_store_arm(inner, FAULT_FAIL, 1u << (doubt->is_silent ? STORE_GET : STORE_DELETE),
                    doubt->is_silent ? 1 : 2, true, ERR_UNREACHABLE);
    assert_int_equal(tag_fork(catalog, NULL, NULL), doubt->answer);
    assert_true(fault_store_fired(wrapper));
    assert_int_equal(fixture_mentions(store, "_refs/tags/fork_v1_"), FIXTURE_DATASETS);
    catalog_free(catalog);
    struct catalog *heir = shared_open(store, 0, NULL);
    shared_recover(heir);
    assert_int_equal(fixture_mentions(store, "_refs/tags/fork_v1_"), FIXTURE_DATASETS);
    assert_settled(store, heir);
    catalog_free(heir);
    store_free(inner);
    store_free(store);
}

static void a_tag_whose_decision_was_not_answered_is_not_taken_back(void **state)
{
    static const struct doubt doubts[] = {
        {FAULT_LOSE_ANSWER, true, ERR_IO, false, 0}, /* decided */
        {FAULT_LOSE_ANSWER, true, ERR_IO, true, ERR_OUTCOME_UNKNOWN},
        {FAULT_FAIL, true, ERR_OUTCOME_UNKNOWN, false, ERR_OUTCOME_UNKNOWN}, /* not decided */
        {FAULT_FAIL, false, ERR_OUTCOME_UNKNOWN, false, 0},                  /* at second try */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(doubts); i++)
        assert_tags_whole(&doubts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_tag_is_taken_back_when_another_mount_drops_the_fork, side_by_side),
        cmocka_unit_test_setup(a_tagged_fork_that_stays_tombstoned_is_left_alone, one_by_one),
        cmocka_unit_test_setup(two_mounts_do_not_tag_or_register_at_the_same_time, side_by_side),
        cmocka_unit_test_setup(the_intent_of_another_mount_is_never_deleted, one_by_one),
        cmocka_unit_test_setup(an_intent_that_arrives_after_all_was_done_leaves_the_tag,
                               one_by_one),
        cmocka_unit_test_setup(a_tag_of_a_fork_that_is_gone_is_removed, one_by_one),
        cmocka_unit_test_setup(an_intent_that_is_being_recovered_keeps_the_fork_closed,
                               side_by_side),
        cmocka_unit_test_setup(an_intent_whose_claim_was_not_answered_is_left_alone, one_by_one),
        cmocka_unit_test_setup(an_intent_that_does_not_parse_is_not_touched, one_by_one),
        cmocka_unit_test_setup(a_tag_whose_decision_was_not_answered_is_not_taken_back, one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Several mounts on one catalog, of which one dies or hangs in the middle of its work: at the n-th
 * request, n = 1, 2, 3 ... Whatever the others do about it, and whether or not it comes back to
 * life, the invariants of docs/architecture.md hold.
 */
#include "unit.h"

#include <string.h>

#include "fault_fixture.h"
#include "shared_fixture.h"

#define GHOST "vertices_Ghost"
#define STEPS_MAX 200

/* ---- The work ---- */

static int make_fork(struct catalog *catalog, struct operation *operation, struct error *err)
{
    return catalog_create(catalog, "what_if", NULL, operation, NULL, err);
}

static int make_child(struct catalog *catalog, struct operation *operation, struct error *err)
{
    return catalog_create(catalog, "child", "neighbour", operation, NULL, err);
}

static int drop_fork(struct catalog *catalog, struct operation *operation, struct error *err)
{
    return catalog_drop(catalog, "what_if", NULL, operation, err);
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

static int enroll(struct catalog *catalog, struct operation *operation, struct error *err)
{
    struct ulid id = neighbour_of(catalog);
    auto_bytes struct bytes *text = bytes_new_text("{\"" GHOST "\": null}");
    return catalog_register_datasets(catalog, &id, text, operation, err);
}

static const struct work {
    const char *name;
    change_function *prepare; /* NULL: nothing */
    change_function *change;
} works[] = {
    {"create", NULL, make_fork},     {"create a child", NULL, make_child},
    {"drop", make_fork, drop_fork},  {"batch", make_fork, run_batch},
    {"register", NULL, enroll},      {"tag", NULL, tag_fork},
    {"untag", tag_fork, untag_fork},
};

static struct store *database_for(const struct work *work)
{
    struct store *store = fault_database();
    fixture_put_dataset(store, GHOST, "plain", 2);
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

static void assert_settled(struct store *store, struct catalog *catalog)
{
    shared_poll(catalog);
    assert_int_equal(shared_recover(catalog), 0);
    assert_neighbour_unharmed(store);
    assert_memory_equals_store(catalog, store);
    assert_true(is_tagged_whole_or_not(store));
    fixture_assert_clean(store);
}

/* What the work was answered, and what came of it. */
static void assert_answer(struct store *store, const struct work *work, int code)
{
    if (code == 0 && work->change == make_fork)
        assert_int_equal(fixture_status(store, "what_if"), FORK_ACTIVE);
    if (code == 0 && (work->change == drop_fork || work->change == run_batch))
        assert_int_equal(fixture_status(store, "what_if"), -1);
    if (code == 0 && work->change == tag_fork)
        assert_int_equal(fixture_mentions(store, "_refs/tags/fork_v1_"), FIXTURE_DATASETS);
}

/* ---- A mount that dies ---- */

/* False when there are fewer requests. */
static bool die_at(const struct work *work, enum fault_kind kind, unsigned n)
{
    struct store *store = database_for(work), *wrapper;
    struct catalog *victim = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    struct catalog *heir = shared_open(store, 0, NULL);
    struct catalog *watcher = shared_open(store, SHARED_TAKEOVER_MS, NULL);
    const struct fault death = {"death", kind, true, ERR_IO};
    arm_fault(wrapper, &death, n);
    int code = run_change(victim, work->change, &death, NULL);
    bool died = fault_store_fired(wrapper);
    catalog_free(victim);
    assert_neighbour_unharmed(store);

    g_autofree char *before = fixture_dump(store, NULL);
    shared_poll(watcher);
    assert_int_equal(shared_recover(watcher), 0); /* it only begins to watch */
    g_autofree char *after = fixture_dump(store, NULL);
    assert_string_equal(before, after);

    shared_poll(heir);
    shared_recover(heir);
    assert_answer(store, work, code);
    assert_settled(store, heir);
    assert_settled(store, watcher);
    catalog_free(watcher);
    catalog_free(heir);
    store_free(store);
    return died;
}

static void what_a_dead_mount_left_is_taken_over(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_KILL, FAULT_KILL_AFTER};
    for (size_t i = 0; i < G_N_ELEMENTS(works); i++)
        for (size_t j = 0; j < G_N_ELEMENTS(kinds); j++) {
            unsigned n = 1;
            while (die_at(&works[i], kinds[j], n))
                assert_true(++n < STEPS_MAX);
            assert_true(n > 5);
        }
}

/* ---- A mount that hangs ---- */

struct sleeper {
    struct store *faults;
    struct catalog *catalog;
    change_function *change;
    struct operation operation;
    pthread_t thread;
    int code;
    bool ended; /* atomic */
};

static void *work_on(void *argument)
{
    struct sleeper *sleeper = argument;
    sleeper->code = sleeper->change(sleeper->catalog, &sleeper->operation, NULL);
    __atomic_store_n(&sleeper->ended, true, __ATOMIC_RELEASE);
    return NULL;
}

static void sleeper_start(struct sleeper *sleeper, struct store *store, const struct work *work,
                          unsigned n, int64_t timeout_ms)
{
    sleeper->catalog = shared_open(store, SHARED_TAKEOVER_MS, &sleeper->faults);
    sleeper->change = work->change;
    operation_init(&sleeper->operation, timeout_ms);
    fault_store_arm(sleeper->faults, FAULT_DELAY, FAULT_ALL, n, false, 0);
    pthread_create(&sleeper->thread, NULL, work_on, sleeper);
    /* On a busy machine its time may pass before it comes so far. */
    while (!fault_store_fired(sleeper->faults) &&
           !__atomic_load_n(&sleeper->ended, __ATOMIC_ACQUIRE))
        g_usleep(100);
}

static void sleeper_end(struct sleeper *sleeper)
{
    operation_destroy(&sleeper->operation);
    catalog_free(sleeper->catalog);
}

static struct store *wide_database(void)
{
    return fixture_database_with_jobs(4);
}

/* How many requests the work makes when nothing is in its way. */
static unsigned count_requests(const struct work *work)
{
    struct store *store = database_for(work), *wrapper;
    struct catalog *catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    fault_store_arm(wrapper, FAULT_NONE, FAULT_ALL, 1, false, 0);
    assert_int_equal(work->change(catalog, NULL, NULL), 0);
    unsigned count = fault_store_count(wrapper);
    catalog_free(catalog);
    store_free(store);
    return count;
}

struct heir {
    struct catalog *catalog;
    pthread_t thread;
};

static void *take_over(void *argument)
{
    const struct heir *heir = argument;
    shared_poll(heir->catalog);
    shared_recover(heir->catalog);
    return NULL;
}

/* Several mounts recover the same at the same time. */
static void take_over_together(struct heir *heirs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_create(&heirs[i].thread, NULL, take_over, &heirs[i]);
    for (size_t i = 0; i < count; i++)
        pthread_join(heirs[i].thread, NULL);
}

static void settle(struct store *store, struct heir *heirs, size_t count)
{
    take_over_together(heirs, count);
    for (size_t i = 0; i < count; i++) {
        assert_settled(store, heirs[i].catalog);
        catalog_free(heirs[i].catalog);
    }
}

/* It comes back to life when others have taken its work over. Far too late, for no operation has so
 * much time; forks are safe all the same. */
static void wake_after_takeover(const struct work *work, unsigned n)
{
    struct store *store = database_for(work);
    struct sleeper sleeper = {0};
    sleeper_start(&sleeper, store, work, n, -1);
    struct heir heirs[] = {{.catalog = shared_open(store, 0, NULL)},
                           {.catalog = shared_open(store, 0, NULL)}};
    take_over_together(heirs, G_N_ELEMENTS(heirs));
    assert_neighbour_unharmed(store);
    fault_store_release(sleeper.faults);
    pthread_join(sleeper.thread, NULL);
    assert_answer(store, work, sleeper.code);
    settle(store, heirs, G_N_ELEMENTS(heirs));
    sleeper_end(&sleeper);
    store_free(store);
}

static void an_owner_that_wakes_after_the_takeover_does_no_harm(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(works); i++) {
        if (works[i].change == enroll || works[i].change == tag_fork)
            continue;
        unsigned count = count_requests(&works[i]);
        for (unsigned n = 1; n <= count; n++)
            wake_after_takeover(&works[i], n);
    }
}

/* Its time passes, it gives up, and what it had under way arrives after that. */
static void arrive_late(const struct work *work, unsigned n)
{
    struct store *store = database_for(work);
    struct sleeper sleeper = {0};
    sleeper_start(&sleeper, store, work, n, 40);
    pthread_join(sleeper.thread, NULL);
    shared_recover(sleeper.catalog); /* it knows that something may still arrive */
    fault_store_release(sleeper.faults);
    assert_neighbour_unharmed(store);
    sleeper_end(&sleeper);
    struct heir heirs[] = {{.catalog = shared_open(store, 0, NULL)},
                           {.catalog = shared_open(store, 0, NULL)}};
    assert_answer(store, work, sleeper.code);
    settle(store, heirs, G_N_ELEMENTS(heirs));
    store_free(store);
}

static void what_arrives_late_is_cleaned_up(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(works); i++) {
        unsigned count = count_requests(&works[i]);
        for (unsigned n = 1; n <= count; n++)
            arrive_late(&works[i], n);
    }
}

/* ---- What one mount says about the work of another ---- */

/* The store with "what_if" half made, or half dropped, by a mount that is gone. */
static struct store *database_with(const struct work *work, int status)
{
    for (unsigned n = 1; n < STEPS_MAX; n++) {
        struct store *store = database_for(work), *wrapper;
        struct catalog *victim = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
        fault_store_arm(wrapper, FAULT_KILL_AFTER, FAULT_WRITES, n, true, ERR_IO);
        work->change(victim, NULL, NULL);
        catalog_free(victim);
        if (fixture_status(store, "what_if") == status)
            return store;
        store_free(store);
    }
    fail();
    return NULL;
}

static void assert_refused_until_taken_over(const struct work *work, int status, const char *part)
{
    struct store *store = database_with(work, status);
    struct catalog *other = shared_open(store, SHARED_TAKEOVER_MS, NULL);
    struct recovery_report report = {0};
    struct error err = {0};
    assert_int_equal(catalog_recover(other, NULL, &report, NULL), 0); /* at mount */
    assert_int_equal(report.problems->len, 0);
    recovery_report_clear(&report);
    assert_int_equal(fixture_status(store, "what_if"), status);
    assert_int_equal(catalog_drop(other, "what_if", NULL, NULL, &err), ERR_HELD);
    assert_non_null(strstr(err.text, part));
    assert_int_equal(catalog_create(other, "what_if", NULL, NULL, NULL, NULL), ERR_EXISTS);
    struct catalog *heir = shared_open(store, 0, NULL);
    assert_int_equal(catalog_drop(heir, "what_if", NULL, NULL, NULL), 0);
    assert_settled(store, heir);
    catalog_free(heir);
    catalog_free(other);
    store_free(store);
}

static void a_fork_that_another_mount_makes_or_drops_is_held(void **state)
{
    assert_refused_until_taken_over(&works[0], FORK_PENDING, "making");
    assert_refused_until_taken_over(&works[2], FORK_TOMBSTONED, "dropping");
}

static void what_this_mount_left_itself_is_finished_at_once(void **state)
{
    struct store *store = database_for(&works[2]), *wrapper;
    struct catalog *catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    fault_store_match(wrapper, "/tree/");
    fault_store_arm(wrapper, FAULT_FAIL, FAULT_ALL, 1, true, ERR_ACCESS);
    assert_int_equal(drop_fork(catalog, NULL, NULL), ERR_ACCESS);
    fault_store_disarm(wrapper);
    assert_int_equal(fixture_status(store, "what_if"), FORK_TOMBSTONED);
    assert_int_equal(shared_recover(catalog), 1);
    assert_settled(store, catalog);
    catalog_free(catalog);
    store_free(store);
}

static void another_rmdir_finishes_what_this_mount_left_itself(void **state)
{
    struct store *store = database_for(&works[2]), *wrapper;
    struct catalog *catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    fault_store_match(wrapper, "/tree/");
    fault_store_arm(wrapper, FAULT_FAIL, FAULT_ALL, 1, true, ERR_ACCESS);
    assert_int_equal(drop_fork(catalog, NULL, NULL), ERR_ACCESS);
    fault_store_disarm(wrapper);
    assert_int_equal(drop_fork(catalog, NULL, NULL), 0);
    assert_settled(store, catalog);
    catalog_free(catalog);
    store_free(store);
}

/* Another mount has seen it active, decides to drop it, and may take that back. */
static void a_creator_leaves_its_fork_alone_once_another_mount_drops_it(void **state)
{
    struct store *store = database_for(&works[0]), *wrapper;
    struct sleeper sleeper = {.change = make_fork};
    sleeper.catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    operation_init(&sleeper.operation, -1);
    fault_store_match(wrapper, FIXTURE_REGISTRY);
    fault_store_arm(wrapper, FAULT_DELAY, 1u << STORE_PUT, 2, false, 0);
    pthread_create(&sleeper.thread, NULL, work_on, &sleeper);
    fault_store_wait_held(wrapper);
    fixture_replace(store, FIXTURE_REGISTRY, "\"status\": \"pending\"",
                    "\"status\": \"tombstoned\"");
    g_autofree char *before = fixture_dump(store, NULL);
    fault_store_release(wrapper);
    pthread_join(sleeper.thread, NULL);
    assert_int_equal(sleeper.code, ERR_STALE);
    assert_int_equal(shared_recover(sleeper.catalog), 0);
    g_autofree char *after = fixture_dump(store, NULL);
    assert_string_equal(before, after);
    sleeper_end(&sleeper);
    struct heir heir = {.catalog = shared_open(store, 0, NULL)};
    settle(store, &heir, 1);
    store_free(store);
}

/* Another mount decides to drop the fork while the tag's refs are put. */
static void a_tag_is_taken_back_when_another_mount_drops_the_fork(void **state)
{
    const struct work *work = &works[5];
    struct store *store = database_for(work), *wrapper;
    struct sleeper sleeper = {.change = tag_fork};
    struct error err = {0};
    sleeper.catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    operation_init(&sleeper.operation, -1);
    fault_store_match(wrapper, "_refs/tags");
    fault_store_arm(wrapper, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
    pthread_create(&sleeper.thread, NULL, work_on, &sleeper);
    fault_store_wait_held(wrapper);
    fixture_replace(store, FIXTURE_REGISTRY, "\"status\": \"active\"",
                    "\"status\": \"tombstoned\"");
    fault_store_release(wrapper);
    pthread_join(sleeper.thread, NULL);
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
    struct store *store = database_for(&works[6]);
    struct catalog *heir = shared_open(store, 0, NULL);
    struct recovery_report report = {0};
    fixture_replace(store, FIXTURE_REGISTRY, "\"status\": \"active\"",
                    "\"status\": \"tombstoned\"");
    g_autofree char *before = fixture_dump(store, NULL);
    shared_poll(heir);
    assert_int_equal(catalog_recover_due(heir, NULL, &report, NULL), 0);
    assert_int_equal(report.problems->len, 1);
    assert_int_equal(((const struct error *)report.problems->pdata[0])->code, ERR_NOT_EMPTY);
    recovery_report_clear(&report);
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
        change_function *change;
        const char *held_up;
    } cases[] = {{tag_fork, "_refs/tags"}, {enroll, "_refs/branches"}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct store *store = database_for(&works[4]), *wrapper;
        struct sleeper sleeper = {.change = cases[i].change};
        struct catalog *other = shared_open(store, SHARED_TAKEOVER_MS, NULL);
        struct error err = {0};
        sleeper.catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
        operation_init(&sleeper.operation, -1);
        fault_store_match(wrapper, cases[i].held_up);
        fault_store_arm(wrapper, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
        pthread_create(&sleeper.thread, NULL, work_on, &sleeper);
        fault_store_wait_held(wrapper);
        int code = cases[i].change(other, NULL, &err);
        assert_true(code == ERR_HELD || code == ERR_EXISTS);
        fault_store_release(wrapper);
        pthread_join(sleeper.thread, NULL);
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
        change_function *change;
        const char *folder;
    } cases[] = {{tag_fork, "fork_taggings"}, {enroll, "fork_registrations"}};
    static const enum fault_kind kinds[] = {FAULT_FAIL, FAULT_LOSE_ANSWER};
    for (size_t i = 0; i < G_N_ELEMENTS(cases) * G_N_ELEMENTS(kinds); i++) {
        struct store *store = database_for(&works[4]), *wrapper;
        struct catalog *catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
        struct ulid id = neighbour_of(catalog);
        g_autofree char *key =
            g_strdup_printf("storage/catalog/%s/%s.json", cases[i / 2].folder, id.text);
        fixture_put(store, key, "{\"writer\": \"another\", \"tag\": \"v0\", \"datasets\": {}}");
        fault_store_match(wrapper, key);
        int code = kinds[i % 2] == FAULT_FAIL ? ERR_IO : ERR_OUTCOME_UNKNOWN;
        fault_store_arm(wrapper, kinds[i % 2], 1u << STORE_PUT, 1, true, code);
        assert_int_not_equal(cases[i / 2].change(catalog, NULL, NULL), 0);
        assert_true(fault_store_fired(wrapper));
        assert_true(fixture_exists(store, key));
        catalog_free(catalog);
        store_free(store);
    }
}

/* The mount that tagged the fork died; by the time that its intent is recovered, the fork is gone.
 */
static void a_tag_of_a_fork_that_is_gone_is_removed(void **state)
{
    struct store *store = database_for(&works[6]);
    struct catalog *heir = shared_open(store, 0, NULL);
    struct ulid id = neighbour_of(heir);
    g_autofree char *intent = g_strdup_printf("storage/catalog/fork_taggings/%s.json", id.text);
    g_autofree char *tag = fixture_read(store, "storage/edges.lance/_refs/tags/fork_v1_edges.json");
    assert_int_equal(untag_fork(heir, NULL, NULL), 0);
    fixture_put(store, intent, "{\"writer\": \"another\", \"tag\": \"v1\"}");
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

/* However short the time of takeover. */
static void what_this_mount_is_doing_is_not_recovered(void **state)
{
    static const char *const files[] = {"_refs/branches", "fork_schemas", "id_allocator.json"};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        struct store *store = database_for(&works[0]), *wrapper;
        struct sleeper sleeper = {.change = make_fork};
        sleeper.catalog = shared_open(store, 0, &wrapper);
        operation_init(&sleeper.operation, -1);
        fault_store_match(wrapper, files[i]);
        fault_store_arm(wrapper, FAULT_DELAY, 1u << STORE_PUT, 1, false, 0);
        pthread_create(&sleeper.thread, NULL, work_on, &sleeper);
        fault_store_wait_held(wrapper);
        assert_int_equal(shared_recover(sleeper.catalog), 0);
        assert_int_equal(fixture_status(store, "what_if"), FORK_PENDING);
        fault_store_release(wrapper);
        pthread_join(sleeper.thread, NULL);
        assert_int_equal(sleeper.code, 0);
        assert_settled(store, sleeper.catalog);
        sleeper_end(&sleeper);
        store_free(store);
    }
}

static void an_idle_look_makes_no_requests(void **state)
{
    struct store *store = fault_database(), *wrapper;
    struct catalog *catalog = shared_open(store, SHARED_TAKEOVER_MS, &wrapper);
    struct recovery_report report = {0};
    assert_int_equal(catalog_recover(catalog, NULL, &report, NULL), 0);
    recovery_report_clear(&report);
    fault_store_arm(wrapper, FAULT_NONE, FAULT_ALL, 1, false, 0);
    assert_int_equal(shared_recover(catalog), 0);
    assert_int_equal(fault_store_count(wrapper), 0);
    catalog_free(catalog);
    store_free(store);
}

static void how_often_follows_from_the_time_of_takeover(void **state)
{
    static const struct {
        int64_t takeover_ms, interval_ms;
    } expected[] = {{0, 1000}, {2000, 1000}, {20000, 5000}, {120000, 30000}, {900000, 30000}};
    struct store *store = fault_database();
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        struct catalog *catalog = shared_open(store, expected[i].takeover_ms, NULL);
        assert_int_equal(catalog_recovery_interval_ms(catalog), expected[i].interval_ms);
        catalog_free(catalog);
    }
    struct catalog *alone = fixture_open(store, NULL);
    assert_int_equal(catalog_recovery_interval_ms(alone), 0);
    catalog_free(alone);
    store_free(store);
}

static int one_by_one(void **state)
{
    fault_fixture_use(fixture_database);
    return 0;
}

static int side_by_side(void **state)
{
    fault_fixture_use(wide_database);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_a_dead_mount_left_is_taken_over, one_by_one),
        cmocka_unit_test_setup(an_owner_that_wakes_after_the_takeover_does_no_harm, side_by_side),
        cmocka_unit_test_setup(what_arrives_late_is_cleaned_up, side_by_side),
        cmocka_unit_test_setup(a_fork_that_another_mount_makes_or_drops_is_held, one_by_one),
        cmocka_unit_test_setup(what_this_mount_left_itself_is_finished_at_once, one_by_one),
        cmocka_unit_test_setup(another_rmdir_finishes_what_this_mount_left_itself, one_by_one),
        cmocka_unit_test_setup(a_creator_leaves_its_fork_alone_once_another_mount_drops_it,
                               side_by_side),
        cmocka_unit_test_setup(a_tag_is_taken_back_when_another_mount_drops_the_fork, side_by_side),
        cmocka_unit_test_setup(a_tagged_fork_that_stays_tombstoned_is_left_alone, one_by_one),
        cmocka_unit_test_setup(two_mounts_do_not_tag_or_register_at_the_same_time, side_by_side),
        cmocka_unit_test_setup(the_intent_of_another_mount_is_never_deleted, one_by_one),
        cmocka_unit_test_setup(a_tag_of_a_fork_that_is_gone_is_removed, one_by_one),
        cmocka_unit_test_setup(what_this_mount_is_doing_is_not_recovered, side_by_side),
        cmocka_unit_test_setup(an_idle_look_makes_no_requests, one_by_one),
        cmocka_unit_test_setup(how_often_follows_from_the_time_of_takeover, one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Several mounts on one catalog that all make and drop forks at the same time.
 */
#include "unit/unit.h"

#include <pthread.h>

#include "unit/catalog/shared_fixture.h"

#define THREADS 2 /* of each mount */
#define FORKS 4   /* of each thread */

/* One thread of one mount. */
struct worker {
    struct catalog *catalog;
    unsigned number;
    unsigned done;
    unsigned refused;
    int unexpected; /* a code that should not come up; 0: none */
    pthread_t thread;
};

typedef void work_function(struct worker *worker);

struct start {
    struct worker *worker;
    work_function *work;
};

static void *run(void *argument)
{
    const struct start *start = argument;
    start->work(start->worker);
    return NULL;
}

/* Runs the work on all threads of all mounts at once. */
static void run_everywhere(struct shared_fixture *fixture, struct worker *workers,
                           work_function *work)
{
    struct start starts[SHARED_MOUNTS * THREADS];
    for (unsigned i = 0; i < SHARED_MOUNTS * THREADS; i++) {
        workers[i] = (struct worker){.catalog = fixture->catalogs[i % SHARED_MOUNTS], .number = i};
        starts[i] = (struct start){&workers[i], work};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &starts[i]), 0);
    }
    for (unsigned i = 0; i < SHARED_MOUNTS * THREADS; i++)
        pthread_join(workers[i].thread, NULL);
}

static void count(struct worker *worker, int code, int refusal)
{
    if (code == 0)
        worker->done++;
    else if (code == refusal)
        worker->refused++;
    else
        worker->unexpected = code;
}

static unsigned sum_done(const struct worker *workers)
{
    unsigned done = 0;
    for (unsigned i = 0; i < SHARED_MOUNTS * THREADS; i++) {
        if (workers[i].unexpected)
            fail_msg("worker %u: %s", i, error_code_name(workers[i].unexpected));
        done += workers[i].done;
    }
    return done;
}

static void assert_sound(struct shared_fixture *fixture, unsigned forks)
{
    fixture_assert_whole(fixture->store);
    fixture_assert_clean(fixture->store);
    for (int i = 0; i < SHARED_MOUNTS; i++) {
        shared_poll(fixture->catalogs[i]);
        auto_registry struct registry *registry = catalog_registry(fixture->catalogs[i]);
        assert_int_equal(registry->entries->len, forks);
        assert_int_equal(shared_recover(fixture->catalogs[i]), 0);
    }
}

/* One mount never hears what came of its puts of the registry, one is slow. */
static void disturb(struct shared_fixture *fixture)
{
    fault_store_match(fixture->faults[1], FIXTURE_REGISTRY);
    fault_store_arm(fixture->faults[1], FAULT_LOSE_ANSWER, 1u << STORE_PUT, 1, true, 0);
    fault_store_set_delay(fixture->faults[2], 2);
    fault_store_arm(fixture->faults[2], FAULT_DELAY, FAULT_ALL, 1, true, 0);
}

static char *own_name(const struct worker *worker, unsigned fork)
{
    return g_strdup_printf("fork-%u-%u", worker->number, fork);
}

static void make_own(struct worker *worker)
{
    for (unsigned i = 0; i < FORKS; i++) {
        g_autofree char *name = own_name(worker, i);
        count(worker, catalog_create(worker->catalog, name, NULL, NULL, NULL, NULL), 0);
    }
}

static void drop_own(struct worker *worker)
{
    for (unsigned i = 0; i < FORKS; i++) {
        g_autofree char *name = own_name(worker, i);
        count(worker, catalog_drop(worker->catalog, name, NULL, NULL, NULL), 0);
    }
}

static void forks_made_by_all_at_once_are_all_there_and_can_all_be_dropped(void **state)
{
    struct shared_fixture *fixture = *state;
    struct worker workers[SHARED_MOUNTS * THREADS];
    const unsigned all = SHARED_MOUNTS * THREADS * FORKS;
    disturb(fixture);
    run_everywhere(fixture, workers, make_own);
    assert_int_equal(sum_done(workers), all);
    assert_sound(fixture, all);
    run_everywhere(fixture, workers, drop_own);
    assert_int_equal(sum_done(workers), all);
    assert_sound(fixture, 0);
}

static void make_common(struct worker *worker)
{
    for (unsigned i = 0; i < FORKS; i++) {
        g_autofree char *name = g_strdup_printf("common-%u", i);
        count(worker, catalog_create(worker->catalog, name, NULL, NULL, NULL, NULL), ERR_EXISTS);
    }
}

static void a_race_for_a_name_has_one_winner(void **state)
{
    struct shared_fixture *fixture = *state;
    struct worker workers[SHARED_MOUNTS * THREADS];
    disturb(fixture);
    run_everywhere(fixture, workers, make_common);
    assert_int_equal(sum_done(workers), FORKS);
    assert_sound(fixture, FORKS);
}

/* Whoever comes too late finds it gone, or being dropped. */
static void drop_common(struct worker *worker)
{
    for (unsigned i = 0; i < FORKS; i++) {
        g_autofree char *name = g_strdup_printf("common-%u", i);
        int code = catalog_drop(worker->catalog, name, NULL, NULL, NULL);
        bool late = code == ERR_NOT_FOUND || code == ERR_STALE || code == ERR_HELD;
        count(worker, code, late ? code : ERR_STALE);
    }
}

static void a_fork_that_all_drop_is_dropped_once(void **state)
{
    struct shared_fixture *fixture = *state;
    struct worker workers[SHARED_MOUNTS * THREADS];
    make_common(&(struct worker){.catalog = fixture->catalogs[0]});
    for (int i = 0; i < SHARED_MOUNTS; i++)
        shared_poll(fixture->catalogs[i]);
    disturb(fixture);
    run_everywhere(fixture, workers, drop_common);
    assert_int_equal(sum_done(workers), FORKS);
    assert_sound(fixture, 0);
}

/* Makes and drops the same names as all others, again and again. */
static void make_and_drop(struct worker *worker)
{
    for (unsigned i = 0; i < 2 * FORKS; i++) {
        g_autofree char *name = g_strdup_printf("common-%u", (i + worker->number) % 2);
        int made = catalog_create(worker->catalog, name, NULL, NULL, NULL, NULL);
        if (made != 0 && made != ERR_EXISTS)
            worker->unexpected = made;
        int dropped = catalog_drop(worker->catalog, name, NULL, NULL, NULL);
        if (dropped != 0 && dropped != ERR_NOT_FOUND && dropped != ERR_STALE &&
            dropped != ERR_HELD && dropped != ERR_CONTENDED)
            worker->unexpected = dropped;
        worker->done += (made == 0) - (dropped == 0);
        catalog_poll(worker->catalog, NULL, NULL, NULL, NULL);
    }
}

static void what_all_make_and_drop_is_counted_right(void **state)
{
    struct shared_fixture *fixture = *state;
    struct worker workers[SHARED_MOUNTS * THREADS];
    run_everywhere(fixture, workers, make_and_drop);
    assert_sound(fixture, sum_done(workers));
}

static void make_within_budget(struct worker *worker)
{
    g_autofree char *name = own_name(worker, 0);
    count(worker, catalog_create(worker->catalog, name, NULL, NULL, NULL, NULL), ERR_BUDGET);
}

static void the_budget_counts_what_others_made(void **state)
{
    struct shared_fixture *fixture = *state;
    struct worker workers[SHARED_MOUNTS * THREADS];
    const struct catalog_settings settings = {
        .shared = true, .takeover_ms = SHARED_TAKEOVER_MS, .max_forks = 5};
    for (int i = 0; i < SHARED_MOUNTS; i++) {
        catalog_free(fixture->catalogs[i]);
        fixture->catalogs[i] = fixture_open_with(fixture->store, &settings, &fixture->faults[i]);
    }
    run_everywhere(fixture, workers, make_within_budget);
    assert_int_equal(sum_done(workers), 5);
    assert_sound(fixture, 5);
}

/* Of all those that drop the parent or make a child of it, some come too late. */
static void drop_parent_or_make_child(struct worker *worker)
{
    g_autofree char *name = own_name(worker, 0);
    int code = worker->number % 2
                   ? catalog_create(worker->catalog, name, "parent", NULL, NULL, NULL)
                   : catalog_drop(worker->catalog, "parent", NULL, NULL, NULL);
    bool late = code == ERR_NOT_FOUND || code == ERR_STALE || code == ERR_HELD ||
                code == ERR_NOT_EMPTY || code == ERR_CORRUPT || code == ERR_CONTENDED;
    count(worker, code, late ? code : ERR_STALE);
}

static void no_child_is_ever_left_without_its_parent(void **state)
{
    struct shared_fixture *fixture = *state;
    struct worker workers[SHARED_MOUNTS * THREADS];
    for (unsigned i = 0; i < FORKS; i++) {
        fixture_create(fixture->catalogs[0], "parent", NULL);
        for (int j = 0; j < SHARED_MOUNTS; j++)
            shared_poll(fixture->catalogs[j]);
        run_everywhere(fixture, workers, drop_parent_or_make_child);
        shared_poll(fixture->catalogs[0]);
        auto_registry struct registry *registry = catalog_registry(fixture->catalogs[0]);
        unsigned done = sum_done(workers);
        if (registry_find(registry, "parent")) {
            assert_int_equal(registry->entries->len, 1 + done);
        } else {
            assert_int_equal(done, 1); /* the drop */
            assert_int_equal(registry->entries->len, 0);
        }
        assert_sound(fixture, registry->entries->len);
        for (unsigned j = 0; j < SHARED_MOUNTS * THREADS; j++) {
            g_autofree char *name = own_name(&workers[j], 0);
            catalog_drop(fixture->catalogs[0], name, NULL, NULL, NULL);
        }
        catalog_drop(fixture->catalogs[0], "parent", NULL, NULL, NULL);
        assert_sound(fixture, 0);
    }
}

static void note_failure(void *argument, const char *key, const struct error *failure)
{
    struct worker *worker = argument;
    worker->unexpected = failure->code;
    print_error("%s: %s\n", key, failure->text);
}

static void sweep(struct worker *worker)
{
    worker->done += catalog_sweep(worker->catalog, NULL, note_failure, worker);
}

/* Each fork by whichever mount is first; for the others there is nothing to report. */
static void what_all_sweep_is_swept_once(void **state)
{
    struct shared_fixture *fixture = *state;
    struct worker workers[SHARED_MOUNTS * THREADS];
    for (unsigned i = 0; i < FORKS; i++) {
        g_autofree char *name = g_strdup_printf("f-%u", i);
        struct ulid id = fixture_create(fixture->catalogs[0], name, NULL);
        assert_int_equal(catalog_set_ttl(fixture->catalogs[0], &id, true, 0, NULL, NULL), 0);
    }
    for (int i = 0; i < SHARED_MOUNTS; i++)
        shared_poll(fixture->catalogs[i]);
    run_everywhere(fixture, workers, sweep);
    assert_int_equal(sum_done(workers), FORKS);
    shared_poll(fixture->catalogs[0]);
    assert_sound(fixture, 0);
}

/* ---- What others have just changed ---- */

#define LATE "vertices_Ghost"

/* A fork that gets the dataset LATE on one mount, which the second has not noticed. */
static struct ulid enlarge_elsewhere(struct shared_fixture *fixture, const char *name)
{
    struct ulid id = fixture_create(fixture->catalogs[0], name, NULL);
    auto_bytes struct bytes *document = bytes_new_text("{\"" LATE "\": null}");
    struct error err = {0};
    shared_poll(fixture->catalogs[1]);
    fixture_put_dataset(fixture->store, LATE, "plain", 2);
    if (catalog_register_datasets(fixture->catalogs[0], &id, document, NULL, &err))
        fail_msg("%s", err.text);
    return id;
}

static void a_child_has_the_datasets_that_its_parent_has_got_elsewhere(void **state)
{
    struct shared_fixture *fixture = *state;
    enlarge_elsewhere(fixture, "parent");
    fixture_create(fixture->catalogs[1], "child", "parent");
    auto_registry struct registry *registry = catalog_registry(fixture->catalogs[1]);
    const struct fork_entry *child = registry_find(registry, "child");
    assert_non_null(fork_entry_branch(child, LATE));
    assert_sound(fixture, 2);
}

static void a_tag_pins_the_datasets_that_the_fork_has_got_elsewhere(void **state)
{
    struct shared_fixture *fixture = *state;
    struct ulid id = enlarge_elsewhere(fixture, "a");
    assert_int_equal(catalog_tag(fixture->catalogs[1], &id, "v1", NULL, NULL), 0);
    assert_int_equal(fixture_mentions(fixture->store, "_refs/tags/fork_v1_"), FIXTURE_DATASETS + 1);
    assert_sound(fixture, 1);
}

/* ---- Versions ---- */

static char *write_overlay(struct catalog *catalog, const struct ulid *id, const char *text,
                           const char *version)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    struct error err = {0};
    char *written = NULL;
    if (catalog_write_overlay(catalog, id, body, version, NULL, &written, &err))
        fail_msg("%s", err.text);
    return written;
}

/* A delayed copy of the first change must not find its precondition true again. */
static void an_overlay_that_is_changed_and_changed_back_is_another_version(void **state)
{
    struct shared_fixture *fixture = *state;
    static const char changed[] = "{\"added_labels\": []}";
    struct ulid id = fixture_create(fixture->catalogs[0], "audit", NULL);
    struct overlay *created = NULL, *overlay = NULL;
    assert_int_equal(catalog_overlay(fixture->catalogs[0], &id, NULL, &created, NULL), 0);
    g_autofree char *first = write_overlay(fixture->catalogs[0], &id, "{}", created->version);
    g_autofree char *second = write_overlay(fixture->catalogs[0], &id, changed, first);
    g_autofree char *third = write_overlay(fixture->catalogs[0], &id, "{}", second);
    assert_string_not_equal(first, third);
    assert_int_equal(catalog_overlay(fixture->catalogs[1], &id, NULL, &overlay, NULL), 0);
    assert_string_equal(overlay->text->data, "{}");
    assert_string_equal(overlay->version, third);
    overlay_free(overlay);
    overlay_free(created);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, shared_set_up, shared_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(forks_made_by_all_at_once_are_all_there_and_can_all_be_dropped),
        TEST(a_race_for_a_name_has_one_winner),
        TEST(a_fork_that_all_drop_is_dropped_once),
        TEST(what_all_make_and_drop_is_counted_right),
        TEST(the_budget_counts_what_others_made),
        TEST(no_child_is_ever_left_without_its_parent),
        TEST(what_all_sweep_is_swept_once),
        TEST(a_child_has_the_datasets_that_its_parent_has_got_elsewhere),
        TEST(a_tag_pins_the_datasets_that_the_fork_has_got_elsewhere),
        TEST(an_overlay_that_is_changed_and_changed_back_is_another_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

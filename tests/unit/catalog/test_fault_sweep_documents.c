/*
 * Fault sweeps over what changes one fork that lives: tag, untag, overlay, datasets, expiry.
 */
#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/fault_fixture.h"

/* A change, and what it looks like on the store afterwards. */
struct mutation {
    void (*prepare)(struct store *store); /* NULL: nothing */
    change_function *change;
    bool (*is_done)(struct store *store);
    bool (*is_undone)(struct store *store);
    bool goes_forward; /* refused, it may be half done, and recovery finishes it */
};

/* ---- The mutations ---- */

static unsigned count_tag_refs(struct store *store)
{
    static const char *const datasets[] = {"edges", "vertices", "vertices_Person"};
    unsigned count = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(datasets); i++) {
        g_autofree char *key = g_strdup_printf("storage/%s.lance/_refs/tags/fork_v1_%s.json",
                                               datasets[i], datasets[i]);
        count += fixture_exists(store, key);
    }
    return count;
}

static bool is_tagged(struct store *store)
{
    return count_tag_refs(store) == FIXTURE_DATASETS;
}

static bool is_untagged(struct store *store)
{
    return count_tag_refs(store) == 0;
}

static void make_tag(struct store *store)
{
    struct catalog *catalog = fixture_open(store, NULL);
    assert_int_equal(tag_fork(catalog, NULL, NULL), 0);
    catalog_free(catalog);
}

static char *read_overlay(struct store *store)
{
    struct catalog *catalog = fixture_open(store, NULL);
    struct ulid id = neighbour_of(catalog);
    catalog_free(catalog);
    g_autofree char *key = g_strdup_printf("catalog/fork_schemas/%s.json", id.text);
    return fixture_read(store, key);
}

static bool is_overlay_new(struct store *store)
{
    g_autofree char *text = read_overlay(store);
    return strcmp(text, FAULT_OVERLAY) == 0;
}

static bool is_overlay_old(struct store *store)
{
    g_autofree char *text = read_overlay(store);
    return strstr(text, "\"added_labels\": []") != NULL;
}

static void add_dataset(struct store *store)
{
    fixture_put_dataset(store, FAULT_GHOST, "plain", 2);
}

static bool is_enrolled(struct store *store)
{
    g_autofree char *text = fixture_read(store, FIXTURE_REGISTRY);
    return strstr(text, FAULT_GHOST) != NULL;
}

static bool is_not_enrolled(struct store *store)
{
    return !is_enrolled(store) && fixture_mentions(store, "_" FAULT_GHOST) == 0;
}

static bool lives_forever(struct store *store)
{
    g_autofree char *text = fixture_read(store, FIXTURE_REGISTRY);
    return strstr(text, "\"ttl_expires_at\": null") != NULL;
}

static bool expires(struct store *store)
{
    return !lives_forever(store);
}

static const struct mutation tagging = {
    .change = tag_fork, .is_done = is_tagged, .is_undone = is_untagged};
static const struct mutation untagging = {.prepare = make_tag,
                                          .change = untag_fork,
                                          .is_done = is_untagged,
                                          .is_undone = is_tagged,
                                          .goes_forward = true};
static const struct mutation overlay_writing = {
    .change = overlay_neighbour, .is_done = is_overlay_new, .is_undone = is_overlay_old};
static const struct mutation enrolling = {.prepare = add_dataset,
                                          .change = enroll_ghost,
                                          .is_done = is_enrolled,
                                          .is_undone = is_not_enrolled};
static const struct mutation expiring = {
    .change = expire_neighbour, .is_done = expires, .is_undone = lives_forever};

/* ---- The sweep ---- */

static const struct mutation *mutation; /* the one being swept */

/* A tag can be removed; then the fork can go. */
static void assert_tag_and_fork_can_go(struct store *store)
{
    struct catalog *catalog = fixture_open(store, NULL);
    struct error err = {0};
    if (count_tag_refs(store) > 0 && untag_fork(catalog, NULL, &err))
        fail_msg("%s", err.text);
    if (catalog_drop(catalog, "neighbour", NULL, NULL, &err))
        fail_msg("%s", err.text);
    catalog_free(catalog);
    assert_int_equal(fixture_mentions(store, "fork_0"), 0);
    fixture_assert_clean(store);
}

static void assert_outcome(struct store *store, const struct fault *fault, unsigned n, int code,
                           const struct error *err, bool recovered)
{
    bool half = code != 0 && !recovered && mutation->goes_forward;
    bool finished = recovered && mutation->goes_forward;
    bool done = mutation->is_done(store), undone = mutation->is_undone(store);
    if (code == 0 && !done)
        fail_msg("%s, n %u: answered success, but it is not done", fault->name, n);
    if (!done && !undone && !half)
        fail_msg("%s, n %u: half done (%s)", fault->name, n, err->text);
    if (code != 0 && !fault->persistent && done && !finished)
        fail_msg("%s, n %u: refused (%s), but done", fault->name, n, err->text);
}

static bool change_with_fault(const struct fault *fault, unsigned n)
{
    struct store *store = fault_database(), *wrapper;
    if (mutation->prepare)
        mutation->prepare(store);
    struct catalog *catalog = fault_open(store, fault, n, &wrapper);
    struct error err = {0};
    arm_fault(wrapper, fault, n);
    int code = run_change(catalog, mutation->change, &err);
    bool fired = fault_store_fired(wrapper);
    fault_store_disarm(wrapper);
    assert_neighbour_unharmed(store);
    if (!fault->persistent) {
        assert_memory_equals_store(catalog, store);
        assert_outcome(store, fault, n, code, &err, false);
    }
    if (outlives_fault(fault))
        finish_leftovers(catalog, store, fault, n);
    else
        catalog_free(catalog);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    assert_outcome(store, fault, n, code, &err, true);
    assert_tag_and_fork_can_go(store);
    store_free(store);
    return fired;
}

static void sweep_mutation(const struct mutation *swept, unsigned least)
{
    mutation = swept;
    sweep_faults(change_with_fault, least);
}

static void tagging_with_a_fault_at_any_request_is_whole_or_nothing(void **state)
{
    sweep_mutation(&tagging, 5);
}

static void untagging_with_a_fault_at_any_request_can_be_repeated(void **state)
{
    sweep_mutation(&untagging, 5);
}

static void an_overlay_with_a_fault_at_any_request_is_the_old_or_the_new(void **state)
{
    sweep_mutation(&overlay_writing, 1);
}

static void datasets_with_a_fault_at_any_request_are_registered_or_not(void **state)
{
    sweep_mutation(&enrolling, 10);
}

static void an_expiry_with_a_fault_at_any_request_is_the_old_or_the_new(void **state)
{
    sweep_mutation(&expiring, 1);
}

/* ---- Recovery of a registration ---- */

static bool recover_with_fault(unsigned k, const struct fault *fault, unsigned n, bool *crashed)
{
    struct store *store = fault_database(), *wrapper;
    add_dataset(store);
    struct catalog *catalog = fixture_open(store, &wrapper);
    pass_time_with_faults(wrapper);
    fault_store_arm(wrapper, FAULT_KILL_AFTER, FAULT_WRITES, k, true, ERR_IO);
    run_change(catalog, enroll_ghost, NULL);
    *crashed = fault_store_fired(wrapper);
    catalog_free(catalog);
    bool fired = recover_meeting_fault(store, fault, n);
    assert_true(is_enrolled(store) || is_not_enrolled(store));
    store_free(store);
    return fired;
}

static void recovery_of_a_killed_registration_survives_a_fault_at_any_request(void **state)
{
    static const int chosen[] = {FAULT_FAIL_ONCE, FAULT_LOST, FAULT_KILLED, FAULT_POWER_LOSES_SOME};
    bool crashed = true;
    for (unsigned k = 1; crashed; k++) {
        for (size_t i = 0; i < G_N_ELEMENTS(chosen); i++) {
            unsigned n = 1 + (unsigned)i % FAULT_STRIDE;
            while (recover_with_fault(k, &faults[chosen[i]], n, &crashed))
                n += FAULT_STRIDE;
        }
        assert_true(k < FAULT_STEPS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tagging_with_a_fault_at_any_request_is_whole_or_nothing),
        cmocka_unit_test(untagging_with_a_fault_at_any_request_can_be_repeated),
        cmocka_unit_test(an_overlay_with_a_fault_at_any_request_is_the_old_or_the_new),
        cmocka_unit_test(datasets_with_a_fault_at_any_request_are_registered_or_not),
        cmocka_unit_test(an_expiry_with_a_fault_at_any_request_is_the_old_or_the_new),
        cmocka_unit_test(recovery_of_a_killed_registration_survives_a_fault_at_any_request),
    };
    int failed =
        cmocka_run_group_tests_name("memory store", tests, fault_fixture_on_one_processor, NULL);
    fault_fixture_use(fixture_database_on_disk);
    return failed +
           cmocka_run_group_tests_name("local store", tests, fault_fixture_on_one_processor, NULL);
}

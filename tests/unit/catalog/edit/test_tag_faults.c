#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/fork_fixture.h"

#define STEPS_MAX 100

static int tag(struct fork_fixture *fixture, struct error *err)
{
    return catalog_tag(fixture->catalog, &fixture->id, "keep", NULL, err);
}

static int untag(struct fork_fixture *fixture, struct error *err)
{
    return catalog_untag(fixture->catalog, &fixture->id, "keep", NULL, err);
}

static unsigned tag_refs(struct fork_fixture *fixture)
{
    return fixture_mentions(fixture->store, "_refs/tags/fork_keep_");
}

static void a_taken_name_writes_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    struct error err = {0};
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    assert_int_equal(tag(fixture, NULL), 0);
    assert_int_equal(tag_refs(fixture), FIXTURE_DATASETS);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(tag(fixture, NULL), ERR_EXISTS);
    assert_int_equal(catalog_tag(fixture->catalog, &other, "keep", NULL, &err), ERR_EXISTS);
    assert_non_null(strstr(err.text, "keep"));
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

/* One dataset of several has the tag already. */
static void a_name_that_is_taken_on_one_dataset_writes_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, FORK_DATASET "/_refs/tags/fork_keep_vertices_Person.json", "{}");
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(tag(fixture, NULL), ERR_EXISTS);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void a_fork_that_is_gone_has_no_tags(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_drops(fixture);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(tag(fixture, NULL), ERR_STALE);
    assert_int_equal(untag(fixture, NULL), ERR_STALE);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

/* ---- Faults ---- */

typedef int tag_change(struct fork_fixture *fixture, struct error *err);

/* Whether the fault fired at the n-th request. */
static bool change_with_fault(struct fork_fixture *fixture, tag_change *change,
                              enum fault_kind kind, unsigned n)
{
    struct error err = {0};
    fork_fixture_reopen(fixture); /* nothing is cached */
    fault_store_arm(fixture->faults, kind, FAULT_ALL, n, false, ERR_IO);
    int code = change(fixture, &err);
    bool fired = fault_store_fired(fixture->faults);
    fault_store_disarm(fixture->faults);
    unsigned before = change == tag ? 0 : FIXTURE_DATASETS, after = FIXTURE_DATASETS - before;
    if (code == 0)
        assert_int_equal(tag_refs(fixture), after);
    else if (change == tag)
        assert_int_equal(tag_refs(fixture), before);
    else /* half removed it can be removed again */
        assert_in_range(tag_refs(fixture), after, before);
    if (code && change(fixture, &err))
        fail_msg("request %u: %s", n, err.text);
    assert_int_equal(tag_refs(fixture), after);
    fixture_assert_clean(fixture->store);
    return fired;
}

static void sweep(struct fork_fixture *fixture, tag_change *change, tag_change *undo)
{
    static const enum fault_kind kinds[] = {FAULT_FAIL, FAULT_LOSE_ANSWER};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        unsigned n = 1;
        while (change_with_fault(fixture, change, kinds[i], n)) {
            assert_int_equal(undo(fixture, NULL), 0);
            assert_true(n < STEPS_MAX);
            n++;
        }
        assert_true(n > FIXTURE_DATASETS);
        assert_int_equal(undo(fixture, NULL), 0);
    }
}

static void a_tag_with_a_fault_at_any_request_is_whole_or_nothing(void **state)
{
    sweep(*state, tag, untag);
}

static void a_removal_with_a_fault_at_any_request_can_be_finished(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(tag(fixture, NULL), 0);
    sweep(fixture, untag, tag);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_taken_name_writes_nothing),
        TEST(a_name_that_is_taken_on_one_dataset_writes_nothing),
        TEST(a_fork_that_is_gone_has_no_tags),
        TEST(a_tag_with_a_fault_at_any_request_is_whole_or_nothing),
        TEST(a_removal_with_a_fault_at_any_request_can_be_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

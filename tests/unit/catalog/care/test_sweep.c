#include "unit/unit.h"

#include "unit/catalog/change/change_fixture.h"

/* What a sweep complained about: "key:CODE " each, in order. */
static void note_failure(void *argument, const char *key, const struct error *failure)
{
    g_string_append_printf(argument, "%s:%s ", key, error_code_name(failure->code));
}

static void assert_sweeps(struct change_fixture *fixture, unsigned dropped, const char *failures)
{
    g_autoptr(GString) told = g_string_new(NULL);
    assert_int_equal(catalog_sweep(fixture->catalog, NULL, note_failure, told), dropped);
    assert_string_equal(told->str, failures);
}

static struct ulid make(struct change_fixture *fixture, const char *name, const char *parent)
{
    return fixture_create(fixture->catalog, name, parent);
}

static struct ulid make_expired(struct change_fixture *fixture, const char *name,
                                const char *parent)
{
    struct ulid id = fixture_create(fixture->catalog, name, parent);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &id, true, 0, NULL, NULL), 0);
    return id;
}

static struct hold *hold(struct change_fixture *fixture, const struct ulid *id)
{
    struct hold *hold = NULL;
    assert_int_equal(catalog_hold(fixture->catalog, id, true, 1, "sh", &hold, NULL), 0);
    return hold;
}

static void release(struct change_fixture *fixture, struct hold *hold)
{
    holders_release(catalog_holders(fixture->catalog), hold);
}

static void only_expired_forks_are_swept(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid later = make(fixture, "later", NULL);
    make(fixture, "never", NULL);
    make_expired(fixture, "now", NULL);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &later, true, 3600, NULL, NULL), 0);
    assert_sweeps(fixture, 1, "");
    assert_status(fixture, "now", -1);
    assert_status(fixture, "later", FORK_ACTIVE);
    assert_status(fixture, "never", FORK_ACTIVE);
    assert_sweeps(fixture, 0, "");
    struct catalog_counts counts;
    catalog_counts(fixture->catalog, &counts);
    assert_int_equal(counts.swept, 1);
    fixture_assert_clean(fixture->store);
}

static void descendants_go_first(void **state)
{
    struct change_fixture *fixture = *state;
    make_expired(fixture, "p", NULL);
    make(fixture, "p-1", "p");
    make(fixture, "p-2", "p");
    make(fixture, "p-1-1", "p-1");
    assert_sweeps(fixture, 4, "");
    assert_int_equal(fixture_mentions(fixture->store, "fork_0"), 0);
    fixture_assert_clean(fixture->store);
}

static void an_expired_child_goes_alone(void **state)
{
    struct change_fixture *fixture = *state;
    make(fixture, "p", NULL);
    make_expired(fixture, "p-1", "p");
    assert_sweeps(fixture, 1, "");
    assert_status(fixture, "p", FORK_ACTIVE);
}

/* However many expire at once: two registry writes for each level. */
static void forks_of_one_level_share_the_registry_writes(void **state)
{
    struct change_fixture *fixture = *state;
    for (unsigned i = 0; i < 10; i++) {
        g_autofree char *name = g_strdup_printf("f-%u", i), *child = g_strdup_printf("c-%u", i);
        make_expired(fixture, name, NULL);
        make(fixture, child, name);
    }
    uint64_t writes = registry_writes(fixture);
    unsigned waves = fault_store_waves(fixture->faults);
    assert_sweeps(fixture, 20, "");
    assert_int_equal(registry_writes(fixture) - writes, 4);
    assert_true(fault_store_waves(fixture->faults) - waves <= 20);
    fixture_assert_clean(fixture->store);
}

static void a_sweep_of_nothing_asks_nothing(void **state)
{
    struct change_fixture *fixture = *state;
    make(fixture, "never", NULL);
    unsigned waves = fault_store_waves(fixture->faults);
    assert_sweeps(fixture, 0, "");
    assert_int_equal(fault_store_waves(fixture->faults), waves);
}

static void a_held_fork_is_swept_when_it_is_let_go(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid id = make_expired(fixture, "f", NULL);
    struct hold *held = hold(fixture, &id);
    assert_sweeps(fixture, 0, "f:HELD ");
    assert_status(fixture, "f", FORK_ACTIVE);
    release(fixture, held);
    assert_sweeps(fixture, 1, "");
}

/* Nothing of a family goes while one of it cannot, even if that one has expired by itself. */
static void a_held_descendant_keeps_the_whole_family(void **state)
{
    struct change_fixture *fixture = *state;
    make_expired(fixture, "p", NULL);
    struct ulid child = make_expired(fixture, "a-child", "p");
    make(fixture, "z-child", "p");
    make_expired(fixture, "other", NULL);
    struct hold *held = hold(fixture, &child);
    assert_sweeps(fixture, 1, "a-child:HELD ");
    assert_status(fixture, "other", -1);
    assert_status(fixture, "p", FORK_ACTIVE);
    assert_status(fixture, "z-child", FORK_ACTIVE);
    release(fixture, held);
    assert_sweeps(fixture, 3, "");
    fixture_assert_clean(fixture->store);
}

static void a_tagged_descendant_keeps_the_whole_family(void **state)
{
    struct change_fixture *fixture = *state;
    make_expired(fixture, "p", NULL);
    struct ulid child = make(fixture, "c", "p");
    make(fixture, "d", "p");
    assert_int_equal(catalog_tag(fixture->catalog, &child, "v1", NULL, NULL), 0);
    assert_sweeps(fixture, 0, "c:NOT_EMPTY ");
    assert_status(fixture, "d", FORK_ACTIVE);
    assert_int_equal(catalog_untag(fixture->catalog, &child, "v1", NULL, NULL), 0);
    assert_sweeps(fixture, 3, "");
}

static void a_store_that_fails_is_told_and_tried_again(void **state)
{
    struct change_fixture *fixture = *state;
    make_expired(fixture, "f", NULL);
    fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_WRITES, 1, true, ERR_UNREACHABLE);
    assert_sweeps(fixture, 0, "f:UNREACHABLE ");
    fault_store_disarm(fixture->faults);
    assert_sweeps(fixture, 1, "");
    fixture_assert_clean(fixture->store);
}

/* The fork is given more time after the sweep has found it expired. */
static void time_given_meanwhile_counts(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid parent = make_expired(fixture, "p", NULL);
    struct ulid child = make(fixture, "c", "p");
    struct change changes[] = {{.kind = CHANGE_DROP,
                                .name = "c",
                                .expected_id = &child,
                                .no_drain = true,
                                .expired = &parent}};
    struct change_thread thread;
    fault_store_arm(fixture->faults, FAULT_DELAY, 1u << STORE_LIST, 1, false, 0);
    change_thread_start(&thread, fixture, changes, 1);
    fault_store_wait_held(fixture->faults);
    assert_int_equal(catalog_set_ttl(fixture->catalog, &parent, true, 3600, NULL, NULL), 0);
    fault_store_release(fixture->faults);
    change_thread_join(&thread);
    assert_int_equal(changes[0].error.code, ERR_STALE);
    assert_status(fixture, "c", FORK_ACTIVE);
    assert_sweeps(fixture, 0, "");
}

/* A registry that somebody damaged: two forks that are each other's parent. */
static void a_cycle_of_parents_ends(void **state)
{
    struct change_fixture *fixture = *state;
    struct ulid a = make_expired(fixture, "a", NULL), b = make_expired(fixture, "b", "a");
    g_autofree char *none = g_strdup_printf("\"id\": \"%s\",\n      \"name\": \"a\",\n      "
                                            "\"parent_fork_id\": null",
                                            a.text);
    g_autofree char *other = g_strdup_printf("\"id\": \"%s\",\n      \"name\": \"a\",\n      "
                                             "\"parent_fork_id\": \"%s\"",
                                             a.text, b.text);
    fixture_replace(fixture->store, FIXTURE_REGISTRY, none, other);
    change_fixture_reopen(fixture, NULL);
    assert_sweeps(fixture, 0, "");
}

static void a_chain_is_swept_from_its_end(void **state)
{
    struct change_fixture *fixture = *state;
    make_expired(fixture, "f-0", NULL);
    for (unsigned i = 1; i < 12; i++) {
        g_autofree char *name = g_strdup_printf("f-%u", i);
        g_autofree char *parent = g_strdup_printf("f-%u", i - 1);
        make(fixture, name, parent);
    }
    assert_sweeps(fixture, 12, "");
    assert_int_equal(fixture_mentions(fixture->store, "fork_0"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, change_set_up, change_tear_down)
#define WIDE(name) cmocka_unit_test_setup_teardown(name, change_set_up_wide, change_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_expired_forks_are_swept),
        TEST(descendants_go_first),
        TEST(an_expired_child_goes_alone),
        TEST(forks_of_one_level_share_the_registry_writes),
        TEST(a_sweep_of_nothing_asks_nothing),
        TEST(a_held_fork_is_swept_when_it_is_let_go),
        TEST(a_held_descendant_keeps_the_whole_family),
        TEST(a_tagged_descendant_keeps_the_whole_family),
        TEST(a_store_that_fails_is_told_and_tried_again),
        WIDE(time_given_meanwhile_counts),
        TEST(a_cycle_of_parents_ends),
        TEST(a_chain_is_swept_from_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

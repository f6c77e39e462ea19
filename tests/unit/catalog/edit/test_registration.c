#include "unit/unit.h"

#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "unit/catalog/fork_fixture.h"
#include "unit/virtual_clock.h"

#define GHOST "vertices_Ghost"
#define GHOST_ROOT "storage/vertices_Ghost.lance"

/* A fork, and a dataset that has come since. */
static int set_up_on(void **state, struct store *store)
{
    fork_set_up_on(state, store);
    fixture_put_dataset(((struct fork_fixture *)*state)->store, GHOST, "plain", 2);
    return 0;
}

static int set_up(void **state)
{
    return set_up_on(state, fixture_database());
}

static int set_up_on_disk(void **state)
{
    return set_up_on(state, fixture_database_on_disk());
}

static int enroll(struct fork_fixture *fixture, const struct ulid *id, const char *text,
                  struct error *err)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    return catalog_register_datasets(fixture->catalog, id, body, NULL, err);
}

static void assert_registers(struct fork_fixture *fixture, const char *text)
{
    struct error err = {0};
    if (enroll(fixture, &fixture->id, text, &err))
        fail_msg("%s: %s", text, err.text);
}

static void assert_register_refused(struct fork_fixture *fixture, const char *text, int code)
{
    struct error err = {0};
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    if (enroll(fixture, &fixture->id, text, &err) != code)
        fail_msg("%s: %s", text, err.text);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

/* The branch that the registry on the store has for a dataset of the fork; g_free(). */
static char *registered(struct fork_fixture *fixture, const char *name, const char *dataset)
{
    struct catalog *other = fixture_open(fixture->store, NULL);
    auto_registry struct registry *registry = catalog_registry(other);
    const struct fork_entry *entry = registry_find(registry, name);
    char *branch = g_strdup(fork_entry_branch(entry, dataset));
    catalog_free(other);
    return branch;
}

static char *ghost_branch(const struct ulid *id)
{
    return layout_branch_name(id, GHOST);
}

static char *ghost_ref(const struct ulid *id)
{
    g_autofree char *branch = ghost_branch(id);
    return lance_branch_ref_key(GHOST_ROOT, branch);
}

static char *ghost_manifest(const struct ulid *id)
{
    g_autofree char *branch = ghost_branch(id);
    return lance_manifest_key(GHOST_ROOT, branch, 2);
}

static void assert_no_intent(struct fork_fixture *fixture)
{
    g_autofree char *key =
        g_strdup_printf("storage/catalog/fork_registrations/%s.json", fixture->id.text);
    assert_false(fixture_exists(fixture->store, key));
}

/* ---- What is taken ---- */

static void a_dataset_without_branch_gets_one(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_registers(fixture, "{\"" GHOST "\": null}");
    g_autofree char *branch = registered(fixture, "audit", GHOST);
    g_autofree char *expected = ghost_branch(&fixture->id);
    assert_string_equal(branch, expected);
    g_autofree char *key = ghost_ref(&fixture->id);
    auto_bytes struct bytes *body = NULL;
    struct branch_ref *ref = NULL;
    assert_int_equal(store_get(fixture->store, key, NULL, &body, NULL, NULL), 0);
    assert_int_equal(branch_ref_parse(body, &ref, NULL), 0);
    assert_null(ref->parent_branch);
    assert_int_equal(ref->parent_version, 2);
    branch_ref_free(ref);
    assert_no_intent(fixture);
    fixture_assert_clean(fixture->store);
    assert_drops(fixture);
}

static void members_left_out_stay_and_known_ones_may_be_repeated(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *text = g_strdup_printf(
        "{\"vertices_Person\": \"%s\", \"edges\": null, \"" GHOST "\": null}", fixture->branch);
    assert_registers(fixture, text);
    g_autofree char *vertices = registered(fixture, "audit", "vertices");
    assert_non_null(vertices);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_registers(fixture, text);
    assert_registers(fixture, "{}");
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void a_branch_that_exists_is_registered_by_name(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_forget_datasets(fixture);
    g_autofree char *text = g_strdup_printf("{\"vertices_Person\": \"%s\"}", fixture->branch);
    unsigned puts = fault_store_total(fixture->faults, STORE_PUT);
    assert_registers(fixture, text);
    assert_int_equal(fault_store_total(fixture->faults, STORE_PUT) - puts, 1);
    g_autofree char *branch = registered(fixture, "audit", "vertices_Person");
    assert_string_equal(branch, fixture->branch);
}

/* Uni makes the branch first and may die before it registers it. */
static void a_whole_branch_of_its_own_is_taken_for_null(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_forget_datasets(fixture);
    unsigned puts = fault_store_total(fixture->faults, STORE_PUT);
    assert_registers(fixture, "{\"vertices_Person\": null}");
    assert_int_equal(fault_store_total(fixture->faults, STORE_PUT) - puts, 1);
    g_autofree char *branch = registered(fixture, "audit", "vertices_Person");
    assert_string_equal(branch, fixture->branch);
}

static void half_a_branch_of_its_own_is_made_anew(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *ref = ghost_ref(&fixture->id), *manifest = ghost_manifest(&fixture->id);
    g_autofree char *branch = ghost_branch(&fixture->id);
    g_autofree char *more = g_strdup_printf(GHOST_ROOT "/tree/%s/data/x.lance", branch);
    fixture_put(fixture->store, manifest, "half");
    fixture_put(fixture->store, more, "half");
    assert_registers(fixture, "{\"" GHOST "\": null}");
    assert_true(fixture_exists(fixture->store, ref));
    assert_false(fixture_exists(fixture->store, more));
    fixture_assert_clean(fixture->store);
}

static void a_nested_fork_branches_from_its_parents_branch(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_delete(fixture->store, GHOST_ROOT "/_versions/18446744073709551613.manifest");
    struct ulid child = fixture_create(fixture->catalog, "child", "audit");
    fixture_put_dataset(fixture->store, GHOST, "plain", 2);
    assert_registers(fixture, "{\"" GHOST "\": null}");
    struct error err = {0};
    if (enroll(fixture, &child, "{\"" GHOST "\": null}", &err))
        fail_msg("%s", err.text);
    g_autofree char *key = ghost_ref(&child), *parents = ghost_branch(&fixture->id);
    auto_bytes struct bytes *body = NULL;
    struct branch_ref *ref = NULL;
    assert_int_equal(store_get(fixture->store, key, NULL, &body, NULL, NULL), 0);
    assert_int_equal(branch_ref_parse(body, &ref, NULL), 0);
    assert_string_equal(ref->parent_branch, parents);
    branch_ref_free(ref);
    fixture_assert_clean(fixture->store);
}

/* ---- What is refused ---- */

static void what_is_no_object_of_datasets_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "null",
                                        "[]",
                                        "{\"" GHOST "\": 7}",
                                        "{\"" GHOST "\": \"\"}",
                                        "{\"" GHOST "\": \"a b\"}",
                                        "{\"" GHOST "\": \"main\"}",
                                        "{\"datasets\": {\"../x\": null}}",
                                        "{\"\": null}",
                                        "{\"a\\u0000b\": null}",
                                        "{\"" GHOST "\": null, \"" GHOST "\": null}"};
    struct fork_fixture *fixture = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_register_refused(fixture, texts[i], ERR_INVALID);
}

static void another_branch_for_a_known_dataset_is_a_conflict(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_register_refused(fixture, "{\"edges\": \"experiment\"}", ERR_CONFLICT);
}

static void a_branch_that_does_not_exist_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_register_refused(fixture, "{\"" GHOST "\": \"experiment\"}", ERR_INVALID);
}

static void a_branch_of_another_fork_is_a_conflict(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_forget_datasets(fixture);
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    g_autofree char *branch = layout_branch_name(&other, "edges");
    g_autofree char *text = g_strdup_printf("{\"edges\": \"%s\"}", branch);
    assert_register_refused(fixture, text, ERR_CONFLICT);
}

static void an_unknown_dataset_is_not_found_and_nothing_is_made(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_register_refused(fixture, "{\"" GHOST "\": null, \"vertices_Nobody\": null}",
                            ERR_NOT_FOUND);
}

static void an_unclean_database_matters_only_for_branches_to_be_made(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_forget_datasets(fixture);
    fixture_put(fixture->store, "wal/00000000000000000001_x.wal", "UNIWAL2");
    assert_register_refused(fixture, "{\"" GHOST "\": null}", ERR_UNCLEAN);
    g_autofree char *text = g_strdup_printf("{\"vertices_Person\": \"%s\"}", fixture->branch);
    assert_registers(fixture, text);
}

static void a_fork_that_is_not_active_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid nobody = ulid_new();
    assert_int_equal(enroll(fixture, &nobody, "{}", NULL), ERR_STALE);
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    assert_register_refused(fixture, "{}", ERR_PENDING);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_register_refused(fixture, "{}", ERR_STALE);
}

/* ---- Failures ---- */

static void a_failed_put_leaves_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    for (unsigned n = 1; n <= 4; n++) { /* intent, manifest, ref, registry */
        fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_PUT, n, false, ERR_NO_SPACE);
        assert_register_refused(fixture, "{\"" GHOST "\": null}", ERR_NO_SPACE);
        assert_true(fault_store_fired(fixture->faults));
    }
    fault_store_disarm(fixture->faults);
    assert_registers(fixture, "{\"" GHOST "\": null}");
}

/* Killed after the n-th write: mounting again registers all or nothing, and leaves nothing. */
static void a_crash_leaves_what_recovery_takes_back(void **state)
{
    struct fork_fixture *fixture = *state;
    bool fired = true;
    for (unsigned n = 1; fired; n++) {
        fault_store_arm(fixture->faults, FAULT_KILL_AFTER, FAULT_WRITES, n, true, ERR_IO);
        struct operation operation;
        operation_init(&operation, AMPLE_MS);
        fault_store_when_fired(fixture->faults, virtual_clock_jump, AMPLE_MS);
        auto_bytes struct bytes *text = bytes_new_text("{\"" GHOST "\": null}");
        catalog_register_datasets(fixture->catalog, &fixture->id, text, &operation, NULL);
        operation_destroy(&operation);
        fired = fault_store_fired(fixture->faults);
        fork_fixture_reopen(fixture);
        unsigned problems = 0;
        fixture_recover(fixture->catalog, &problems);
        assert_int_equal(problems, 0);
        assert_int_equal(fixture_recover(fixture->catalog, &problems), 0);
        fixture_assert_clean(fixture->store);
        g_autofree char *branch = registered(fixture, "audit", GHOST);
        g_autofree char *ref = ghost_ref(&fixture->id);
        assert_int_equal(fixture_exists(fixture->store, ref), branch != NULL);
        assert_drops(fixture);
        fixture->id = fixture_create(fixture->catalog, "audit", NULL);
        /* The new fork has the dataset from the start; take it out, for the next round. */
        assert_drops(fixture);
        fixture_delete(fixture->store, GHOST_ROOT "/_versions/18446744073709551613.manifest");
        fork_fixture_reopen(fixture); /* which does not miss it */
        fixture->id = fixture_create(fixture->catalog, "audit", NULL);
        fixture_put_dataset(fixture->store, GHOST, "plain", 2);
    }
}

static void a_drop_takes_a_crashed_registration_along(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_arm(fixture->faults, FAULT_KILL_AFTER, FAULT_WRITES, 3, true, ERR_IO);
    assert_int_not_equal(enroll(fixture, &fixture->id, "{\"" GHOST "\": null}", NULL), 0);
    fault_store_disarm(fixture->faults);
    g_autofree char *ref = ghost_ref(&fixture->id);
    assert_true(fixture_exists(fixture->store, ref));
    assert_drops(fixture);
}

static void intents_that_are_none_are_left_and_reported(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *key =
        g_strdup_printf("storage/catalog/fork_registrations/%s.json", fixture->id.text);
    unsigned problems = 0;
    fixture_put(fixture->store, key, "{\"../x\": null}");
    fixture_put(fixture->store, "storage/catalog/fork_registrations/x.json", "{}");
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 0);
    assert_int_equal(problems, 2);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

/* An intent names datasets; which branches go follows from the fork's id and its entry alone. */
static void an_intent_never_deletes_a_registered_branch(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    g_autofree char *branch = layout_branch_name(&other, "edges");
    g_autofree char *key =
        g_strdup_printf("storage/catalog/fork_registrations/%s.json", fixture->id.text);
    g_autofree char *text =
        g_strdup_printf("{\"datasets\": {\"edges\": \"%s\", \"vertices\": \"main\"}}", branch);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    fixture_put(fixture->store, key, text);
    assert_int_equal(fixture_recover(fixture->catalog, NULL), 1);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dataset_without_branch_gets_one),
        TEST(members_left_out_stay_and_known_ones_may_be_repeated),
        TEST(a_branch_that_exists_is_registered_by_name),
        TEST(a_whole_branch_of_its_own_is_taken_for_null),
        TEST(half_a_branch_of_its_own_is_made_anew),
        TEST(a_nested_fork_branches_from_its_parents_branch),
        TEST(what_is_no_object_of_datasets_is_refused),
        TEST(another_branch_for_a_known_dataset_is_a_conflict),
        TEST(a_branch_that_does_not_exist_is_refused),
        TEST(a_branch_of_another_fork_is_a_conflict),
        TEST(an_unknown_dataset_is_not_found_and_nothing_is_made),
        TEST(an_unclean_database_matters_only_for_branches_to_be_made),
        TEST(a_fork_that_is_not_active_is_refused),
        TEST(a_failed_put_leaves_nothing),
        TEST(a_crash_leaves_what_recovery_takes_back),
        TEST(a_drop_takes_a_crashed_registration_along),
        TEST(intents_that_are_none_are_left_and_reported),
        TEST(an_intent_never_deletes_a_registered_branch),
        cmocka_unit_test_setup_teardown(a_dataset_without_branch_gets_one, set_up_on_disk,
                                        fork_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

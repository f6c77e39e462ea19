#include "unit/catalog/repair/repair_fixture.h"

#include <string.h>

#include "catalog/registry/registry_load.h"
#include "lance/branch_name.h"
#include "store/preview_store.h"
#include "unit/unit.h"

int run_repair(struct store *store, enum repair_orphans orphans, struct repair_report *report,
               struct error *err)
{
    const struct repair_settings settings = {.orphans = orphans};
    struct layout *layout;
    assert_int_equal(layout_new("", "storage/", "/srv/graph/storage", &layout, NULL), 0);
    return catalog_repair(store, layout, &settings, NULL, report, err);
}

static void repair(struct fork_fixture *fixture, enum repair_orphans orphans, bool dry_run,
                   struct repair_report *report)
{
    struct store *store = fault_store_new(fixture->store, false);
    struct error err;
    if (run_repair(dry_run ? preview_store_new(store) : store, orphans, report, &err) != 0)
        fail_msg("%s", err.text);
}

/* All lines, for comparing and for messages. g_free(). */
static char *join_actions(const struct repair_report *report)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < report->actions->len; i++)
        g_string_append_printf(text, "%s\n", (char *)g_ptr_array_index(report->actions, i));
    return g_string_free(text, FALSE);
}

static void assert_actions(const struct repair_report *report, const char *const *parts)
{
    g_autofree char *all = join_actions(report);
    guint expected = 0;
    for (; parts[expected]; expected++) {
        if (expected >= report->actions->len)
            break;
        if (!strstr(g_ptr_array_index(report->actions, expected), parts[expected]))
            fail_msg("action %u does not say '%s':\n%s", expected, parts[expected], all);
    }
    if (parts[expected] || expected != report->actions->len)
        fail_msg("not %s%s:\n%s", parts[expected] ? "all, of " : "so many, ",
                 parts[expected] ? parts[expected] : "", all);
}

static void assert_left(const struct repair_report *report, guint left)
{
    if (report->findings->len != left)
        fail_msg("%u findings are left, not %u, first: %s", report->findings->len, left,
                 report->findings->len > 0
                     ? ((const struct fsck_finding *)g_ptr_array_index(report->findings, 0))->text
                     : "none");
}

void assert_repairs_of(struct fork_fixture *fixture, enum repair_orphans orphans, guint left,
                       const char *const *parts)
{
    struct repair_report dry, done, again;
    g_clear_pointer(&fixture->catalog, catalog_free);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    repair(fixture, orphans, true, &dry);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    repair(fixture, orphans, false, &done);
    g_autofree char *planned = join_actions(&dry);
    g_autofree char *made = join_actions(&done);
    assert_string_equal(planned, made);
    assert_actions(&done, parts);
    assert_left(&dry, left);
    assert_left(&done, left);
    repair(fixture, orphans, false, &again);
    assert_actions(&again, (const char *const[]){NULL});
    assert_left(&again, left);
    repair_report_clear(&dry);
    repair_report_clear(&done);
    repair_report_clear(&again);
}

/* The code; *ret_fired: whether it came to the n-th request. */
static int repair_killed_at(struct fork_fixture *fixture, enum repair_orphans orphans, unsigned n,
                            bool *ret_fired)
{
    struct repair_report report;
    struct store *faults = fault_store_new(fixture->store, false);
    fault_store_arm(faults, FAULT_KILL, FAULT_ALL, n, true, ERR_UNREACHABLE);
    int code = run_repair(fault_store_new(faults, false), orphans, &report, NULL);
    *ret_fired = fault_store_fired(faults);
    repair_report_clear(&report);
    store_free(faults);
    return code;
}

void assert_repairs_killed(struct fork_fixture *fixture, enum repair_orphans orphans)
{
    bool fired = true;
    g_clear_pointer(&fixture->catalog, catalog_free);
    for (unsigned n = 1; fired; n++) {
        int code = repair_killed_at(fixture, orphans, n, &fired);
        assert_true(fired || code == 0);
    }
    fixture_assert_clean(fixture->store);
    fixture_assert_whole(fixture->store);
}

struct fork_entry *stored_entry(struct fork_fixture *fixture, const char *name)
{
    auto_registry struct registry *registry = NULL;
    assert_int_equal(registry_load(fixture->store, FIXTURE_REGISTRY, NULL, NULL, &registry, NULL),
                     0);
    struct fork_entry *entry = registry_find(registry, name);
    return entry ? fork_entry_ref(entry) : NULL;
}

char *put_orphan_branch(struct fork_fixture *fixture, const char *id, bool with_data)
{
    g_autofree char *name = g_strdup_printf("fork_%s_vertices_Person", id);
    g_autofree char *own_ref = lance_branch_ref_key(FORK_DATASET, fixture->branch);
    g_autofree char *ref = lance_branch_ref_key(FORK_DATASET, name);
    g_autofree char *text = fixture_read(fixture->store, own_ref);
    fixture_put(fixture->store, ref, text);
    g_autofree char *tree = lance_branch_tree_prefix(FORK_DATASET, name);
    g_autofree char *data = g_strconcat(tree, "data/1.lance", NULL);
    if (with_data)
        fixture_put(fixture->store, data, "rows");
    return g_steal_pointer(&name);
}

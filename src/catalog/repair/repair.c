#include "catalog/repair/repair.h"

#include "catalog/fsck/fsck.h"
#include "catalog/repair/repair_private.h"

/* Parents before what is unfinished, since a fork with children is not finished, and so are tags;
 * adopted before that what may be a parent, and purged last what nobody has turned out to need. */
static int take_steps(struct repair *repair, struct error *err)
{
    static int (*const steps[])(struct repair *, struct error *) = {
        repair_adopt, repair_parents, repair_tags, repair_unfinished, repair_purge,
    };
    int code = 0;
    for (size_t i = 0; code == 0 && i < G_N_ELEMENTS(steps); i++)
        code = steps[i](repair, err);
    return code;
}

/* The catalog takes over store and layout, if it can be opened. */
static int open_catalog_of(struct repair *repair, struct layout *layout, struct error *err)
{
    const struct catalog_settings settings = {.shared = repair->settings->shared &&
                                                        !repair->settings->unconditional};
    return catalog_open(repair->store, layout, &settings, repair->operation, &repair->catalog, err);
}

static int repair_store(struct repair *repair, struct layout *layout, GPtrArray **ret_findings,
                        struct error *err)
{
    g_autoptr(GPtrArray) before = NULL;
    int code = catalog_fsck(repair->store, layout, repair->operation, &before, err);
    if (code || before->len == 0) {
        *ret_findings = g_steal_pointer(&before);
        return code;
    }
    code = repair_guard(repair, err);
    if (code == 0)
        code = repair_registry(repair, err);
    if (code == 0)
        code = open_catalog_of(repair, layout, err);
    if (code == 0)
        code = take_steps(repair, err);
    return code ? code : catalog_fsck(repair->store, layout, repair->operation, ret_findings, err);
}

int catalog_repair(struct store *store, struct layout *layout,
                   const struct repair_settings *settings, struct operation *operation,
                   struct repair_report *report, struct error *err)
{
    *report = (struct repair_report){.actions = g_ptr_array_new_with_free_func(g_free)};
    struct repair repair = {.store = store,
                            .layout = layout,
                            .settings = settings,
                            .operation = operation,
                            .actions = report->actions};
    int code = repair_store(&repair, layout, &report->findings, err);
    if (repair.catalog) {
        catalog_free(repair.catalog);
    } else {
        store_free_within(store, STORE_FREE_LONGEST_MS);
        layout_free(layout);
    }
    return code;
}

void repair_report_clear(struct repair_report *report)
{
    g_clear_pointer(&report->actions, g_ptr_array_unref);
    g_clear_pointer(&report->findings, g_ptr_array_unref);
}

#include <string.h>

#include "base/timestamp.h"
#include "catalog/burial.h"
#include "catalog/fork_remains.h"
#include "catalog/recovery_private.h"
#include "catalog/transitions.h"

/* Of the branches that a document records, those that carry its own id. */
static GPtrArray *branches_by_id(const struct fork_entry *entry)
{
    GPtrArray *branches = dataset_branches_new();
    g_autofree char *prefix = layout_branch_name(&entry->id, "");
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        if (g_str_has_prefix(pair->branch, prefix))
            g_ptr_array_add(branches, dataset_branch_new(pair->dataset, pair->branch));
    }
    return branches;
}

/* A tombstone without entry is finished by its id. Nothing vouches for the document, so branches of
 * other names are not deleted on its word. */
static int finish_without_entry(struct catalog *catalog, const struct tombstone *tombstone,
                                const struct registry *registry, struct operation *operation,
                                struct error *err)
{
    const struct fork_entry *entry = tombstone->entry;
    g_autoptr(GPtrArray) branches = branches_by_id(entry);
    int code = transition_check_childless(registry, &entry->id, err);
    if (code == 0)
        code = fork_remains_check_names(entry->datasets, err);
    if (code)
        return code;
    struct burial burial = {.id = &entry->id, .branches = branches};
    bury(catalog, &burial, 1, operation);
    return error_copy(err, &burial.error);
}

static int recover_tombstone(struct catalog *catalog, const struct tombstone *tombstone,
                             struct operation *operation, struct error *err)
{
    if (!tombstone->entry)
        return error_copy(err, &tombstone->problem);
    g_autofree char *expected = layout_tombstone_key(catalog->layout, &tombstone->entry->id);
    if (strcmp(expected, tombstone->key) != 0)
        return error_set(err, ERR_CORRUPT, "it is about fork %s, which is not its file name",
                         tombstone->entry->id.text);
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *live = registry_find_id(registry, &tombstone->entry->id);
    if (!live)
        return finish_without_entry(catalog, tombstone, registry, operation, err);
    if (live->status == FORK_ACTIVE) /* an undecided drop: the fork stays */
        return bury_tombstone(catalog, tombstone->key, operation, err);
    return error_set(err, ERR_STALE, "its fork is %s and could not be finished",
                     fork_status_name(live->status));
}

/* Looks at all tombstones, so that those which may not be finished yet are watched. Several mounts
 * may recover at the same time: one whose fork is unfinished goes with it. */
static bool may_recover(struct catalog *catalog, const struct tombstone *tombstone)
{
    int64_t wait_ms = takeover_wait_ms(catalog->takeover, TAKEOVER_TOMBSTONE, tombstone->key,
                                       tombstone->body->data, monotonic_now_ns());
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *live =
        tombstone->entry ? registry_find_id(registry, &tombstone->entry->id) : NULL;
    return wait_ms == 0 && !(catalog->settings.shared && live && live->status != FORK_ACTIVE);
}

bool recovery_has_tombstones(struct catalog *catalog)
{
    g_autoptr(GPtrArray) tombstones = tombstones_list(catalog->tombstones);
    bool any = false;
    takeover_begin_look(catalog->takeover, TAKEOVER_TOMBSTONE);
    for (guint i = 0; i < tombstones->len; i++)
        any = may_recover(catalog, g_ptr_array_index(tombstones, i)) || any;
    takeover_end_look(catalog->takeover, TAKEOVER_TOMBSTONE, monotonic_now_ns());
    return any;
}

int recovery_of_tombstones(struct catalog *catalog, struct operation *operation,
                           struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) tombstones = tombstones_list(catalog->tombstones);
    for (guint i = 0; i < tombstones->len; i++) {
        const struct tombstone *tombstone = g_ptr_array_index(tombstones, i);
        struct error problem = {0};
        if (!may_recover(catalog, tombstone))
            continue;
        int code = recover_tombstone(catalog, tombstone, operation, &problem);
        if (code == 0)
            report->orphans++;
        else if (recovery_is_about_one_fork(code))
            recovery_report_problem(report, &problem, "tombstone", tombstone->key);
        else
            return error_copy(err, &problem);
    }
    return 0;
}

#include "catalog/catalog.h"

#include <string.h>

#include "catalog/burial.h"
#include "catalog/catalog_private.h"
#include "catalog/fork_remains.h"
#include "catalog/orphans.h"
#include "catalog/transitions.h"

void recovery_report_clear(struct recovery_report *report)
{
    if (report->problems)
        g_ptr_array_unref(report->problems);
    report->problems = NULL;
}

static void note_problem(struct recovery_report *report, const struct error *problem,
                         const char *what, const char *object)
{
    g_ptr_array_add(report->problems,
                    g_strdup_printf("%s %s was left alone: %s", what, object, problem->text));
}

/* Whether an error is about the document at hand, so that recovery can go on with the next. */
static bool is_about_document(int code)
{
    return code == ERR_CORRUPT || code == ERR_UNSUPPORTED || code == ERR_STALE;
}

/* What a creator may have made: what the entry records, and the fork's branch of every candidate
 * (creators before forkfs recorded nothing until the end). */
static GPtrArray *branches_of_pending(const struct fork_entry *entry, const GPtrArray *candidates)
{
    GPtrArray *branches = dataset_branches_new();
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_ptr_array_add(branches, dataset_branch_new(pair->dataset, pair->branch));
    }
    for (guint i = 0; i < candidates->len; i++) {
        const char *dataset = g_ptr_array_index(candidates, i);
        g_autofree char *branch = layout_branch_name(&entry->id, dataset);
        if (g_strcmp0(fork_entry_branch(entry, dataset), branch) != 0)
            g_ptr_array_add(branches, dataset_branch_new(dataset, branch));
    }
    return branches;
}

/* Datasets whose name can be part of a branch name; others cannot have a fork's branch. */
static int list_candidates(struct catalog *catalog, struct operation *operation, GPtrArray **ret,
                           struct error *err)
{
    GPtrArray *candidates = NULL;
    int code = fork_point_datasets(catalog->fork_points, operation, &candidates, err);
    if (code)
        return code;
    for (guint i = 0; i < candidates->len;) {
        if (layout_dataset_name_is_safe(g_ptr_array_index(candidates, i)))
            i++;
        else
            g_ptr_array_remove_index(candidates, i);
    }
    *ret = candidates;
    return 0;
}

/* ---- Entries ---- */

static int recover_entry(struct catalog *catalog, const struct fork_entry *entry,
                         const GPtrArray *candidates, struct operation *operation,
                         struct error *err)
{
    int code = fork_remains_check_names(entry->datasets, err);
    if (code)
        return code;
    if (entry->status == FORK_TOMBSTONED)
        return bury(catalog, entry, entry->datasets, operation, err);
    code = transition_commit(catalog->committer,
                             (struct transition){.kind = TRANSITION_FENCE, .id = &entry->id},
                             operation, err);
    if (code)
        return code;
    g_autoptr(GPtrArray) branches = branches_of_pending(entry, candidates);
    return bury(catalog, entry, branches, operation, err);
}

static int recover_entries(struct catalog *catalog, const GPtrArray *candidates,
                           struct operation *operation, struct recovery_report *report,
                           struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (entry->status == FORK_ACTIVE)
            continue;
        struct error problem = {0};
        int code = 0;
        if (registry_id_is_ambiguous(registry, &entry->id))
            code = error_set(&problem, ERR_CORRUPT, "several entries have its id");
        if (code == 0)
            code = recover_entry(catalog, entry, candidates, operation, &problem);
        if (code == 0)
            *(entry->status == FORK_PENDING ? &report->rolled_back : &report->finished) += 1;
        else if (is_about_document(code))
            note_problem(report, &problem, "fork", entry->id.text);
        else
            return error_copy(err, &problem);
    }
    return 0;
}

/* ---- Tombstones ---- */

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
    int code = fork_remains_check_names(entry->datasets, err);
    if (code == 0)
        code = fork_remains_delete_one(catalog->store, catalog->layout, catalog->settings.log,
                                       registry, &entry->id, branches, operation, err);
    if (code == 0)
        code = bury_tombstone(catalog, tombstone->key, operation, err);
    return code;
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

static int recover_tombstones(struct catalog *catalog, struct operation *operation,
                              struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) tombstones = tombstones_list(catalog->tombstones);
    for (guint i = 0; i < tombstones->len; i++) {
        const struct tombstone *tombstone = g_ptr_array_index(tombstones, i);
        struct error problem = {0};
        int code = recover_tombstone(catalog, tombstone, operation, &problem);
        if (code == 0)
            report->orphans++;
        else if (is_about_document(code))
            note_problem(report, &problem, "tombstone", tombstone->key);
        else
            return error_copy(err, &problem);
    }
    return 0;
}

/* ---- The whole ---- */

/* Temporary files of writers that crashed while they wrote a document of the catalog. */
static int prune_documents(struct catalog *catalog, struct operation *operation, struct error *err)
{
    g_autofree char *registry = layout_registry_key(catalog->layout);
    g_autofree char *tombstones = layout_tombstones_prefix(catalog->layout);
    g_autofree char *overlays = layout_overlays_prefix(catalog->layout);
    struct store_set *set = store_set_new();
    store_set_prune(set, registry);
    store_set_prune(set, tombstones);
    store_set_prune(set, overlays);
    int code = store_run(catalog->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, 0, err);
    store_set_unref(set);
    return code;
}

static bool has_unfinished(struct catalog *catalog)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    for (guint i = 0; i < registry->entries->len; i++)
        if (((const struct fork_entry *)g_ptr_array_index(registry->entries, i))->status !=
            FORK_ACTIVE)
            return true;
    return false;
}

static int recover(struct catalog *catalog, struct operation *operation,
                   struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) candidates = NULL;
    int code = committer_reload(catalog->committer, operation, err);
    if (code == 0)
        code =
            tombstones_load(catalog->tombstones, catalog->store, catalog->layout, operation, err);
    if (code == 0 && has_unfinished(catalog))
        code = list_candidates(catalog, operation, &candidates, err);
    if (code == 0 && candidates)
        code = recover_entries(catalog, candidates, operation, report, err);
    if (code == 0)
        code = recover_tombstones(catalog, operation, report, err);
    if (code == 0)
        code = orphans_remove(catalog, operation, report, err);
    if (code == 0)
        code = prune_documents(catalog, operation, err);
    return code;
}

int catalog_recover(struct catalog *catalog, struct operation *operation,
                    struct recovery_report *report, struct error *err)
{
    *report = (struct recovery_report){.problems = g_ptr_array_new_with_free_func(g_free)};
    if (catalog->settings.read_only)
        return error_set(err, ERR_READ_ONLY, "the catalog is mounted read-only");
    struct error failure = {0};
    int code = recover(catalog, operation, report, &failure);
    __atomic_fetch_add(&catalog->rolled_back, report->rolled_back, __ATOMIC_RELAXED);
    __atomic_fetch_add(&catalog->finished, report->finished, __ATOMIC_RELAXED);
    __atomic_fetch_add(&catalog->orphans, report->orphans, __ATOMIC_RELAXED);
    if (code) {
        error_prefix(&failure, "recovering the catalog");
        error_copy(err, &failure);
    }
    return code;
}

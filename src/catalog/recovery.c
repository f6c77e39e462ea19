#include "catalog/catalog.h"

#include <string.h>

#include "catalog/burial.h"
#include "catalog/catalog_private.h"
#include "catalog/fork_remains.h"
#include "catalog/orphans.h"
#include "catalog/registration_intent.h"
#include "catalog/tag_intent.h"
#include "catalog/transitions.h"
#include "lance/branch_name.h"

void recovery_report_clear(struct recovery_report *report)
{
    if (report->problems)
        g_ptr_array_unref(report->problems);
    report->problems = NULL;
}

void recovery_report_problem(struct recovery_report *report, const struct error *reason,
                             const char *what, const char *object)
{
    struct error *problem = g_new0(struct error, 1);
    error_set(problem, reason->code, "%s %s was left alone: %s", what, object, reason->text);
    g_ptr_array_add(report->problems, problem);
}

/* Whether an error is about the fork at hand, so that recovery can go on with the next: its
 * documents, or an object of it that cannot be deleted. Only a store that is out of reach ends
 * recovery. */
static bool is_about_one_fork(int code)
{
    return code == ERR_ACCESS || code == ERR_IO || code == ERR_CORRUPT || code == ERR_UNSUPPORTED ||
           code == ERR_STALE || code == ERR_EXISTS || code == ERR_NOT_EMPTY;
}

/* ---- Entries ---- */

/* An entry that is neither active nor given up on. */
struct unfinished {
    struct fork_entry *entry; /* owned by the registry that recovery started with */
    GPtrArray *branches;      /* struct dataset_branch */
    bool done;
    struct error problem;
};

static void unfinished_free(void *pointer)
{
    struct unfinished *fork = pointer;
    g_ptr_array_unref(fork->branches);
    g_free(fork);
}

static GPtrArray *list_unfinished(const struct registry *registry, const GPtrArray *candidates)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(unfinished_free);
    for (guint i = 0; i < registry->entries->len; i++) {
        struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (entry->status == FORK_ACTIVE)
            continue;
        struct unfinished *fork = g_new0(struct unfinished, 1);
        fork->entry = entry;
        fork->branches = burial_branches(entry, candidates);
        if (registry_id_is_ambiguous(registry, &entry->id))
            error_set(&fork->problem, ERR_CORRUPT, "several entries have its id");
        else
            fork_remains_check_names(entry->datasets, &fork->problem);
        g_ptr_array_add(list, fork);
    }
    return list;
}

/* Those that no fork descends from (any more). A child's files lie in part in its parent's
 * branches, so children go first, and a parent with a child that stays, too. */
static GPtrArray *choose_childless(struct catalog *catalog, const GPtrArray *list)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    GPtrArray *chosen = g_ptr_array_new();
    for (guint i = 0; i < list->len; i++) {
        struct unfinished *fork = g_ptr_array_index(list, i);
        if (!fork->done && fork->problem.code == 0 &&
            transition_check_childless(registry, &fork->entry->id, NULL) == 0)
            g_ptr_array_add(chosen, fork);
    }
    return chosen;
}

/* One commit for all that are well: the pending ones fenced, or (`kind`) all removed. */
static void commit_all(struct catalog *catalog, GPtrArray *forks, enum transition_kind kind,
                       struct operation *operation)
{
    g_autofree struct transition *list = g_new0(struct transition, forks->len);
    g_autoptr(GPtrArray) committed = g_ptr_array_new();
    for (guint i = 0; i < forks->len; i++) {
        struct unfinished *fork = g_ptr_array_index(forks, i);
        if (fork->problem.code || (kind == TRANSITION_FENCE && fork->entry->status != FORK_PENDING))
            continue;
        list[committed->len] = (struct transition){.kind = kind, .id = &fork->entry->id};
        g_ptr_array_add(committed, fork);
    }
    transitions_commit(catalog->committer, list, committed->len, operation);
    for (guint i = 0; i < committed->len; i++) {
        struct unfinished *fork = g_ptr_array_index(committed, i);
        fork->problem = list[i].error;
        fork->done = kind == TRANSITION_REMOVE && list[i].code == 0;
    }
}

static void bury_all(struct catalog *catalog, GPtrArray *forks, struct operation *operation)
{
    g_autofree struct burial *list = g_new0(struct burial, forks->len);
    g_autoptr(GPtrArray) buried = g_ptr_array_new();
    for (guint i = 0; i < forks->len; i++) {
        struct unfinished *fork = g_ptr_array_index(forks, i);
        if (fork->problem.code)
            continue;
        list[buried->len] = (struct burial){.id = &fork->entry->id, .branches = fork->branches};
        g_ptr_array_add(buried, fork);
    }
    bury(catalog, list, buried->len, operation);
    for (guint i = 0; i < buried->len; i++)
        ((struct unfinished *)g_ptr_array_index(buried, i))->problem = list[i].error;
}

/* What came of the entries; the first error of the store. */
static int report_unfinished(struct catalog *catalog, const GPtrArray *list,
                             struct recovery_report *report, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    int code = 0;
    for (guint i = 0; i < list->len; i++) {
        struct unfinished *fork = g_ptr_array_index(list, i);
        const struct ulid *id = &fork->entry->id;
        if (fork->done)
            *(fork->entry->status == FORK_PENDING ? &report->rolled_back : &report->finished) += 1;
        else if (fork->problem.code == 0)
            transition_check_childless(registry, id, &fork->problem);
        if (fork->problem.code && is_about_one_fork(fork->problem.code))
            recovery_report_problem(report, &fork->problem, "fork", id->text);
        else if (fork->problem.code && code == 0)
            code = error_copy(err, &fork->problem);
    }
    return code;
}

static int recover_entries(struct catalog *catalog, const GPtrArray *candidates,
                           struct operation *operation, struct recovery_report *report,
                           struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autoptr(GPtrArray) list = list_unfinished(registry, candidates);
    for (;;) {
        g_autoptr(GPtrArray) forks = choose_childless(catalog, list);
        if (forks->len == 0)
            break;
        commit_all(catalog, forks, TRANSITION_FENCE, operation);
        bury_all(catalog, forks, operation);
        commit_all(catalog, forks, TRANSITION_REMOVE, operation);
    }
    return report_unfinished(catalog, list, report, err);
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
        else if (is_about_one_fork(code))
            recovery_report_problem(report, &problem, "tombstone", tombstone->key);
        else
            return error_copy(err, &problem);
    }
    return 0;
}

/* ---- The whole ---- */

/* Temporary files of writers that crashed while they wrote a document of the catalog or a tag ref.
 */
static int prune_documents(struct catalog *catalog, const GPtrArray *datasets,
                           struct operation *operation, struct error *err)
{
    g_autofree char *registry = layout_registry_key(catalog->layout);
    g_autofree char *tombstones = layout_tombstones_prefix(catalog->layout);
    g_autofree char *overlays = layout_overlays_prefix(catalog->layout);
    g_autofree char *registrations = layout_registrations_prefix(catalog->layout);
    g_autofree char *taggings = layout_taggings_prefix(catalog->layout);
    struct store_set *set = store_set_new();
    store_set_prune(set, registry);
    store_set_prune(set, tombstones);
    store_set_prune(set, overlays);
    store_set_prune(set, registrations);
    store_set_prune(set, taggings);
    for (guint i = 0; i < datasets->len; i++) {
        g_autofree char *dataset =
            layout_dataset_key(catalog->layout, g_ptr_array_index(datasets, i));
        g_autofree char *refs = lance_tag_refs_prefix(dataset);
        store_set_prune(set, refs);
    }
    int code = store_run(catalog->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, 0, err);
    store_set_unref(set);
    return code;
}

static int recover(struct catalog *catalog, struct operation *operation,
                   struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) datasets = NULL;
    /* The registry after the tombstones: one of a fork made and dropped meanwhile elsewhere must
     * not pass for one without an entry. */
    int code =
        tombstones_load(catalog->tombstones, catalog->store, catalog->layout, operation, err);
    if (code == 0)
        code = committer_reload(catalog->committer, operation, err);
    if (code == 0)
        code = burial_candidates(catalog, operation, &datasets, err);
    if (code == 0)
        code = recover_entries(catalog, datasets, operation, report, err);
    if (code == 0)
        code = recover_tombstones(catalog, operation, report, err);
    if (code == 0)
        code = registration_intents_recover(catalog, operation, report, err);
    if (code == 0)
        code = tag_intents_recover(catalog, operation, report, err);
    if (code == 0)
        code = orphans_remove(catalog, operation, report, err);
    if (code == 0)
        code = prune_documents(catalog, datasets, operation, err);
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

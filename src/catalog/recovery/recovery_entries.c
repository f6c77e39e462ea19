/*
 * Entries that are not active: half-made forks are rolled back, decided drops finished.
 */
#include "base/timestamp.h"
#include "catalog/change/deletion.h"
#include "catalog/fork/foreign_branches.h"
#include "catalog/fork/recorded_branches.h"
#include "catalog/recovery/recovery_private.h"
#include "catalog/registry/transitions.h"

/* An entry that is neither active nor given up on, and that this mount may finish. Its name is
 * locked. */
struct unfinished {
    struct fork_entry *entry;
    GPtrArray *branches; /* struct dataset_branch; NULL until they are chosen */
    bool done;
    bool kept; /* something hangs on it, which `problem` says */
    struct error problem;
};

static void unfinished_free(void *pointer)
{
    struct unfinished *fork = pointer;
    fork_entry_unref(fork->entry);
    if (fork->branches)
        g_ptr_array_unref(fork->branches);
    g_free(fork);
}

/* Unless somebody works on the fork in this mount, or has done so since the registry was looked at.
 */
static bool lock_unfinished(struct catalog *catalog, const struct fork_entry *entry)
{
    if (!name_locks_try(catalog->names, fork_entry_name(entry)))
        return false;
    auto_registry struct registry *latest = catalog_registry(catalog);
    const struct fork_entry *same = registry_find_id(latest, &entry->id);
    if (registry_id_is_ambiguous(latest, &entry->id) ||
        (same && g_strcmp0(same->text, entry->text) == 0))
        return true;
    name_locks_release(catalog->names, fork_entry_name(entry));
    return false;
}

bool recovery_has_entries(struct catalog *catalog)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    bool any = false;
    takeover_begin_look(catalog->takeover, TAKEOVER_ENTRY);
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (entry->status == FORK_ACTIVE || !catalog_may_take_over(catalog, entry, NULL))
            continue;
        any = any || !kept_forks_rests(catalog->kept, &entry->id);
    }
    takeover_end_look(catalog->takeover, TAKEOVER_ENTRY, monotonic_now_ns());
    return any;
}

/* Adds an entry if it is not active and this mount may finish it now. */
static void add_unfinished(struct catalog *catalog, const struct registry *registry,
                           struct fork_entry *entry, GPtrArray *list)
{
    if (entry->status == FORK_ACTIVE || !catalog_may_take_over(catalog, entry, NULL) ||
        !lock_unfinished(catalog, entry))
        return;
    struct unfinished *fork = g_new0(struct unfinished, 1);
    fork->entry = fork_entry_ref(entry);
    if (registry_id_is_ambiguous(registry, &entry->id))
        error_set(&fork->problem, ERR_CORRUPT, "several entries have its id");
    else
        deletion_check_names(entry->datasets, &fork->problem);
    g_ptr_array_add(list, fork);
}

/* Looks at all entries, so that those which may not be finished yet are watched. */
static void list_all(struct catalog *catalog, GPtrArray *list)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    takeover_begin_look(catalog->takeover, TAKEOVER_ENTRY);
    for (guint i = 0; i < registry->entries->len; i++)
        add_unfinished(catalog, registry, g_ptr_array_index(registry->entries, i), list);
    takeover_end_look(catalog->takeover, TAKEOVER_ENTRY, monotonic_now_ns());
}

static void list_some(struct catalog *catalog, const GPtrArray *ids, GPtrArray *list)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    for (guint i = 0; i < ids->len; i++) {
        struct fork_entry *entry = registry_find_id(registry, g_ptr_array_index(ids, i));
        if (entry)
            add_unfinished(catalog, registry, entry, list);
    }
}

static void unlock_unfinished(struct catalog *catalog, const GPtrArray *list)
{
    for (guint i = 0; i < list->len; i++) {
        const struct unfinished *fork = g_ptr_array_index(list, i);
        name_locks_release(catalog->names, fork_entry_name(fork->entry));
    }
}

/* Entries that no fork descends from (any more). A child's files lie in part in its parent's
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

/* Once fenced or removed, a fork cannot be brought back to life by anybody. */
static void note_committed(struct catalog *catalog, struct unfinished *fork,
                           enum transition_kind kind)
{
    fork->done = kind == TRANSITION_REMOVE && fork->problem.code == 0;
    if (fork->done)
        takeover_forget(catalog->takeover, TAKEOVER_ENTRY, fork->entry->id.text);
    else if (fork->problem.code == 0)
        takeover_add_own(catalog->takeover, TAKEOVER_ENTRY, fork->entry->id.text,
                         monotonic_now_ns());
}

static struct transition transition_of(const struct catalog *catalog, struct unfinished *fork,
                                       enum transition_kind kind, const struct timespec *now)
{
    return (struct transition){.kind = kind,
                               .id = &fork->entry->id,
                               .entry = fork->entry,
                               .decided_at = catalog_is_shared(catalog) ? now : NULL,
                               .err = &fork->problem};
}

/* One commit for all that are well: fenced, or (`kind`) removed. Pending ones are fenced off from
 * who makes them, tombstoned ones among several writers from who may still take the decision back;
 * and a decision that was read, perhaps of a process that was killed, is made durable before it is
 * acted on.
 */
static void commit_all(struct catalog *catalog, GPtrArray *forks, enum transition_kind kind,
                       struct operation *operation)
{
    g_autofree struct transition *list = g_new0(struct transition, forks->len);
    g_autoptr(GPtrArray) committed = g_ptr_array_new();
    const struct timespec now = timestamp_now();
    for (guint i = 0; i < forks->len; i++) {
        struct unfinished *fork = g_ptr_array_index(forks, i);
        if (fork->problem.code)
            continue;
        list[committed->len] = transition_of(catalog, fork, kind, &now);
        g_ptr_array_add(committed, fork);
    }
    transitions_commit(catalog->committer, list, committed->len, operation);
    for (guint i = 0; i < committed->len; i++) {
        struct unfinished *fork = g_ptr_array_index(committed, i);
        note_committed(catalog, fork, kind);
    }
}

static void delete_forks(struct catalog *catalog, GPtrArray *forks, struct operation *operation)
{
    struct deletions *deletions = deletions_new(catalog);
    for (guint i = 0; i < forks->len; i++) {
        struct unfinished *fork = g_ptr_array_index(forks, i);
        const struct deletion deletion = {
            .id = &fork->entry->id, .branches = fork->branches, .err = &fork->problem};
        if (fork->problem.code == 0)
            deletions_add(deletions, &deletion);
    }
    deletions_run(deletions, operation);
    deletions_free(deletions);
}

/* The fork's creator came back to life and finished it, or another mount is faster. */
static bool is_decided_elsewhere(const struct catalog *catalog, int code)
{
    return catalog_is_shared(catalog) && (code == ERR_EXISTS || code == ERR_STALE);
}

/* Notes what users see in `tombstones`. */
static void note_kept(struct catalog *catalog, struct unfinished *fork)
{
    if (fork->problem.code)
        kept_forks_put(catalog->kept, &fork->entry->id, &fork->problem);
    else
        kept_forks_remove(catalog->kept, &fork->entry->id);
    if (fork->kept)
        error_prefix(&fork->problem, fork->problem.code, "it stays tombstoned");
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
        if (is_decided_elsewhere(catalog, fork->problem.code))
            continue;
        note_kept(catalog, fork);
        if (fork->problem.code && recovery_is_about_one_fork(fork->problem.code))
            recovery_report_problem(report, &fork->problem, "fork", id->text);
        else if (fork->problem.code && code == 0)
            code = error_copy(err, &fork->problem);
    }
    return code;
}

static int choose_branches(struct catalog *catalog, const GPtrArray *list,
                           struct operation *operation, struct error *err)
{
    g_autoptr(GPtrArray) candidates = NULL;
    int code = deletion_candidates(catalog->fork_points, operation, &candidates, err);
    for (guint i = 0; code == 0 && i < list->len; i++) {
        struct unfinished *fork = g_ptr_array_index(list, i);
        fork->branches = deletion_branches(fork->entry, candidates);
        if (fork->problem.code == 0)
            recorded_branches_check_seen(catalog->fork_points, fork->entry->datasets, candidates,
                                         &fork->problem);
        if (fork->problem.code == 0)
            foreign_branches_check(catalog->store, catalog->layout, fork->entry->datasets,
                                   operation, &fork->problem);
    }
    return code;
}

/* Whoever decided on a drop may not have come to ask whether other mounts hold the fork. One that
 * is held is left alone until it is not. */
static int check_unheld(struct catalog *catalog, const GPtrArray *list, struct operation *operation,
                        struct error *err)
{
    if (!catalog->leases)
        return 0;
    int64_t since_ns = leases_now_ns(catalog->leases);
    int code = leases_refresh(catalog->leases, operation, err);
    for (guint i = 0; code == 0 && i < list->len; i++) {
        struct unfinished *fork = g_ptr_array_index(list, i);
        if (fork->problem.code == 0 && fork->entry->status == FORK_TOMBSTONED)
            catalog_check_unheld(catalog, &fork->entry->id, since_ns, &fork->problem);
    }
    return code;
}

/* Nor to look whether somebody tagged it at the last moment, and was told that this is done; and
 * Uni decides on tagged forks, too. Of one that something hangs on nothing is deleted. */
static void check_descendants(struct catalog *catalog, const GPtrArray *list,
                              struct operation *operation)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autofree struct descendants_query *queries = g_new0(struct descendants_query, list->len);
    g_autoptr(GPtrArray) forks = g_ptr_array_new();
    for (guint i = 0; i < list->len; i++) {
        struct unfinished *fork = g_ptr_array_index(list, i);
        if (fork->problem.code)
            continue;
        queries[forks->len] = (struct descendants_query){
            .entry = fork->entry, .branches = fork->branches, .err = &fork->problem};
        g_ptr_array_add(forks, fork);
    }
    if (forks->len == 0)
        return;
    descendants_check(catalog->descendants, registry, queries, forks->len, NULL, operation);
    for (guint i = 0; i < forks->len; i++) {
        struct unfinished *fork = g_ptr_array_index(forks, i);
        fork->kept = fork->problem.code && recovery_is_about_one_fork(fork->problem.code);
    }
}

/* A half-made fork that somebody has used meanwhile stays, but will not be finished by its maker
 * any more. */
static void fence_kept(struct catalog *catalog, const GPtrArray *list, struct operation *operation)
{
    g_autofree struct transition *fences = g_new0(struct transition, list->len);
    g_autofree struct error *failures = g_new0(struct error, list->len);
    g_autoptr(GPtrArray) fenced = g_ptr_array_new();
    const struct timespec now = timestamp_now();
    for (guint i = 0; i < list->len; i++) {
        struct unfinished *fork = g_ptr_array_index(list, i);
        if (!fork->kept || fork->entry->status != FORK_PENDING)
            continue;
        fences[fenced->len] = transition_of(catalog, fork, TRANSITION_FENCE, &now);
        fences[fenced->len].err = &failures[fenced->len];
        g_ptr_array_add(fenced, fork);
    }
    transitions_commit(catalog->committer, fences, fenced->len, operation);
    for (guint i = 0; i < fenced->len; i++) {
        struct unfinished *fork = g_ptr_array_index(fenced, i);
        if (failures[i].code)
            fork->problem = failures[i];
        else
            takeover_add_own(catalog->takeover, TAKEOVER_ENTRY, fork->entry->id.text,
                             monotonic_now_ns());
    }
}

static int finish_all(struct catalog *catalog, const GPtrArray *list, struct operation *operation,
                      struct recovery_report *report, struct error *err)
{
    int code = check_unheld(catalog, list, operation, err);
    if (code == 0)
        code = choose_branches(catalog, list, operation, err);
    if (code)
        return code;
    check_descendants(catalog, list, operation);
    fence_kept(catalog, list, operation);
    for (;;) {
        g_autoptr(GPtrArray) forks = choose_childless(catalog, list);
        if (forks->len == 0)
            break;
        commit_all(catalog, forks, TRANSITION_FENCE, operation);
        delete_forks(catalog, forks, operation);
        commit_all(catalog, forks, TRANSITION_REMOVE, operation);
    }
    return report_unfinished(catalog, list, report, err);
}

static int finish_list(struct catalog *catalog, const GPtrArray *list, struct operation *operation,
                       struct recovery_report *report, struct error *err)
{
    if (list->len == 0)
        return 0;
    int code = finish_all(catalog, list, operation, report, err);
    unlock_unfinished(catalog, list);
    return code;
}

/* Where recovery does not come by from time to time the caretaker goes on with what could not be
 * finished, unless that does not go away by itself. */
static void leave_unfinished(struct catalog *catalog, const GPtrArray *list)
{
    for (guint i = 0; !catalog_is_shared(catalog) && i < list->len; i++) {
        const struct unfinished *fork = g_ptr_array_index(list, i);
        const struct leftover left = {.kind = LEFTOVER_ENTRY, .id = fork->entry->id};
        if (!fork->done && !kept_forks_rests(catalog->kept, &fork->entry->id))
            leftovers_add(catalog->leftovers, &left, 0);
    }
}

int recovery_of_entries(struct catalog *catalog, struct operation *operation,
                        struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(unfinished_free);
    list_all(catalog, list);
    int code = finish_list(catalog, list, operation, report, err);
    leave_unfinished(catalog, list);
    return code;
}

int recovery_of_some_entries(struct catalog *catalog, const GPtrArray *ids,
                             struct operation *operation, struct recovery_report *report,
                             struct error *err)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(unfinished_free);
    list_some(catalog, ids, list);
    return finish_list(catalog, list, operation, report, err);
}

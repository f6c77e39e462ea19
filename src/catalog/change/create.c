#include "base/timestamp.h"
#include "catalog/change/deletion.h"
#include "catalog/change/round.h"
#include "catalog/format/fork_name.h"
#include "lance/dataset.h"

/* ---- Preparing: everything that can fail without having written ---- */

static int find_parent(struct round *round, struct task *task, struct error *err)
{
    const char *name = task->change->parent;
    if (!name)
        return 0;
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    struct fork_entry *entry = registry_find(registry, name);
    if (!entry)
        return error_set(err, ERR_NOT_FOUND, "no parent fork '%s'", name);
    if (task->change->parent_id && !ulid_equal(task->change->parent_id, &entry->id))
        return error_set(err, ERR_NOT_FOUND, "the parent fork '%s' is gone, another has its name",
                         name);
    if (entry->status != FORK_ACTIVE)
        return transition_refuse_parent(entry, round->catalog->settings.shared, err);
    if (registry_id_is_ambiguous(registry, &entry->id))
        return error_set(err, ERR_CORRUPT, "several entries of the registry have the parent's id");
    task->parent = fork_entry_ref(entry);
    return 0;
}

/* What can be said from memory, before anything is read. */
static int check_name(struct round *round, const char *name, struct error *err)
{
    int code = fork_name_check(name, err);
    if (code)
        return code;
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    const struct fork_entry *present = registry_find(registry, name);
    if (present)
        return error_set(err, ERR_EXISTS, "the fork exists (%s, %s)", present->id.text,
                         fork_status_name(present->status));
    size_t max_forks = round->catalog->settings.max_forks;
    if (max_forks > 0 && registry->entries->len >= max_forks)
        return error_set(err, ERR_BUDGET, "the budget of %zu forks is used up", max_forks);
    if (tombstones_name_is_taken(round->catalog->tombstones, name))
        return error_set(err, ERR_EXISTS,
                         "a tombstone of a dropped fork of this name is still on the store");
    return 0;
}

static bool has_parent(const struct round_point *read, const struct fork_entry *parent)
{
    if (!read->parent || !parent)
        return read->parent == parent;
    return ulid_equal(&read->parent->id, &parent->id);
}

static struct round_point *find_point(const struct round *round, const struct task *task)
{
    for (guint i = 0; i < round->points->len; i++)
        if (has_parent(g_ptr_array_index(round->points, i), task->parent))
            return g_ptr_array_index(round->points, i);
    return NULL;
}

static bool is_being_created(const struct task *task)
{
    return task->code == 0 && task->change->kind == CHANGE_CREATE;
}

/* Which fork points are needed: one for all tasks with the same parent. */
static void collect_points(struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (!is_being_created(task))
            continue;
        task->id = ulid_new();
        task->code = check_name(round, task->change->name, &task->error);
        if (task->code == 0)
            task->code = find_parent(round, task, &task->error);
        if (task->code || find_point(round, task))
            continue;
        struct round_point *point = g_new0(struct round_point, 1);
        point->parent = task->parent ? fork_entry_ref(task->parent) : NULL;
        g_ptr_array_add(round->points, point);
    }
}

/* All of them together. */
static void read_points(struct round *round)
{
    g_autofree struct fork_point_query *queries =
        g_new0(struct fork_point_query, round->points->len);
    for (guint i = 0; i < round->points->len; i++)
        queries[i].parent = ((struct round_point *)g_ptr_array_index(round->points, i))->parent;
    fork_point_read_all(round->catalog->fork_points, queries, round->points->len, round->operation);
    for (guint i = 0; i < round->points->len; i++) {
        struct round_point *point = g_ptr_array_index(round->points, i);
        point->point = queries[i].point;
        error_copy(&point->error, &queries[i].error);
    }
}

static int take_point(const struct round *round, struct task *task, struct error *err)
{
    const struct round_point *point = find_point(round, task);
    task->point = point->point;
    return error_copy(err, &point->error);
}

/* Creation and expiry come from one look at the clock. */
static int choose_expiry(const struct round *round, const struct change *change,
                         struct fork_description *description, struct error *err)
{
    uint64_t seconds = change->ttl_seconds;
    if (change->expiry == EXPIRY_NONE)
        return 0;
    if (change->expiry == EXPIRY_DEFAULT) {
        seconds = round->catalog->settings.default_ttl_s;
        if (seconds == 0)
            return 0;
    }
    if (seconds > (uint64_t)(TIMESTAMP_MAX_SECONDS - description->created_at.tv_sec))
        return error_set(err, ERR_INVALID, "a ttl of %" PRIu64 " seconds is too long", seconds);
    description->has_expiry = true;
    description->expires_at = description->created_at;
    description->expires_at.tv_sec += (time_t)seconds;
    return 0;
}

static int describe(struct round *round, struct task *task, struct error *err)
{
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    for (guint i = 0; i < task->plans->len; i++) {
        const struct branch_plan *plan = g_ptr_array_index(task->plans, i);
        g_ptr_array_add(datasets, dataset_branch_new(plan->dataset, plan->branch));
    }
    struct fork_description description = {
        .name = task->change->name,
        .id = task->id,
        .has_parent = task->parent != NULL,
        .parent_snapshot_id = task->point->snapshot_id,
        .created_at = timestamp_now(),
        .schema_version = task->point->schema_version,
        .version_mark = task->point->version_mark,
        .datasets = datasets,
    };
    if (task->parent)
        description.parent_id = task->parent->id;
    int code = choose_expiry(round, task->change, &description, err);
    if (code == 0)
        task->entry = fork_entry_new(&description);
    return code;
}

/* Versions of datasets must not vanish between being read and being named by a ref. */
static void keep_from_compacting(struct round *round)
{
    struct error failure = {0};
    if (round->points->len == 0)
        return;
    int code = compaction_lock_acquire(round->catalog->compaction, round->operation,
                                       &round->has_compaction_lock, &failure);
    for (size_t i = 0; code && i < round->count; i++)
        if (is_being_created(&round->tasks[i]))
            round->tasks[i].code = error_copy(&round->tasks[i].error, &failure);
    if (code)
        g_ptr_array_set_size(round->points, 0);
}

void create_let_compact(struct round *round)
{
    if (round->has_compaction_lock)
        compaction_lock_release(round->catalog->compaction);
    round->has_compaction_lock = false;
}

void create_prepare(struct round *round)
{
    collect_points(round);
    keep_from_compacting(round);
    read_points(round);
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (!is_being_created(task))
            continue;
        task->code = take_point(round, task, &task->error);
        if (task->code == 0)
            task->code = fork_point_plan(task->point, round->catalog->layout, &task->id,
                                         &task->plans, &task->error);
        if (task->code == 0)
            task->code = describe(round, task, &task->error);
    }
}

/* ---- Writing ---- */

bool create_transition(struct round *round, struct task *task, struct transition *transition)
{
    if (task->code || task->change->kind != CHANGE_CREATE)
        return false;
    *transition = (struct transition){
        .kind = TRANSITION_INSERT,
        .entry = task->entry,
        .parent = task->parent,
        .decided_at = round->catalog->settings.shared ? &round->decided_at : NULL};
    return true;
}

void create_entered(struct round *round, struct task *task, const struct transition *transition)
{
    task->code = error_copy(&task->error, &transition->error);
    task->late_entry = task->code == ERR_OUTCOME_UNKNOWN;
    task->entered = task->code == 0 || task->late_entry;
}

void create_add_files(struct round *round, struct task *task, struct store_set *set)
{
    const struct layout *layout = round->catalog->layout;
    g_autofree char *allocator_key = layout_fork_allocator_key(layout, &task->id);
    g_autofree char *overlay_key = layout_overlay_key(layout, &task->id);
    auto_bytes struct bytes *allocator = allocator_render(&task->point->allocator);
    for (guint i = 0; i < task->plans->len; i++) {
        const struct branch_plan *plan = g_ptr_array_index(task->plans, i);
        g_autofree char *dataset = layout_dataset_key(layout, plan->dataset);
        lance_branch_put_requests(set, dataset, plan->branch, plan->version, plan->manifest,
                                  plan->ref);
    }
    task->overlay = overlay_of_new_fork(task->point->schemaless_types);
    store_set_put(set, allocator_key, allocator, STORE_IF_ABSENT, NULL);
    store_set_put(set, overlay_key, task->overlay, STORE_IF_ABSENT, NULL);
}

void create_files_put(struct round *round, struct task *task, struct store_set *set)
{
    if (task->code) {
        error_prefix(&task->error, "writing the branches of fork %s", task->id.text);
        return;
    }
    const struct store_request *overlay = store_set_at(set, task->end - 1);
    overlays_note_put(round->catalog->overlays, &task->id, task->overlay, overlay->answer.etag);
    task->code = operation_check(round->operation, "before activating the fork", &task->error);
}

bool create_activation(struct round *round, struct task *task, struct transition *transition)
{
    if (task->code || task->change->kind != CHANGE_CREATE)
        return false;
    *transition = (struct transition){.kind = TRANSITION_ACTIVATE, .id = &task->id};
    return true;
}

void create_activated(struct round *round, struct task *task, const struct transition *transition)
{
    task->code = error_copy(&task->error, &transition->error);
}

/* ---- Undoing ---- */

static bool needs_undo(const struct task *task)
{
    return task->change->kind == CHANGE_CREATE && task->code && task->entered;
}

static bool is_entered(struct catalog *catalog, const struct ulid *id)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    return registry_find_id(registry, id) != NULL;
}

/* Fences all that failed. A fork that turns out to be active was created after all: its
 * activation's answer was lost. One that cannot be fenced is left for recovery; one that another
 * mount has tombstoned, which may take that back, to that mount. */
static void fence(struct round *round, GPtrArray *fenced, GPtrArray *problems)
{
    g_autofree struct transition *list = g_new0(struct transition, round->count);
    g_autoptr(GPtrArray) tasks = g_ptr_array_new();
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (!needs_undo(task))
            continue;
        list[tasks->len] = (struct transition){
            .kind = TRANSITION_FENCE,
            .id = &task->id,
            .decided_at = round->catalog->settings.shared ? &round->decided_at : NULL};
        g_ptr_array_add(tasks, task);
    }
    transitions_commit(round->catalog->committer, list, tasks->len, &round->finishing);
    for (guint i = 0; i < tasks->len; i++) {
        struct task *task = g_ptr_array_index(tasks, i);
        if (list[i].code == 0 && task->late_entry && !is_entered(round->catalog, &task->id)) {
            struct error cause = task->error;
            error_set(&task->error, cause.code, "%.600s; its entry may still appear, as pending",
                      cause.text);
        } else if (list[i].code == 0) {
            g_ptr_array_add(fenced, task);
            g_ptr_array_add(problems, g_new0(struct error, 1));
        } else if (list[i].code == ERR_EXISTS) {
            task->code = 0;
            task->error = (struct error){0};
        } else {
            struct error cause = task->error;
            task->taken_over = list[i].code == ERR_STALE;
            error_set(&task->error, cause.code, "%.600s; it is left for recovery: %.350s",
                      cause.text, list[i].error.text);
        }
    }
}

static void delete_fenced(struct round *round, GPtrArray *fenced, GPtrArray *problems)
{
    struct catalog *catalog = round->catalog;
    struct deletions *deletions = deletions_new(catalog);
    for (guint i = 0; i < fenced->len; i++) {
        const struct task *task = g_ptr_array_index(fenced, i);
        const struct deletion deletion = {.extent = DELETION_OF_FILES,
                                          .id = &task->id,
                                          .branches = task->entry->datasets,
                                          .err = g_ptr_array_index(problems, i)};
        deletions_add(deletions, &deletion);
    }
    deletions_run(deletions, &round->finishing);
    deletions_free(deletions);
    for (guint i = 0; i < fenced->len; i++) {
        const struct task *task = g_ptr_array_index(fenced, i);
        struct error *problem = g_ptr_array_index(problems, i);
        if (problem->code == 0 && task->late_writes)
            error_set(problem, ERR_OUTCOME_UNKNOWN, "abandoned writes may still arrive");
    }
}

static void remove_fenced(struct round *round, GPtrArray *fenced, GPtrArray *problems)
{
    g_autofree struct transition *list = g_new0(struct transition, fenced->len);
    g_autoptr(GPtrArray) removed = g_ptr_array_new();
    for (guint i = 0; i < fenced->len; i++) {
        const struct task *task = g_ptr_array_index(fenced, i);
        struct error *problem = g_ptr_array_index(problems, i);
        if (problem->code)
            continue;
        list[removed->len] = (struct transition){.kind = TRANSITION_REMOVE, .id = &task->id};
        g_ptr_array_add(removed, problem);
    }
    transitions_commit(round->catalog->committer, list, removed->len, &round->finishing);
    for (guint i = 0; i < removed->len; i++)
        *(struct error *)g_ptr_array_index(removed, i) = list[i].error;
}

/* The task's own failure is what the user is told; what could not be undone is added to it. */
static void report_undone(struct round *round, struct task *task, const struct error *problem)
{
    struct error cause = task->error;
    if (problem->code)
        error_set(&task->error, cause.code, "%.600s; what was written is left for recovery: %.350s",
                  cause.text, problem->text);
    else if (cause.code == ERR_OUTCOME_UNKNOWN) /* it is known now: nothing is left of it */
        error_set(&task->error,
                  operation_remaining_ms(round->operation) > 0 ? ERR_IO : ERR_DEADLINE,
                  "%.900s; everything was undone", cause.text);
    task->code = task->error.code;
}

void create_undo(struct round *round)
{
    g_autoptr(GPtrArray) fenced = g_ptr_array_new();
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    fence(round, fenced, problems);
    if (fenced->len == 0)
        return;
    delete_fenced(round, fenced, problems);
    remove_fenced(round, fenced, problems);
    for (guint i = 0; i < fenced->len; i++)
        report_undone(round, g_ptr_array_index(fenced, i), g_ptr_array_index(problems, i));
}

#include "catalog/change/round.h"

#include <string.h>

#include "catalog/change/create.h"
#include "catalog/change/deletion.h"
#include "catalog/change/drop.h"

/* ---- The steps ---- */

/* One of three: what each kind does by itself for all its tasks, a commit, or a wave. By enum
 * change_kind: {the create's part, the drop's part}; NULL: it has none. A kind of which the round
 * has no task is not called at all. */
struct step {
    void (*alone[2])(struct round *round);
    const struct commit_part *commit[2];
    const struct wave_part *wave[2];
    /* How a wave is run when there are drops; else by store_run(). */
    int (*run)(struct round *round, struct store_set *set, struct operation *operation);
    /* Taken only when drops have to wait for other mounts: then creates go ahead, and the drops
     * have to list again. */
    bool among_others;
};

static const struct step steps[] = {
    {.alone = {create_prepare, drop_prepare}},
    {.alone = {NULL, drop_await_holders}},
    {.commit = {&create_enter, &drop_decide}},
    {.wave = {&create_files, &drop_files}, .run = drop_run_and_look},
    {.alone = {create_let_compact, drop_look_at_leases}},
    {.commit = {&create_activate, NULL}, .among_others = true},
    {.alone = {create_undo, NULL}, .among_others = true},
    {.alone = {NULL, drop_agree}},
    {.wave = {NULL, &drop_list_again}, .run = drop_run_and_look, .among_others = true},
    {.alone = {NULL, drop_take_back}, .among_others = true},
    {.alone = {NULL, drop_delete}},
    {.commit = {&create_activate, &drop_remove}},
    {.alone = {create_undo, NULL}},
    {.alone = {create_leave, drop_end}},
};

static bool has_tasks(const struct round *round, enum change_kind kind)
{
    return (kind == CHANGE_CREATE ? round->creates : round->drops)->len > 0;
}

/* Creates can still be called off; a drop that was decided on cannot. */
static struct operation *operation_of(struct round *round)
{
    for (guint i = 0; i < round->drops->len; i++)
        if (drop_is_decided(g_ptr_array_index(round->drops, i)))
            return &round->finishing;
    return round->operation;
}

/* One commit of all tasks that have a transition. */
static void run_commit(struct round *round, const struct commit_part *const parts[])
{
    struct operation *operation = operation_of(round);
    g_autofree struct transition *list = g_new0(struct transition, round->tasks->len);
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    for (guint i = 0; i < round->tasks->len; i++) {
        struct task *task = g_ptr_array_index(round->tasks, i);
        const struct commit_part *part = parts[task->change->kind];
        struct transition *transition = &list[chosen->len];
        if (!part || !task_is_well(task) || !part->choose(round, task, transition))
            continue;
        transition->err = task->err;
        g_ptr_array_add(chosen, task);
    }
    transitions_commit(round->catalog->committer, list, chosen->len, operation);
    for (guint i = 0; i < chosen->len; i++) {
        struct task *task = g_ptr_array_index(chosen, i);
        parts[task->change->kind]->done(round, task);
    }
}

static void add_requests(struct round *round, const struct wave_part *const parts[],
                         struct store_set *set)
{
    for (guint i = 0; i < round->tasks->len; i++) {
        struct task *task = g_ptr_array_index(round->tasks, i);
        const struct wave_part *part = parts[task->change->kind];
        task->first = store_set_size(set);
        if (part && part->add && task_is_well(task))
            part->add(round, task, set);
        task->end = store_set_size(set);
    }
    for (unsigned kind = 0; kind < 2; kind++)
        if (parts[kind] && parts[kind]->add_common && has_tasks(round, kind))
            parts[kind]->add_common(round, set);
}

/* The first failed answer among the task's requests; and whether something was given up that may
 * still take effect. */
static void take_answers(struct task *task, const struct wave_part *part, struct store_set *set,
                         int run_code)
{
    for (size_t i = task->first; i < task->end; i++) {
        const struct store_answer *answer = &store_set_at(set, i)->answer;
        task->late_writes |= answer->late;
        if (task_is_well(task) && !(answer->code && answer->code == part->bearable))
            store_answer_failure(answer, run_code, task->err);
    }
}

/* One wave of all tasks that are well. */
static void run_wave(struct round *round, const struct step *step)
{
    const struct wave_part *const *parts = step->wave;
    struct store_set *set = store_set_new();
    g_ptr_array_add(round->sets, set);
    add_requests(round, parts, set);
    int run_code = has_tasks(round, CHANGE_DROP)
                       ? step->run(round, set, operation_of(round))
                       : store_run(round->catalog->store, set, operation_of(round), NULL);
    for (guint i = 0; i < round->tasks->len; i++) {
        struct task *task = g_ptr_array_index(round->tasks, i);
        const struct wave_part *part = parts[task->change->kind];
        bool was_well = task_is_well(task);
        take_answers(task, part, set, run_code);
        if (part && part->take && was_well)
            part->take(round, task, set);
    }
    for (unsigned kind = 0; kind < 2; kind++)
        if (parts[kind] && parts[kind]->take_common && has_tasks(round, kind))
            parts[kind]->take_common(round, set, run_code);
}

static void run_steps(struct round *round)
{
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        const struct step *step = &steps[i];
        if (step->among_others && !round->has_others)
            continue;
        for (unsigned kind = 0; kind < 2; kind++)
            if (step->alone[kind] && has_tasks(round, kind))
                step->alone[kind](round);
        if (step->commit[CHANGE_CREATE] || step->commit[CHANGE_DROP])
            run_commit(round, step->commit);
        if (step->wave[CHANGE_CREATE] || step->wave[CHANGE_DROP])
            run_wave(round, step);
    }
}

/* ---- Names ---- */

char *round_lock_name(struct catalog *catalog, const struct change *change)
{
    if (change->name)
        return g_strdup(change->name);
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, change->expected_id);
    return g_strdup(entry && entry->key ? entry->key : change->expected_id->text);
}

static int compare_names(const void *a, const void *b)
{
    const struct task *const *left = a, *const *right = b;
    return strcmp((*left)->lock_name, (*right)->lock_name);
}

/* All names of a round, in one order, so that two rounds cannot wait for each other. A name that
 * cannot be had in time fails its task alone. */
static void lock_names(struct round *round)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_copy(round->tasks, NULL, NULL);
    g_ptr_array_sort(sorted, compare_names);
    for (guint i = 0; i < sorted->len; i++) {
        struct task *task = g_ptr_array_index(sorted, i);
        task->is_locked = name_locks_acquire(round->catalog->names, task->lock_name,
                                             round->operation, task->err) == 0;
    }
}

/* ---- Begin and end ---- */

static void add_task(struct round *round, struct change *change)
{
    const bool creates = change->kind == CHANGE_CREATE;
    struct task *task = g_malloc0(creates ? sizeof(struct create) : sizeof(struct drop));
    change->error = (struct error){0};
    change->left = false;
    task->change = change;
    task->err = &change->error;
    task->lock_name = round_lock_name(round->catalog, change);
    g_ptr_array_add(round->tasks, task);
    g_ptr_array_add(creates ? round->creates : round->drops, task);
}

/* While there are creates, the operation's deadline is shortened, so that undoing them mostly fits
 * into the time that the user was promised. */
static void round_begin(struct round *round, struct catalog *catalog, const GPtrArray *changes,
                        struct operation *operation)
{
    *round =
        (struct round){.catalog = catalog,
                       .tasks = g_ptr_array_new(),
                       .creates = g_ptr_array_new(),
                       .drops = g_ptr_array_new(),
                       .sets = g_ptr_array_new_with_free_func((void (*)(void *))store_set_unref),
                       .points = g_array_new(FALSE, TRUE, sizeof(struct fork_point_query)),
                       .operation = operation,
                       .decided_at = timestamp_now()};
    for (guint i = 0; i < changes->len; i++)
        add_task(round, g_ptr_array_index(changes, i));
    round->deadline_ns =
        round->creates->len > 0 ? operation_reserve(operation) : operation->deadline_ns;
    operation_init(&round->finishing, -1);
    round->finishing.deadline_ns = operation->deadline_ns;
}

/* Whatever came of it: a fork that is active now may be dropped before all has arrived. */
static void note_late(struct round *round, const struct task *task)
{
    const struct fork_entry *entry = task->change->kind == CHANGE_CREATE
                                         ? ((const struct create *)task)->entry
                                         : ((const struct drop *)task)->entry;
    if (task->late_writes && entry)
        late_forks_add(round->catalog->late_forks, &entry->id, entry->datasets, monotonic_now_ns());
}

static void task_end(struct round *round, struct task *task)
{
    const bool creates = task->change->kind == CHANGE_CREATE;
    note_late(round, task);
    if (task->is_locked)
        name_locks_release(round->catalog->names, task->lock_name);
    if (!task_is_well(task))
        error_prefix(task->err, task->err->code, "%s fork '%s'", creates ? "creating" : "dropping",
                     task->lock_name);
    g_free(task->lock_name);
    if (creates)
        create_free((struct create *)task);
    else
        drop_free((struct drop *)task);
}

static void round_end(struct round *round)
{
    round->operation->deadline_ns = round->deadline_ns;
    operation_destroy(&round->finishing);
    g_clear_pointer(&round->deletions, deletions_free);
    for (guint i = 0; i < round->tasks->len; i++)
        task_end(round, g_ptr_array_index(round->tasks, i));
    for (guint i = 0; i < round->points->len; i++)
        fork_point_free(g_array_index(round->points, struct fork_point_query, i).point);
    g_clear_pointer(&round->candidates, g_ptr_array_unref);
    g_ptr_array_unref(round->sets);
    g_array_unref(round->points);
    g_clear_pointer(&round->branched, g_hash_table_unref);
    g_ptr_array_unref(round->drops);
    g_ptr_array_unref(round->creates);
    g_ptr_array_unref(round->tasks);
}

void round_run(struct catalog *catalog, const GPtrArray *changes, struct operation *operation)
{
    struct round round;
    round_begin(&round, catalog, changes, operation);
    lock_names(&round);
    run_steps(&round);
    round_end(&round);
}

#include "base/timestamp.h"
#include "catalog/fork_remains.h"
#include "catalog/round.h"

/* ---- Preparing ---- */

static int find_fork(struct round *round, struct task *task, struct error *err)
{
    const struct change *change = task->change;
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    struct fork_entry *entry = change->name ? registry_find(registry, change->name)
                                            : registry_find_id(registry, change->expected_id);
    if (!entry)
        return error_set(err, ERR_NOT_FOUND, "no such fork");
    if (change->expected_id && !ulid_equal(&entry->id, change->expected_id))
        return error_set(err, ERR_STALE, "the name belongs to another fork by now (%s)",
                         entry->id.text);
    if (registry_id_is_ambiguous(registry, &entry->id))
        return error_set(err, ERR_CORRUPT, "several entries of the registry have the id %s",
                         entry->id.text);
    task->entry = fork_entry_ref(entry);
    return fork_remains_check_names(entry->datasets, err);
}

/* Nothing foreign may depend on the forks that are active; child forks are looked at again when the
 * decision is committed, which refuses with their names. */
static void check_descendants(struct round *round)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    g_autofree struct descendants_query *list = g_new0(struct descendants_query, round->count);
    g_autoptr(GPtrArray) tasks = g_ptr_array_new();
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        size_t first;
        if (task->code || task->change->kind != CHANGE_DROP || task->entry->status != FORK_ACTIVE ||
            registry_children(registry, &task->entry->id, &first) > 0)
            continue;
        list[tasks->len].entry = task->entry;
        g_ptr_array_add(tasks, task);
    }
    if (tasks->len > 0)
        descendants_check(round->catalog->descendants, registry, list, tasks->len,
                          round->operation);
    for (guint i = 0; i < tasks->len; i++) {
        struct task *task = g_ptr_array_index(tasks, i);
        task->code = error_copy(&task->error, &list[i].error);
    }
}

static void close_door(struct round *round, struct task *task, int64_t drain_until_ns)
{
    int64_t drain_ms = 0;
    if (!task->change->no_drain)
        drain_ms = MAX(0, (drain_until_ns - monotonic_now_ns()) / 1000000);
    task->code = holders_close_door(round->catalog->holders, &task->entry->id, drain_ms,
                                    round->operation, &task->error);
    task->door_closed = task->code == 0;
}

void drop_prepare(struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (task->code == 0 && task->change->kind == CHANGE_DROP)
            task->code = find_fork(round, task, &task->error);
    }
    check_descendants(round);
    int64_t drain_until_ns =
        monotonic_now_ns() + round->catalog->settings.drain_timeout_ms * 1000000;
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (task->code == 0 && task->change->kind == CHANGE_DROP)
            close_door(round, task, drain_until_ns);
    }
}

/* ---- Deciding ---- */

/* A fork that is tombstoned already was decided on before. */
bool drop_transition(struct task *task, struct transition *transition)
{
    if (task->code || task->change->kind != CHANGE_DROP)
        return false;
    task->decided = task->entry->status == FORK_TOMBSTONED;
    *transition = (struct transition){
        .kind = task->entry->status == FORK_PENDING ? TRANSITION_FENCE : TRANSITION_TOMBSTONE,
        .id = &task->entry->id};
    return !task->decided;
}

void drop_decided(struct task *task, const struct transition *transition)
{
    task->code = error_copy(&task->error, &transition->error);
    task->decided = task->code == 0;
}

/* ---- Finishing ---- */

/* The tombstone is a copy of the entry from before the decision, as Uni writes it. */
void drop_add_files(struct round *round, struct task *task, struct store_set *set)
{
    task->tombstone_key = layout_tombstone_key(round->catalog->layout, &task->entry->id);
    task->tombstone = fork_entry_document(task->entry);
    store_set_put(set, task->tombstone_key, task->tombstone, STORE_ALWAYS, NULL);
}

void drop_files_put(struct round *round, struct task *task, struct store_set *set, int run_code)
{
    if (task->code == 0)
        tombstones_note_put(round->catalog->tombstones, task->tombstone_key, task->tombstone);
}

/* Tasks whose drop goes on. */
static GPtrArray *going(struct round *round)
{
    GPtrArray *tasks = g_ptr_array_new();
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (task->code == 0 && task->change->kind == CHANGE_DROP)
            g_ptr_array_add(tasks, task);
    }
    return tasks;
}

static void delete_remains(struct round *round, GPtrArray *tasks)
{
    struct catalog *catalog = round->catalog;
    g_autofree struct fork_remains *remains = g_new0(struct fork_remains, tasks->len);
    for (guint i = 0; i < tasks->len; i++) {
        const struct task *task = g_ptr_array_index(tasks, i);
        remains[i] =
            (struct fork_remains){.id = &task->entry->id, .branches = task->entry->datasets};
    }
    auto_registry struct registry *registry = catalog_registry(catalog);
    fork_remains_delete(catalog->store, catalog->layout, catalog->settings.log, registry, remains,
                        tasks->len, &round->finishing);
    for (guint i = 0; i < tasks->len; i++) {
        struct task *task = g_ptr_array_index(tasks, i);
        overlays_forget(catalog->overlays, &task->entry->id);
        tags_forget(catalog->tags, &task->entry->id);
        task->code = error_copy(&task->error, &remains[i].error);
    }
}

static void delete_tombstones(struct round *round, GPtrArray *tasks)
{
    struct store_set *set = store_set_new();
    for (guint i = 0; i < tasks->len; i++) {
        struct task *task = g_ptr_array_index(tasks, i);
        task->first = store_set_size(set);
        if (task->code == 0)
            store_set_delete(set, task->tombstone_key);
        task->end = store_set_size(set);
    }
    struct error failure = {0};
    int code = store_run(round->catalog->store, set, &round->finishing, &failure);
    for (guint i = 0; i < tasks->len; i++) {
        struct task *task = g_ptr_array_index(tasks, i);
        task_take_wave(task, set, code, &failure);
        if (task->code == 0)
            tombstones_note_deleted(round->catalog->tombstones, task->tombstone_key);
    }
    store_set_unref(set);
}

void drop_delete(struct round *round)
{
    g_autoptr(GPtrArray) tasks = going(round);
    if (tasks->len == 0)
        return;
    delete_remains(round, tasks);
    delete_tombstones(round, tasks);
}

bool drop_removal(struct task *task, struct transition *transition)
{
    if (task->code || task->change->kind != CHANGE_DROP)
        return false;
    *transition = (struct transition){.kind = TRANSITION_REMOVE, .id = &task->entry->id};
    return true;
}

void drop_removed(struct task *task, const struct transition *transition)
{
    task->code = error_copy(&task->error, &transition->error);
}

/* Whatever came of a drop, from now on the status in the registry keeps the door. */
void drop_open_doors(struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (task->door_closed)
            holders_open_door(round->catalog->holders, &task->entry->id);
        if (task->code && task->decided)
            error_prefix(&task->error, "the fork stays tombstoned");
    }
}

#include "catalog/change.h"

#include <string.h>

#include "catalog/round.h"

/* The part of the time that a round with creates may use; the rest is for undoing them. */
#define FORWARD_NUMERATOR 3
#define FORWARD_DENOMINATOR 4

void task_take_wave(struct task *task, struct store_set *set, int run_code,
                    const struct error *run_error)
{
    for (size_t i = task->first; task->code == 0 && i < task->end; i++)
        task->code = error_copy(&task->error, &store_set_at(set, i)->answer.error);
    if (run_code && task->code == 0 && task->first < task->end)
        task->code = error_copy(&task->error, run_error);
}

/* ---- Steps that creates and drops share ---- */

/* One commit of all tasks for which `choose_*` has a transition. */
static void commit(struct round *round, bool (*choose_create)(struct task *, struct transition *),
                   void (*create_done)(struct task *, const struct transition *),
                   bool (*choose_drop)(struct task *, struct transition *),
                   void (*drop_done)(struct task *, const struct transition *),
                   struct operation *operation)
{
    g_autofree struct transition *list = g_new0(struct transition, round->count);
    g_autoptr(GPtrArray) tasks = g_ptr_array_new();
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        struct transition *transition = &list[tasks->len];
        if (!choose_create(task, transition) && !choose_drop(task, transition))
            continue;
        transition->max_forks = round->catalog->settings.max_forks;
        g_ptr_array_add(tasks, task);
    }
    transitions_commit(round->catalog->committer, list, tasks->len, operation);
    for (guint i = 0; i < tasks->len; i++) {
        struct task *task = g_ptr_array_index(tasks, i);
        (task->change->kind == CHANGE_CREATE ? create_done : drop_done)(task, &list[i]);
    }
}

static bool has_decided_drops(const struct round *round)
{
    for (size_t i = 0; i < round->count; i++)
        if (round->tasks[i].decided)
            return true;
    return false;
}

/* One wave: the files of the new forks, the tombstones of the old ones. */
static void put_files(struct round *round)
{
    struct store_set *set = store_set_new();
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        task->first = store_set_size(set);
        if (task->code == 0)
            (task->change->kind == CHANGE_CREATE ? create_add_files : drop_add_files)(round, task,
                                                                                      set);
        task->end = store_set_size(set);
    }
    struct error failure = {0};
    struct operation *operation = has_decided_drops(round) ? &round->finishing : round->operation;
    int code = store_run(round->catalog->store, set, operation, &failure);
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (task->code)
            continue;
        task_take_wave(task, set, code, &failure);
        (task->change->kind == CHANGE_CREATE ? create_files_put : drop_files_put)(round, task, set,
                                                                                  code);
    }
    store_set_unref(set);
}

static void carry_out(struct round *round)
{
    create_prepare(round);
    drop_prepare(round);
    commit(round, create_transition, create_entered, drop_transition, drop_decided,
           round->operation);
    put_files(round);
    drop_delete(round);
    /* Creates can still be called off; a drop cannot. */
    commit(round, create_activation, create_activated, drop_removal, drop_removed,
           has_decided_drops(round) ? &round->finishing : round->operation);
    create_undo(round);
    drop_open_doors(round);
}

/* ---- Names ---- */

static int compare_names(const void *a, const void *b)
{
    const struct task *const *left = a, *const *right = b;
    return strcmp((*left)->lock_name, (*right)->lock_name);
}

/* All names of a round, in one order, so that two rounds cannot wait for each other. A name that
 * cannot be had in time fails its task alone. */
static GPtrArray *lock_names(struct round *round)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    GPtrArray *locked = g_ptr_array_new();
    for (size_t i = 0; i < round->count; i++)
        g_ptr_array_add(sorted, &round->tasks[i]);
    g_ptr_array_sort(sorted, compare_names);
    for (guint i = 0; i < sorted->len; i++) {
        struct task *task = g_ptr_array_index(sorted, i);
        task->code = name_locks_acquire(round->catalog->names, task->lock_name, round->operation,
                                        &task->error);
        if (task->code == 0)
            g_ptr_array_add(locked, task);
    }
    return locked;
}

static void unlock_names(struct round *round, GPtrArray *locked)
{
    for (guint i = 0; i < locked->len; i++) {
        const struct task *task = g_ptr_array_index(locked, i);
        name_locks_release(round->catalog->names, task->lock_name);
    }
}

/* ---- One round ---- */

static void round_begin(struct round *round, struct catalog *catalog, struct change **changes,
                        size_t count, struct operation *operation)
{
    *round = (struct round){.catalog = catalog, .count = count, .operation = operation};
    round->tasks = g_new0(struct task, count);
    round->points = g_ptr_array_new_with_free_func((GDestroyNotify)fork_point_free);
    operation_init(&round->finishing, -1);
    round->finishing.deadline_ns = operation->deadline_ns;
    for (size_t i = 0; i < count; i++) {
        round->tasks[i].change = changes[i];
        round->tasks[i].lock_name =
            g_strdup(changes[i]->name ? changes[i]->name : changes[i]->expected_id->text);
    }
}

static void round_end(struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        struct change *change = task->change;
        change->code = task->code;
        change->error = task->error;
        change->id = task->id;
        if (task->code)
            error_prefix(&change->error, "%s fork '%s'",
                         change->kind == CHANGE_CREATE ? "creating" : "dropping", task->lock_name);
        fork_entry_unref(task->entry);
        fork_entry_unref(task->parent);
        if (task->plans)
            g_ptr_array_unref(task->plans);
        bytes_unref(task->overlay);
        bytes_unref(task->tombstone);
        g_free(task->tombstone_key);
        g_free(task->lock_name);
    }
    operation_destroy(&round->finishing);
    g_ptr_array_unref(round->points);
    g_free(round->tasks);
}

/* Shortens the operation's deadline while there are creates, so that undoing them fits into the
 * time that the user was promised. */
static void reserve_time_for_undo(struct operation *operation, struct change **changes,
                                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (changes[i]->kind != CHANGE_CREATE || operation->deadline_ns == INT64_MAX)
            continue;
        operation->deadline_ns -= operation_remaining_ms(operation) * 1000000 /
                                  FORWARD_DENOMINATOR * (FORWARD_DENOMINATOR - FORWARD_NUMERATOR);
        return;
    }
}

static void run_round(struct catalog *catalog, struct change **changes, size_t count,
                      struct operation *operation)
{
    struct round round;
    round_begin(&round, catalog, changes, count, operation);
    reserve_time_for_undo(operation, changes, count);
    g_autoptr(GPtrArray) locked = lock_names(&round);
    carry_out(&round);
    unlock_names(&round, locked);
    operation->deadline_ns = round.finishing.deadline_ns;
    round_end(&round);
}

/* ---- The list ---- */

/* What the earlier changes of a list decide (their own names) and depend on (their parents). */
struct earlier {
    GHashTable *decided;
    GHashTable *needed;
};

static void earlier_add(struct earlier *earlier, struct catalog *catalog,
                        const struct change *change)
{
    if (change->name)
        g_hash_table_add(earlier->decided, g_strdup(change->name));
    if (change->parent)
        g_hash_table_add(earlier->needed, g_strdup(change->parent));
    if (change->kind != CHANGE_DROP || !change->name)
        return;
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find(registry, change->name);
    const struct fork_entry *parent =
        entry && entry->has_parent ? registry_find_id(registry, &entry->parent_id) : NULL;
    if (parent && parent->key)
        g_hash_table_add(earlier->needed, g_strdup(parent->key));
}

static bool has_to_wait(const struct earlier *earlier, const struct change *change)
{
    return (change->name && (g_hash_table_contains(earlier->decided, change->name) ||
                             g_hash_table_contains(earlier->needed, change->name))) ||
           (change->parent && g_hash_table_contains(earlier->decided, change->parent));
}

static bool refuse_read_only(struct catalog *catalog, struct change *change)
{
    if (!catalog->settings.read_only)
        return false;
    change->code = error_set(&change->error, ERR_READ_ONLY, "the catalog is mounted read-only");
    return true;
}

/* Takes the next round out of `waiting`: every change that need not wait for an earlier one. */
static void take_round(struct catalog *catalog, GPtrArray *waiting, GPtrArray *round)
{
    g_autoptr(GHashTable) decided = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) needed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct earlier earlier = {.decided = decided, .needed = needed};
    for (guint i = 0; i < waiting->len;) {
        struct change *change = g_ptr_array_index(waiting, i);
        bool waits = has_to_wait(&earlier, change);
        earlier_add(&earlier, catalog, change);
        if (waits) {
            i++;
            continue;
        }
        g_ptr_array_add(round, change);
        g_ptr_array_remove_index(waiting, i);
    }
}

void catalog_change(struct catalog *catalog, struct change *changes, size_t count,
                    struct operation *operation)
{
    struct operation unlimited;
    operation_init(&unlimited, -1);
    g_autoptr(GPtrArray) waiting = g_ptr_array_new();
    for (size_t i = 0; i < count; i++)
        if (!refuse_read_only(catalog, &changes[i]))
            g_ptr_array_add(waiting, &changes[i]);
    while (waiting->len > 0) {
        g_autoptr(GPtrArray) round = g_ptr_array_new();
        take_round(catalog, waiting, round);
        run_round(catalog, (struct change **)round->pdata, round->len,
                  operation ? operation : &unlimited);
    }
    operation_destroy(&unlimited);
}

int catalog_create(struct catalog *catalog, const char *name, const char *parent,
                   struct operation *operation, struct ulid *ret_id, struct error *err)
{
    struct change change = {.kind = CHANGE_CREATE, .name = name, .parent = parent};
    catalog_change(catalog, &change, 1, operation);
    if (change.code)
        return error_copy(err, &change.error);
    if (ret_id)
        *ret_id = change.id;
    return 0;
}

int catalog_drop(struct catalog *catalog, const char *key, const struct ulid *id,
                 struct operation *operation, struct error *err)
{
    struct change change = {.kind = CHANGE_DROP, .name = key, .expected_id = id};
    catalog_change(catalog, &change, 1, operation);
    return change.code ? error_copy(err, &change.error) : 0;
}

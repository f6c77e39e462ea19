/*
 * A list of changes is carried out in rounds: a round takes every change that does not depend on an
 * earlier one of the list (same name, one's parent is the other's name, or a budget that an earlier
 * drop frees).
 */
#include <string.h>

#include "base/timestamp.h"
#include "catalog/change/round.h"

/* In how many rounds of a list creates are planned again: each time somebody has been faster. */
#define PLANS_MAX 8

/* The first failed answer among the task's requests of the wave. */
static void take_wave(struct task *task, struct store_set *set, int run_code)
{
    for (size_t i = task->first; task->code == 0 && i < task->end; i++)
        task->code = store_answer_failure(&store_set_at(set, i)->answer, run_code, &task->error);
}

/* Whether a run that ended early has left puts of the task under way. */
static bool has_abandoned(const struct task *task, struct store_set *set, int run_code)
{
    for (size_t i = task->first; run_code && i < task->end; i++)
        if (store_set_at(set, i)->answer.code == ERR_OUTCOME_UNKNOWN)
            return true;
    return false;
}

/* ---- Steps that creates and drops share ---- */

/* What one commit does for one kind of change: which transition, if any, and what comes of it. */
struct commit_step {
    bool (*choose)(struct round *round, struct task *task, struct transition *transition);
    void (*done)(struct round *round, struct task *task, const struct transition *transition);
};

/* One commit of all tasks that have a transition. */
static void commit(struct round *round, const struct commit_step *create,
                   const struct commit_step *drop, struct operation *operation)
{
    g_autofree struct transition *list = g_new0(struct transition, round->count);
    g_autoptr(GPtrArray) tasks = g_ptr_array_new();
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        const struct commit_step *step = task->change->kind == CHANGE_CREATE ? create : drop;
        struct transition *transition = &list[tasks->len];
        if (!step->choose(round, task, transition))
            continue;
        transition->max_forks = round->catalog->settings.max_forks;
        g_ptr_array_add(tasks, task);
    }
    transitions_commit(round->catalog->committer, list, tasks->len, operation);
    for (guint i = 0; i < tasks->len; i++) {
        struct task *task = g_ptr_array_index(tasks, i);
        (task->change->kind == CHANGE_CREATE ? create : drop)->done(round, task, &list[i]);
        fork_entry_unref(list[i].before);
    }
}

static bool has_decided_drops(const struct round *round)
{
    for (size_t i = 0; i < round->count; i++)
        if (round->tasks[i].decided)
            return true;
    return false;
}

/* Creates can still be called off; a drop that was decided on cannot. */
static struct operation *operation_of(struct round *round)
{
    return has_decided_drops(round) ? &round->finishing : round->operation;
}

static void add_files(struct round *round, struct store_set *set)
{
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        task->first = store_set_size(set);
        if (task->code == 0)
            (task->change->kind == CHANGE_CREATE ? create_add_files : drop_add_files)(round, task,
                                                                                      set);
        task->end = store_set_size(set);
    }
}

/* One wave: the files of the new forks, the tombstones of the old ones; for the latter also
 * listings of what there is to delete. */
static void put_files(struct round *round)
{
    struct store_set *set = store_set_new();
    add_files(round, set);
    drop_add_listings(round, set);
    drop_add_lease_listing(round, set);
    int code = drop_run_files(round, set, operation_of(round));
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        task->late_writes = has_abandoned(task, set, code);
        if (task->code)
            continue;
        take_wave(task, set, code);
        if (task->change->kind == CHANGE_CREATE)
            create_files_put(round, task, set);
        else
            drop_files_put(round, task);
    }
    drop_take_listings(round, set, code);
}

static bool choose_nothing(struct round *round, struct task *task, struct transition *transition)
{
    return false;
}

/* The files of the creates are there, or they have failed. */
static void finish_creates(struct round *round, const struct commit_step *drop)
{
    static const struct commit_step activate = {create_activation, create_activated};
    commit(round, &activate, drop, operation_of(round));
    round->finishing.deadline_ns = round->deadline_ns;
    create_undo(round);
}

static void carry_out(struct round *round)
{
    static const struct commit_step enter = {create_transition, create_entered},
                                    decide = {drop_transition, drop_decided},
                                    remove = {drop_removal, drop_removed},
                                    none = {choose_nothing, NULL};
    create_prepare(round);
    drop_prepare(round);
    commit(round, &enter, &decide, round->operation);
    put_files(round);
    create_let_compact(round);
    /* Creates share the second commit with drops, but do not wait for other mounts with them. */
    const bool waits = drop_look_at_leases(round);
    if (waits)
        finish_creates(round, &none);
    drop_agree(round);
    drop_delete(round);
    if (waits)
        commit(round, &none, &remove, &round->finishing);
    else
        finish_creates(round, &remove);
    drop_end(round);
}

/* ---- What stays unfinished ---- */

/* Whether the task has left an entry that is not active, or may have, and that only this mount
 * could have brought to life: a fork it made, or one that it is known to have given up. */
static bool has_left_unfinished(const struct task *task, const struct fork_entry *entry)
{
    bool is_there = entry && entry->status != FORK_ACTIVE;
    if (task->code == 0 || task->taken_over)
        return false;
    if (task->change->kind == CHANGE_CREATE)
        return task->late_entry || (task->entered && is_there);
    return is_there && task->decided && task->code != ERR_OUTCOME_UNKNOWN;
}

static void note_unfinished(struct round *round)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    for (size_t i = 0; i < round->count; i++) {
        const struct task *task = &round->tasks[i];
        const struct ulid *id = task->change->kind == CHANGE_CREATE ? &task->id
                                : task->entry                       ? &task->entry->id
                                                                    : NULL;
        if (id && has_left_unfinished(task, registry_find_id(registry, id)))
            takeover_add_own(round->catalog->takeover, TAKEOVER_ENTRY, id->text,
                             monotonic_now_ns() + (task->late_writes ? STORE_LATE_NS : 0));
    }
}

/* ---- Names ---- */

/* Whoever drops by id must not work beside one who uses the name. g_free(). */
static char *name_to_lock(struct catalog *catalog, const struct change *change)
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

static void round_point_free(void *pointer)
{
    struct round_point *read = pointer;
    fork_entry_unref(read->parent);
    fork_point_free(read->point);
    g_free(read);
}

/* While there are creates, the operation's deadline is shortened: undoing them has to fit into the
 * time that the user was promised. */
static int64_t reserve_time_for_undo(struct operation *operation, const GPtrArray *changes)
{
    for (guint i = 0; i < changes->len; i++)
        if (((const struct change *)g_ptr_array_index(changes, i))->kind == CHANGE_CREATE)
            return operation_reserve(operation);
    return operation->deadline_ns;
}

static void round_begin(struct round *round, struct catalog *catalog, const GPtrArray *changes,
                        struct operation *operation)
{
    *round = (struct round){.catalog = catalog, .count = changes->len, .operation = operation};
    round->tasks = g_new0(struct task, round->count);
    round->points = g_ptr_array_new_with_free_func(round_point_free);
    round->deadline_ns = reserve_time_for_undo(operation, changes);
    operation_init(&round->finishing, -1);
    round->finishing.deadline_ns = operation->deadline_ns;
    round->decided_at = timestamp_now();
    for (size_t i = 0; i < round->count; i++) {
        round->tasks[i].change = g_ptr_array_index(changes, i);
        round->tasks[i].lock_name = name_to_lock(catalog, round->tasks[i].change);
    }
}

static void task_end(struct task *task)
{
    struct change *change = task->change;
    change->error = task->error;
    change->id = task->id;
    change->elsewhere = task->elsewhere;
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

static void round_end(struct round *round)
{
    round->operation->deadline_ns = round->deadline_ns;
    for (size_t i = 0; i < round->count; i++)
        task_end(&round->tasks[i]);
    operation_destroy(&round->finishing);
    g_ptr_array_unref(round->points);
    g_free(round->tasks);
}

static void run_round(struct catalog *catalog, const GPtrArray *changes,
                      struct operation *operation)
{
    struct round round;
    round_begin(&round, catalog, changes, operation);
    g_autoptr(GPtrArray) locked = lock_names(&round);
    carry_out(&round);
    note_unfinished(&round);
    unlock_names(&round, locked);
    round_end(&round);
}

/* ---- The list ---- */

/* What the earlier changes of a list decide and depend on. */
struct earlier {
    GHashTable *decided; /* set of names */
    GHashTable *needed;  /* set of names: parents */
    size_t creates;
    bool any_drop;
};

static void earlier_add(struct earlier *earlier, struct catalog *catalog,
                        const struct change *change, char *name)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find(registry, name);
    const struct fork_entry *parent =
        entry && entry->has_parent ? registry_find_id(registry, &entry->parent_id) : NULL;
    if (change->kind == CHANGE_CREATE) {
        earlier->creates++;
        if (change->parent)
            g_hash_table_add(earlier->needed, g_strdup(change->parent));
    } else {
        earlier->any_drop = true;
        if (parent && parent->key)
            g_hash_table_add(earlier->needed, g_strdup(parent->key));
    }
    g_hash_table_add(earlier->decided, name);
}

/* Whether a create would break a budget that an earlier drop may relieve. */
static bool waits_for_budget(const struct earlier *earlier, struct catalog *catalog,
                             const struct change *change)
{
    size_t max_forks = catalog->settings.max_forks;
    if (max_forks == 0 || !earlier->any_drop || change->kind != CHANGE_CREATE)
        return false;
    auto_registry struct registry *registry = catalog_registry(catalog);
    return registry->entries->len + earlier->creates >= max_forks;
}

static bool has_to_wait(const struct earlier *earlier, struct catalog *catalog,
                        const struct change *change, const char *name)
{
    return g_hash_table_contains(earlier->decided, name) ||
           g_hash_table_contains(earlier->needed, name) ||
           (change->parent && g_hash_table_contains(earlier->decided, change->parent)) ||
           waits_for_budget(earlier, catalog, change);
}

static bool refuse_read_only(struct catalog *catalog, struct change *change)
{
    if (!catalog->settings.read_only)
        return false;
    error_set(&change->error, ERR_READ_ONLY, "the catalog is mounted read-only");
    return true;
}

/* Takes the next round out of `waiting`: every change that need not wait for an earlier one. */
static void take_round(struct catalog *catalog, GPtrArray *waiting, GPtrArray *round)
{
    g_autoptr(GHashTable) decided = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) needed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct earlier earlier = {.decided = decided, .needed = needed};
    g_autoptr(GPtrArray) later = g_ptr_array_new();
    for (guint i = 0; i < waiting->len; i++) {
        struct change *change = g_ptr_array_index(waiting, i);
        char *name = name_to_lock(catalog, change);
        g_ptr_array_add(has_to_wait(&earlier, catalog, change, name) ? later : round, change);
        earlier_add(&earlier, catalog, change, name);
    }
    g_ptr_array_set_size(waiting, 0);
    for (guint i = 0; i < later->len; i++)
        g_ptr_array_add(waiting, g_ptr_array_index(later, i));
}

/* Creates whose parent got further datasets while they were planned go first in the next round. */
static void plan_again(GPtrArray *waiting, const GPtrArray *round)
{
    for (guint i = round->len; i > 0; i--) {
        struct change *change = g_ptr_array_index(round, i - 1);
        if (change->kind == CHANGE_CREATE && change->error.code == ERR_CHANGED)
            g_ptr_array_insert(waiting, 0, change);
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
    for (unsigned plans = 0; waiting->len > 0;) {
        g_autoptr(GPtrArray) round = g_ptr_array_new();
        take_round(catalog, waiting, round);
        run_round(catalog, round, operation ? operation : &unlimited);
        if (plans++ < PLANS_MAX)
            plan_again(waiting, round);
    }
    operation_destroy(&unlimited);
}

int catalog_create(struct catalog *catalog, const char *name, const char *parent,
                   struct operation *operation, struct ulid *ret_id, struct error *err)
{
    struct change change = {.kind = CHANGE_CREATE, .name = name, .parent = parent};
    catalog_change(catalog, &change, 1, operation);
    if (change.error.code)
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
    return change.error.code ? error_copy(err, &change.error) : 0;
}

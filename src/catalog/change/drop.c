#include "base/timestamp.h"
#include "catalog/change/deletion.h"
#include "catalog/change/round.h"

/* What the drops of a round share. */
struct drops {
    GPtrArray *candidates; /* datasets in which a fork may have branches that are not recorded */
    GPtrArray *branches;   /* of those that go: array of struct dataset_branch */
    struct deletions *deletions;
    struct store_set *listings; /* a wave whose answers the deletions read */
};

static bool is_going(const struct task *task)
{
    return task->code == 0 && task->change->kind == CHANGE_DROP;
}

/* ---- Preparing ---- */

/* Another mount may be about to finish the fork, or to give it up. */
static int check_takeover(struct catalog *catalog, const struct fork_entry *entry,
                          struct error *err)
{
    int64_t wait_ms = 0;
    if (entry->status == FORK_ACTIVE || catalog_may_take_over(catalog, entry, &wait_ms))
        return 0;
    return error_set(err, ERR_HELD,
                     "another mount may still be %s it (it is %s); it can be taken over in %" PRId64
                     " s, unless it changes",
                     entry->status == FORK_PENDING ? "making" : "dropping",
                     fork_status_name(entry->status), (wait_ms + 999) / 1000);
}

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
    int code = check_takeover(round->catalog, entry, err);
    task->elsewhere = code != 0;
    if (code == 0)
        code = deletion_check_names(entry->datasets, err);
    return code ? code : transition_check_childless(registry, &entry->id, err);
}

static void fail_all(struct round *round, const struct error *failure)
{
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (is_going(task))
            task->code = error_copy(&task->error, failure);
    }
}

/* Nothing foreign may depend on the branches. Child forks are looked at again when the decision is
 * committed; what the engine has made is not: it takes no part in the registry. */
static void check_active(struct round *round, struct store_set *first)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    g_autofree struct descendants_query *list = g_new0(struct descendants_query, round->count);
    g_autoptr(GPtrArray) tasks = g_ptr_array_new();
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (!is_going(task) || task->entry->status != FORK_ACTIVE)
            continue;
        list[tasks->len].entry = task->entry;
        list[tasks->len].branches = task->entry->datasets;
        g_ptr_array_add(tasks, task);
    }
    descendants_check(round->catalog->descendants, registry, list, tasks->len, first,
                      round->operation);
    for (guint i = 0; i < tasks->len; i++) {
        struct task *task = g_ptr_array_index(tasks, i);
        task->code = error_copy(&task->error, &list[i].error);
    }
}

/* Of a fork that stays because something hangs on it. */
static void note_kept(struct round *round, struct task *task)
{
    const struct fork_entry *entry = task->entry;
    if (task->code == ERR_NOT_EMPTY || task->code == ERR_CORRUPT || task->code == ERR_UNSUPPORTED)
        kept_forks_put(round->catalog->kept, &entry->id, &task->error);
    error_prefix(&task->error, "it stays %s", fork_status_name(entry->status));
}

/* The same for those on which somebody else has decided, or which another program or mount has left
 * half made: the engine may have been used on them since, and whoever decided may not have looked
 * for tags. Their entries may lack branches, which go as well. */
static void check_unfinished(struct round *round)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    g_autofree struct descendants_query *list = g_new0(struct descendants_query, round->count);
    g_autoptr(GPtrArray) tasks = g_ptr_array_new();
    g_autoptr(GPtrArray) branches =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (!is_going(task) || task->entry->status == FORK_ACTIVE)
            continue;
        g_ptr_array_add(branches, deletion_branches(task->entry, round->drops->candidates));
        list[tasks->len].entry = task->entry;
        list[tasks->len].branches = g_ptr_array_index(branches, tasks->len);
        g_ptr_array_add(tasks, task);
    }
    if (tasks->len > 0)
        descendants_check(round->catalog->descendants, registry, list, tasks->len, NULL,
                          round->operation);
    for (guint i = 0; i < tasks->len; i++) {
        struct task *task = g_ptr_array_index(tasks, i);
        task->code = error_copy(&task->error, &list[i].error);
        if (task->code)
            note_kept(round, task);
    }
}

/* In one wave what decides whether the forks can go, and in which datasets they may have branches.
 * Nobody makes further ones afterwards: whoever registers datasets records them in the entry, and
 * fails once that is tombstoned. */
static void look_at_store(struct round *round)
{
    g_autofree char *storage = layout_datasets_prefix(round->catalog->layout);
    struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list_shallow(set, storage);
    check_active(round, set);
    if (listing->answer.code)
        fail_all(round, &listing->answer.error);
    else
        round->drops->candidates = deletion_candidates_listed(listing);
    store_set_unref(set);
    check_unfinished(round);
}

static void close_door(struct round *round, struct task *task, int64_t drain_until_ns)
{
    int64_t drain_ms = 0;
    if (!task->change->no_drain)
        drain_ms = MAX(0, (drain_until_ns - monotonic_now_ns()) / NS_PER_MS);
    task->code = holders_close_door(round->catalog->holders, &task->entry->id, drain_ms,
                                    round->operation, &task->error);
    task->door_closed = task->code == 0;
    if (task->code == 0 && task->entry->status == FORK_ACTIVE)
        task->code = drop_await_others(round, task, drain_until_ns);
}

static bool has_drops(const struct round *round)
{
    for (size_t i = 0; i < round->count; i++)
        if (is_going(&round->tasks[i]))
            return true;
    return false;
}

void drop_prepare(struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (is_going(task))
            task->code = find_fork(round, task, &task->error);
    }
    if (!has_drops(round))
        return;
    round->drops = g_new0(struct drops, 1);
    look_at_store(round);
    int64_t drain_until_ns =
        monotonic_now_ns() + round->catalog->settings.drain_timeout_ms * NS_PER_MS;
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (is_going(task))
            close_door(round, task, drain_until_ns);
    }
}

/* ---- Deciding ---- */

/* A fork that is tombstoned already was decided on before. */
bool drop_transition(struct round *round, struct task *task, struct transition *transition)
{
    bool shared = round->catalog->settings.shared;
    if (!is_going(task))
        return false;
    /* Among several writers it is taken over from whoever did, so that they cannot take it back. */
    task->decided = task->entry->status == FORK_TOMBSTONED && !shared;
    *transition = (struct transition){
        .kind = task->entry->status == FORK_ACTIVE ? TRANSITION_TOMBSTONE : TRANSITION_FENCE,
        .id = &task->entry->id,
        .entry = shared ? task->entry : NULL,
        .decided_at = shared ? &round->decided_at : NULL,
        .expired = task->change->expired};
    return !task->decided;
}

/* The entry may have changed between the look and the decision: datasets that another process has
 * registered are to be deleted, too. */
static int take_latest(struct round *round, struct task *task, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    const struct fork_entry *latest = registry_find_id(registry, &task->entry->id);
    if (!latest)
        return 0;
    struct fork_entry *undecided = fork_entry_with_status(latest, task->entry->status);
    fork_entry_unref(task->entry);
    task->entry = undecided;
    return deletion_check_names(undecided->datasets, err);
}

static int take_before(struct task *task, struct fork_entry *before, struct error *err)
{
    fork_entry_unref(task->entry);
    task->entry = fork_entry_ref(before);
    return deletion_check_names(before->datasets, err);
}

/* A fork that another mount has just decided to drop is not gone: that may be taken back. */
static bool is_dropped_elsewhere(const struct round *round, const struct task *task)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    const struct fork_entry *entry = registry_find_id(registry, &task->entry->id);
    return round->catalog->settings.shared && entry && entry->status == FORK_TOMBSTONED;
}

void drop_decided(struct round *round, struct task *task, const struct transition *transition)
{
    task->code = error_copy(&task->error, &transition->error);
    task->decided = task->code == 0;
    if (task->code == 0 && transition->before)
        task->code = take_before(task, transition->before, &task->error);
    else if (task->code == 0)
        task->code = take_latest(round, task, &task->error);
    else if (task->code == ERR_EXISTS)
        task->code = error_set(&task->error, ERR_CONTENDED, "its creator has just finished it");
    else if (task->code == ERR_STALE && is_dropped_elsewhere(round, task)) {
        task->elsewhere = true;
        task->code = error_set(&task->error, ERR_HELD, "another mount is dropping it");
    }
}

/* ---- Finishing ---- */

/* The tombstone is a copy of the entry from before the decision, as Uni writes it. */
void drop_add_files(struct round *round, struct task *task, struct store_set *set)
{
    task->tombstone_key = layout_tombstone_key(round->catalog->layout, &task->entry->id);
    task->tombstone = fork_entry_document(task->entry);
    store_set_put(set, task->tombstone_key, task->tombstone, STORE_ALWAYS, NULL);
}

static void forget_listings(struct drops *drops)
{
    g_clear_pointer(&drops->deletions, deletions_free);
    g_clear_pointer(&drops->listings, store_set_unref);
    g_clear_pointer(&drops->branches, g_ptr_array_unref);
}

void drop_add_listings(struct round *round, struct store_set *set)
{
    struct drops *drops = round->drops;
    if (!drops)
        return;
    forget_listings(drops);
    if (!has_drops(round))
        return;
    drops->branches = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    drops->deletions = deletions_new(round->catalog);
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (!is_going(task))
            continue;
        GPtrArray *branches = deletion_branches(task->entry, drops->candidates);
        const struct deletion deletion = {
            .id = &task->entry->id,
            .branches = branches,
            .looked_at = task->entry->status == FORK_ACTIVE ? task->entry->datasets : NULL,
            .err = &task->error};
        g_ptr_array_add(drops->branches, branches);
        deletions_add(drops->deletions, &deletion);
    }
    deletions_add_listings(drops->deletions, set);
}

void drop_files_put(struct round *round, struct task *task)
{
    if (task->code == 0)
        tombstones_note_put(round->catalog->tombstones, task->tombstone_key, NULL, task->tombstone);
}

static void take_codes(struct round *round)
{
    for (size_t i = 0; i < round->count; i++)
        round->tasks[i].code = round->tasks[i].error.code;
}

void drop_take_listings(struct round *round, struct store_set *set, int run_code)
{
    struct drops *drops = round->drops;
    if (!drops || !drops->deletions) {
        store_set_unref(set);
        return;
    }
    drops->listings = set;
    deletions_take_listings(drops->deletions, set, run_code);
    take_codes(round);
}

void drop_delete(struct round *round)
{
    struct drops *drops = round->drops;
    if (!drops || !drops->deletions)
        return;
    deletions_carry_out(drops->deletions, &round->finishing);
    take_codes(round);
}

bool drop_removal(struct round *round, struct task *task, struct transition *transition)
{
    if (!is_going(task))
        return false;
    *transition = (struct transition){.kind = TRANSITION_REMOVE, .id = &task->entry->id};
    return true;
}

void drop_removed(struct round *round, struct task *task, const struct transition *transition)
{
    task->code = error_copy(&task->error, &transition->error);
    if (task->code == 0)
        kept_forks_remove(round->catalog->kept, &task->entry->id);
}

static void drops_free(struct drops *drops)
{
    if (!drops)
        return;
    forget_listings(drops);
    g_clear_pointer(&drops->candidates, g_ptr_array_unref);
    g_free(drops);
}

/* Whatever came of a drop, from now on the status in the registry keeps the door. */
void drop_end(struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        if (task->door_closed)
            holders_open_door(round->catalog->holders, &task->entry->id);
        if (task->code && task->decided)
            error_prefix(&task->error, "the fork stays tombstoned");
    }
    drops_free(round->drops);
}

#include "catalog/change/drop.h"

#include "catalog/change/deletion.h"

void drop_move(struct drop *drop, enum drop_state next)
{
    static const unsigned successors[] = {
        [DROP_WISHED] = 1U << DROP_CLOSED,
        [DROP_CLOSED] = 1U << DROP_DECIDED,
        [DROP_DECIDED] = 1U << DROP_AGREED | 1U << DROP_REFUSED,
        [DROP_AGREED] = 1U << DROP_DELETED | 1U << DROP_REFUSED,
        [DROP_DELETED] = 1U << DROP_GONE,
        [DROP_REFUSED] = 1U << DROP_RESTORED | 1U << DROP_LEFT,
        [DROP_LEFT] = 0,
    };
    g_assert(successors[drop->state] & 1U << next);
    drop->state = next;
}

bool drop_is_decided(const struct drop *drop)
{
    return drop->state >= DROP_DECIDED && drop->state != DROP_RESTORED;
}

void drop_free(struct drop *drop)
{
    fork_entry_unref(drop->entry);
    fork_entry_unref(drop->before);
    if (drop->branches)
        g_ptr_array_unref(drop->branches);
    g_free(drop->tombstone_key);
    bytes_unref(drop->tombstone);
    g_free(drop);
}

/* ---- Preparing ---- */

/* Another mount may be about to finish the fork, or to give it up. */
static int check_takeover(struct catalog *catalog, const struct fork_entry *entry,
                          struct error *err)
{
    int64_t wait_ms = 0;
    if (entry->status == FORK_ACTIVE || catalog_may_take_over(catalog, entry, &wait_ms))
        return 0;
    const char *doing = entry->status == FORK_PENDING ? "making" : "dropping";
    const int64_t wait_s = (wait_ms + 999) / 1000;
    if (leftovers_has(catalog->leftovers, LEFTOVER_ENTRY, &entry->id))
        return error_set(err, ERR_HELD,
                         "requests for %s it, which this mount has given up, may still arrive (it "
                         "is %s); this goes on by itself in %" PRId64 " s",
                         doing, fork_status_name(entry->status), wait_s);
    return error_set(err, ERR_HELD,
                     "another mount may still be %s it (it is %s); it can be taken over in %" PRId64
                     " s, unless it changes",
                     doing, fork_status_name(entry->status), wait_s);
}

static int find_fork(struct round *round, struct drop *drop)
{
    struct change *change = drop->task.change;
    struct error *err = drop->task.err;
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
    if (change->is_unfinished && entry->status == FORK_ACTIVE)
        return error_set(err, ERR_EXISTS, "the fork is active");
    drop->entry = fork_entry_ref(entry);
    int code = check_takeover(round->catalog, entry, err);
    change->elsewhere = code != 0;
    if (code == 0)
        code = deletion_check_names(entry->datasets, err);
    return code ? code : transition_check_childless(registry, &entry->id, err);
}

/* Nothing foreign may depend on the branches. Child forks are looked at again when the decision is
 * committed; what the engine has made is not: it takes no part in the registry. */
static void check_descendants(struct round *round, bool of_active, struct store_set *first)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    g_autofree struct descendants_query *list = g_new0(struct descendants_query, round->drops->len);
    size_t count = 0;
    for (guint i = 0; i < round->drops->len; i++) {
        const struct drop *drop = g_ptr_array_index(round->drops, i);
        if (task_is_well(&drop->task) && (drop->entry->status == FORK_ACTIVE) == of_active)
            list[count++] = (struct descendants_query){.entry = drop->entry,
                                                       .branches = of_active ? drop->entry->datasets
                                                                             : drop->branches,
                                                       .err = drop->task.err};
    }
    if (first || count > 0)
        descendants_check(round->catalog->descendants, registry, list, count, first,
                          round->operation);
    for (guint i = 0, next = 0; i < round->drops->len && next < count; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        if (drop->task.err == list[next].err)
            drop->has_refs = list[next++].has_refs;
    }
}

/* Notes why a fork stays on which something hangs. */
static void note_kept(struct round *round, const struct drop *drop)
{
    const struct fork_entry *entry = drop->entry;
    struct error *err = drop->task.err;
    if (err->code == ERR_NOT_EMPTY || err->code == ERR_CORRUPT || err->code == ERR_UNSUPPORTED)
        kept_forks_put(round->catalog->kept, &entry->id, err);
    error_prefix(err, err->code, "it stays %s", fork_status_name(entry->status));
}

/* Forks on which somebody else has decided, or which another program or mount has left half made:
 * the engine may have been used on them since, and whoever decided may not have looked for tags.
 * Their entries may lack branches, which go as well. */
static void check_unfinished(struct round *round)
{
    for (guint i = 0; i < round->drops->len; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        if (task_is_well(&drop->task) && drop->entry->status != FORK_ACTIVE)
            drop->branches = deletion_branches(drop->entry, round->candidates);
    }
    check_descendants(round, false, NULL);
    for (guint i = 0; i < round->drops->len; i++) {
        const struct drop *drop = g_ptr_array_index(round->drops, i);
        if (drop->branches && !task_is_well(&drop->task))
            note_kept(round, drop);
    }
}

/* In one wave what decides whether the forks can go, and in which datasets they may have branches.
 * Nobody makes further ones afterwards: whoever registers datasets records them in the entry, and
 * fails once that is tombstoned. */
static void look_at_store(struct round *round)
{
    g_autofree char *storage = layout_datasets_prefix(round->catalog->layout);
    struct store_set *set = store_set_new();
    g_ptr_array_add(round->sets, set);
    struct store_request *listing = store_set_list_shallow(set, storage);
    layout_expect_files_of_forks(round->catalog->layout, listing);
    layout_expect_logs_of_forks(round->catalog->layout, listing);
    check_descendants(round, true, set);
    if (listing->answer.code)
        tasks_fail(round->drops, &listing->answer.error);
    else
        round->candidates = deletion_candidates_listed(listing);
    drop_check_away(round);
    check_unfinished(round);
}

static void close_door(struct round *round, struct drop *drop)
{
    int64_t drain_ms = 0;
    if (!drop->task.change->no_drain)
        drain_ms = MAX(0, (round->drain_until_ns - monotonic_now_ns()) / NS_PER_MS);
    if (holders_close_door(round->catalog->holders, &drop->entry->id, drain_ms, round->operation,
                           drop->task.err) == 0)
        drop_move(drop, DROP_CLOSED);
}

void drop_prepare(struct round *round)
{
    bool any = false;
    for (guint i = 0; i < round->drops->len; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        if (task_is_well(&drop->task) && find_fork(round, drop) == 0)
            any = true;
    }
    if (any)
        look_at_store(round);
    round->drain_until_ns =
        monotonic_now_ns() + (round->catalog->settings.drain_timeout_ms * NS_PER_MS);
    for (guint i = 0; i < round->drops->len; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        if (task_is_well(&drop->task))
            close_door(round, drop);
    }
}

/* ---- Deciding ---- */

/* A fork that is tombstoned already was decided on before, and is fenced as a pending one is: that
 * changes nothing, but makes sure that the decision is durable. Among several writers it is taken
 * over from whoever did, so that they cannot take it back. */
static bool choose_decision(struct round *round, struct task *task, struct transition *transition)
{
    struct drop *drop = (struct drop *)task;
    const bool shared = catalog_is_shared(round->catalog);
    *transition = (struct transition){
        .kind = drop->entry->status == FORK_ACTIVE ? TRANSITION_TOMBSTONE : TRANSITION_FENCE,
        .id = &drop->entry->id,
        .entry = shared ? drop->entry : NULL,
        .decided_at = shared ? &round->decided_at : NULL,
        .ret_before = shared ? &drop->before : NULL,
        .expired = task->change->expired};
    return true;
}

/* The entry may have changed between the look and the decision: datasets that another process has
 * registered are to be deleted, too. */
static void take_latest(struct round *round, struct drop *drop)
{
    struct fork_entry *latest = g_steal_pointer(&drop->before);
    if (!latest) {
        auto_registry struct registry *registry = catalog_registry(round->catalog);
        const struct fork_entry *decided = registry_find_id(registry, &drop->entry->id);
        latest = decided ? fork_entry_with_status(decided, drop->entry->status) : NULL;
    }
    if (!latest)
        return;
    fork_entry_unref(drop->entry);
    drop->entry = latest;
    deletion_check_names(latest->datasets, drop->task.err);
}

static void note_decision(struct round *round, struct task *task)
{
    struct drop *drop = (struct drop *)task;
    if (task_is_well(task)) {
        drop_move(drop, DROP_DECIDED);
        take_latest(round, drop);
    } else if (task->err->code == ERR_EXISTS) {
        error_set(task->err, ERR_CONTENDED, "its creator has just finished it");
    } else if (task->err->code == ERR_STALE) {
        drop_blame_other_mount(round, drop);
    }
}

const struct commit_part drop_decide = {choose_decision, note_decision};

/* ---- Finishing ---- */

/* The tombstone is a copy of the entry from before the decision, as Uni writes it. */
static void add_tombstone(struct round *round, struct task *task, struct store_set *set)
{
    struct drop *drop = (struct drop *)task;
    drop->tombstone_key = layout_tombstone_key(round->catalog->layout, &drop->entry->id);
    drop->tombstone = fork_entry_document(drop->entry);
    store_set_put(set, drop->tombstone_key, drop->tombstone, STORE_ALWAYS, NULL);
}

static void take_tombstone(struct round *round, struct task *task, struct store_set *set)
{
    const struct drop *drop = (struct drop *)task;
    const struct store_request *put = store_set_at(set, task->first);
    if (task_is_well(task) && put->answer.code == 0)
        tombstones_note_put(round->catalog->tombstones, drop->tombstone_key, put->answer.etag,
                            drop->tombstone);
}

static void add_listings(struct round *round, struct store_set *set)
{
    deletions_free(round->deletions);
    round->deletions = deletions_new(round->catalog);
    for (guint i = 0; i < round->drops->len; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        if (!task_is_well(&drop->task))
            continue;
        g_clear_pointer(&drop->branches, g_ptr_array_unref);
        drop->branches = deletion_branches(drop->entry, round->candidates);
        const struct deletion deletion = {
            .id = &drop->entry->id,
            .branches = drop->branches,
            .looked_at = drop->entry->status == FORK_ACTIVE ? drop->entry->datasets : NULL,
            .err = drop->task.err};
        deletions_add(round->deletions, &deletion);
    }
    deletions_add_listings(round->deletions, set);
}

static void take_listings(struct round *round, struct store_set *set, int run_code)
{
    deletions_take_listings(round->deletions, set, run_code);
}

/* Where there is no room for a tombstone the entry says enough. */
const struct wave_part drop_files = {.bearable = ERR_NO_SPACE,
                                     .add = add_tombstone,
                                     .take = take_tombstone,
                                     .add_common = add_listings,
                                     .take_common = take_listings};
const struct wave_part drop_list_again = {.add_common = add_listings, .take_common = take_listings};

void drop_delete(struct round *round)
{
    deletions_carry_out(round->deletions, &round->finishing);
    for (guint i = 0; i < round->drops->len; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        if (task_is_well(&drop->task))
            drop_move(drop, DROP_DELETED);
    }
}

static bool choose_removal(struct round *round, struct task *task, struct transition *transition)
{
    *transition =
        (struct transition){.kind = TRANSITION_REMOVE, .id = &((struct drop *)task)->entry->id};
    return true;
}

static void note_removal(struct round *round, struct task *task)
{
    struct drop *drop = (struct drop *)task;
    if (!task_is_well(task))
        return;
    drop_move(drop, DROP_GONE);
    kept_forks_remove(round->catalog->kept, &drop->entry->id);
}

const struct commit_part drop_remove = {choose_removal, note_removal};

/* Whether an entry is left that is not active, and that this mount is known to have given up. */
static bool has_left_entry(const struct drop *drop, const struct registry *registry)
{
    if (!drop_is_decided(drop) || drop->task.err->code == ERR_OUTCOME_UNKNOWN)
        return false;
    const struct fork_entry *entry = registry_find_id(registry, &drop->entry->id);
    return entry && entry->status != FORK_ACTIVE;
}

/* Whether something is left, or may come to be, or may be lost in a power failure. */
static bool is_left(const struct drop *drop)
{
    const int code = drop->task.err->code;
    return code &&
           (drop_is_decided(drop) || (drop->state == DROP_CLOSED &&
                                      (code == ERR_OUTCOME_UNKNOWN || code == ERR_NOT_DURABLE)));
}

static void leave(const struct round *round, const struct drop *drop,
                  const struct registry *registry)
{
    const bool is_unknown = drop->task.err->code == ERR_OUTCOME_UNKNOWN;
    task_leave(&drop->task, round->catalog, &drop->entry->id, has_left_entry(drop, registry),
               is_unknown ? monotonic_now_ns() + STORE_LATE_NS : 0);
}

/* What is left of a drop that failed. */
static void tell_what_is_left(const struct drop *drop)
{
    struct error *err = drop->task.err;
    if (err->code == ERR_NOT_DURABLE && drop->state == DROP_DELETED)
        error_prefix(err, err->code,
                     "nothing of it is left, but its entry may come back in a power failure");
    else if (err->code == ERR_NOT_DURABLE)
        error_prefix(err, err->code,
                     "the fork is tombstoned, but that may be lost in a power failure");
    else if (!task_is_well(&drop->task) && drop_is_decided(drop))
        error_prefix(err, err->code, "the fork stays tombstoned");
}

/* Whatever came of a drop, from now on the status in the registry keeps the door. */
void drop_end(struct round *round)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    for (guint i = 0; i < round->drops->len; i++) {
        const struct drop *drop = g_ptr_array_index(round->drops, i);
        if (drop->state != DROP_WISHED)
            holders_open_door(round->catalog->holders, &drop->entry->id);
        if (is_left(drop))
            leave(round, drop, registry);
        tell_what_is_left(drop);
    }
}

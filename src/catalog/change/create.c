#include "catalog/change/create.h"

#include "catalog/format/fork_name.h"
#include "lance/dataset.h"

void create_move(struct create *create, enum create_state next)
{
    static const unsigned successors[] = {
        [CREATE_WISHED] = 1U << CREATE_PLANNED,
        [CREATE_PLANNED] = 1U << CREATE_ENTERED,
        [CREATE_ENTERED] = 1U << CREATE_FILED | 1U << CREATE_ACTIVE | 1U << CREATE_FENCED |
                           1U << CREATE_LEFT | 1U << CREATE_TAKEN,
        [CREATE_FILED] =
            1U << CREATE_ACTIVE | 1U << CREATE_FENCED | 1U << CREATE_LEFT | 1U << CREATE_TAKEN,
        [CREATE_FENCED] = 1U << CREATE_GONE | 1U << CREATE_LEFT,
        [CREATE_TAKEN] = 0,
    };
    g_assert(successors[create->state] & 1U << next);
    create->state = next;
}

void create_free(struct create *create)
{
    fork_entry_unref(create->entry);
    fork_entry_unref(create->parent);
    if (create->plans)
        g_ptr_array_unref(create->plans);
    if (create->written)
        g_ptr_array_unref(create->written);
    bytes_unref(create->overlay);
    g_free(create);
}

/* ---- Preparing: everything that can fail without having written ---- */

static int find_parent(struct round *round, struct create *create)
{
    const struct change *change = create->task.change;
    struct error *err = create->task.err;
    if (!change->parent)
        return 0;
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    struct fork_entry *entry = registry_find(registry, change->parent);
    if (!entry)
        return error_set(err, ERR_NOT_FOUND, "no parent fork '%s'", change->parent);
    if (change->parent_id && !ulid_equal(change->parent_id, &entry->id))
        return error_set(err, ERR_NOT_FOUND, "the parent fork '%s' is gone, another has its name",
                         change->parent);
    if (entry->status != FORK_ACTIVE)
        return transition_refuse_parent(entry, catalog_is_shared(round->catalog), err);
    if (registry_id_is_ambiguous(registry, &entry->id))
        return error_set(err, ERR_CORRUPT, "several entries of the registry have the parent's id");
    if (!registry_allows_children(registry, entry))
        return error_set(err, ERR_NOT_PERMITTED, "forks can be nested %d deep",
                         FORK_ANCESTORS_MAX + 1);
    create->parent = fork_entry_ref(entry);
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

/* The fork point that is read for a parent; NULL: none. */
static const struct fork_point_query *find_point(const struct round *round,
                                                 const struct fork_entry *parent)
{
    for (guint i = 0; i < round->points->len; i++) {
        const struct fork_point_query *query =
            &g_array_index(round->points, struct fork_point_query, i);
        bool has_same = query->parent && parent ? ulid_equal(&query->parent->id, &parent->id)
                                                : query->parent == parent;
        if (has_same)
            return query;
    }
    return NULL;
}

/* Which fork points are needed: one for all creates with the same parent. */
static void collect_points(struct round *round)
{
    for (guint i = 0; i < round->creates->len; i++) {
        struct create *create = g_ptr_array_index(round->creates, i);
        struct change *change = create->task.change;
        if (!task_is_well(&create->task))
            continue;
        change->id = ulid_new();
        if (check_name(round, change->name, create->task.err) || find_parent(round, create) ||
            find_point(round, create->parent))
            continue;
        struct fork_point_query query = {.parent = create->parent};
        g_array_append_val(round->points, query);
    }
}

/* Versions of datasets must not vanish between being read and being named by a ref. */
static void keep_from_compacting(struct round *round)
{
    struct error failure = {0};
    if (round->points->len == 0)
        return;
    if (compaction_lock_acquire(round->catalog->compaction, round->operation,
                                &round->has_compaction_lock, &failure)) {
        tasks_fail(round->creates, &failure);
        g_array_set_size(round->points, 0);
    }
}

void create_let_compact(struct round *round)
{
    if (round->has_compaction_lock)
        compaction_lock_release(round->catalog->compaction);
    round->has_compaction_lock = false;
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
    description->has_expiry = true;
    return fork_entry_expiry(description->created_at, seconds, &description->expires_at, err);
}

static int make_entry(struct round *round, struct create *create)
{
    const struct change *change = create->task.change;
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    for (guint i = 0; i < create->plans->len; i++) {
        const struct branch_plan *plan = g_ptr_array_index(create->plans, i);
        g_ptr_array_add(datasets, dataset_branch_new(plan->dataset, plan->branch));
    }
    struct fork_description description = {
        .name = change->name,
        .id = change->id,
        .has_parent = create->parent != NULL,
        .parent_snapshot_id = create->point->snapshot_id,
        .created_at = timestamp_now(),
        .schema_version = create->point->schema_version,
        .version_mark = create->point->version_mark,
        .datasets = datasets,
    };
    if (create->parent)
        description.parent_id = create->parent->id;
    int code = choose_expiry(round, change, &description, create->task.err);
    if (code == 0)
        create->entry = fork_entry_new(&description);
    return code;
}

/* What the fork inherits by the overlay of its parent must not be missing. */
static int check_parent_overlay(const struct round *round, const struct create *create)
{
    if (!create->parent || create->point->has_overlay)
        return 0;
    const struct ulid *id = &create->parent->id;
    g_autofree char *key = layout_overlay_key(round->catalog->layout, id);
    int code = overlays_check_absent(round->catalog->overlays, id, create->task.err);
    return error_prefix(create->task.err, code, "the overlay %s of the parent", key);
}

static void plan_create(struct round *round, struct create *create)
{
    const struct fork_point_query *query = find_point(round, create->parent);
    create->point = query->point;
    if (error_copy(create->task.err, &query->error) == 0 &&
        check_parent_overlay(round, create) == 0 &&
        fork_point_plan(create->point, round->catalog->layout, &create->task.change->id,
                        &create->plans, create->task.err) == 0 &&
        make_entry(round, create) == 0)
        create_move(create, CREATE_PLANNED);
}

/* Of a registry of thousands of forks the first will do. */
#define FORKS_LOOKED_AT 16

/* The datasets (char *) in which active forks have branches, so that there is a directory
 * of them. */
static GHashTable *find_branched(struct round *round)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0, looked = 0; i < registry->entries->len && looked < FORKS_LOOKED_AT; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (entry->status != FORK_ACTIVE)
            continue;
        looked++;
        for (guint j = 0; j < entry->datasets->len; j++) {
            const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, j);
            g_hash_table_add(names, g_strdup(pair->dataset));
        }
    }
    return names;
}

void create_prepare(struct round *round)
{
    if (round->creates->len > 0) /* else it is a round of drops */
        round->branched = find_branched(round);
    collect_points(round);
    keep_from_compacting(round);
    fork_point_read_all(round->catalog->fork_points, (void *)round->points->data,
                        round->points->len, round->operation);
    for (guint i = 0; i < round->creates->len; i++) {
        struct create *create = g_ptr_array_index(round->creates, i);
        if (task_is_well(&create->task))
            plan_create(round, create);
    }
}

/* ---- Writing ---- */

static bool choose_entry(struct round *round, struct task *task, struct transition *transition)
{
    struct create *create = (struct create *)task;
    *transition = (struct transition){
        .kind = TRANSITION_INSERT,
        .entry = create->entry,
        .parent = create->parent,
        .max_forks = round->catalog->settings.max_forks,
        .decided_at = catalog_is_shared(round->catalog) ? &round->decided_at : NULL};
    return true;
}

static void note_entry(struct round *round, struct task *task)
{
    struct create *create = (struct create *)task;
    create->late_entry = task->err->code == ERR_OUTCOME_UNKNOWN;
    if (task_is_well(task) || create->late_entry || task->err->code == ERR_NOT_DURABLE)
        create_move(create, CREATE_ENTERED);
}

const struct commit_part create_enter = {choose_entry, note_entry};

static void add_files(struct round *round, struct task *task, struct store_set *set)
{
    struct create *create = (struct create *)task;
    const struct layout *layout = round->catalog->layout;
    const struct ulid *id = &task->change->id;
    g_autofree char *allocator_key = layout_fork_allocator_key(layout, id);
    g_autofree char *overlay_key = layout_overlay_key(layout, id);
    auto_bytes struct bytes *allocator = allocator_render(&create->point->allocator);
    for (guint i = 0; i < create->plans->len; i++) {
        const struct branch_plan *plan = g_ptr_array_index(create->plans, i);
        g_autofree char *dataset = layout_dataset_key(layout, plan->dataset);
        const size_t first = store_set_size(set);
        const bool is_branched = g_hash_table_contains(round->branched, plan->dataset);
        lance_branch_put_requests(set, dataset, plan->branch, plan->version, plan->manifest,
                                  plan->ref);
        for (size_t j = first; j < store_set_size(set); j++)
            lance_expect_branches(store_set_at(set, j), dataset, is_branched);
    }
    create->overlay = overlay_of_new_fork(create->point->schemaless_types);
    struct store_request *put = store_set_put(set, allocator_key, allocator, STORE_IF_ABSENT, NULL);
    store_request_in_place(put);
    layout_expect_files_of_forks(layout, put);
    put = store_set_put(set, overlay_key, create->overlay, STORE_IF_ABSENT, NULL);
    layout_expect_files_of_forks(layout, put);
}

/* What has to be found again when a create that failed is undone. */
static void note_written(struct create *create, struct store_set *set)
{
    create->written = dataset_branches_new();
    for (guint i = 0; i < create->plans->len; i++) {
        const struct branch_plan *plan = g_ptr_array_index(create->plans, i);
        for (size_t j = 0; j < LANCE_BRANCH_PUTS; j++) {
            const size_t at = create->task.first + (i * LANCE_BRANCH_PUTS) + j;
            const int code = store_set_at(set, at)->answer.code;
            if (code == 0 || store_code_has_effect(code))
                dataset_branches_add(create->written, plan->dataset, plan->branch);
        }
    }
}

static void take_files(struct round *round, struct task *task, struct store_set *set)
{
    struct create *create = (struct create *)task;
    const struct ulid *id = &task->change->id;
    if (!task_is_well(task)) {
        note_written(create, set);
        error_prefix(task->err, task->err->code, "writing the branches of fork %s", id->text);
        return;
    }
    create->written = g_ptr_array_ref(create->entry->datasets);
    const struct store_request *overlay = store_set_at(set, task->end - 1);
    overlays_note_put(round->catalog->overlays, id, create->overlay, overlay->answer.etag);
    round->operation->deadline_ns = round->deadline_ns; /* what is complete is made active */
    if (operation_check(round->operation, "before activating the fork", task->err) == 0)
        create_move(create, CREATE_FILED);
}

const struct wave_part create_files = {.add = add_files, .take = take_files};

static bool choose_activation(struct round *round, struct task *task, struct transition *transition)
{
    *transition = (struct transition){.kind = TRANSITION_ACTIVATE, .id = &task->change->id};
    return ((struct create *)task)->state == CREATE_FILED;
}

static void note_activation(struct round *round, struct task *task)
{
    if (task_is_well(task))
        create_move((struct create *)task, CREATE_ACTIVE);
}

const struct commit_part create_activate = {choose_activation, note_activation};

/* ---- What stays unfinished ---- */

/* An entry that may still arrive; or one that is there, not active, and not another mount's. */
static bool has_left_entry(const struct create *create, const struct registry *registry)
{
    const struct fork_entry *entry = registry_find_id(registry, &create->task.change->id);
    return create->late_entry ||
           (create->state >= CREATE_ENTERED && entry && entry->status != FORK_ACTIVE);
}

/* Whether something is left, or what was done to the entry may be lost in a power failure. */
static bool is_left(const struct create *create)
{
    return !task_is_well(&create->task) && (create->late_entry || create->state == CREATE_LEFT ||
                                            (create->state == CREATE_GONE && create->problem.code));
}

void create_leave(struct round *round)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    for (guint i = 0; i < round->creates->len; i++) {
        const struct create *create = g_ptr_array_index(round->creates, i);
        int64_t until_ns = create->late_entry ? monotonic_now_ns() + STORE_LATE_NS : 0;
        if (is_left(create) && create->state != CREATE_TAKEN)
            task_leave(&create->task, round->catalog, &create->task.change->id,
                       has_left_entry(create, registry), until_ns);
    }
}

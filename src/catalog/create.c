#include "catalog/catalog.h"

#include "base/timestamp.h"
#include "catalog/catalog_private.h"
#include "catalog/fork_name.h"
#include "catalog/fork_remains.h"
#include "catalog/transitions.h"
#include "lance/dataset.h"

/* The part of the time that creating may use; the rest is for undoing it. */
#define FORWARD_NUMERATOR 3
#define FORWARD_DENOMINATOR 4

/* A create in progress. */
struct creation {
    struct catalog *catalog;
    const char *name;
    struct ulid id;
    struct fork_entry *parent; /* NULL: the primary graph */
    struct fork_point *point;
    struct fork_entry *entry; /* pending */
    bool late_entry;  /* the put that enters it had no known outcome, and may still arrive */
    bool late_writes; /* puts of its files were abandoned, and may still arrive */
    struct operation *operation;
    int64_t deadline_ns; /* of the whole operation; the operation's own is shortened meanwhile */
};

static int find_parent(struct creation *creation, const char *parent, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(creation->catalog);
    struct fork_entry *entry = registry_find(registry, parent);
    if (!entry)
        return error_set(err, ERR_NOT_FOUND, "no parent fork '%s'", parent);
    if (entry->status != FORK_ACTIVE)
        return error_set(err, entry->status == FORK_PENDING ? ERR_PENDING : ERR_STALE,
                         "parent fork '%s' is %s", parent, fork_status_name(entry->status));
    if (registry_id_is_ambiguous(registry, &entry->id))
        return error_set(err, ERR_CORRUPT, "several entries of the registry have the parent's id");
    creation->parent = fork_entry_ref(entry);
    return 0;
}

/* What can be said from memory, before anything is read. */
static int check_name(const struct creation *creation, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(creation->catalog);
    const struct fork_entry *present = registry_find(registry, creation->name);
    if (present)
        return error_set(err, ERR_EXISTS, "the fork exists (%s, %s)", present->id.text,
                         fork_status_name(present->status));
    if (tombstones_name_is_taken(creation->catalog->tombstones, creation->name))
        return error_set(err, ERR_EXISTS,
                         "a tombstone of a dropped fork of this name is still on the store");
    return 0;
}

static void describe(struct creation *creation)
{
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    for (guint i = 0; i < creation->point->branches->len; i++) {
        const struct branch_plan *plan = g_ptr_array_index(creation->point->branches, i);
        g_ptr_array_add(datasets, dataset_branch_new(plan->dataset, plan->branch));
    }
    struct fork_description description = {
        .name = creation->name,
        .id = creation->id,
        .has_parent = creation->parent != NULL,
        .parent_snapshot_id = creation->point->snapshot_id,
        .created_at = timestamp_now(),
        .schema_version = creation->point->schema_version,
        .version_mark = creation->point->version_mark,
        .datasets = datasets,
    };
    if (creation->parent)
        description.parent_id = creation->parent->id;
    creation->entry = fork_entry_new(&description);
}

/* Whether a run that ended early has left puts under way. */
static bool has_abandoned(struct store_set *set)
{
    for (size_t i = 0; i < store_set_size(set); i++)
        if (store_set_at(set, i)->answer.code == ERR_OUTCOME_UNKNOWN)
            return true;
    return false;
}

/* Branches, allocator and overlay, in one wave. */
static int put_files(struct creation *creation, struct error *err)
{
    const struct catalog *catalog = creation->catalog;
    g_autofree char *allocator_key = layout_fork_allocator_key(catalog->layout, &creation->id);
    g_autofree char *overlay_key = layout_overlay_key(catalog->layout, &creation->id);
    auto_bytes struct bytes *allocator = allocator_render(&creation->point->allocator);
    auto_bytes struct bytes *overlay = overlay_empty();
    struct store_set *set = store_set_new();
    for (guint i = 0; i < creation->point->branches->len; i++) {
        const struct branch_plan *plan = g_ptr_array_index(creation->point->branches, i);
        g_autofree char *dataset = layout_dataset_key(catalog->layout, plan->dataset);
        lance_branch_put_requests(set, dataset, plan->branch, plan->version, plan->manifest,
                                  plan->ref);
    }
    store_set_put(set, allocator_key, allocator, STORE_IF_ABSENT, NULL);
    struct store_request *put_overlay =
        store_set_put(set, overlay_key, overlay, STORE_IF_ABSENT, NULL);
    struct error failure = {0};
    int code = store_run(catalog->store, set, creation->operation, &failure);
    creation->late_writes = code != 0 && has_abandoned(set);
    if (code == 0)
        code = store_set_failure(set, 0, &failure);
    if (code == 0)
        overlays_note_put(catalog->overlays, &creation->id, overlay, put_overlay->answer.etag);
    store_set_unref(set);
    if (code) {
        error_prefix(&failure, "writing the branches of fork %s", creation->id.text);
        error_copy(err, &failure);
    }
    return code;
}

static int undo_steps(struct creation *creation, struct operation *undoing, struct error *err)
{
    struct catalog *catalog = creation->catalog;
    int code = transition_fence(catalog->committer, &creation->id, undoing, err);
    if (code)
        return code;
    auto_registry struct registry *registry = catalog_registry(catalog);
    if (creation->late_entry && !registry_find_id(registry, &creation->id))
        return error_set(err, ERR_OUTCOME_UNKNOWN, "its entry may still appear, as pending");
    code = fork_remains_delete(catalog->store, catalog->layout, catalog->settings.log, registry,
                               &creation->id, creation->entry->datasets, undoing, err);
    if (code)
        return code;
    if (creation->late_writes)
        return error_set(err, ERR_OUTCOME_UNKNOWN, "abandoned writes may still arrive");
    return transition_remove(catalog->committer, &creation->id, undoing, err);
}

/* Takes back what was written, in the time that is left. The creation's own failure is what the
 * user is told; what could not be undone is added to it. */
static void undo(struct creation *creation, struct error *failure)
{
    struct operation undoing;
    operation_init(&undoing, -1);
    undoing.deadline_ns = creation->deadline_ns;
    struct error problem = {0};
    int code = undo_steps(creation, &undoing, &problem);
    overlays_forget(creation->catalog->overlays, &creation->id);
    operation_destroy(&undoing);
    struct error cause = *failure;
    if (code)
        error_set(failure, cause.code, "%.600s; what was written is left for recovery: %.350s",
                  cause.text, problem.text);
    else if (cause.code == ERR_OUTCOME_UNKNOWN) /* it is known now: nothing is left of it */
        error_set(failure, operation_remaining_ms(creation->operation) > 0 ? ERR_IO : ERR_DEADLINE,
                  "%.900s; everything was undone", cause.text);
}

/* Whether an activation whose answer was lost has taken effect: the fence finds the fork active, or
 * makes sure that it never becomes so. */
static bool activation_landed(struct creation *creation, bool *undecided)
{
    struct operation deciding;
    operation_init(&deciding, -1);
    deciding.deadline_ns = creation->deadline_ns;
    int fence = transition_fence(creation->catalog->committer, &creation->id, &deciding, NULL);
    operation_destroy(&deciding);
    *undecided = fence != 0 && fence != ERR_EXISTS;
    return fence == ERR_EXISTS;
}

/* Everything that is written, under the name's lock. */
static int write_fork(struct creation *creation, struct error *err)
{
    struct committer *committer = creation->catalog->committer;
    struct error failure = {0};
    int code = transition_insert(committer, creation->entry, creation->operation, &failure);
    if (code && code != ERR_OUTCOME_UNKNOWN)
        return error_copy(err, &failure); /* nothing was written */
    creation->late_entry = code == ERR_OUTCOME_UNKNOWN;
    if (code == 0)
        code = put_files(creation, &failure);
    if (code == 0)
        code = operation_check(creation->operation, "before activating the fork", &failure);
    if (code == 0) {
        bool undecided = false;
        code = transition_activate(committer, &creation->id, creation->operation, &failure);
        if (code == ERR_OUTCOME_UNKNOWN && activation_landed(creation, &undecided))
            return 0;
        if (undecided)
            return error_copy(err, &failure); /* never undone without knowing */
    }
    if (code == 0)
        return 0;
    undo(creation, &failure);
    return error_copy(err, &failure);
}

static int create_locked(struct creation *creation, const char *parent, struct error *err)
{
    int code = check_name(creation, err);
    if (code == 0 && parent)
        code = find_parent(creation, parent, err);
    if (code == 0)
        code = fork_point_read(creation->catalog->fork_points, creation->parent, &creation->id,
                               creation->operation, &creation->point, err);
    if (code)
        return code;
    describe(creation);
    return write_fork(creation, err);
}

/* Shortens the operation's deadline, so that undoing fits into the time that the user was promised.
 */
static void reserve_time_for_undo(struct creation *creation)
{
    int64_t left_ms = operation_remaining_ms(creation->operation);
    creation->deadline_ns = creation->operation->deadline_ns;
    if (creation->deadline_ns != INT64_MAX)
        creation->operation->deadline_ns -=
            left_ms * 1000000 / FORWARD_DENOMINATOR * (FORWARD_DENOMINATOR - FORWARD_NUMERATOR);
}

int catalog_create(struct catalog *catalog, const char *name, const char *parent,
                   struct operation *operation, struct ulid *ret_id, struct error *err)
{
    struct error failure = {0};
    int code = fork_name_check(name, err);
    if (code)
        return code;
    if (catalog->settings.read_only)
        return error_set(err, ERR_READ_ONLY, "the catalog is mounted read-only");
    struct operation unlimited;
    operation_init(&unlimited, -1);
    struct creation creation = {.catalog = catalog,
                                .name = name,
                                .id = ulid_new(),
                                .operation = operation ? operation : &unlimited};
    reserve_time_for_undo(&creation);
    code = name_locks_acquire(catalog->names, name, creation.operation, &failure);
    if (code == 0) {
        code = create_locked(&creation, parent, &failure);
        name_locks_release(catalog->names, name);
    }
    creation.operation->deadline_ns = creation.deadline_ns;
    if (code == 0 && ret_id)
        *ret_id = creation.id;
    if (code) {
        error_prefix(&failure, "creating fork '%s'", name);
        error_copy(err, &failure);
    }
    fork_entry_unref(creation.entry);
    fork_entry_unref(creation.parent);
    fork_point_free(creation.point);
    operation_destroy(&unlimited);
    return code;
}

/*
 * Taking back creates that failed after their entry was committed: fenced, deleted, removed.
 */
#include "catalog/change/create.h"
#include "catalog/change/deletion.h"

/* One commit for all that could be undone so far. */
static void commit_undone(struct round *round, const GPtrArray *undone, enum transition_kind kind,
                          struct operation *undoing)
{
    g_autofree struct transition *list = g_new0(struct transition, undone->len);
    size_t count = 0;
    for (guint i = 0; i < undone->len; i++) {
        struct create *create = g_ptr_array_index(undone, i);
        if (create->problem.code == 0)
            list[count++] = (struct transition){
                .kind = kind,
                .id = &create->task.change->id,
                .decided_at = catalog_is_shared(round->catalog) ? &round->decided_at : NULL,
                .ret_active = kind == TRANSITION_FENCE ? &create->is_active : NULL,
                .err = &create->problem};
    }
    transitions_commit(round->catalog->committer, list, count, undoing);
}

/* ---- Fencing ---- */

static bool is_entered(struct catalog *catalog, const struct ulid *id)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    return registry_find_id(registry, id) != NULL;
}

/* A fork that turns out to be active was created after all: its activation's answer was lost. Who
 * has seen it may have begun to use it, so it is never undone; but it may be lost in a power
 * failure. */
static void note_active(struct create *create)
{
    struct error *err = create->task.err;
    const struct error cause = *err;
    if (create->problem.code == 0) {
        *err = (struct error){0};
        create_move(create, CREATE_ACTIVE);
        return;
    }
    error_set(err, cause.code,
              "%.600s; the fork is active, but may be lost in a power failure: %.300s", cause.text,
              create->problem.text);
    create_move(create, CREATE_LEFT);
}

/* What came of the fence. One that cannot be fenced is left for recovery; one that another mount
 * has tombstoned, which may take that back, to that mount. A fence that may be lost is good enough:
 * the fork was never active, and will never be. */
static void note_fence(struct round *round, struct create *create)
{
    struct error *err = create->task.err;
    const struct error cause = *err;
    if (create->problem.code == ERR_NOT_DURABLE && !create->is_active)
        create->problem = (struct error){0};
    const int code = create->problem.code;
    if (create->is_active) {
        note_active(create);
    } else if (code == 0 && create->late_entry &&
               !is_entered(round->catalog, &create->task.change->id)) {
        error_set(err, cause.code, "%.600s; its entry may still appear, as pending", cause.text);
        create_move(create, CREATE_LEFT);
    } else if (code == 0) {
        create_move(create, CREATE_FENCED);
    } else {
        error_set(err, cause.code, "%.600s; it is left for recovery: %.350s", cause.text,
                  create->problem.text);
        create_move(create, code == ERR_STALE ? CREATE_TAKEN : CREATE_LEFT);
    }
}

/* ---- Deleting ---- */

/* What was abandoned is mostly slow, and not stuck: once it has ended nothing of it arrives after
 * the files are deleted. */
static void await_late_writes(struct round *round, const GPtrArray *undone)
{
    bool any = false;
    for (guint i = 0; i < undone->len; i++)
        any = any || ((struct create *)g_ptr_array_index(undone, i))->task.late_writes;
    if (!any || catalog_is_in_bucket(round->catalog) ||
        !store_await_abandoned(round->catalog->store, STORE_ABANDONED_MS))
        return;
    for (guint i = 0; i < undone->len; i++)
        ((struct create *)g_ptr_array_index(undone, i))->task.late_writes = false;
}

static void delete_files(struct round *round, const GPtrArray *undone, struct operation *undoing)
{
    struct deletions *deletions = deletions_new(round->catalog);
    for (guint i = 0; i < undone->len; i++) {
        struct create *create = g_ptr_array_index(undone, i);
        const struct deletion deletion = {.extent = DELETION_OF_FILES,
                                          .id = &create->task.change->id,
                                          .branches = create->entry->datasets,
                                          .written = create->written,
                                          .err = &create->problem};
        if (create->overlay) /* else none was written: the entry could not be made durable */
            deletions_add(deletions, &deletion);
    }
    deletions_run(deletions, undoing);
    deletions_free(deletions);
    for (guint i = 0; i < undone->len; i++) {
        struct create *create = g_ptr_array_index(undone, i);
        /* In a bucket it is looked at once more: late_forks.h. */
        if (create->problem.code == 0 && create->task.late_writes &&
            !catalog_is_in_bucket(round->catalog))
            error_set(&create->problem, ERR_OUTCOME_UNKNOWN, "abandoned writes may still arrive");
    }
}

/* ---- Both, where there is no room ---- */

/* Nobody can make it active meanwhile: that was not tried, or has had no effect. */
static bool stays_pending(const struct create *create)
{
    return !create->is_active && !create->late_entry &&
           (create->state == CREATE_ENTERED || create->task.err->code == ERR_NO_SPACE);
}

/* What could not be fenced for lack of room loses its files first. */
static void fence_with_room(struct round *round, const GPtrArray *undone, struct operation *undoing)
{
    g_autoptr(GPtrArray) full = g_ptr_array_new();
    for (guint i = 0; i < undone->len; i++) {
        struct create *create = g_ptr_array_index(undone, i);
        if (create->problem.code != ERR_NO_SPACE || !stays_pending(create))
            continue;
        create->problem = (struct error){0};
        g_ptr_array_add(full, create);
    }
    if (full->len == 0)
        return;
    delete_files(round, full, undoing);
    for (guint i = 0; i < full->len; i++)
        ((struct create *)g_ptr_array_index(full, i))->problem = (struct error){0};
    commit_undone(round, full, TRANSITION_FENCE, undoing);
}

/* Fences the creates that failed once they were entered; leaves in the list those that are now. */
static void fence_entries(struct round *round, GPtrArray *undone, struct operation *undoing)
{
    commit_undone(round, undone, TRANSITION_FENCE, undoing);
    fence_with_room(round, undone, undoing);
    for (guint i = undone->len; i > 0; i--) {
        struct create *create = g_ptr_array_index(undone, i - 1);
        note_fence(round, create);
        if (create->state != CREATE_FENCED)
            g_ptr_array_remove_index(undone, i - 1);
    }
}

/* The task's own failure is what the user is told; what could not be undone is added to it. */
static void note_undone(struct round *round, struct create *create)
{
    struct error *err = create->task.err;
    const struct error cause = *err;
    const bool is_gone = create->problem.code == 0 || create->problem.code == ERR_NOT_DURABLE;
    create_move(create, is_gone ? CREATE_GONE : CREATE_LEFT);
    if (is_gone && create->problem.code)
        error_set(err, cause.code, "%.600s; all is undone, but its entry may come back: %.300s",
                  cause.text, create->problem.text);
    else if (create->problem.code)
        error_set(err, cause.code, "%.600s; what was written is left for recovery: %.350s",
                  cause.text, create->problem.text);
    else if (cause.code == ERR_OUTCOME_UNKNOWN) /* it is known now: nothing is left of it */
        error_set(err, operation_remaining_ms(round->operation) > 0 ? ERR_IO : ERR_DEADLINE,
                  "%.900s; everything was undone", cause.text);
}

void create_undo(struct round *round)
{
    g_autoptr(GPtrArray) undone = g_ptr_array_new();
    auto_operation struct operation undoing;
    catalog_init_undoing(round->catalog, &undoing, round->operation);
    for (guint i = 0; i < round->creates->len; i++) {
        struct create *create = g_ptr_array_index(round->creates, i);
        if (!task_is_well(&create->task) &&
            (create->state == CREATE_ENTERED || create->state == CREATE_FILED))
            g_ptr_array_add(undone, create);
    }
    if (undone->len > 0)
        fence_entries(round, undone, &undoing);
    if (undone->len == 0)
        return;
    await_late_writes(round, undone);
    delete_files(round, undone, &undoing);
    commit_undone(round, undone, TRANSITION_REMOVE, &undoing);
    for (guint i = 0; i < undone->len; i++)
        note_undone(round, g_ptr_array_index(undone, i));
}

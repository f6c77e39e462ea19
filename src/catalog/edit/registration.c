/*
 * catalog_register_datasets(): adding datasets to a fork that lives.
 */
#include "catalog/catalog.h"

#include <string.h>

#include "base/timestamp.h"
#include "catalog/catalog_private.h"
#include "catalog/change/deletion.h"
#include "catalog/edit/additions.h"
#include "catalog/edit/registration_intent.h"
#include "catalog/registry/transitions.h"
#include "lance/dataset.h"

struct registration {
    struct catalog *catalog;
    struct fork_entry *entry;
    GPtrArray *additions; /* struct addition */
    struct operation *operation;
    struct operation undoing;
    struct bytes *intent;    /* as it was put; NULL: it was not */
    struct store_set *looks; /* the last look at the store; NULL before */
    bool late_writes;        /* some were abandoned, and may still arrive */
    bool undecided;          /* whether the entry names the branches is not known */
};

/* ---- What is there ---- */

static int look_at_store(struct registration *registration, struct error *err)
{
    store_set_unref(registration->looks);
    registration->looks = store_set_new();
    return additions_look(registration->additions, registration->catalog, registration->looks,
                          registration->operation, err);
}

/* ---- Making branches ---- */

static const struct branch_origin *find_origin(const struct fork_point *point, const char *dataset)
{
    for (guint i = 0; point && i < point->origins->len; i++) {
        const struct branch_origin *origin = g_ptr_array_index(point->origins, i);
        if (strcmp(origin->dataset, dataset) == 0)
            return origin;
    }
    return NULL;
}

/* Plans the branches of those datasets that the point has. *ret_missing: one that it has not. */
static int plan_from(struct registration *registration, const struct fork_entry *parent,
                     const char **ret_missing, struct error *err)
{
    struct catalog *catalog = registration->catalog;
    struct fork_point *point = NULL;
    g_autoptr(GPtrArray) wanted = g_ptr_array_new();
    for (guint i = 0; i < registration->additions->len; i++)
        g_ptr_array_add(
            wanted, ((struct addition *)g_ptr_array_index(registration->additions, i))->dataset);
    int code =
        fork_point_read(catalog->fork_points, parent, wanted, registration->operation, &point, err);
    struct timespec now = timestamp_now();
    *ret_missing = NULL;
    for (guint i = 0; code == 0 && i < registration->additions->len; i++) {
        struct addition *addition = g_ptr_array_index(registration->additions, i);
        const struct branch_origin *origin = find_origin(point, addition->dataset);
        if (!addition_is_to_be_made(addition) || addition->plan)
            continue;
        if (origin)
            code = branch_plan_make(catalog->layout, &registration->entry->id, origin, now,
                                    &addition->plan, err);
        else
            *ret_missing = addition->dataset;
    }
    fork_point_free(point);
    return code;
}

/* Plans branches from those of the parent fork where it has them, else from main. */
static int plan_branches(struct registration *registration, struct error *err)
{
    const struct fork_entry *entry = registration->entry;
    auto_registry struct registry *registry = catalog_registry(registration->catalog);
    const struct fork_entry *parent =
        entry->has_parent ? registry_find_id(registry, &entry->parent_id) : NULL;
    const char *missing = additions_first_to_be_made(registration->additions);
    int code = 0;
    if (missing && parent)
        code = plan_from(registration, parent, &missing, err);
    if (code == 0 && missing)
        code = plan_from(registration, NULL, &missing, err);
    if (code == 0 && missing)
        code = error_set(err, ERR_NOT_FOUND, "there is no dataset %s", missing);
    return code;
}

/* ---- Writing ---- */

/* The branches are this fork's by name, and it does not register them. */
static int delete_zombies(struct registration *registration, struct error *err)
{
    g_autoptr(GPtrArray) branches = additions_branches(registration->additions, addition_is_zombie);
    if (branches->len == 0)
        return 0;
    const struct deletion deletion = {
        .extent = DELETION_OF_BRANCHES, .id = &registration->entry->id, .branches = branches};
    return deletion_run(registration->catalog, deletion, registration->operation, err);
}

static int put_branches(struct registration *registration, struct store_set *set, struct error *err)
{
    const struct catalog *catalog = registration->catalog;
    for (guint i = 0; i < registration->additions->len; i++) {
        struct addition *addition = g_ptr_array_index(registration->additions, i);
        const struct branch_plan *branch = addition->plan;
        g_autofree char *dataset = layout_dataset_key(catalog->layout, addition->dataset);
        addition->first = store_set_size(set);
        if (branch)
            lance_branch_put_requests(set, dataset, branch->branch, branch->version,
                                      branch->manifest, branch->ref);
        addition->end = store_set_size(set);
        for (size_t j = addition->first; j < addition->end; j++)
            lance_expect_branches(store_set_at(set, j), dataset, false);
    }
    int run_code = store_run(catalog->store, set, registration->operation, NULL), code = 0;
    for (size_t i = 0; i < store_set_size(set); i++) {
        const struct store_answer *answer = &store_set_at(set, i)->answer;
        registration->late_writes |= answer->late;
        if (code == 0)
            code = store_answer_failure(answer, run_code, err);
    }
    return code == ERR_PRECONDITION
               ? error_set(err, ERR_CONFLICT, "another writer made a branch at the same time")
               : code;
}

/* ---- Taking back ---- */

/* Reads the registry, and strikes from the list what the entry names by now: it is in use. */
static int drop_registered(struct registration *registration, struct operation *operation,
                           struct error *err)
{
    struct catalog *catalog = registration->catalog;
    int code = committer_reload(catalog->committer, operation, err);
    if (code)
        return code;
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, &registration->entry->id);
    for (guint i = registration->additions->len; entry && i-- > 0;) {
        const struct addition *addition = g_ptr_array_index(registration->additions, i);
        if (g_strcmp0(fork_entry_branch(entry, addition->dataset), addition->branch) == 0)
            g_ptr_array_remove_index(registration->additions, i);
    }
    return 0;
}

static void delete_puts_of(const struct layout *layout, const struct addition *addition,
                           struct store_set *puts, struct store_set *deletes)
{
    g_autofree char *dataset = layout_dataset_key(layout, addition->dataset);
    for (size_t i = addition->first; i < addition->end; i++) {
        const struct store_request *request = store_set_at(puts, i);
        const int code = request->answer.code;
        if (code == 0 || store_code_has_effect(code))
            store_request_expect_as(
                lance_branch_file_delete_request(deletes, dataset, request->key), request);
    }
}

/* Deletes what this call put; the branches are new, so they are these two objects each. */
static int delete_puts(struct registration *registration, struct store_set *puts, struct error *err)
{
    const struct catalog *catalog = registration->catalog;
    const GPtrArray *additions = registration->additions;
    auto_store_set struct store_set *deletes = store_set_new();
    auto_store_set struct store_set *prunes = store_set_new();
    for (guint i = 0; i < additions->len; i++)
        delete_puts_of(catalog->layout, g_ptr_array_index(additions, i), puts, deletes);
    int code = store_run_all(catalog->store, deletes, 0, &registration->undoing, err);
    if (code)
        return code;
    for (guint i = 0; i < additions->len; i++) {
        const struct addition *addition = g_ptr_array_index(additions, i);
        g_autofree char *dataset = layout_dataset_key(catalog->layout, addition->dataset);
        if (addition->plan)
            lance_branch_prune_requests(prunes, dataset, addition->branch);
    }
    return store_run_all(catalog->store, prunes, 0, &registration->undoing, err);
}

static void leave_intent(struct registration *registration)
{
    intent_leave(registration->catalog, &registration_intents, &registration->entry->id,
                 registration->intent, registration->late_writes || registration->undecided);
}

/* The intent stays when something may be left. */
static void take_puts_back(struct registration *registration, struct store_set *puts,
                           struct error *err)
{
    struct error problem = {0};
    int code = 0;
    if (registration->late_writes &&
        store_await_abandoned(registration->catalog->store, STORE_ABANDONED_MS))
        registration->late_writes = false;
    operation_destroy(&registration->undoing);
    catalog_init_undoing(registration->catalog, &registration->undoing, registration->operation);
    if (store_set_size(puts) > 0)
        code = drop_registered(registration, &registration->undoing, &problem);
    if (code == 0)
        code = delete_puts(registration, puts, &problem);
    if (code == 0 && registration->late_writes)
        code = error_set(&problem, ERR_OUTCOME_UNKNOWN, "abandoned writes may still arrive");
    if (code == 0)
        code = registration_intent_delete(registration->catalog, &registration->entry->id,
                                          &registration->undoing, &problem);
    struct error cause = *err;
    if (code)
        leave_intent(registration);
    if (code)
        error_set(err, cause.code, "%.600s; what was written is left for recovery: %.350s",
                  cause.text, problem.text);
}

/* ---- The whole ---- */

static int commit_datasets(struct registration *registration, struct error *err)
{
    g_autoptr(GPtrArray) datasets = additions_branches(registration->additions, NULL);
    return transition_commit(registration->catalog->committer,
                             (struct transition){.kind = TRANSITION_DATASETS,
                                                 .id = &registration->entry->id,
                                                 .datasets = datasets},
                             registration->operation, err);
}

/* Whether the intent of another mount may be about a branch that is to be registered: to make it,
 * and perhaps to take it back. */
static bool may_be_made_elsewhere(const struct registration *registration)
{
    for (guint i = 0; catalog_is_shared(registration->catalog) && i < registration->additions->len;
         i++) {
        const struct addition *addition = g_ptr_array_index(registration->additions, i);
        g_autofree char *own = layout_branch_name(&registration->entry->id, addition->dataset);
        if (strcmp(addition->branch, own) == 0)
            return true;
    }
    return false;
}

/* What was seen and planned before the intent was there another mount may have changed. From here
 * on none does. */
static int look_again_with_intent(struct registration *registration, struct error *err)
{
    int code = drop_registered(registration, registration->operation, err);
    if (code == 0)
        code = look_at_store(registration, err);
    for (guint i = 0; code == 0 && i < registration->additions->len; i++) {
        struct addition *addition = g_ptr_array_index(registration->additions, i);
        if (addition_is_to_be_made(addition) && !addition->plan)
            return error_set(err, ERR_HELD, "another mount has just taken branch %s back",
                             addition->branch);
        if (!addition_is_to_be_made(addition))
            g_clear_pointer(&addition->plan, branch_plan_free);
    }
    return code;
}

/* What an earlier registration left is cleared away first. The intent tells of the branches to be
 * made; those that are there somebody else made. */
static int put_intent(struct registration *registration, struct error *err)
{
    struct catalog *catalog = registration->catalog;
    const struct ulid *id = &registration->entry->id;
    g_autoptr(GPtrArray) branches =
        additions_branches(registration->additions, addition_is_to_be_made);
    int code = registration_intent_put(catalog, id, branches, registration->operation,
                                       &registration->intent, err);
    if (code != ERR_HELD)
        return code;
    code = intent_clear(catalog, &registration_intents, id, registration->operation, err);
    if (code == 0)
        code = registration_intent_put(catalog, id, branches, registration->operation,
                                       &registration->intent, err);
    return code;
}

/* Makes the branches and commits, while the intent is on the store. */
static int make_and_commit(struct registration *registration, struct store_set *puts,
                           struct error *err)
{
    int code =
        catalog_is_shared(registration->catalog) ? look_again_with_intent(registration, err) : 0;
    if (code || registration->additions->len == 0)
        return code;
    code = delete_zombies(registration, err);
    registration->late_writes = code == ERR_DEADLINE;
    if (code == 0)
        code = put_branches(registration, puts, err);
    if (code == 0) {
        code = commit_datasets(registration, err);
        /* Never undone without knowing; nor is the intent deleted while the entry may change back.
         */
        registration->undecided = code == ERR_OUTCOME_UNKNOWN || code == ERR_NOT_DURABLE;
    }
    return code;
}

/* Before all has arrived the fork may be dropped. */
static void note_late(const struct registration *registration)
{
    if (!registration->late_writes)
        return;
    g_autoptr(GPtrArray) branches = additions_branches(registration->additions, NULL);
    late_forks_add(registration->catalog->late_forks, &registration->entry->id, branches,
                   monotonic_now_ns());
}

static int register_with_intent(struct registration *registration, struct error *err)
{
    int code = put_intent(registration, err); /* what may still arrive is left for recovery */
    if (code)
        return code;
    auto_store_set struct store_set *puts = store_set_new();
    code = make_and_commit(registration, puts, err);
    if (code && !registration->undecided)
        take_puts_back(registration, puts, err);
    else if (code || registration_intent_delete(registration->catalog, &registration->entry->id,
                                                &registration->undoing, NULL))
        leave_intent(registration); /* if all is done, recovery finds that it has nothing to do */
    note_late(registration);
    return code;
}

static int register_planned(struct registration *registration, struct error *err)
{
    int code = plan_branches(registration, err);
    if (code)
        return code;
    return additions_first_to_be_made(registration->additions) ||
                   may_be_made_elsewhere(registration)
               ? register_with_intent(registration, err)
               : commit_datasets(registration, err);
}

/* While branches are made, the versions that they name must not be removed. */
static int register_locked(struct registration *registration, const struct bytes *text,
                           struct error *err)
{
    struct compaction_lock *compaction = registration->catalog->compaction;
    bool is_held = false;
    int code = additions_parse(registration->entry, text, &registration->additions, err);
    if (code == 0 && registration->additions->len == 0)
        return commit_datasets(registration, err); /* of nothing: all is there, durably */
    if (code)
        return code;
    code = look_at_store(registration, err);
    if (code == 0 && additions_first_to_be_made(registration->additions))
        code = compaction_lock_acquire(compaction, registration->operation, &is_held, err);
    if (code == 0)
        code = register_planned(registration, err);
    if (is_held)
        compaction_lock_release(compaction);
    return code;
}

/* Registers in a part of the time, so that taking back what was made in vain mostly fits into the
 * whole. */
static int register_in_time(struct catalog *catalog, struct fork_entry *entry,
                            const struct bytes *text, struct operation *operation,
                            struct error *err)
{
    struct registration registration = {.catalog = catalog, .entry = entry, .operation = operation};
    catalog_init_undoing(catalog, &registration.undoing, operation);
    int64_t deadline_ns = operation ? operation_reserve(operation) : INT64_MAX;
    operation_give_up_early(operation);
    int code = register_locked(&registration, text, err);
    if (operation)
        operation->deadline_ns = deadline_ns;
    operation_destroy(&registration.undoing);
    store_set_unref(registration.looks);
    bytes_unref(registration.intent);
    if (registration.additions)
        g_ptr_array_unref(registration.additions);
    return code;
}

int catalog_register_datasets(struct catalog *catalog, const struct ulid *id, struct bytes *text,
                              struct operation *operation, struct error *err)
{
    struct error failure = {0};
    struct fork_entry *entry = NULL;
    int code = catalog_lock_active(catalog, id, operation, &entry, &failure);
    if (code == 0) {
        code = register_in_time(catalog, entry, text, operation, &failure);
        catalog_unlock(catalog, entry);
    }
    error_prefix(&failure, code, "registering datasets of fork %s", id->text);
    return code ? error_copy(err, &failure) : 0;
}

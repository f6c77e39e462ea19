#include "catalog/fork_remains.h"

#include <string.h>

#include "lance/branch_name.h"
#include "lance/dataset.h"

/* A branch whose deletion is under way. */
struct doomed_branch {
    char *dataset_key;
    const char *branch; /* owned by the caller's list */
    struct store_request *listing;
};

/* A fork whose deletion is under way. */
struct doomed_fork {
    struct fork_remains *remains;
    GPtrArray *branches; /* struct doomed_branch */
    char *overlay;
    char *registration;
    char *tagging;
    char *files;
    char *wal;
    struct store_request *listed_files;
    struct store_request *listed_wal;
    size_t first; /* its requests in the wave being run: first to end - 1 */
    size_t end;
};

struct deletion {
    struct store *store;
    const struct layout *layout;
    struct operation *operation;
    struct doomed_fork *forks;
    size_t count;
};

static void doomed_branch_free(void *pointer)
{
    struct doomed_branch *doomed = pointer;
    g_free(doomed->dataset_key);
    g_free(doomed);
}

int fork_remains_check_names(const GPtrArray *branches, struct error *err)
{
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        if (!layout_dataset_name_is_safe(pair->dataset))
            return error_set(err, ERR_CORRUPT, "dataset name '%s' cannot be used", pair->dataset);
        struct error failure = {0};
        if (lance_branch_name_check(pair->branch, &failure) != 0)
            return error_set(err, ERR_CORRUPT, "branch of dataset %s: %s", pair->dataset,
                             failure.text);
    }
    return 0;
}

static GPtrArray *choose_branches(const struct layout *layout, struct log *log,
                                  const struct registry *registry,
                                  const struct fork_remains *remains)
{
    GPtrArray *chosen = g_ptr_array_new_with_free_func(doomed_branch_free);
    for (guint i = 0; i < remains->branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(remains->branches, i);
        if (registry_protects_branch(registry, remains->id, pair->branch)) {
            log_warning(log,
                        "fork %s: leaving branch %s of dataset %s alone, it is not this fork's",
                        remains->id->text, pair->branch, pair->dataset);
            continue;
        }
        struct doomed_branch *doomed = g_new0(struct doomed_branch, 1);
        doomed->dataset_key = layout_dataset_key(layout, pair->dataset);
        doomed->branch = pair->branch;
        g_ptr_array_add(chosen, doomed);
    }
    return chosen;
}

static void deletion_begin(struct deletion *deletion, struct log *log,
                           const struct registry *registry, struct fork_remains *list)
{
    deletion->forks = g_new0(struct doomed_fork, deletion->count);
    for (size_t i = 0; i < deletion->count; i++) {
        struct doomed_fork *fork = &deletion->forks[i];
        fork->remains = &list[i];
        list[i].code = 0;
        list[i].error = (struct error){0};
        fork->branches = choose_branches(deletion->layout, log, registry, &list[i]);
        fork->overlay = layout_overlay_key(deletion->layout, list[i].id);
        fork->registration = layout_registration_key(deletion->layout, list[i].id);
        fork->tagging = layout_tagging_key(deletion->layout, list[i].id);
        fork->files = layout_fork_prefix(deletion->layout, list[i].id);
        fork->wal = layout_fork_wal_prefix(deletion->layout, list[i].id);
    }
}

static void deletion_end(struct deletion *deletion)
{
    for (size_t i = 0; i < deletion->count; i++) {
        struct doomed_fork *fork = &deletion->forks[i];
        g_ptr_array_unref(fork->branches);
        g_free(fork->overlay);
        g_free(fork->registration);
        g_free(fork->tagging);
        g_free(fork->files);
        g_free(fork->wal);
    }
    g_free(deletion->forks);
}

/* ---- The three waves, each for one fork ---- */

/* Takes away what makes branches and fork visible, and lists the rest. */
static void add_visible(struct store_set *set, struct doomed_fork *fork)
{
    for (guint i = 0; i < fork->branches->len; i++) {
        struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        doomed->listing = lance_branch_delete_request(set, doomed->dataset_key, doomed->branch);
    }
    if (fork->remains->branches_only)
        return;
    store_set_delete(set, fork->overlay);
    store_set_delete(set, fork->registration);
    store_set_delete(set, fork->tagging);
    fork->listed_files = store_set_list(set, fork->files, NULL, 0);
    fork->listed_wal = store_set_list(set, fork->wal, NULL, 0);
}

static void add_listed(struct store_set *set, const struct store_request *listing)
{
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(listing->answer.objects, i);
        store_set_delete(set, object->key);
    }
}

static void add_found(struct store_set *set, struct doomed_fork *fork)
{
    for (guint i = 0; i < fork->branches->len; i++) {
        const struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        lance_branch_delete_found(set, doomed->dataset_key, doomed->branch, doomed->listing);
    }
    if (fork->remains->branches_only)
        return;
    add_listed(set, fork->listed_files);
    add_listed(set, fork->listed_wal);
}

static void add_prunes(struct store_set *set, struct doomed_fork *fork)
{
    for (guint i = 0; i < fork->branches->len; i++) {
        const struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        lance_branch_prune_requests(set, doomed->dataset_key, doomed->branch);
    }
    if (fork->remains->branches_only)
        return;
    store_set_prune(set, fork->overlay);
    store_set_prune(set, fork->registration);
    store_set_prune(set, fork->tagging);
    store_set_prune(set, fork->files);
    store_set_prune(set, fork->wal);
}

/* Runs one wave for all forks that are well so far; a failure concerns the fork whose request it
 * is. */
static struct store_set *run_wave(struct deletion *deletion,
                                  void (*add)(struct store_set *, struct doomed_fork *))
{
    struct store_set *set = store_set_new();
    for (size_t i = 0; i < deletion->count; i++) {
        struct doomed_fork *fork = &deletion->forks[i];
        fork->first = store_set_size(set);
        if (fork->remains->code == 0)
            add(set, fork);
        fork->end = store_set_size(set);
    }
    int code = store_run(deletion->store, set, deletion->operation, NULL);
    for (size_t i = 0; i < deletion->count; i++) {
        struct doomed_fork *fork = &deletion->forks[i];
        struct fork_remains *remains = fork->remains;
        for (size_t j = fork->first; remains->code == 0 && j < fork->end; j++)
            remains->code =
                store_answer_failure(&store_set_at(set, j)->answer, code, &remains->error);
    }
    return set;
}

void fork_remains_delete(struct store *store, const struct layout *layout, struct log *log,
                         const struct registry *registry, struct fork_remains *list, size_t count,
                         struct operation *operation)
{
    struct deletion deletion = {
        .store = store, .layout = layout, .operation = operation, .count = count};
    deletion_begin(&deletion, log, registry, list);
    struct store_set *listings = run_wave(&deletion, add_visible);
    store_set_unref(run_wave(&deletion, add_found));
    store_set_unref(listings); /* the second wave reads them */
    store_set_unref(run_wave(&deletion, add_prunes));
    deletion_end(&deletion);
    for (size_t i = 0; i < count; i++)
        if (list[i].code)
            error_prefix(&list[i].error, "deleting what fork %s has on the store",
                         list[i].id->text);
}

int fork_remains_delete_one(struct store *store, const struct layout *layout, struct log *log,
                            const struct registry *registry, const struct ulid *id,
                            const GPtrArray *branches, struct operation *operation,
                            struct error *err)
{
    struct fork_remains remains = {.id = id, .branches = branches};
    fork_remains_delete(store, layout, log, registry, &remains, 1, operation);
    return remains.code ? error_copy(err, &remains.error) : 0;
}

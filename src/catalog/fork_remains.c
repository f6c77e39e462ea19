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
                                  const struct registry *registry, const struct ulid *id,
                                  const GPtrArray *branches)
{
    GPtrArray *chosen = g_ptr_array_new_with_free_func(doomed_branch_free);
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        if (registry_protects_branch(registry, id, pair->branch)) {
            log_warning(log,
                        "fork %s: leaving branch %s of dataset %s alone, it is not this fork's",
                        id->text, pair->branch, pair->dataset);
            continue;
        }
        struct doomed_branch *doomed = g_new0(struct doomed_branch, 1);
        doomed->dataset_key = layout_dataset_key(layout, pair->dataset);
        doomed->branch = pair->branch;
        g_ptr_array_add(chosen, doomed);
    }
    return chosen;
}

static void add_deletes(struct store_set *set, const struct store_request *listing)
{
    for (guint i = 0; i < listing->answer.objects->len; i++)
        store_set_delete(
            set, ((struct store_object *)g_ptr_array_index(listing->answer.objects, i))->key);
}

static int run_and_free(struct store *store, struct store_set *set, struct operation *operation,
                        struct error *err)
{
    int code = store_run(store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, 0, err);
    store_set_unref(set);
    return code;
}

/* The first wave takes away what makes branches and fork visible, and lists the rest; the second
 * deletes what was listed. */
static int delete_objects(struct store *store, const struct layout *layout, const struct ulid *id,
                          GPtrArray *chosen, struct operation *operation, struct error *err)
{
    g_autofree char *overlay = layout_overlay_key(layout, id);
    g_autofree char *files = layout_fork_prefix(layout, id);
    g_autofree char *wal = layout_fork_wal_prefix(layout, id);
    struct store_set *first = store_set_new();
    for (guint i = 0; i < chosen->len; i++) {
        struct doomed_branch *doomed = g_ptr_array_index(chosen, i);
        doomed->listing = lance_branch_delete_request(first, doomed->dataset_key, doomed->branch);
    }
    store_set_delete(first, overlay);
    struct store_request *listed_files = store_set_list(first, files, NULL, 0);
    struct store_request *listed_wal = store_set_list(first, wal, NULL, 0);
    int code = store_run(store, first, operation, err);
    if (code == 0)
        code = store_set_failure(first, 0, err);
    if (code == 0) {
        struct store_set *second = store_set_new();
        for (guint i = 0; i < chosen->len; i++) {
            const struct doomed_branch *doomed = g_ptr_array_index(chosen, i);
            lance_branch_delete_found(second, doomed->dataset_key, doomed->branch, doomed->listing);
        }
        add_deletes(second, listed_files);
        add_deletes(second, listed_wal);
        code = run_and_free(store, second, operation, err);
    }
    store_set_unref(first);
    return code;
}

static int prune(struct store *store, const struct layout *layout, const struct ulid *id,
                 const GPtrArray *chosen, struct operation *operation, struct error *err)
{
    g_autofree char *overlay = layout_overlay_key(layout, id);
    g_autofree char *files = layout_fork_prefix(layout, id);
    g_autofree char *wal = layout_fork_wal_prefix(layout, id);
    struct store_set *set = store_set_new();
    for (guint i = 0; i < chosen->len; i++) {
        const struct doomed_branch *doomed = g_ptr_array_index(chosen, i);
        lance_branch_prune_requests(set, doomed->dataset_key, doomed->branch);
    }
    store_set_prune(set, overlay);
    store_set_prune(set, files);
    store_set_prune(set, wal);
    return run_and_free(store, set, operation, err);
}

int fork_remains_delete(struct store *store, const struct layout *layout, struct log *log,
                        const struct registry *registry, const struct ulid *id,
                        const GPtrArray *branches, struct operation *operation, struct error *err)
{
    g_autoptr(GPtrArray) chosen = choose_branches(layout, log, registry, id, branches);
    struct error failure = {0};
    int code = delete_objects(store, layout, id, chosen, operation, &failure);
    if (code == 0)
        code = prune(store, layout, id, chosen, operation, &failure);
    if (code) {
        error_prefix(&failure, "deleting what fork %s has on the store", id->text);
        error_copy(err, &failure);
    }
    return code;
}

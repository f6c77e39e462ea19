#include "catalog/fork/deletion_branches.h"

#include "catalog/fork_point/dataset_listing.h"
#include "catalog/format/layout.h"
#include "lance/branch_name.h"

int deletion_check_names(const GPtrArray *branches, struct error *err)
{
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        if (!layout_dataset_name_is_safe(pair->dataset))
            return error_set(err, ERR_CORRUPT, "dataset name '%s' cannot be used", pair->dataset);
        if (lance_branch_name_check(pair->branch, err) != 0)
            return error_prefix(err, ERR_CORRUPT, "branch of dataset %s", pair->dataset);
    }
    return 0;
}

static void keep_usable(GPtrArray *datasets)
{
    for (guint i = 0; i < datasets->len;) {
        if (layout_dataset_name_is_safe(g_ptr_array_index(datasets, i)))
            i++;
        else
            g_ptr_array_remove_index(datasets, i);
    }
}

int deletion_candidates(struct fork_point_reader *reader, struct operation *operation,
                        GPtrArray **ret, struct error *err)
{
    int code = fork_point_datasets(reader, operation, ret, err);
    if (code == 0)
        keep_usable(*ret);
    return code;
}

GPtrArray *deletion_candidates_listed(const struct store_request *storage)
{
    GPtrArray *candidates = dataset_listing_read(storage, NULL);
    keep_usable(candidates);
    return candidates;
}

GPtrArray *deletion_branches(const struct fork_entry *entry, const GPtrArray *candidates)
{
    GPtrArray *branches = dataset_branches_new();
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_ptr_array_add(branches, dataset_branch_new(pair->dataset, pair->branch));
    }
    for (guint i = 0; i < candidates->len; i++) {
        const char *dataset = g_ptr_array_index(candidates, i);
        g_autofree char *branch = layout_branch_name(&entry->id, dataset);
        if (g_strcmp0(fork_entry_branch(entry, dataset), branch) != 0)
            g_ptr_array_add(branches, dataset_branch_new(dataset, branch));
    }
    return branches;
}

GPtrArray *deletion_branches_by_id(const struct fork_entry *entry)
{
    GPtrArray *branches = dataset_branches_new();
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        if (layout_branch_is_of(pair->branch, &entry->id))
            g_ptr_array_add(branches, dataset_branch_new(pair->dataset, pair->branch));
    }
    return branches;
}

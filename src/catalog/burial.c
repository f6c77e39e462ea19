#include "catalog/burial.h"

#include "catalog/fork_remains.h"
#include "catalog/transitions.h"

int burial_candidates(struct catalog *catalog, struct operation *operation, GPtrArray **ret,
                      struct error *err)
{
    GPtrArray *candidates = NULL;
    int code = fork_point_datasets(catalog->fork_points, operation, &candidates, err);
    if (code)
        return code;
    for (guint i = 0; i < candidates->len;) {
        if (layout_dataset_name_is_safe(g_ptr_array_index(candidates, i)))
            i++;
        else
            g_ptr_array_remove_index(candidates, i);
    }
    *ret = candidates;
    return 0;
}

GPtrArray *burial_branches(const struct fork_entry *entry, const GPtrArray *candidates)
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

int bury_tombstone(struct catalog *catalog, const char *key, struct operation *operation,
                   struct error *err)
{
    int code = store_delete(catalog->store, key, operation, err);
    if (code == 0)
        tombstones_note_deleted(catalog->tombstones, key);
    return code;
}

int bury(struct catalog *catalog, const struct fork_entry *entry, const GPtrArray *branches,
         struct operation *operation, struct error *err)
{
    g_autofree char *tombstone = layout_tombstone_key(catalog->layout, &entry->id);
    auto_registry struct registry *registry = catalog_registry(catalog);
    int code = fork_remains_delete(catalog->store, catalog->layout, catalog->settings.log, registry,
                                   &entry->id, branches, operation, err);
    overlays_forget(catalog->overlays, &entry->id);
    if (code == 0)
        code = bury_tombstone(catalog, tombstone, operation, err);
    if (code == 0)
        code = transition_remove(catalog->committer, &entry->id, operation, err);
    return code;
}

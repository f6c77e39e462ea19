#include "catalog/burial.h"

#include "catalog/dataset_listing.h"
#include "catalog/fork_remains.h"

/* ---- Which branches ---- */

static void keep_usable(GPtrArray *datasets)
{
    for (guint i = 0; i < datasets->len;) {
        if (layout_dataset_name_is_safe(g_ptr_array_index(datasets, i)))
            i++;
        else
            g_ptr_array_remove_index(datasets, i);
    }
}

int burial_candidates(struct catalog *catalog, struct operation *operation, GPtrArray **ret,
                      struct error *err)
{
    int code = fork_point_datasets(catalog->fork_points, operation, ret, err);
    if (code == 0)
        keep_usable(*ret);
    return code;
}

GPtrArray *burial_candidates_listed(const struct store_request *storage)
{
    GPtrArray *candidates = dataset_listing_read(storage, NULL);
    keep_usable(candidates);
    return candidates;
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

/* ---- Burying ---- */

static void delete_remains(struct catalog *catalog, struct burial *list, size_t count,
                           struct operation *operation)
{
    g_autofree struct fork_remains *remains = g_new0(struct fork_remains, count);
    for (size_t i = 0; i < count; i++)
        remains[i] = (struct fork_remains){.id = list[i].id, .branches = list[i].branches};
    auto_registry struct registry *registry = catalog_registry(catalog);
    fork_remains_delete(catalog->store, catalog->layout, catalog->settings.log, registry, remains,
                        count, operation);
    for (size_t i = 0; i < count; i++) {
        overlays_forget(catalog->overlays, list[i].id);
        tags_forget(catalog->tags, list[i].id);
        list[i].code = error_copy(&list[i].error, &remains[i].error);
    }
}

static void delete_tombstones(struct catalog *catalog, struct burial *list, size_t count,
                              struct operation *operation)
{
    struct store_set *set = store_set_new();
    g_autofree struct store_request **deletes = g_new0(struct store_request *, count);
    for (size_t i = 0; i < count; i++) {
        g_autofree char *key = layout_tombstone_key(catalog->layout, list[i].id);
        if (list[i].code == 0)
            deletes[i] = store_set_delete(set, key);
    }
    int code = store_run(catalog->store, set, operation, NULL);
    for (size_t i = 0; i < count; i++) {
        if (!deletes[i])
            continue;
        list[i].code = store_answer_failure(&deletes[i]->answer, code, &list[i].error);
        if (list[i].code == 0)
            tombstones_note_deleted(catalog->tombstones, deletes[i]->key);
    }
    store_set_unref(set);
}

void bury(struct catalog *catalog, struct burial *list, size_t count, struct operation *operation)
{
    if (count == 0)
        return;
    delete_remains(catalog, list, count, operation);
    delete_tombstones(catalog, list, count, operation);
}

int bury_tombstone(struct catalog *catalog, const char *key, struct operation *operation,
                   struct error *err)
{
    int code = store_delete(catalog->store, key, operation, err);
    if (code == 0)
        tombstones_note_deleted(catalog->tombstones, key);
    return code;
}

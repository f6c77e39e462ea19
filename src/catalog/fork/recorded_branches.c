#include "catalog/fork/recorded_branches.h"

#include "catalog/fork_point/dataset_listing.h"
#include "catalog/fork_point/known_things.h"
#include "lance/branch_name.h"
#include "lance/dataset.h"

/* So many branches are asked for first, each of another fork, before all are looked for. */
#define MOST_SAMPLES 16

static bool is_usable(const struct dataset_branch *pair)
{
    return layout_dataset_name_is_safe(pair->dataset) &&
           lance_branch_name_check(pair->branch, NULL) == 0;
}

static void add_look(struct store_set *set, const struct layout *layout,
                     const struct dataset_branch *pair)
{
    g_autofree char *dataset = layout_dataset_key(layout, pair->dataset);
    g_autofree char *ref = lance_branch_ref_key(dataset, pair->branch);
    store_set_head(set, ref);
    lance_branch_tree_request(set, dataset, pair->branch)->limit = 1;
}

static bool any_is_there(struct store_set *set)
{
    for (size_t i = 0; i < store_set_size(set); i++) {
        const struct store_answer *answer = &store_set_at(set, i)->answer;
        if (answer->code == 0 && (!answer->objects || answer->objects->len > 0))
            return true;
    }
    return false;
}

/* Answers true before it tells of a failure: what was found is there. */
static int run_looks(struct store *store, struct store_set *set, struct operation *operation,
                     bool *ret, struct error *err)
{
    int code = store_run_all(store, set, ERR_NOT_FOUND, operation, err);
    *ret = any_is_there(set);
    return *ret ? 0 : code;
}

int recorded_branches_find(struct store *store, const struct layout *layout,
                           const GPtrArray *branches, struct operation *operation, bool *ret,
                           struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < branches->len; i++)
        add_look(set, layout, g_ptr_array_index(branches, i));
    return run_looks(store, set, operation, ret, err);
}

/* Usable branches of active forks: of each all, or the first. */
static GPtrArray *list_branches(const struct registry *registry, bool first_only)
{
    GPtrArray *branches = g_ptr_array_new();
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        for (guint j = 0; entry->status == FORK_ACTIVE && j < entry->datasets->len; j++) {
            struct dataset_branch *pair = g_ptr_array_index(entry->datasets, j);
            if (!is_usable(pair))
                continue;
            g_ptr_array_add(branches, pair);
            if (first_only)
                break;
        }
    }
    return branches;
}

static int find_samples(struct store *store, const struct layout *layout, const GPtrArray *samples,
                        struct operation *operation, bool *ret, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < MIN(samples->len, MOST_SAMPLES); i++) {
        const struct dataset_branch *pair = g_ptr_array_index(samples, i);
        g_autofree char *dataset = layout_dataset_key(layout, pair->dataset);
        g_autofree char *ref = lance_branch_ref_key(dataset, pair->branch);
        store_set_head(set, ref);
    }
    return run_looks(store, set, operation, ret, err);
}

/* The keys (owned by the set) of all refs and directories of branches of the datasets. */
static int list_all(struct store *store, const struct layout *layout, const GPtrArray *branches,
                    struct store_set *set, struct operation *operation, GHashTable *keys,
                    struct error *err)
{
    g_autoptr(GHashTable) datasets = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        if (!g_hash_table_add(datasets, pair->dataset))
            continue;
        g_autofree char *dataset = layout_dataset_key(layout, pair->dataset);
        g_autofree char *trees = lance_branch_trees_prefix(dataset);
        lance_branch_refs_request(set, dataset);
        store_set_list_shallow(set, trees);
    }
    int code = store_run_all(store, set, 0, operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++) {
        const GPtrArray *rows = store_set_at(set, i)->answer.objects;
        for (guint j = 0; j < rows->len; j++)
            g_hash_table_add(keys, ((struct store_object *)g_ptr_array_index(rows, j))->key);
    }
    return code;
}

static int find_any(struct store *store, const struct layout *layout, const GPtrArray *branches,
                    struct operation *operation, bool *ret, struct error *err)
{
    g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
    auto_store_set struct store_set *set = store_set_new();
    int code = list_all(store, layout, branches, set, operation, keys, err);
    for (guint i = 0; code == 0 && !*ret && i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        g_autofree char *dataset = layout_dataset_key(layout, pair->dataset);
        g_autofree char *ref = lance_branch_ref_key(dataset, pair->branch);
        g_autofree char *path = lance_branch_path(dataset, pair->branch);
        g_autofree char *tree = g_strconcat(path, "/", NULL);
        *ret = g_hash_table_contains(keys, ref) || g_hash_table_contains(keys, tree);
    }
    return code;
}

int recorded_branches_are_here(struct store *store, const struct layout *layout,
                               const struct registry *registry, struct operation *operation,
                               bool *ret, struct error *err)
{
    g_autoptr(GPtrArray) samples = list_branches(registry, true);
    *ret = samples->len == 0;
    if (*ret)
        return 0;
    int code = find_samples(store, layout, samples, operation, ret, err);
    if (code || *ret)
        return code;
    g_autoptr(GPtrArray) branches = list_branches(registry, false);
    return find_any(store, layout, branches, operation, ret, err);
}

int recorded_branches_check_datasets(const struct layout *layout, const GPtrArray *branches,
                                     const GPtrArray *datasets, struct error *err)
{
    g_autoptr(GHashTable) listed = dataset_listing_set(datasets);
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        if (g_hash_table_contains(listed, pair->dataset))
            continue;
        g_autofree char *key = layout_dataset_key(layout, pair->dataset);
        return known_things_refuse_branchless(key, pair->branch, err);
    }
    return 0;
}

int recorded_branches_check_seen(struct fork_point_reader *reader, const GPtrArray *branches,
                                 const GPtrArray *datasets, struct error *err)
{
    g_autoptr(GHashTable) listed = dataset_listing_set(datasets);
    int code = 0;
    for (guint i = 0; code == 0 && i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        if (!g_hash_table_contains(listed, pair->dataset))
            code = fork_point_check_seen(reader, pair->dataset, err);
    }
    return code;
}

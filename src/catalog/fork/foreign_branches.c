#include "catalog/fork/foreign_branches.h"

#include <string.h>

#include "catalog/fork/recorded_branches.h"
#include "catalog/fork_point/dataset_listing.h"
#include "lance/branch_name.h"
#include "lance/dataset.h"

/* A database in a bucket is seldom beside more than a few others. */
#define PREFIXES_MAX 1000

/* Prefixes of other databases, as far as they may be some (char *, owned). */
static int list_prefixes(struct store *store, const char *datasets, struct operation *operation,
                         GPtrArray *prefixes, struct error *err)
{
    g_autofree char *above = g_strndup(datasets, store_key_above(datasets));
    auto_store_set struct store_set *set = store_set_new();
    store_set_list_shallow(set, "")->limit = PREFIXES_MAX;
    if (above[0])
        store_set_list_shallow(set, above)->limit = PREFIXES_MAX;
    int code = store_run_all(store, set, 0, operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++) {
        const GPtrArray *rows = store_set_at(set, i)->answer.objects;
        for (guint j = 0; j < rows->len; j++) {
            const struct store_object *row = g_ptr_array_index(rows, j);
            if (row->is_directory && strcmp(row->key, datasets) != 0)
                g_ptr_array_add(prefixes, g_strdup(row->key));
        }
    }
    return code;
}

/* Looks for the ref of one branch below each of the prefixes. */
static int look_for(struct store *store, const struct layout *layout,
                    const struct dataset_branch *pair, const GPtrArray *prefixes,
                    struct operation *operation, struct error *err)
{
    g_autofree char *datasets = layout_datasets_prefix(layout);
    g_autofree char *dataset = layout_dataset_key(layout, pair->dataset);
    g_autofree char *ref = lance_branch_ref_key(dataset, pair->branch);
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < prefixes->len; i++)
        store_set_add(set, STORE_HEAD,
                      g_strconcat(g_ptr_array_index(prefixes, i), ref + strlen(datasets), NULL));
    int code = store_run_all(store, set, ERR_NOT_FOUND, operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++) {
        const struct store_request *head = store_set_at(set, i);
        if (head->answer.code == 0)
            code = error_set(err, ERR_AWAY,
                             "its branch %s is below '%s': the fork is that database's; mount "
                             "that one",
                             pair->branch, (const char *)g_ptr_array_index(prefixes, (guint)i));
    }
    return code;
}

int foreign_branches_check(struct store *store, const struct layout *layout,
                           const GPtrArray *branches, struct operation *operation,
                           struct error *err)
{
    bool is_here = false;
    g_autofree char *datasets = layout_datasets_prefix(layout);
    g_autoptr(GPtrArray) prefixes = g_ptr_array_new_with_free_func(g_free);
    if (!layout_is_remote(layout) || branches->len == 0)
        return 0;
    int code = recorded_branches_find(store, layout, branches, operation, &is_here, err);
    if (code || is_here)
        return code;
    code = list_prefixes(store, datasets, operation, prefixes, err);
    for (guint i = 0; code == 0 && prefixes->len > 0 && i < branches->len; i++)
        code = look_for(store, layout, g_ptr_array_index(branches, i), prefixes, operation, err);
    return code;
}

/* ---- By the ids of forks ---- */

/* The roots of all datasets below the prefixes: key, without '/' at the end -> its prefix. */
static int list_roots(struct store *store, const GPtrArray *prefixes, struct operation *operation,
                      GHashTable *roots, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < prefixes->len; i++)
        store_set_list_shallow(set, g_ptr_array_index(prefixes, i));
    int code = store_run_all(store, set, 0, operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++) {
        const struct store_request *listing = store_set_at(set, i);
        g_autoptr(GPtrArray) datasets = dataset_listing_read(listing, NULL);
        for (guint j = 0; j < datasets->len; j++) {
            const char *dataset = g_ptr_array_index(datasets, j);
            g_hash_table_insert(roots, g_strconcat(listing->key, dataset, ".lance", NULL),
                                g_strdup(listing->key));
        }
    }
    return code;
}

/* Adds to `found` the ids of which a dataset has a branch. */
static void take_ids(const struct store_request *refs, const char *directory, const char *prefix,
                     GHashTable *ids, GHashTable *found)
{
    for (guint i = 0; i < refs->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(refs->answer.objects, i);
        struct ulid id;
        if (layout_id_of_branch(row->key + strlen(directory), &id) &&
            g_hash_table_contains(ids, id.text))
            g_hash_table_replace(found, g_strdup(id.text), g_strdup(prefix));
    }
}

static int look_at_roots(struct store *store, GHashTable *roots, GHashTable *ids,
                         struct operation *operation, GHashTable *found, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    GHashTableIter iterator;
    void *root, *prefix;
    g_hash_table_iter_init(&iterator, roots);
    while (g_hash_table_iter_next(&iterator, &root, NULL))
        lance_branch_refs_request(set, root);
    int code = store_run_all(store, set, 0, operation, err);
    g_hash_table_iter_init(&iterator, roots);
    for (size_t i = 0; code == 0 && g_hash_table_iter_next(&iterator, &root, &prefix); i++) {
        g_autofree char *directory = lance_branch_refs_prefix(root);
        take_ids(store_set_at(set, i), directory, prefix, ids, found);
    }
    return code;
}

int foreign_branches_of_ids(struct store *store, const struct layout *layout, GHashTable *ids,
                            struct operation *operation, GHashTable **ret, struct error *err)
{
    g_autofree char *datasets = layout_datasets_prefix(layout);
    g_autoptr(GPtrArray) prefixes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) roots = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    bool has_others = layout_is_remote(layout) && g_hash_table_size(ids) > 0;
    int code = has_others ? list_prefixes(store, datasets, operation, prefixes, err) : 0;
    if (code == 0)
        code = list_roots(store, prefixes, operation, roots, err);
    if (code == 0)
        code = look_at_roots(store, roots, ids, operation, found, err);
    if (code == 0)
        *ret = g_steal_pointer(&found);
    return error_prefix(err, code, "looking at the other databases of the bucket");
}

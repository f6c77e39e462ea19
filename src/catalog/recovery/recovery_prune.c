/*
 * Removing what a crash leaves that is no object: temporary files, and directories of branches that
 * had been emptied when whoever dropped the fork died. An entry leads to these, as long as there is
 * one; but Uni, which knows nothing of directories, may have removed it since.
 */
#include "catalog/fork/deletion_branches.h"
#include "catalog/recovery/recovery_private.h"
#include "lance/branch_name.h"

/* ---- Temporary files ---- */

/* Temporary files of writers that crashed while they wrote a document of the catalog or a ref. */
static int prune_documents(struct catalog *catalog, const GPtrArray *datasets,
                           struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    store_set_add(set, STORE_PRUNE, layout_registry_key(catalog->layout));
    store_set_add(set, STORE_PRUNE, layout_tombstones_prefix(catalog->layout));
    store_set_add(set, STORE_PRUNE, layout_overlays_prefix(catalog->layout));
    store_set_add(set, STORE_PRUNE, layout_registrations_prefix(catalog->layout));
    store_set_add(set, STORE_PRUNE, layout_taggings_prefix(catalog->layout));
    for (guint i = 0; i < datasets->len; i++) {
        g_autofree char *dataset =
            layout_dataset_key(catalog->layout, g_ptr_array_index(datasets, i));
        store_set_add(set, STORE_PRUNE, lance_tag_refs_prefix(dataset));
        store_set_add(set, STORE_PRUNE, lance_branch_refs_prefix(dataset));
    }
    return store_run_all(catalog->store, set, 0, operation, err);
}

/* ---- Directories of branches ---- */

bool recovery_is_of_unknown_fork(const struct registry *registry, const char *branch,
                                 struct ulid *ret)
{
    return layout_id_of_branch(branch, ret) && !registry_find_id(registry, ret) &&
           !registry_protects_branch(registry, ret, branch);
}

/* As that, of the branch of a key ".../tree/NAME/". */
static bool is_of_unknown_fork(const struct registry *registry, const char *key)
{
    g_autofree char *name = g_path_get_basename(key);
    struct ulid id;
    return recovery_is_of_unknown_fork(registry, name, &id);
}

/* Adds those of a dataset (char *). */
static int list_unknown(struct catalog *catalog, const char *name, GPtrArray *directories,
                        struct operation *operation, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autofree char *dataset = layout_dataset_key(catalog->layout, name);
    g_autofree char *trees = lance_branch_trees_prefix(dataset);
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list_shallow(set, trees);
    int code = store_run_all(catalog->store, set, 0, operation, err);
    for (guint i = 0; code == 0 && i < listing->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing->answer.objects, i);
        if (row->is_directory && is_of_unknown_fork(registry, row->key))
            g_ptr_array_add(directories, g_strdup(row->key));
    }
    return code;
}

/* With the registry as it is after the listing: wherever a fork is made, its entry precedes its
 * branches. */
static void forget_known(struct catalog *catalog, GPtrArray *directories)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    for (guint i = directories->len; i > 0; i--)
        if (!is_of_unknown_fork(registry, g_ptr_array_index(directories, i - 1)))
            g_ptr_array_remove_index(directories, i - 1);
}

/* Forgets those that hold anything, and links: these are not ours to judge. */
static int forget_filled(struct catalog *catalog, GPtrArray *directories,
                         struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < directories->len; i++)
        store_set_add_own(set, STORE_LIST, g_strdup(g_ptr_array_index(directories, i)))->limit = 1;
    int code = store_run_all(catalog->store, set, 0, operation, err);
    for (guint i = directories->len; code == 0 && i > 0; i--)
        if (store_set_at(set, i - 1)->answer.objects->len > 0)
            g_ptr_array_remove_index(directories, i - 1);
    return code;
}

static int prune_directories(struct catalog *catalog, const GPtrArray *directories,
                             struct operation *operation, struct recovery_report *report,
                             struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < directories->len; i++)
        store_set_add_own(set, STORE_PRUNE, g_strdup(g_ptr_array_index(directories, i)));
    int code = store_run(catalog->store, set, operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++) {
        const struct store_request *prune = store_set_at(set, i);
        struct error failure;
        if (recovery_is_about_one_fork(store_answer_failure(&prune->answer, code, &failure)))
            recovery_report_problem(report, &failure, "the directory", prune->key);
        else
            code = error_copy(err, &failure);
    }
    return code;
}

/* One dataset after the other, so that memory holds the names of the branches of one only. */
static int prune_branches(struct catalog *catalog, const GPtrArray *datasets,
                          struct operation *operation, struct recovery_report *report,
                          struct error *err)
{
    g_autoptr(GPtrArray) directories = g_ptr_array_new_with_free_func(g_free);
    int code = 0;
    for (guint i = 0; code == 0 && i < datasets->len; i++)
        code = list_unknown(catalog, g_ptr_array_index(datasets, i), directories, operation, err);
    if (code || directories->len == 0)
        return code;
    code = committer_reload(catalog->committer, operation, err);
    if (code)
        return code;
    forget_known(catalog, directories);
    code = forget_filled(catalog, directories, operation, err);
    return code ? code : prune_directories(catalog, directories, operation, report, err);
}

int recovery_prune(struct catalog *catalog, struct operation *operation,
                   struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) datasets = NULL;
    int code = deletion_candidates(catalog->fork_points, operation, &datasets, err);
    if (code == 0)
        code = prune_documents(catalog, datasets, operation, err);
    if (code == 0 && !layout_is_remote(catalog->layout)) /* a bucket has no directories */
        code = prune_branches(catalog, datasets, operation, report, err);
    return code;
}

#include "catalog/repair/remains.h"

#include <string.h>

#include "catalog/fork/foreign_branches.h"
#include "catalog/fork_point/dataset_listing.h"
#include "catalog/format/overlay_document.h"
#include "catalog/registry/fork_entry.h"
#include "lance/branch_name.h"
#include "lance/dataset.h"

#define SUFFIX ".json"

struct survey {
    struct store *store;
    const struct layout *layout;
    struct operation *operation;
    const struct registry *registry; /* NULL: lost */
    GHashTable *found;               /* id -> struct remains */
};

static void branch_free(void *pointer)
{
    struct remains_branch *branch = pointer;
    g_free(branch->dataset);
    g_free(branch->branch);
    g_free(branch);
}

static void remains_free(void *pointer)
{
    struct remains *remains = pointer;
    g_ptr_array_unref(remains->branches);
    g_free(remains);
}

static struct remains *obtain_remains(struct survey *survey, const struct ulid *id)
{
    struct remains *remains = g_hash_table_lookup(survey->found, id->text);
    if (remains)
        return remains;
    remains = g_new0(struct remains, 1);
    remains->id = *id;
    remains->branches = g_ptr_array_new_with_free_func(branch_free);
    g_hash_table_insert(survey->found, remains->id.text, remains);
    return remains;
}

/* ---- Files of their own ---- */

/* One kind of documents that are called after their forks. */
struct documents {
    char *(*prefix)(const struct layout *layout);
    void (*note)(struct remains *remains);
    struct store_request *listing;
};

static void note_overlay(struct remains *remains)
{
    remains->has_overlay = true;
}

static void note_claim(struct remains *remains)
{
    remains->is_claimed = true;
}

static void take_documents(struct survey *survey, const struct documents *documents)
{
    const GPtrArray *rows = documents->listing->answer.objects;
    for (guint i = 0; i < rows->len; i++) {
        struct ulid id;
        if (layout_id_of_key(((const struct store_object *)g_ptr_array_index(rows, i))->key,
                             documents->listing->key, SUFFIX, &id))
            documents->note(obtain_remains(survey, &id));
    }
}

static void take_log(struct survey *survey, const struct store_request *listing)
{
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing->answer.objects, i);
        struct ulid id;
        if (layout_id_of_file(row->key, listing->key, &id))
            obtain_remains(survey, &id)->has_log = true;
    }
}

static void take_fork_files(struct survey *survey, const struct store_request *listing)
{
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing->answer.objects, i);
        struct ulid id;
        if (!layout_id_of_file(row->key, listing->key, &id))
            continue;
        g_autofree char *allocator = layout_fork_allocator_key(survey->layout, &id);
        struct remains *remains = obtain_remains(survey, &id);
        if (strcmp(row->key, allocator) == 0)
            remains->has_allocator = true;
        else
            remains->has_snapshots = true;
    }
}

static int survey_files(struct survey *survey, GPtrArray **ret_datasets, struct error *err)
{
    struct documents kinds[] = {
        {layout_overlays_prefix, note_overlay, NULL},
        {layout_tombstones_prefix, note_claim, NULL},
        {layout_registrations_prefix, note_claim, NULL},
        {layout_taggings_prefix, note_claim, NULL},
    };
    g_autofree char *forks = layout_forks_prefix(survey->layout);
    g_autofree char *logs = layout_fork_wals_prefix(survey->layout);
    g_autofree char *datasets = layout_datasets_prefix(survey->layout);
    auto_store_set struct store_set *set = store_set_new();
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        kinds[i].listing = store_set_add(set, STORE_LIST, kinds[i].prefix(survey->layout));
    const struct store_request *files = store_set_list(set, forks, NULL, 0);
    const struct store_request *segments = store_set_list(set, logs, NULL, 0);
    const struct store_request *storage = store_set_list_shallow(set, datasets);
    int code = store_run_all(survey->store, set, 0, survey->operation, err);
    if (code)
        return code;
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        take_documents(survey, &kinds[i]);
    take_fork_files(survey, files);
    take_log(survey, segments);
    *ret_datasets = dataset_listing_read(storage, NULL);
    return 0;
}

/* ---- Branches ---- */

/* NULL: it is not named after a fork. */
static struct remains_branch *obtain_branch(struct survey *survey, const char *dataset,
                                            const char *name)
{
    struct ulid id;
    if (!layout_id_of_branch(name, &id))
        return NULL;
    struct remains *remains = obtain_remains(survey, &id);
    for (guint i = 0; i < remains->branches->len; i++) {
        struct remains_branch *branch = g_ptr_array_index(remains->branches, i);
        if (strcmp(branch->dataset, dataset) == 0 && strcmp(branch->branch, name) == 0)
            return branch;
    }
    struct remains_branch *branch = g_new0(struct remains_branch, 1);
    branch->dataset = g_strdup(dataset);
    branch->branch = g_strdup(name);
    g_ptr_array_add(remains->branches, branch);
    return branch;
}

static void take_ref(struct survey *survey, const char *dataset, const char *root, const char *key)
{
    g_autofree char *name = lance_branch_of_ref_key(root, key);
    struct remains_branch *branch = name ? obtain_branch(survey, dataset, name) : NULL;
    if (branch)
        branch->has_ref = true;
}

/* `path`: from below "tree/" on. */
static void take_tree_file(struct survey *survey, const char *dataset, const char *root,
                           const char *key, const char *path)
{
    g_autofree char *name = lance_branch_of_tree_path(path);
    struct remains_branch *branch = name ? obtain_branch(survey, dataset, name) : NULL;
    if (!branch)
        return;
    g_autofree char *versions = lance_versions_prefix(root, name);
    if (g_str_has_prefix(key, versions))
        branch->manifests += lance_manifest_version(key, &(uint64_t){0}, NULL);
    else if (!g_str_has_prefix(path + strlen(name), "/_transactions/"))
        branch->has_data = true;
}

/* Whether it has branches for sure. */
static bool is_forked(const struct survey *survey, const char *dataset)
{
    for (guint i = 0; survey->registry && i < survey->registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(survey->registry->entries, i);
        if (entry->status == FORK_ACTIVE && fork_entry_branch(entry, dataset))
            return true;
    }
    return false;
}

static int survey_dataset(struct survey *survey, const char *dataset, struct error *err)
{
    g_autofree char *root = layout_dataset_key(survey->layout, dataset);
    g_autofree char *trees = lance_branch_trees_prefix(root);
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *refs = lance_branch_refs_request(set, root);
    lance_expect_branches(refs, root, is_forked(survey, dataset));
    const struct store_request *tree = store_set_list(set, trees, NULL, 0);
    int code = store_run_all(survey->store, set, 0, survey->operation, err);
    for (guint i = 0; code == 0 && i < refs->answer.objects->len; i++)
        take_ref(survey, dataset, root,
                 ((const struct store_object *)g_ptr_array_index(refs->answer.objects, i))->key);
    for (guint i = 0; code == 0 && i < tree->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(tree->answer.objects, i);
        take_tree_file(survey, dataset, root, row->key, row->key + strlen(trees));
    }
    return code;
}

int remains_survey(struct store *store, const struct layout *layout,
                   const struct registry *registry, struct operation *operation, GHashTable **ret,
                   struct error *err)
{
    g_autoptr(GHashTable) found =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, remains_free);
    struct survey survey = {.store = store,
                            .layout = layout,
                            .registry = registry,
                            .operation = operation,
                            .found = found};
    g_autoptr(GPtrArray) datasets = NULL;
    int code = survey_files(&survey, &datasets, err);
    for (guint i = 0; code == 0 && i < datasets->len; i++)
        if (layout_dataset_name_is_safe(g_ptr_array_index(datasets, i)))
            code = survey_dataset(&survey, g_ptr_array_index(datasets, i), err);
    if (code == 0)
        *ret = g_steal_pointer(&found);
    return error_prefix(err, code, "looking for what there is of forks");
}

int remains_read_overlays(struct store *store, const struct layout *layout, const GPtrArray *list,
                          struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    g_autoptr(GPtrArray) read = g_ptr_array_new();
    for (guint i = 0; i < list->len; i++) {
        struct remains *remains = g_ptr_array_index(list, i);
        if (!remains->has_overlay)
            continue;
        store_set_add(set, STORE_GET, layout_overlay_key(layout, &remains->id));
        g_ptr_array_add(read, remains);
    }
    int code = store_run_all(store, set, ERR_NOT_FOUND, operation, err);
    for (guint i = 0; code == 0 && i < read->len; i++) {
        const struct store_answer *answer = &store_set_at(set, i)->answer;
        ((struct remains *)g_ptr_array_index(read, i))->has_written_overlay =
            answer->code == 0 && overlay_document_is_written(answer->body);
    }
    return error_prefix(err, code, "reading the overlays of orphans");
}

int remains_leave_foreign(struct store *store, const struct layout *layout, GPtrArray *list,
                          struct operation *operation, struct error *err)
{
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) elsewhere = NULL;
    for (guint i = 0; i < list->len; i++) {
        struct remains *remains = g_ptr_array_index(list, i);
        if (remains->branches->len == 0)
            g_hash_table_add(ids, remains->id.text);
    }
    int code = foreign_branches_of_ids(store, layout, ids, operation, &elsewhere, err);
    for (guint i = list->len; code == 0 && i > 0; i--) {
        const struct remains *remains = g_ptr_array_index(list, i - 1);
        if (g_hash_table_contains(elsewhere, remains->id.text))
            g_ptr_array_remove_index(list, i - 1);
    }
    return code;
}

/* ---- What they are ---- */

static gint compare_ids(gconstpointer a, gconstpointer b)
{
    return strcmp((*(struct remains *const *)a)->id.text, (*(struct remains *const *)b)->id.text);
}

GPtrArray *remains_sorted(GHashTable *survey)
{
    GPtrArray *list = g_ptr_array_new();
    GHashTableIter iterator;
    void *remains;
    g_hash_table_iter_init(&iterator, survey);
    while (g_hash_table_iter_next(&iterator, NULL, &remains))
        g_ptr_array_add(list, remains);
    g_ptr_array_sort(list, compare_ids);
    return list;
}

bool remains_branch_is_whole(const struct remains_branch *branch)
{
    return branch->has_ref && branch->manifests > 0;
}

bool remains_are_whole(const struct remains *remains)
{
    for (guint i = 0; i < remains->branches->len; i++)
        if (!remains_branch_is_whole(g_ptr_array_index(remains->branches, i)))
            return false;
    return remains->has_allocator && remains->branches->len > 0;
}

bool remains_have_data(const struct remains *remains)
{
    for (guint i = 0; i < remains->branches->len; i++) {
        const struct remains_branch *branch = g_ptr_array_index(remains->branches, i);
        if (branch->has_data || branch->manifests > 1)
            return true;
    }
    return remains->has_log || remains->has_snapshots || remains->has_written_overlay;
}

GPtrArray *remains_branches(const struct remains *remains, bool whole_only)
{
    GPtrArray *branches = dataset_branches_new();
    for (guint i = 0; i < remains->branches->len; i++) {
        const struct remains_branch *branch = g_ptr_array_index(remains->branches, i);
        if (!whole_only || remains_branch_is_whole(branch))
            g_ptr_array_add(branches, dataset_branch_new(branch->dataset, branch->branch));
    }
    return branches;
}

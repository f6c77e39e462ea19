#include "lance/dataset.h"

#include <string.h>

#include "lance/branch_name.h"

void lance_tip_clear(struct lance_tip *tip)
{
    g_free(tip->manifest_key);
    g_free(tip->etag);
    *tip = (struct lance_tip){0};
}

/* The digits of V2 names sort the newest version first, so one row is enough. */
struct store_request *lance_tip_request(struct store_set *set, const char *dataset,
                                        const char *branch)
{
    g_autofree char *prefix = lance_versions_prefix(dataset, branch);
    return store_set_list(set, prefix, NULL, 1);
}

struct store_request *lance_tip_request_all(struct store_set *set, const char *dataset,
                                            const char *branch)
{
    g_autofree char *prefix = lance_versions_prefix(dataset, branch);
    return store_set_list(set, prefix, NULL, 0);
}

/* The row of the highest version, or NULL. */
static const struct store_object *newest_manifest(const GPtrArray *rows, uint64_t *version,
                                                  bool *is_v2)
{
    const struct store_object *newest = NULL;
    for (guint i = 0; i < rows->len; i++) {
        const struct store_object *row = rows->pdata[i];
        uint64_t number;
        bool v2;
        if (!lance_manifest_version(row->key, &number, &v2) || (newest && number <= *version))
            continue;
        newest = row;
        *version = number;
        *is_v2 = v2;
    }
    return newest;
}

int lance_tip_answer(const struct store_request *request, struct lance_tip *ret, bool *ret_again,
                     struct error *err)
{
    *ret = (struct lance_tip){0};
    *ret_again = false;
    if (request->answer.code != 0)
        return error_copy(err, &request->answer.error);
    uint64_t version = 0;
    bool is_v2 = false;
    const struct store_object *newest = newest_manifest(request->answer.objects, &version, &is_v2);
    /* A row that is no V2 manifest (V1 names, a writer's leftover) says nothing of the rest. */
    if (request->answer.truncated && !(newest && is_v2)) {
        *ret_again = true;
        return 0;
    }
    if (!newest)
        return 0;
    ret->exists = true;
    ret->version = version;
    ret->manifest_key = g_strdup(newest->key);
    ret->etag = g_strdup(newest->etag);
    ret->size = newest->size;
    return 0;
}

void lance_branch_put_requests(struct store_set *set, const char *dataset, const char *branch,
                               uint64_t version, struct bytes *manifest, struct bytes *ref)
{
    g_autofree char *manifest_key = lance_manifest_key(dataset, branch, version);
    g_autofree char *ref_key = lance_branch_ref_key(dataset, branch);
    store_set_put(set, manifest_key, manifest, STORE_IF_ABSENT, NULL);
    store_set_put(set, ref_key, ref, STORE_IF_ABSENT, NULL);
}

struct store_request *lance_branch_delete_request(struct store_set *set, const char *dataset,
                                                  const char *branch)
{
    g_autofree char *ref_key = lance_branch_ref_key(dataset, branch);
    g_autofree char *tree = lance_branch_tree_prefix(dataset, branch);
    store_set_delete(set, ref_key);
    return store_set_list(set, tree, NULL, 0);
}

/* Adds deletes for the rows below `tree` + `directory`. */
static size_t delete_below(struct store_set *set, const GPtrArray *rows, const char *tree,
                           const char *directory)
{
    g_autofree char *prefix = g_strconcat(tree, directory, NULL);
    size_t added = 0;
    for (guint i = 0; i < rows->len; i++) {
        const struct store_object *row = rows->pdata[i];
        if (!g_str_has_prefix(row->key, prefix))
            continue;
        store_set_delete(set, row->key);
        added++;
    }
    return added;
}

size_t lance_branch_delete_found(struct store_set *set, const char *dataset, const char *branch,
                                 const struct store_request *listing)
{
    /* Manifests first: without them nothing refers to the rest. */
    static const char *const directories[] = {"_versions/", "_transactions/", "data/",
                                              "_deletions/", "_indices/"};
    g_autofree char *tree = lance_branch_tree_prefix(dataset, branch);
    size_t added = 0;
    if (!listing->answer.objects)
        return 0;
    for (size_t i = 0; i < G_N_ELEMENTS(directories); i++)
        added += delete_below(set, listing->answer.objects, tree, directories[i]);
    return added;
}

void lance_branch_prune_requests(struct store_set *set, const char *dataset, const char *branch)
{
    g_autofree char *tree = lance_branch_tree_prefix(dataset, branch);
    g_autofree char *ref_key = lance_branch_ref_key(dataset, branch);
    store_set_prune(set, tree);
    store_set_prune(set, ref_key);
}

struct store_request *lance_branch_refs_request(struct store_set *set, const char *dataset)
{
    g_autofree char *prefix = lance_branch_refs_prefix(dataset);
    return store_set_list(set, prefix, NULL, 0);
}

struct store_request *lance_tag_refs_request(struct store_set *set, const char *dataset)
{
    g_autofree char *prefix = lance_tag_refs_prefix(dataset);
    return store_set_list(set, prefix, NULL, 0);
}

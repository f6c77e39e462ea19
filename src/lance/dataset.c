#include "lance/dataset.h"

#include <string.h>

#include "lance/branch_name.h"

void lance_tip_clear(struct lance_tip *tip)
{
    g_free(tip->manifest_key);
    g_free(tip->etag);
    *tip = (struct lance_tip){0};
}

/* A version that is away, behind a link, does not make an older one the newest. */
static struct store_request *list_versions(struct store_set *set, const char *prefix, size_t limit)
{
    struct store_request *listing = store_set_list(set, prefix, NULL, limit);
    listing->with_dead_links = true;
    return listing;
}

/* The digits of V2 names sort the newest version first, so one row is enough. */
struct store_request *lance_tip_request(struct store_set *set, const char *dataset,
                                        const char *branch)
{
    g_autofree char *prefix = lance_versions_prefix(dataset, branch);
    return list_versions(set, prefix, 1);
}

struct store_request *lance_tip_request_all(struct store_set *set, const char *dataset,
                                            const char *branch)
{
    g_autofree char *prefix = lance_versions_prefix(dataset, branch);
    return list_versions(set, prefix, 0);
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

void lance_expect_branches(struct store_request *request, const char *dataset, bool is_sure)
{
    g_autofree char *trees = lance_branch_trees_prefix(dataset);
    g_autofree char *refs = lance_branch_refs_prefix(dataset);
    g_autofree char *root = g_strconcat(dataset, "/", NULL);
    store_request_expect(request, trees, root, is_sure);
    store_request_expect(request, refs, root, is_sure);
}

void lance_expect_tags(struct store_request *request, const char *dataset)
{
    g_autofree char *tags = lance_tag_refs_prefix(dataset);
    g_autofree char *root = g_strconcat(dataset, "/", NULL);
    store_request_expect(request, tags, root, false);
}

/* What a branch's name begins after, in keys of its files. */
static size_t above_branches(const char *dataset)
{
    return strlen(dataset) + strlen("/tree/");
}

struct store_request *lance_branch_tree_request(struct store_set *set, const char *dataset,
                                                const char *branch)
{
    g_autofree char *tree = lance_branch_tree_prefix(dataset, branch);
    struct store_request *listing = store_set_list(set, tree, NULL, 0);
    store_request_keep_within(listing, above_branches(dataset));
    return listing;
}

/* Whether a path below a branch's directory lies in one of its own directories, and in which. */
static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* Whether a path below a branch's directory is of a branch nested in it: "x/_versions/...",
 * "x/y/data/...". */
static bool is_nested(const char *path)
{
    g_auto(GStrv) segments = g_strsplit(path, "/", -1);
    if (lance_is_own_directory(segments[0]))
        return false;
    for (size_t i = 1; segments[i]; i++)
        if (lance_is_own_directory(segments[i]))
            return true;
    return false;
}

/* What is to be deleted of a branch. */
struct branch_rows {
    const GPtrArray *rows; /* struct store_object */
    char *tree;            /* prefix of the branch */
    size_t above;          /* see above_branches() */
};

/* Below the branch's directory; "" for what is in its place. */
static const char *path_of_row(const struct branch_rows *branch, const struct store_object *row)
{
    return g_str_has_prefix(row->key, branch->tree) ? row->key + strlen(branch->tree) : "";
}

/* Whether it is in none of the branch's own directories, though perhaps in the place of one, and of
 * no nested branch. */
static bool is_loose(const char *path)
{
    size_t length = strcspn(path, "/");
    g_autofree char *first = g_strndup(path, length);
    if (path[length] == '\0')
        return true;
    return !lance_is_own_directory(first) && !is_nested(path);
}

/* Adds deletes for the rows in `directory`; NULL: for the loose ones. */
static size_t delete_rows(struct store_set *set, const struct branch_rows *branch,
                          const char *directory)
{
    size_t added = 0;
    for (guint i = 0; i < branch->rows->len; i++) {
        const struct store_object *row = branch->rows->pdata[i];
        const char *path = path_of_row(branch, row);
        if (directory ? !is_below(path, directory) : !is_loose(path))
            continue;
        store_request_keep_within(store_set_delete(set, row->key), branch->above);
        added++;
    }
    return added;
}

/* Manifests first: without them nothing refers to the rest. */
static size_t delete_branch_rows(struct store_set *set, const char *dataset, const char *branch,
                                 const GPtrArray *rows)
{
    if (!rows)
        return 0;
    g_autofree char *tree = lance_branch_tree_prefix(dataset, branch);
    const struct branch_rows listed = {rows, tree, above_branches(dataset)};
    size_t added = 0;
    for (const char *const *directory = lance_own_directories; *directory; directory++)
        added += delete_rows(set, &listed, *directory);
    return added + delete_rows(set, &listed, NULL);
}

struct store_request *lance_branch_delete_requests(struct store_set *set, const char *dataset,
                                                   const char *branch,
                                                   const struct store_request *listing)
{
    struct store_request *ref =
        store_set_add(set, STORE_DELETE, lance_branch_ref_key(dataset, branch));
    delete_branch_rows(set, dataset, branch, listing->answer.objects);
    return ref;
}

struct store_request *lance_branch_file_delete_request(struct store_set *set, const char *dataset,
                                                       const char *key)
{
    g_autofree char *trees = lance_branch_trees_prefix(dataset);
    struct store_request *request = store_set_delete(set, key);
    if (g_str_has_prefix(key, trees))
        store_request_keep_within(request, strlen(trees));
    return request;
}

struct lance_branch_prunes lance_branch_prune_requests(struct store_set *set, const char *dataset,
                                                       const char *branch)
{
    struct store_request *pruned_tree =
        store_set_add(set, STORE_PRUNE, lance_branch_tree_prefix(dataset, branch));
    struct store_request *pruned_ref =
        store_set_add(set, STORE_PRUNE, lance_branch_ref_key(dataset, branch));
    store_request_keep_within(pruned_tree, above_branches(dataset));
    store_request_keep_within(pruned_ref, store_key_above(pruned_ref->key));
    return (struct lance_branch_prunes){pruned_tree, pruned_ref};
}

size_t lance_branch_rest_requests(struct store_set *set, const char *dataset, const char *branch,
                                  const struct lance_branch_prunes *prunes)
{
    return delete_branch_rows(set, dataset, branch, prunes->tree->answer.objects) +
           store_set_delete_found(set, prunes->ref);
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

struct store_request *lance_refs_request(struct store_set *set, const char *dataset)
{
    g_autofree char *prefix = g_strconcat(dataset, "/_refs/", NULL);
    return store_set_list(set, prefix, NULL, 0);
}

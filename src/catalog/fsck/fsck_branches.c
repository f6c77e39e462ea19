/*
 * The check of the branches: one dataset after the other, each with two waves, so that memory
 * holds the listings of one dataset only.
 */
#include <string.h>

#include "catalog/fsck/fsck_dataset.h"
#include "catalog/fsck/fsck_private.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"
#include "lance/manifest.h"
#include "lance/ref_catalog.h"

static void branch_seen_free(void *pointer)
{
    struct branch_seen *branch = pointer;
    g_free(branch->name);
    g_free(branch->manifest_key);
    g_free(branch);
}

static struct branch_seen *see_branch(struct dataset_check *check, const char *name)
{
    struct branch_seen *branch = g_hash_table_lookup(check->by_name, name);
    if (branch)
        return branch;
    branch = g_new0(struct branch_seen, 1);
    branch->name = g_strdup(name);
    g_hash_table_insert(check->by_name, branch->name, branch);
    g_ptr_array_add(check->in_order, branch);
    return branch;
}

static bool is_temporary(const char *key)
{
    return store_name_is_temporary(strrchr(key, '/') + 1);
}

/* ---- First wave: what there is ---- */

static void see_refs(struct dataset_check *check)
{
    const GPtrArray *rows = check->refs->answer.objects;
    fsck_check_temporary(check->fsck, rows);
    for (guint i = 0; i < rows->len; i++) {
        const struct store_object *row = rows->pdata[i];
        if (is_temporary(row->key))
            continue;
        g_autofree char *name = lance_branch_of_ref_key(check->root, row->key);
        if (name)
            see_branch(check, name)->has_ref = true;
        else
            fsck_find(check->fsck, FSCK_LEFTOVER, "%s: is no ref file", row->key);
    }
}

static void see_tree_file(struct dataset_check *check, const char *key, size_t prefix_length)
{
    g_autofree char *name = lance_branch_of_tree_path(key + prefix_length);
    if (!name) {
        fsck_find(check->fsck, FSCK_LEFTOVER, "%s: belongs to no branch", key);
        return;
    }
    struct branch_seen *branch = see_branch(check, name);
    branch->has_tree = true;
    g_autofree char *versions = lance_versions_prefix(check->root, name);
    uint64_t version;
    if (!g_str_has_prefix(key, versions) || !lance_manifest_version(key, &version, NULL) ||
        (branch->manifest_key && version <= branch->version))
        return;
    g_free(branch->manifest_key);
    branch->manifest_key = g_strdup(key);
    branch->version = version;
}

static void see_tree(struct dataset_check *check, size_t prefix_length)
{
    const GPtrArray *rows = check->tree->answer.objects;
    fsck_check_temporary(check->fsck, rows);
    for (guint i = 0; i < rows->len; i++) {
        const struct store_object *row = rows->pdata[i];
        if (!is_temporary(row->key))
            see_tree_file(check, row->key, prefix_length);
    }
}

/* First segments of the names of branches that have files: the directories in use. */
static GHashTable *used_directories(const struct dataset_check *check)
{
    GHashTable *used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < check->in_order->len; i++) {
        const struct branch_seen *branch = check->in_order->pdata[i];
        if (branch->has_tree)
            g_hash_table_add(used, g_strndup(branch->name, strcspn(branch->name, "/")));
    }
    return used;
}

static void check_empty_directories(struct dataset_check *check, size_t prefix_length)
{
    const GPtrArray *rows = check->tree_directories->answer.objects;
    g_autoptr(GHashTable) used = used_directories(check);
    for (guint i = 0; i < rows->len; i++) {
        const struct store_object *row = rows->pdata[i];
        const char *own = row->key + prefix_length;
        g_autofree char *name = g_strndup(own, strcspn(own, "/"));
        if (row->is_directory && !g_hash_table_contains(used, name))
            fsck_find(check->fsck, FSCK_LEFTOVER, "%s: empty directory left of a branch", row->key);
    }
}

static int look_at_dataset(struct dataset_check *check, struct error *err)
{
    g_autofree char *tree = lance_branch_trees_prefix(check->root);
    check->refs = lance_branch_refs_request(check->set, check->root);
    check->refs->with_temporary = true;
    check->tree = store_set_list(check->set, tree, NULL, 0);
    check->tree->with_temporary = true;
    check->tree_directories = store_set_list_shallow(check->set, tree);
    check->catalog = lance_ref_catalog_request(check->set, check->root);
    fsck_list_tags(check);
    int code = fsck_run(check->fsck, check->set, "listing branches", err);
    if (code != 0)
        return code;
    struct error problem;
    if (lance_ref_catalog_check(check->catalog, check->root, &problem))
        fsck_find(check->fsck, FSCK_ERROR, "%s", problem.text);
    see_refs(check);
    see_tree(check, strlen(tree));
    check_empty_directories(check, strlen(tree));
    return 0;
}

/* ---- Second wave: refs and manifests that belong together ---- */

/* A fork's branch that was made from the branch of a fork which is none of its ancestors, as the
 * registry has them: a drop goes by the registry. */
static void check_parent(const struct dataset_check *check, const struct branch_seen *branch,
                         const struct branch_ref *ref)
{
    const struct registry *registry = check->fsck->registry;
    struct ulid id, parent;
    if (!ref->parent_branch || !layout_id_of_branch(branch->name, &id) ||
        !layout_id_of_branch(ref->parent_branch, &parent))
        return;
    const struct fork_entry *entry = registry_find_id(registry, &id);
    if (entry && entry->status == FORK_ACTIVE && !registry_is_ancestor(registry, &parent, entry))
        fsck_find(check->fsck, FSCK_ERROR,
                  "fork %s: branch '%s' of %s was made from branch '%s', but by its entry the fork "
                  "does not descend from that one's",
                  entry->key_source, branch->name, check->root, ref->parent_branch);
}

static void check_ref(const struct dataset_check *check, const struct branch_seen *branch)
{
    struct branch_ref *ref = NULL;
    struct error problem;
    if (branch->ref->answer.code)
        return;
    if (branch_ref_parse(branch->ref->answer.body, &ref, &problem) != 0)
        fsck_find(check->fsck, FSCK_ERROR, "%s: %s", branch->ref->key, problem.text);
    else
        check_parent(check, branch, ref);
    branch_ref_free(ref);
}

static void check_manifest(const struct dataset_check *check, const struct branch_seen *branch)
{
    struct manifest_summary summary;
    struct error problem;
    if (branch->manifest->answer.code != 0)
        return;
    if (manifest_summarize(branch->manifest->answer.body, &summary, &problem) != 0)
        fsck_find(check->fsck, FSCK_ERROR, "%s: %s", branch->manifest_key, problem.text);
    else if (strcmp(summary.branch, branch->name) != 0 || summary.version != branch->version)
        fsck_find(check->fsck, FSCK_ERROR,
                  "%s: the manifest is that of version %" G_GUINT64_FORMAT " of branch '%s'",
                  branch->manifest_key, summary.version, summary.branch);
    else
        fsck_note_base_paths(check, branch);
}

static int check_documents(struct dataset_check *check, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < check->in_order->len; i++) {
        struct branch_seen *branch = check->in_order->pdata[i];
        g_autofree char *ref = lance_branch_ref_key(check->root, branch->name);
        branch->ref = branch->has_ref ? store_set_get(set, ref) : NULL;
        branch->manifest = branch->manifest_key ? store_set_get(set, branch->manifest_key) : NULL;
    }
    fsck_get_tags(check, set);
    int code = fsck_read(check->fsck, set, "reading refs and manifests", err);
    for (guint i = 0; code == 0 && i < check->in_order->len; i++) {
        const struct branch_seen *branch = check->in_order->pdata[i];
        if (branch->ref)
            check_ref(check, branch);
        if (branch->manifest)
            check_manifest(check, branch);
    }
    if (code == 0)
        fsck_read_tags(check);
    return code;
}

/* ---- Against the registry ---- */

/* Whose branch it is, by its name; nothing for a branch that is not named like a fork's. */
static void check_owner(const struct dataset_check *check, const struct branch_seen *branch)
{
    struct ulid id;
    if (!layout_id_of_branch(branch->name, &id))
        return;
    const struct fork_entry *entry = registry_find_id(check->fsck->registry, &id);
    if (!entry)
        fsck_find(check->fsck, FSCK_LEFTOVER, "%s: branch '%s' of an unknown fork", check->root,
                  branch->name);
    else if (entry->status == FORK_ACTIVE &&
             g_strcmp0(fork_entry_branch(entry, check->name), branch->name) != 0)
        fsck_find(check->fsck, FSCK_ERROR, "%s: branch '%s' is not in the entry of fork %s",
                  check->root, branch->name, entry->key_source);
}

static void check_found_branches(struct dataset_check *check)
{
    for (guint i = 0; i < check->in_order->len; i++) {
        const struct branch_seen *branch = check->in_order->pdata[i];
        const enum fsck_kind kind =
            fsck_is_orphan(check->fsck, branch->name) ? FSCK_LEFTOVER : FSCK_ERROR;
        check_owner(check, branch);
        if (!branch->has_ref)
            fsck_find(check->fsck, kind, "%s: files of branch '%s', which has no ref", check->root,
                      branch->name);
        else if (!branch->manifest_key)
            fsck_find(check->fsck, kind, "%s: branch '%s' has a ref but no manifest", check->root,
                      branch->name);
    }
}

static void check_named_branches(struct dataset_check *check)
{
    const GPtrArray *entries = check->fsck->registry->entries;
    for (guint i = 0; i < entries->len; i++) {
        const struct fork_entry *entry = entries->pdata[i];
        const char *name = fork_entry_branch(entry, check->name);
        if (entry->status == FORK_ACTIVE && name && !g_hash_table_lookup(check->by_name, name))
            fsck_find(check->fsck, FSCK_ERROR, "fork %s: branch '%s' of %s is missing",
                      entry->key_source, name, check->root);
    }
}

/* ---- All datasets ---- */

static int check_dataset(struct fsck *fsck, const char *root, const char *name, struct error *err)
{
    struct dataset_check check = {
        .fsck = fsck,
        .root = root,
        .name = g_strdup(name),
        .by_name = g_hash_table_new(g_str_hash, g_str_equal),
        .in_order = g_ptr_array_new_with_free_func(branch_seen_free),
        .set = store_set_new(),
    };
    int code = look_at_dataset(&check, err);
    if (code == 0)
        code = check_documents(&check, err);
    if (code == 0) {
        check_found_branches(&check);
        check_named_branches(&check);
        code = fsck_check_tags(&check, err);
    }
    if (check.tags_seen)
        g_ptr_array_unref(check.tags_seen);
    store_set_unref(check.set);
    g_ptr_array_unref(check.in_order);
    g_hash_table_unref(check.by_name);
    g_free(check.name);
    return code;
}

/* Datasets that entries name but that are not there. */
static void check_missing_datasets(struct fsck *fsck, GHashTable *present)
{
    for (guint i = 0; i < fsck->registry->entries->len; i++) {
        const struct fork_entry *entry = fsck->registry->entries->pdata[i];
        for (guint j = 0; entry->status == FORK_ACTIVE && j < entry->datasets->len; j++) {
            const struct dataset_branch *pair = entry->datasets->pdata[j];
            if (!g_hash_table_contains(present, pair->dataset))
                fsck_find(fsck, FSCK_ERROR, "fork %s: dataset '%s' is missing", entry->key_source,
                          pair->dataset);
        }
    }
}

int fsck_check_branches(struct fsck *fsck, const GPtrArray *rows, struct error *err)
{
    static const char suffix[] = ".lance/";
    g_autoptr(GHashTable) present = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *prefix = layout_datasets_prefix(fsck->layout);
    int code = 0;
    for (guint i = 0; code == 0 && i < rows->len; i++) {
        const struct store_object *row = rows->pdata[i];
        if (!row->is_directory || !g_str_has_suffix(row->key, suffix))
            continue;
        g_autofree char *root = g_strndup(row->key, strlen(row->key) - 1);
        const char *own = root + strlen(prefix);
        char *name = g_strndup(own, strlen(own) - (sizeof suffix - 2));
        g_hash_table_add(present, name);
        code = check_dataset(fsck, root, name, err);
    }
    if (code == 0) {
        check_missing_datasets(fsck, present);
        fsck_report_places(fsck);
    }
    return code;
}

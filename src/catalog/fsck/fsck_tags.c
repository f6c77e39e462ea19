/*
 * The check of the tags of a dataset, of main and of all branches: whether what they pin is there,
 * and whether anybody knows it.
 */
#include <inttypes.h>

#include "catalog/fork/kept_reason.h"
#include "catalog/fsck/fsck_dataset.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"

struct tag_seen {
    char *name;
    struct store_request *get;
    struct tag_ref *ref;                    /* NULL: it does not parse, or went meanwhile */
    struct store_request *manifest, *older; /* of the version, by its names */
};

static void tag_seen_free(void *pointer)
{
    struct tag_seen *tag = pointer;
    g_free(tag->name);
    tag_ref_free(tag->ref);
    g_free(tag);
}

void fsck_list_tags(struct dataset_check *check)
{
    check->tags = lance_tag_refs_request(check->set, check->root);
    check->tags->with_temporary = true;
    check->tags_seen = g_ptr_array_new_with_free_func(tag_seen_free);
}

void fsck_get_tags(struct dataset_check *check, struct store_set *set)
{
    const GPtrArray *rows = check->tags->answer.objects;
    fsck_check_temporary(check->fsck, rows);
    for (guint i = 0; i < rows->len; i++) {
        const struct store_object *row = rows->pdata[i];
        if (!g_str_has_suffix(row->key, ".json"))
            continue;
        struct tag_seen *tag = g_new0(struct tag_seen, 1);
        tag->name = kept_reason_lance_tag(row->key);
        tag->get = store_set_get(set, row->key);
        g_ptr_array_add(check->tags_seen, tag);
    }
}

void fsck_read_tags(struct dataset_check *check)
{
    for (guint i = 0; i < check->tags_seen->len; i++) {
        struct tag_seen *tag = check->tags_seen->pdata[i];
        struct error problem;
        if (tag->get->answer.code == 0 &&
            tag_ref_parse(tag->get->answer.body, &tag->ref, &problem) != 0)
            fsck_find(check->fsck, FSCK_ERROR, "%s: %s", tag->get->key, problem.text);
    }
}

/* ---- Third wave: the manifests that they pin ---- */

static void look_at_manifests(struct dataset_check *check, struct store_set *set)
{
    for (guint i = 0; i < check->tags_seen->len; i++) {
        struct tag_seen *tag = check->tags_seen->pdata[i];
        if (!tag->ref)
            continue;
        g_autofree char *key = lance_manifest_key(check->root, tag->ref->branch, tag->ref->version);
        g_autofree char *prefix = lance_versions_prefix(check->root, tag->ref->branch);
        g_autofree char *older =
            g_strdup_printf("%s%" PRIu64 ".manifest", prefix, tag->ref->version);
        tag->manifest = store_set_head(set, key);
        tag->older = store_set_head(set, older);
    }
}

static bool is_there(const struct tag_seen *tag)
{
    return tag->manifest->answer.code == 0 || tag->older->answer.code == 0;
}

static void check_tag(const struct dataset_check *check, const struct tag_seen *tag)
{
    const char *branch = tag->ref->branch;
    const struct branch_seen *seen = branch ? g_hash_table_lookup(check->by_name, branch) : NULL;
    if (seen && fsck_is_orphan(check->fsck, branch))
        fsck_find(check->fsck, FSCK_LEFTOVER,
                  "%s: tag '%s' keeps branch '%s' of an unknown fork; delete the tag, then the "
                  "branch, with the Lance engine, or repair with --adopt or --purge",
                  check->root, tag->name, branch);
    else if (branch && (!seen || !seen->has_ref))
        fsck_find(check->fsck, FSCK_LEFTOVER,
                  "%s: tag '%s' points at branch '%s', which is gone; delete the tag with the "
                  "Lance engine, or with --repair",
                  check->root, tag->name, branch);
    else if (!is_there(tag))
        fsck_find(check->fsck, FSCK_LEFTOVER,
                  "%s: tag '%s' points at version %" PRIu64
                  " of %s, whose manifest is gone; delete "
                  "the tag with the Lance engine, or with --repair",
                  check->root, tag->name, tag->ref->version, branch ? branch : "main");
}

int fsck_check_tags(struct dataset_check *check, struct error *err)
{
    if (check->tags_seen->len == 0)
        return 0;
    auto_store_set struct store_set *set = store_set_new();
    look_at_manifests(check, set);
    int code = fsck_read(check->fsck, set, "looking at what tags pin", err);
    for (guint i = 0; code == 0 && i < check->tags_seen->len; i++) {
        const struct tag_seen *tag = check->tags_seen->pdata[i];
        if (tag->ref)
            check_tag(check, tag);
    }
    return code;
}

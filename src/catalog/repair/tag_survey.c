#include "catalog/repair/tag_survey.h"

#include <inttypes.h>
#include <string.h>

#include "catalog/fork/kept_reason.h"
#include "catalog/fork_point/dataset_listing.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"

#define SUFFIX ".json"

/* A survey in progress; the requests are those of the wave at hand. */
struct survey {
    struct store *store;
    const struct layout *layout;
    struct operation *operation;
    GPtrArray *tags; /* struct tag_found */
};

/* What is asked of a tag. */
struct question {
    struct tag_found *tag;
    const struct store_request *ref, *manifest, *older, *manifests, *tree;
};

static void tag_found_free(void *pointer)
{
    struct tag_found *tag = pointer;
    g_free(tag->dataset);
    g_free(tag->name);
    g_free(tag->key);
    g_free(tag->branch);
    g_free(tag);
}

/* ---- Which there are ---- */

static void take_tag(struct survey *survey, const char *dataset, const struct store_request *get)
{
    struct tag_ref *ref = NULL;
    if (get->answer.code || tag_ref_parse(get->answer.body, &ref, NULL))
        return;
    struct tag_found *tag = g_new0(struct tag_found, 1);
    *tag = (struct tag_found){.dataset = g_strdup(dataset),
                              .name = kept_reason_lance_tag(get->key),
                              .key = g_strdup(get->key),
                              .branch = g_strdup(ref->branch),
                              .version = ref->version};
    tag_ref_free(ref);
    if (tag->branch && lance_branch_name_check(tag->branch, NULL) != 0)
        tag_found_free(tag);
    else
        g_ptr_array_add(survey->tags, tag);
}

static int list_tags(struct survey *survey, const char *dataset, struct error *err)
{
    g_autofree char *root = layout_dataset_key(survey->layout, dataset);
    auto_store_set struct store_set *set = store_set_new();
    auto_store_set struct store_set *gets = store_set_new();
    const struct store_request *listing = lance_tag_refs_request(set, root);
    int code = store_run_all(survey->store, set, 0, survey->operation, err);
    for (guint i = 0; code == 0 && i < listing->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing->answer.objects, i);
        if (g_str_has_suffix(row->key, SUFFIX))
            store_set_get(gets, row->key);
    }
    if (code == 0)
        code = store_run_all(survey->store, gets, ERR_NOT_FOUND, survey->operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(gets); i++)
        take_tag(survey, dataset, store_set_at(gets, i));
    return code;
}

/* ---- What they pin ---- */

static void ask(const struct survey *survey, struct question *question, struct store_set *set)
{
    const struct tag_found *tag = question->tag;
    g_autofree char *root = layout_dataset_key(survey->layout, tag->dataset);
    g_autofree char *manifest = lance_manifest_key(root, tag->branch, tag->version);
    g_autofree char *versions = lance_versions_prefix(root, tag->branch);
    g_autofree char *older = g_strdup_printf("%s%" PRIu64 ".manifest", versions, tag->version);
    question->manifest = store_set_head(set, manifest);
    question->older = store_set_head(set, older);
    question->manifests = store_set_list(set, versions, NULL, 0);
    if (!tag->branch)
        return;
    g_autofree char *ref = lance_branch_ref_key(root, tag->branch);
    g_autofree char *tree = lance_branch_tree_prefix(root, tag->branch);
    question->ref = store_set_head(set, ref);
    question->tree = store_set_list(set, tree, NULL, 1);
}

static bool has_manifest(const struct store_request *listing)
{
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing->answer.objects, i);
        uint64_t version;
        if (lance_manifest_version(row->key, &version, NULL))
            return true;
    }
    return false;
}

/* A branch of which only a part is there may be away: nothing is concluded from that. */
static void judge(const struct question *question)
{
    struct tag_found *tag = question->tag;
    bool has_ref = !question->ref || question->ref->answer.code == 0;
    tag->is_branch_gone = tag->branch && !has_ref && question->tree->answer.objects->len == 0;
    bool is_version_gone = question->manifest->answer.code && question->older->answer.code &&
                           has_ref && has_manifest(question->manifests);
    tag->pins_nothing = tag->is_branch_gone || is_version_gone;
}

static int judge_all(const struct survey *survey, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    g_autofree struct question *questions = g_new0(struct question, survey->tags->len);
    for (guint i = 0; i < survey->tags->len; i++) {
        questions[i].tag = g_ptr_array_index(survey->tags, i);
        ask(survey, &questions[i], set);
    }
    int code = store_run_all(survey->store, set, ERR_NOT_FOUND, survey->operation, err);
    for (guint i = 0; code == 0 && i < survey->tags->len; i++)
        judge(&questions[i]);
    return code;
}

int tag_survey(struct store *store, const struct layout *layout, struct operation *operation,
               GPtrArray **ret, struct error *err)
{
    g_autoptr(GPtrArray) tags = g_ptr_array_new_with_free_func(tag_found_free);
    struct survey survey = {.store = store, .layout = layout, .operation = operation, .tags = tags};
    g_autofree char *prefix = layout_datasets_prefix(layout);
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *storage = store_set_list_shallow(set, prefix);
    int code = store_run_all(store, set, 0, operation, err);
    if (code)
        return code;
    g_autoptr(GPtrArray) datasets = dataset_listing_read(storage, NULL);
    for (guint i = 0; code == 0 && i < datasets->len; i++)
        code = list_tags(&survey, g_ptr_array_index(datasets, i), err);
    if (code == 0)
        code = judge_all(&survey, err);
    if (code == 0)
        *ret = g_steal_pointer(&tags);
    return error_prefix(err, code, "reading tags");
}

int tag_found_delete(struct store *store, const struct layout *layout, const struct tag_found *tag,
                     struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    g_autofree char *root = layout_dataset_key(layout, tag->dataset);
    lance_branch_file_delete_request(set, root, tag->key);
    int code = store_run_all(store, set, 0, operation, err);
    return error_prefix(err, code, "deleting the tag %s of %s", tag->name, tag->dataset);
}

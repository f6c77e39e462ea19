#include "catalog/edit/additions.h"

#include <string.h>

#include "base/json_text.h"
#include "lance/branch_name.h"
#include "lance/dataset.h"

static void addition_free(void *pointer)
{
    struct addition *addition = pointer;
    g_free(addition->dataset);
    g_free(addition->branch);
    branch_plan_free(addition->plan);
    g_free(addition);
}

/* ---- What the user wrote ---- */

static int parse_member(const struct fork_entry *entry, const struct json_member *member,
                        GPtrArray *additions, struct error *err)
{
    g_autofree char *branch = NULL;
    bool is_null = json_span_kind(member->value) == JSON_NULL;
    if (!member->key || !layout_dataset_name_is_safe(member->key))
        return error_set(err, ERR_INVALID, "%.*s is no name of a dataset",
                         (int)MIN(member->key_source.length, 80), member->key_source.text);
    if (is_null)
        branch = layout_branch_name(&entry->id, member->key);
    else if (!json_span_string(member->value, &branch))
        return error_set(err, ERR_INVALID, "dataset %s: a branch name or null is expected",
                         member->key);
    if (lance_branch_name_check(branch, err))
        return error_prefix(err, ERR_INVALID, "dataset %s", member->key);
    const char *present = fork_entry_branch(entry, member->key);
    if (present && !is_null && strcmp(present, branch) != 0)
        return error_set(err, ERR_CONFLICT, "dataset %s is mapped to branch %s already",
                         member->key, present);
    if (present)
        return 0;
    struct addition *addition = g_new0(struct addition, 1);
    addition->dataset = g_strdup(member->key);
    addition->branch = g_steal_pointer(&branch);
    addition->make = is_null;
    g_ptr_array_add(additions, addition);
    return 0;
}

/* The document is kept as source text, which the messages quote. */
int additions_parse(const struct fork_entry *entry, const struct bytes *text, GPtrArray **ret,
                    struct error *err)
{
    g_autoptr(GArray) members = NULL;
    g_autoptr(GPtrArray) additions = g_ptr_array_new_with_free_func(addition_free);
    if (json_document_members(text, &members, err))
        return error_prefix(err, ERR_INVALID, "not a JSON object of datasets");
    int code = 0;
    for (guint i = 0; code == 0 && i < members->len; i++)
        code = parse_member(entry, &g_array_index(members, struct json_member, i), additions, err);
    if (code == 0)
        *ret = g_steal_pointer(&additions);
    return code;
}

/* ---- What is there ---- */

static bool is_whole(const struct addition *addition)
{
    return addition->ref->answer.code == 0 && addition->tip->answer.objects->len > 0;
}

bool addition_is_to_be_made(const struct addition *addition)
{
    return addition->make && !is_whole(addition);
}

bool addition_is_zombie(const struct addition *addition)
{
    return addition_is_to_be_made(addition) &&
           (addition->ref->answer.code == 0 || addition->tip->answer.objects->len > 0);
}

int additions_look(const GPtrArray *additions, const struct catalog *catalog, struct store_set *set,
                   struct operation *operation, struct error *err)
{
    for (guint i = 0; i < additions->len; i++) {
        struct addition *addition = g_ptr_array_index(additions, i);
        g_autofree char *dataset = layout_dataset_key(catalog->layout, addition->dataset);
        g_autofree char *ref = lance_branch_ref_key(dataset, addition->branch);
        addition->ref = store_set_head(set, ref);
        addition->tip = lance_tip_request(set, dataset, addition->branch);
    }
    int code = store_run_all(catalog->store, set, ERR_NOT_FOUND, operation, err);
    for (guint i = 0; code == 0 && i < additions->len; i++) {
        const struct addition *addition = g_ptr_array_index(additions, i);
        if (!addition->make && !is_whole(addition))
            code = error_set(err, ERR_INVALID, "dataset %s has no branch %s", addition->dataset,
                             addition->branch);
    }
    return code;
}

const char *additions_first_to_be_made(const GPtrArray *additions)
{
    for (guint i = 0; i < additions->len; i++) {
        const struct addition *addition = g_ptr_array_index(additions, i);
        if (addition_is_to_be_made(addition))
            return addition->dataset;
    }
    return NULL;
}

GPtrArray *additions_branches(const GPtrArray *additions, bool (*choose)(const struct addition *))
{
    GPtrArray *branches = dataset_branches_new();
    for (guint i = 0; i < additions->len; i++) {
        const struct addition *addition = g_ptr_array_index(additions, i);
        if (!choose || choose(addition))
            g_ptr_array_add(branches, dataset_branch_new(addition->dataset, addition->branch));
    }
    return branches;
}

#include "catalog/repair/lineage.h"

#include <string.h>

#include "catalog/registry/fork_entry.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"

/* What the refs of one fork have told so far. */
struct witness {
    struct lineage *lineage;
    bool is_heard; /* one ref at least was read */
    bool is_doubtful;
};

static void hear_parent(struct witness *witness, const char *parent_branch)
{
    struct lineage *lineage = witness->lineage;
    struct ulid id;
    witness->is_heard = true;
    if (!parent_branch)
        return;
    /* A branch of somebody else is no parent at all. */
    bool is_fork = layout_id_of_branch(parent_branch, &id) && !ulid_equal(&id, &lineage->id);
    bool contradicts =
        is_fork && lineage->kind == LINEAGE_FORK && !ulid_equal(&id, &lineage->parent);
    if (!is_fork || contradicts) {
        witness->is_doubtful = true;
        return;
    }
    lineage->kind = LINEAGE_FORK;
    lineage->parent = id;
}

static void hear_ref(struct witness *witness, const struct store_request *get)
{
    struct branch_ref *ref = NULL;
    if (get->answer.code || branch_ref_parse(get->answer.body, &ref, NULL))
        return;
    hear_parent(witness, ref->parent_branch);
    branch_ref_free(ref);
}

static void judge(struct witness *witness)
{
    struct lineage *lineage = witness->lineage;
    if (witness->is_doubtful)
        lineage->kind = LINEAGE_UNKNOWN;
    else if (lineage->kind != LINEAGE_FORK && (witness->is_heard || lineage->branches->len == 0))
        lineage->kind = LINEAGE_MAIN;
}

int lineage_read(struct store *store, const struct layout *layout, struct lineage *list,
                 size_t count, struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    for (size_t i = 0; i < count; i++) {
        for (guint j = 0; j < list[i].branches->len; j++) {
            const struct dataset_branch *pair = g_ptr_array_index(list[i].branches, j);
            g_autofree char *dataset = layout_dataset_key(layout, pair->dataset);
            g_autofree char *key = lance_branch_ref_key(dataset, pair->branch);
            store_set_get(set, key);
        }
    }
    int code = store_run_all(store, set, ERR_NOT_FOUND, operation, err);
    size_t next = 0;
    for (size_t i = 0; code == 0 && i < count; i++) {
        struct witness witness = {.lineage = &list[i]};
        list[i].kind = LINEAGE_UNKNOWN;
        for (guint j = 0; j < list[i].branches->len; j++)
            hear_ref(&witness, store_set_at(set, next++));
        judge(&witness);
    }
    return error_prefix(err, code, "reading refs of branches");
}

#include "catalog/edit/tag_refs.h"

#include <string.h>

#include "catalog/fork/recorded_branches.h"
#include "catalog/fork/tag_names.h"
#include "catalog/fork_point/dataset_listing.h"
#include "lance/dataset.h"
#include "lance/ref_catalog.h"

/* The keys of the tag's refs. */
static GPtrArray *keys_of(const struct catalog *catalog, const GPtrArray *list, const char *name)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < list->len; i++) {
        const struct fork_tag *tag = g_ptr_array_index(list, i);
        for (guint j = 0; strcmp(tag->name, name) == 0 && j < tag->versions->len; j++) {
            const struct tag_version *version = g_ptr_array_index(tag->versions, j);
            g_ptr_array_add(keys, tag_name_key(catalog->layout, name, version->dataset));
        }
    }
    return keys;
}

/* Nothing is deleted where the refs that count are others, or where some are away, which would be
 * left behind. */
static int check_datasets(struct catalog *catalog, const struct fork_entry *entry,
                          struct operation *operation, struct error *err)
{
    g_autofree char *storage = layout_datasets_prefix(catalog->layout);
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_autofree char *dataset = layout_dataset_key(catalog->layout, pair->dataset);
        struct store_request *look = lance_ref_catalog_request(set, dataset);
        lance_expect_branches(look, dataset, entry->status == FORK_ACTIVE);
        lance_expect_tags(look, dataset);
    }
    const struct store_request *listing = store_set_list_shallow(set, storage);
    int code = store_run(catalog->store, set, operation, err);
    for (guint i = 0; code == 0 && i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_autofree char *dataset = layout_dataset_key(catalog->layout, pair->dataset);
        code = lance_ref_catalog_check(store_set_at(set, i), dataset, err);
    }
    if (code == 0)
        code = error_copy(err, &listing->answer.error);
    if (code)
        return code;
    g_autoptr(GPtrArray) listed = dataset_listing_read(listing, NULL);
    return recorded_branches_check_datasets(catalog->layout, entry->datasets, listed, err);
}

/* The keys of the tag's refs as the store has them now. ERR_NOT_FOUND when there is none. */
int tag_refs_find(struct catalog *catalog, const struct fork_entry *entry, const char *tag,
                  struct operation *operation, GPtrArray **ret, struct error *err)
{
    tags_forget(catalog->tags, &entry->id); /* what the store holds counts */
    g_autoptr(GPtrArray) list = NULL;
    int code = check_datasets(catalog, entry, operation, err);
    if (code == 0)
        code = tags_read(catalog->tags, entry, operation, &list, err);
    if (code)
        return code;
    g_autoptr(GPtrArray) keys = keys_of(catalog, list, tag);
    if (keys->len == 0)
        return error_set(err, ERR_NOT_FOUND, "the fork has no tag '%s'", tag);
    *ret = g_steal_pointer(&keys);
    return 0;
}

static int delete_keys(struct catalog *catalog, const GPtrArray *keys, struct operation *operation,
                       struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < keys->len; i++)
        store_request_expect_place(store_set_delete(set, g_ptr_array_index(keys, i)));
    return store_run_all(catalog->store, set, 0, operation, err);
}

int tag_refs_delete(struct catalog *catalog, const struct fork_entry *entry, const GPtrArray *keys,
                    struct operation *operation, struct error *err)
{
    int code = delete_keys(catalog, keys, operation, err);
    /* Deleting what is gone succeeds, and makes that durable. */
    if (code == ERR_OUTCOME_UNKNOWN || code == ERR_NOT_DURABLE)
        code = delete_keys(catalog, keys, operation, err);
    tags_forget(catalog->tags, &entry->id);
    return code;
}

int tag_refs_delete_partial(struct catalog *catalog, const struct fork_entry *entry,
                            const char *tag, size_t whole, struct operation *operation,
                            struct error *err)
{
    g_autoptr(GPtrArray) keys = NULL;
    int code = tag_refs_find(catalog, entry, tag, operation, &keys, err);
    if (code || keys->len >= whole)
        return code;
    return tag_refs_delete(catalog, entry, keys, operation, err);
}

#include "catalog/recovery/remnant_tags.h"

#include "base/timestamp.h"

/* The refs that are what was given up, and that nothing is left of otherwise. */
static int find_arrived(struct catalog *catalog, const GPtrArray *due, struct store_set *deletes,
                        struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < due->len; i++)
        store_set_get(set, ((const struct late_tag *)g_ptr_array_index(due, i))->key);
    int code = store_run_all(catalog->store, set, ERR_NOT_FOUND, operation, err);
    auto_registry struct registry *registry = catalog_registry(catalog);
    for (guint i = 0; code == 0 && i < due->len; i++) {
        const struct late_tag *tag = g_ptr_array_index(due, i);
        const struct store_answer *found = &store_set_at(set, i)->answer;
        const bool is_gone = tag->is_removed || !registry_find_id(registry, &tag->fork);
        if (is_gone && found->code == 0 && bytes_equal(found->body, tag->body))
            store_set_delete(deletes, tag->key);
    }
    return code;
}

int remnant_tags_remove(struct catalog *catalog, struct operation *operation, struct error *err)
{
    g_autoptr(GPtrArray) due = late_tags_take_due(catalog->late_tags, monotonic_now_ns());
    auto_store_set struct store_set *deletes = store_set_new();
    if (due->len == 0)
        return 0;
    int code = committer_reload(catalog->committer, operation, err);
    if (code == 0)
        code = find_arrived(catalog, due, deletes, operation, err);
    if (code == 0)
        code = store_run_all(catalog->store, deletes, 0, operation, err);
    for (guint i = 0; i < due->len; i++) {
        const struct late_tag *tag = g_ptr_array_index(due, i);
        tags_forget(catalog->tags, &tag->fork);
        if (code)
            late_tags_put_back(catalog->late_tags, tag);
    }
    return error_prefix(err, code, "removing refs of tags that have arrived late");
}

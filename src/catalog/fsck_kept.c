/*
 * The check of forks whose drop or creation was not finished: what keeps them.
 */
#include "catalog/burial.h"
#include "catalog/descendants.h"
#include "catalog/fork_remains.h"
#include "catalog/fsck_private.h"
#include "catalog/ref_cache.h"

static bool can_be_looked_at(const struct fsck *fsck, const struct fork_entry *entry)
{
    return entry->status != FORK_ACTIVE && !registry_id_is_ambiguous(fsck->registry, &entry->id) &&
           fork_remains_check_names(entry->datasets, NULL) == 0;
}

/* What recovery would say of them. */
static int report(struct fsck *fsck, const struct descendants_query *query, struct error *err)
{
    bool is_found = query->code == ERR_NOT_EMPTY || query->code == ERR_CORRUPT ||
                    query->code == ERR_UNSUPPORTED;
    if (query->code && !is_found)
        return error_copy(err, &query->error);
    if (is_found)
        fsck_find(fsck, "fork %s: it stays %s: %s", query->entry->key_source,
                  fork_status_name(query->entry->status), query->error.text);
    return 0;
}

static int look(struct fsck *fsck, struct descendants_query *list, size_t count, struct error *err)
{
    struct ref_cache *cache = ref_cache_new();
    struct descendants *descendants = descendants_new(fsck->store, fsck->layout, cache);
    descendants_check(descendants, fsck->registry, list, count, NULL, fsck->operation);
    int code = 0;
    for (size_t i = 0; code == 0 && i < count; i++)
        code = report(fsck, &list[i], err);
    descendants_free(descendants);
    ref_cache_free(cache);
    return code;
}

int fsck_check_kept(struct fsck *fsck, const struct store_request *storage, struct error *err)
{
    const GPtrArray *entries = fsck->registry->entries;
    g_autoptr(GPtrArray) candidates = burial_candidates_listed(storage);
    g_autofree struct descendants_query *list = g_new0(struct descendants_query, entries->len);
    g_autoptr(GPtrArray) branches =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; i < entries->len; i++) {
        const struct fork_entry *entry = entries->pdata[i];
        if (!can_be_looked_at(fsck, entry))
            continue;
        GPtrArray *own = burial_branches(entry, candidates);
        list[branches->len] = (struct descendants_query){.entry = entry, .branches = own};
        g_ptr_array_add(branches, own);
    }
    return branches->len > 0 ? look(fsck, list, branches->len, err) : 0;
}

/*
 * The check of forks whose drop or creation was not finished: what keeps them.
 */
#include "catalog/fork/deletion_branches.h"
#include "catalog/fork/descendants.h"
#include "catalog/fork/ref_cache.h"
#include "catalog/fsck/fsck_private.h"

/* A fork whose drop or creation was not finished. */
struct unfinished {
    const struct fork_entry *fork; /* its entry, or what its tombstone says */
    GPtrArray *branches;
    struct error problem;
};

static void unfinished_free(void *pointer)
{
    struct unfinished *one = pointer;
    g_ptr_array_unref(one->branches);
    g_free(one);
}

static void add_unfinished(GPtrArray *list, const struct fork_entry *fork, GPtrArray *branches)
{
    struct unfinished *one = g_new0(struct unfinished, 1);
    one->fork = fork;
    one->branches = branches;
    g_ptr_array_add(list, one);
}

/* Forks that recovery would look at. */
static GPtrArray *list_unfinished(const struct fsck *fsck, const GPtrArray *candidates)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(unfinished_free);
    const GPtrArray *entries = fsck->registry->entries;
    for (guint i = 0; i < entries->len; i++) {
        const struct fork_entry *entry = entries->pdata[i];
        if (entry->status != FORK_ACTIVE && !registry_id_is_ambiguous(fsck->registry, &entry->id) &&
            deletion_check_names(entry->datasets, NULL) == 0)
            add_unfinished(list, entry, deletion_branches(entry, candidates));
    }
    for (guint i = 0; i < fsck->lost->len; i++) {
        const struct fork_entry *tombstone = fsck->lost->pdata[i];
        if (deletion_check_names(tombstone->datasets, NULL) == 0)
            add_unfinished(list, tombstone, deletion_branches_by_id(tombstone));
    }
    return list;
}

/* Reports what recovery would say of the fork. */
static int report_kept(struct fsck *fsck, const struct unfinished *one,
                       const struct descendants_query *query, struct error *err)
{
    const struct error *problem = &one->problem;
    bool is_found = problem->code == ERR_NOT_EMPTY || problem->code == ERR_CORRUPT ||
                    problem->code == ERR_UNSUPPORTED;
    if (problem->code && !is_found)
        return error_copy(err, problem);
    if (is_found && query->entry)
        fsck_find(fsck, FSCK_UNFINISHED, "fork %s: it stays %s: %s", query->entry->key_source,
                  fork_status_name(query->entry->status), problem->text);
    else if (is_found)
        fsck_find(fsck, FSCK_UNFINISHED, "fork %s, of which only a tombstone is left: it stays: %s",
                  one->fork->id.text, problem->text);
    return 0;
}

int fsck_check_kept(struct fsck *fsck, const struct store_request *storage, struct error *err)
{
    g_autoptr(GPtrArray) candidates = deletion_candidates_listed(storage);
    g_autoptr(GPtrArray) list = list_unfinished(fsck, candidates);
    if (list->len == 0)
        return 0;
    g_autofree struct descendants_query *queries = g_new0(struct descendants_query, list->len);
    for (guint i = 0; i < list->len; i++) {
        struct unfinished *one = list->pdata[i];
        const bool has_entry = registry_find_id(fsck->registry, &one->fork->id) != NULL;
        queries[i] = (struct descendants_query){
            .entry = has_entry ? one->fork : NULL, .branches = one->branches, .err = &one->problem};
    }
    struct ref_cache *cache = ref_cache_new();
    struct descendants *descendants = descendants_new(fsck->store, fsck->layout, cache);
    descendants_check(descendants, fsck->registry, queries, list->len, NULL, fsck->operation);
    int code = 0;
    for (guint i = 0; code == 0 && i < list->len; i++)
        code = report_kept(fsck, list->pdata[i], &queries[i], err);
    descendants_free(descendants);
    ref_cache_free(cache);
    return code;
}

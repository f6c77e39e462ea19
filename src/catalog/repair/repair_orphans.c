/*
 * Orphans: what the store holds of forks that no entry, no tombstone and no intent knows.
 */
#include "catalog/change/deletion.h"
#include "catalog/registry/transitions.h"
#include "catalog/repair/recovered.h"
#include "catalog/repair/repair_private.h"
#include "catalog/repair/tag_survey.h"

/* An orphan that is to be removed. */
struct orphan {
    const struct remains *remains;
    GPtrArray *branches;
    bool is_done;
    struct error problem;
};

/* Those of a survey (borrowed) that belong to nobody. The registry is read after the survey: where
 * others write, an entry precedes its files. */
static int list_orphans(struct repair *repair, GHashTable *survey, GPtrArray *ret,
                        struct error *err)
{
    int code = committer_reload(repair->catalog->committer, repair->operation, err);
    if (code)
        return code;
    auto_registry struct registry *registry = catalog_registry(repair->catalog);
    g_autoptr(GPtrArray) all = remains_sorted(survey);
    for (guint i = 0; i < all->len; i++) {
        struct remains *remains = g_ptr_array_index(all, i);
        if (!remains->is_claimed && !registry_find_id(registry, &remains->id))
            g_ptr_array_add(ret, remains);
    }
    return 0;
}

/* ---- Adopting ---- */

static int adopt_all(struct repair *repair, const GPtrArray *entries, struct error *err)
{
    g_autofree struct transition *list = g_new0(struct transition, entries->len);
    g_autofree struct error *failures = g_new0(struct error, entries->len);
    for (guint i = 0; i < entries->len; i++)
        list[i] = (struct transition){
            .kind = TRANSITION_INSERT, .entry = g_ptr_array_index(entries, i), .err = &failures[i]};
    transitions_commit(repair->catalog->committer, list, entries->len, repair->operation);
    for (guint i = 0; i < entries->len; i++) {
        if (failures[i].code)
            return error_copy(err, &failures[i]);
        g_autofree char *text = recovered_text(g_ptr_array_index(entries, i));
        repair_did(repair, "adopt %s", text);
    }
    return 0;
}

static int survey_remains(struct repair *repair, GHashTable **ret, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(repair->catalog);
    return remains_survey(repair->store, repair->layout, registry, repair->operation, ret, err);
}

int repair_adopt(struct repair *repair, struct error *err)
{
    g_autoptr(GHashTable) survey = NULL;
    g_autoptr(GPtrArray) orphans = g_ptr_array_new();
    g_autoptr(GPtrArray) entries = NULL;
    if (repair->settings->orphans != REPAIR_ADOPT)
        return 0;
    int code = survey_remains(repair, &survey, err);
    if (code == 0)
        code = list_orphans(repair, survey, orphans, err);
    if (code)
        return code;
    for (guint i = orphans->len; i > 0; i--)
        if (!remains_are_whole(g_ptr_array_index(orphans, i - 1)))
            g_ptr_array_remove_index(orphans, i - 1);
    auto_registry struct registry *registry = catalog_registry(repair->catalog);
    code = recovered_entries(repair->store, repair->layout, registry, orphans, repair->operation,
                             &entries, err);
    if (code == 0)
        code = recovered_complete(repair->store, repair->layout, entries, repair->operation, err);
    return code ? code : adopt_all(repair, entries, err);
}

/* ---- Purging ---- */

static void orphan_free(void *pointer)
{
    struct orphan *orphan = pointer;
    g_ptr_array_unref(orphan->branches);
    g_free(orphan);
}

/* Whether it has a branch that no deletion removes, since an entry names it: one that has lost its
 * own id, or has taken the branch. All else is wanted when that entry is put right. */
static bool is_named(const struct registry *registry, const struct remains *remains)
{
    for (guint i = 0; i < remains->branches->len; i++) {
        const struct remains_branch *branch = g_ptr_array_index(remains->branches, i);
        if (registry_protects_branch(registry, &remains->id, branch->branch))
            return true;
    }
    return false;
}

static bool is_to_go(const struct repair *repair, const struct remains *remains)
{
    if (remains->branches->len == 0)
        return repair->settings->orphans == REPAIR_PURGE;
    return repair->settings->orphans == REPAIR_PURGE ||
           (!remains_are_whole(remains) && !remains_have_data(remains));
}

static GPtrArray *choose_orphans(const struct repair *repair, const GPtrArray *orphans)
{
    auto_registry struct registry *registry = catalog_registry(repair->catalog);
    GPtrArray *chosen = g_ptr_array_new_with_free_func(orphan_free);
    for (guint i = 0; i < orphans->len; i++) {
        const struct remains *remains = g_ptr_array_index(orphans, i);
        if (!is_to_go(repair, remains) || is_named(registry, remains))
            continue;
        struct orphan *orphan = g_new0(struct orphan, 1);
        orphan->remains = remains;
        orphan->branches = remains_branches(remains, false);
        deletion_check_names(orphan->branches, &orphan->problem);
        g_ptr_array_add(chosen, orphan);
    }
    return chosen;
}

/* Those that nothing hangs on which the registry knows, or that is no fork's. */
static GPtrArray *choose_free(struct repair *repair, const GPtrArray *orphans)
{
    auto_registry struct registry *registry = catalog_registry(repair->catalog);
    g_autofree struct descendants_query *queries = g_new0(struct descendants_query, orphans->len);
    GPtrArray *waiting = g_ptr_array_new();
    for (guint i = 0; i < orphans->len; i++) {
        struct orphan *orphan = g_ptr_array_index(orphans, i);
        orphan->problem = (struct error){0};
        if (orphan->is_done || deletion_check_names(orphan->branches, NULL) != 0 ||
            transition_check_childless(registry, &orphan->remains->id, NULL) != 0)
            continue;
        queries[waiting->len] =
            (struct descendants_query){.branches = orphan->branches, .err = &orphan->problem};
        g_ptr_array_add(waiting, orphan);
    }
    if (waiting->len > 0)
        descendants_check(repair->catalog->descendants, registry, queries, waiting->len, NULL,
                          repair->operation);
    for (guint i = waiting->len; i > 0; i--)
        if (((struct orphan *)g_ptr_array_index(waiting, i - 1))->problem.code)
            g_ptr_array_remove_index(waiting, i - 1);
    return waiting;
}

static int remove_orphan(struct repair *repair, struct orphan *orphan, struct error *err)
{
    const struct remains *remains = orphan->remains;
    const struct deletion deletion = {
        .extent = DELETION_OF_FILES, .id = &remains->id, .branches = orphan->branches};
    struct error failure;
    int code = deletion_run(repair->catalog, deletion, repair->operation, &failure);
    orphan->is_done = true;
    if (code && recovery_is_about_one_fork(code))
        return 0; /* the check goes on finding it */
    if (code)
        return error_copy(err, &failure);
    repair_did(repair, "remove what there is of fork %s, which nothing knows: %u branch%s%s%s%s",
               remains->id.text, remains->branches->len, remains->branches->len == 1 ? "" : "es",
               remains->has_overlay ? ", overlay" : "", remains->has_allocator ? ", allocator" : "",
               remains->has_log ? ", log" : "");
    return 0;
}

/* An orphan may descend from another one: as long as any goes, the others are looked at again. */
static int remove_all(struct repair *repair, const GPtrArray *orphans, struct error *err)
{
    int code = 0;
    for (bool again = true; code == 0 && again;) {
        g_autoptr(GPtrArray) free = choose_free(repair, orphans);
        again = free->len > 0;
        for (guint i = 0; code == 0 && i < free->len; i++)
            code = remove_orphan(repair, g_ptr_array_index(free, i), err);
    }
    return code;
}

/* Whether a tag keeps one of them. */
static bool keeps_any(const struct tag_found *tag, const GPtrArray *orphans)
{
    struct ulid id;
    if (!tag->branch || !layout_id_of_branch(tag->branch, &id))
        return false;
    for (guint i = 0; i < orphans->len; i++)
        if (ulid_equal(&((const struct orphan *)g_ptr_array_index(orphans, i))->remains->id, &id))
            return true;
    return false;
}

static int delete_tags(struct repair *repair, const GPtrArray *orphans, struct error *err)
{
    g_autoptr(GPtrArray) tags = NULL;
    int code = tag_survey(repair->store, repair->layout, repair->operation, &tags, err);
    for (guint i = 0; code == 0 && i < tags->len; i++) {
        const struct tag_found *tag = g_ptr_array_index(tags, i);
        if (!keeps_any(tag, orphans))
            continue;
        code = tag_found_delete(repair->store, repair->layout, tag, repair->operation, err);
        if (code == 0)
            repair_did(repair, "delete the tag '%s' of %s, which keeps branch %s", tag->name,
                       tag->dataset, tag->branch);
    }
    return code;
}

int repair_purge(struct repair *repair, struct error *err)
{
    g_autoptr(GHashTable) survey = NULL;
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    int code = survey_remains(repair, &survey, err);
    if (code == 0)
        code = list_orphans(repair, survey, all, err);
    if (code == 0)
        code = remains_leave_foreign(repair->store, repair->layout, all, repair->operation, err);
    if (code == 0)
        code = remains_read_overlays(repair->store, repair->layout, all, repair->operation, err);
    if (code)
        return code;
    g_autoptr(GPtrArray) orphans = choose_orphans(repair, all);
    if (repair->settings->orphans == REPAIR_PURGE && orphans->len > 0)
        code = delete_tags(repair, orphans, err);
    return code ? code : remove_all(repair, orphans, err);
}

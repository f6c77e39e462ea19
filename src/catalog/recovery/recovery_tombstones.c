/*
 * Tombstones whose drop nobody has finished: what they name is deleted, then they are.
 */
#include <string.h>

#include "base/timestamp.h"
#include "catalog/change/deletion.h"
#include "catalog/fork/recorded_branches.h"
#include "catalog/recovery/recovery_private.h"
#include "catalog/registry/transitions.h"

/* A tombstone that this mount may recover: the fork's deletion is finished, or its own. */
struct tombstone_deletion {
    const struct tombstone *tombstone; /* owned by the list */
    GPtrArray *branches;               /* of one without entry, that is to be finished by its id */
    bool is_away;                      /* something is to be deleted, but cannot be found */
    bool done;
    struct error problem;
};

static void tombstone_deletion_free(void *pointer)
{
    struct tombstone_deletion *deletion = pointer;
    if (deletion->branches)
        g_ptr_array_unref(deletion->branches);
    g_free(deletion);
}

static int check_document(struct catalog *catalog, const struct tombstone *tombstone,
                          struct error *err)
{
    if (!tombstone->entry)
        return error_copy(err, &tombstone->problem);
    g_autofree char *expected = layout_tombstone_key(catalog->layout, &tombstone->entry->id);
    if (strcmp(expected, tombstone->key) != 0)
        return error_set(err, ERR_CORRUPT, "it is about fork %s, which is not its file name",
                         tombstone->entry->id.text);
    return 0;
}

/* Looks at all tombstones, so that those which may not be finished yet are watched. One whose fork
 * is unfinished goes with it, or stays with it. */
static bool may_recover(struct catalog *catalog, const struct tombstone *tombstone)
{
    int64_t wait_ms = takeover_wait_ms(catalog->takeover, TAKEOVER_TOMBSTONE, tombstone->key,
                                       tombstone->body->data, monotonic_now_ns());
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *live =
        tombstone->entry ? registry_find_id(registry, &tombstone->entry->id) : NULL;
    return wait_ms == 0 && !(live && live->status != FORK_ACTIVE);
}

static bool rests(struct catalog *catalog, const struct tombstone *tombstone)
{
    return tombstone->entry && kept_forks_rests(catalog->kept, &tombstone->entry->id);
}

bool recovery_has_tombstones(struct catalog *catalog)
{
    g_autoptr(GPtrArray) tombstones = tombstones_list(catalog->tombstones);
    bool any = false;
    takeover_begin_look(catalog->takeover, TAKEOVER_TOMBSTONE);
    for (guint i = 0; i < tombstones->len; i++) {
        const struct tombstone *tombstone = g_ptr_array_index(tombstones, i);
        any = (may_recover(catalog, tombstone) && !rests(catalog, tombstone)) || any;
    }
    takeover_end_look(catalog->takeover, TAKEOVER_TOMBSTONE, monotonic_now_ns());
    return any;
}

static GPtrArray *list_deletions(struct catalog *catalog, const GPtrArray *tombstones)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(tombstone_deletion_free);
    for (guint i = 0; i < tombstones->len; i++) {
        if (!may_recover(catalog, g_ptr_array_index(tombstones, i)))
            continue;
        struct tombstone_deletion *deletion = g_new0(struct tombstone_deletion, 1);
        deletion->tombstone = g_ptr_array_index(tombstones, i);
        check_document(catalog, deletion->tombstone, &deletion->problem);
        g_ptr_array_add(list, deletion);
    }
    return list;
}

/* ---- Undecided drops: the forks stay ---- */

static void delete_undecided(struct catalog *catalog, const GPtrArray *list,
                             struct operation *operation)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    for (guint i = 0; i < list->len; i++) {
        struct tombstone_deletion *deletion = g_ptr_array_index(list, i);
        if (deletion->problem.code || !registry_find_id(registry, &deletion->tombstone->entry->id))
            continue;
        deletion->done = deletion_of_tombstone(catalog, deletion->tombstone->key, operation,
                                               &deletion->problem) == 0;
    }
}

/* ---- Tombstones without entry: finished by the id ---- */

/* Of a dataset that is away the branches cannot be deleted, and nothing would tell of them any more
 * when it is back. */
static int find_away(struct catalog *catalog, const GPtrArray *list, struct operation *operation,
                     struct error *err)
{
    g_autoptr(GPtrArray) datasets = NULL;
    int code = 0;
    for (guint i = 0; code == 0 && i < list->len; i++) {
        struct tombstone_deletion *deletion = g_ptr_array_index(list, i);
        if (deletion->done || deletion->problem.code ||
            deletion_check_names(deletion->tombstone->entry->datasets, NULL))
            continue;
        g_autoptr(GPtrArray) branches = deletion_branches_by_id(deletion->tombstone->entry);
        if (!datasets)
            code = deletion_candidates(catalog->fork_points, operation, &datasets, err);
        if (code == 0)
            deletion->is_away = recorded_branches_check_seen(catalog->fork_points, branches,
                                                             datasets, &deletion->problem);
    }
    return code;
}

/* Tombstones of forks of which nothing that the registry knows is a child. Nothing vouches for the
 * document, so branches of other names are not deleted on its word. */
static GPtrArray *choose_childless(struct catalog *catalog, const GPtrArray *list)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    GPtrArray *chosen = g_ptr_array_new();
    for (guint i = 0; i < list->len; i++) {
        struct tombstone_deletion *deletion = g_ptr_array_index(list, i);
        if (deletion->done || deletion->is_away || (deletion->problem.code && !deletion->branches))
            continue;
        const struct fork_entry *entry = deletion->tombstone->entry;
        deletion->problem = (struct error){0};
        if (deletion_check_names(entry->datasets, &deletion->problem))
            continue;
        if (!deletion->branches)
            deletion->branches = deletion_branches_by_id(entry);
        if (transition_check_childless(registry, &entry->id, &deletion->problem) == 0)
            g_ptr_array_add(chosen, deletion);
    }
    return chosen;
}

/* Takes out of the list those that something hangs on. */
static void keep_independent(struct catalog *catalog, GPtrArray *forks, struct operation *operation)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autofree struct descendants_query *queries = g_new0(struct descendants_query, forks->len);
    for (guint i = 0; i < forks->len; i++) {
        struct tombstone_deletion *deletion = g_ptr_array_index(forks, i);
        queries[i] =
            (struct descendants_query){.branches = deletion->branches, .err = &deletion->problem};
    }
    if (forks->len > 0)
        descendants_check(catalog->descendants, registry, queries, forks->len, NULL, operation);
    for (guint i = forks->len; i > 0; i--) {
        if (((struct tombstone_deletion *)g_ptr_array_index(forks, i - 1))->problem.code)
            g_ptr_array_remove_index(forks, i - 1);
    }
}

static bool delete_forks(struct catalog *catalog, const GPtrArray *forks,
                         struct operation *operation)
{
    struct deletions *deletions = deletions_new(catalog);
    bool any = false;
    for (guint i = 0; i < forks->len; i++) {
        struct tombstone_deletion *deletion = g_ptr_array_index(forks, i);
        deletions_add(deletions, &(struct deletion){.id = &deletion->tombstone->entry->id,
                                                    .branches = deletion->branches,
                                                    .err = &deletion->problem});
    }
    deletions_run(deletions, operation);
    for (guint i = 0; i < forks->len; i++) {
        struct tombstone_deletion *deletion = g_ptr_array_index(forks, i);
        deletion->done = deletion->problem.code == 0;
        any = any || deletion->done;
    }
    deletions_free(deletions);
    return any;
}

/* Branches of one fork may descend from those of another: as long as any goes, the others are
 * looked at again. */
static void finish_by_id(struct catalog *catalog, const GPtrArray *list,
                         struct operation *operation)
{
    for (bool again = true; again;) {
        g_autoptr(GPtrArray) forks = choose_childless(catalog, list);
        guint waiting = forks->len;
        keep_independent(catalog, forks, operation);
        again = delete_forks(catalog, forks, operation) && forks->len < waiting;
    }
}

/* ---- The whole ---- */

static int report_deletions(struct catalog *catalog, const GPtrArray *list,
                            struct recovery_report *report, struct error *err)
{
    int code = 0;
    for (guint i = 0; i < list->len; i++) {
        const struct tombstone_deletion *deletion = g_ptr_array_index(list, i);
        const struct fork_entry *entry = deletion->tombstone->entry;
        if (deletion->done) {
            report->orphans++;
            kept_forks_remove(catalog->kept, &entry->id);
        } else if (recovery_is_about_one_fork(deletion->problem.code)) {
            recovery_report_problem(report, &deletion->problem, "tombstone",
                                    deletion->tombstone->key);
            if (entry)
                kept_forks_put(catalog->kept, &entry->id, &deletion->problem);
        } else if (code == 0) {
            code = error_copy(err, &deletion->problem);
        }
    }
    return code;
}

int recovery_of_tombstones(struct catalog *catalog, struct operation *operation,
                           struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) tombstones = tombstones_list(catalog->tombstones);
    g_autoptr(GPtrArray) list = list_deletions(catalog, tombstones);
    delete_undecided(catalog, list, operation);
    int code = find_away(catalog, list, operation, err);
    if (code)
        return code;
    finish_by_id(catalog, list, operation);
    return report_deletions(catalog, list, report, err);
}

/*
 * Whether what a drop is to delete is there. What is away for a while is not deleted, and would be
 * left behind for ever.
 */
#include "catalog/change/drop.h"
#include "catalog/fork/foreign_branches.h"
#include "catalog/fork/recorded_branches.h"
#include "catalog/fork_point/known_things.h"

/* A fork that another mount has just decided to drop is not gone: that may be taken back. */
static bool is_dropped_elsewhere(const struct round *round, const struct drop *drop)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    const struct fork_entry *entry = registry_find_id(registry, &drop->entry->id);
    return catalog_is_shared(round->catalog) && entry && entry->status == FORK_TOMBSTONED;
}

void drop_blame_other_mount(const struct round *round, struct drop *drop)
{
    if (!is_dropped_elsewhere(round, drop))
        return;
    drop->task.change->elsewhere = true;
    error_set(drop->task.err, ERR_HELD, "another mount is dropping it");
}

/* The branches of the fork that would go. */
static GPtrArray *own_branches(const struct round *round, const struct fork_entry *entry)
{
    auto_registry struct registry *registry = catalog_registry(round->catalog);
    GPtrArray *own = g_ptr_array_new();
    for (guint i = 0; i < entry->datasets->len; i++) {
        struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        if (!registry_protects_branch(registry, &entry->id, pair->branch))
            g_ptr_array_add(own, pair);
    }
    return own;
}

/* Where none of the branches that an active fork records is there, they are not deleted but
 * elsewhere. Unlike those of a fork that somebody has begun to delete. */
static int check_any_branch(struct round *round, const struct drop *drop, const GPtrArray *own,
                            struct error *err)
{
    bool is_there = true;
    if (drop->entry->status != FORK_ACTIVE || drop->has_refs || own->len == 0)
        return 0;
    int code = recorded_branches_find(round->catalog->store, round->catalog->layout, own,
                                      round->operation, &is_there, err);
    if (code || is_there)
        return code;
    g_autofree char *datasets = layout_datasets_prefix(round->catalog->layout);
    return error_set(err, ERR_AWAY,
                     "none of the branches that its entry records is below '%s': nothing was "
                     "changed; is that the prefix of its database? If they are gone for good, "
                     "mark the entry as tombstoned, and the next mount finishes the drop",
                     datasets);
}

static int check_datasets(const struct round *round, const struct drop *drop, const GPtrArray *own,
                          struct error *err)
{
    struct catalog *catalog = round->catalog;
    g_autofree char *datasets = layout_datasets_prefix(catalog->layout);
    if (drop->entry->status != FORK_ACTIVE) {
        int code = recorded_branches_check_seen(catalog->fork_points, own, round->candidates, err);
        return code ? code
                    : foreign_branches_check(catalog->store, catalog->layout, own, round->operation,
                                             err);
    }
    if (round->candidates->len == 0 && fork_point_knows_datasets(catalog->fork_points))
        return known_things_refuse_storage(datasets, err);
    return recorded_branches_check_datasets(catalog->layout, own, round->candidates, err);
}

/* What is missed may have gone with the fork itself, which another mount has dropped. */
static void refuse_away(struct round *round, struct drop *drop, const struct error *away)
{
    struct error *err = drop->task.err;
    int code = 0;
    if (drop->entry->status == FORK_ACTIVE)
        code = catalog_confirm_active(round->catalog, drop->entry, round->operation, err);
    if (code == 0)
        error_copy(err, away);
    else if (code == ERR_STALE)
        drop_blame_other_mount(round, drop);
}

void drop_check_away(struct round *round)
{
    for (guint i = 0; i < round->drops->len; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        struct error away = {0};
        if (!task_is_well(&drop->task))
            continue;
        g_autoptr(GPtrArray) own = own_branches(round, drop->entry);
        int code = check_datasets(round, drop, own, &away);
        if (code == 0)
            code = check_any_branch(round, drop, own, &away);
        if (code)
            refuse_away(round, drop, &away);
    }
}

#include "catalog/change/burial.h"

#include "catalog/change/fork_remains.h"
#include "catalog/fork_point/dataset_listing.h"

/* ---- Which branches ---- */

static void keep_usable(GPtrArray *datasets)
{
    for (guint i = 0; i < datasets->len;) {
        if (layout_dataset_name_is_safe(g_ptr_array_index(datasets, i)))
            i++;
        else
            g_ptr_array_remove_index(datasets, i);
    }
}

int burial_candidates(struct catalog *catalog, struct operation *operation, GPtrArray **ret,
                      struct error *err)
{
    int code = fork_point_datasets(catalog->fork_points, operation, ret, err);
    if (code == 0)
        keep_usable(*ret);
    return code;
}

GPtrArray *burial_candidates_listed(const struct store_request *storage)
{
    GPtrArray *candidates = dataset_listing_read(storage, NULL);
    keep_usable(candidates);
    return candidates;
}

GPtrArray *burial_branches(const struct fork_entry *entry, const GPtrArray *candidates)
{
    GPtrArray *branches = dataset_branches_new();
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_ptr_array_add(branches, dataset_branch_new(pair->dataset, pair->branch));
    }
    for (guint i = 0; i < candidates->len; i++) {
        const char *dataset = g_ptr_array_index(candidates, i);
        g_autofree char *branch = layout_branch_name(&entry->id, dataset);
        if (g_strcmp0(fork_entry_branch(entry, dataset), branch) != 0)
            g_ptr_array_add(branches, dataset_branch_new(dataset, branch));
    }
    return branches;
}

GPtrArray *burial_branches_by_id(const struct fork_entry *entry)
{
    GPtrArray *branches = dataset_branches_new();
    g_autofree char *prefix = layout_branch_name(&entry->id, "");
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        if (g_str_has_prefix(pair->branch, prefix))
            g_ptr_array_add(branches, dataset_branch_new(pair->dataset, pair->branch));
    }
    return branches;
}

/* ---- Burying ---- */

struct burials {
    struct catalog *catalog;
    struct burial *list;
    size_t count;
    struct fork_remains *remains; /* of each */
    struct remains_deletion *deletion;
};

struct burials *burials_new(struct catalog *catalog, struct burial *list, size_t count)
{
    struct burials *burials = g_new0(struct burials, 1);
    auto_registry struct registry *registry = catalog_registry(catalog);
    burials->catalog = catalog;
    burials->list = list;
    burials->count = count;
    burials->remains = g_new0(struct fork_remains, count);
    for (size_t i = 0; i < count; i++) {
        list[i].code = 0;
        list[i].error = (struct error){0};
        burials->remains[i] = (struct fork_remains){.id = list[i].id,
                                                    .branches = list[i].branches,
                                                    .looked_at = list[i].looked_at,
                                                    .keep_intents = catalog->settings.shared};
    }
    burials->deletion = remains_deletion_new(catalog->store, catalog->layout, catalog->settings.log,
                                             registry, burials->remains, count);
    return burials;
}

void burials_free(struct burials *burials)
{
    if (!burials)
        return;
    remains_deletion_free(burials->deletion);
    g_free(burials->remains);
    g_free(burials);
}

/* The callers' refusals to the deletion, and its failures to the callers. */
static void exchange_codes(struct burials *burials)
{
    for (size_t i = 0; i < burials->count; i++) {
        struct burial *burial = &burials->list[i];
        struct fork_remains *remains = &burials->remains[i];
        if (burial->code)
            remains->code = error_copy(&remains->error, &burial->error);
        else
            burial->code = error_copy(&burial->error, &remains->error);
    }
}

void burials_add_listings(struct burials *burials, struct store_set *set)
{
    exchange_codes(burials);
    remains_deletion_add_listings(burials->deletion, set);
}

void burials_take_listings(struct burials *burials, struct store_set *set, int run_code)
{
    remains_deletion_take_listings(burials->deletion, set, run_code);
    exchange_codes(burials);
}

static void delete_remains(struct burials *burials, struct operation *operation)
{
    struct catalog *catalog = burials->catalog;
    exchange_codes(burials);
    remains_deletion_run(burials->deletion, operation);
    for (size_t i = 0; i < burials->count; i++) {
        if (burials->list[i].code)
            continue;
        overlays_forget(catalog->overlays, burials->list[i].id);
        tags_forget(catalog->tags, burials->list[i].id);
    }
    exchange_codes(burials);
}

/* Directories that the deletes have left empty. */
static void prune(struct burials *burials, struct operation *operation)
{
    struct store_set *set = store_set_new();
    remains_deletion_add_prunes(burials->deletion, set);
    int code = store_run(burials->catalog->store, set, operation, NULL);
    remains_deletion_take_prunes(burials->deletion, set, code);
    exchange_codes(burials);
    store_set_unref(set);
}

/* `with_prunes`: in the same wave. A crash in between is then no harm as long as there is an entry,
 * for which all of this is done again. */
static void delete_tombstones(struct burials *burials, bool with_prunes,
                              struct operation *operation)
{
    struct catalog *catalog = burials->catalog;
    struct store_set *set = store_set_new();
    g_autofree struct store_request **deletes = g_new0(struct store_request *, burials->count);
    for (size_t i = 0; i < burials->count; i++) {
        g_autofree char *key = layout_tombstone_key(catalog->layout, burials->list[i].id);
        if (burials->list[i].code == 0)
            deletes[i] = store_set_delete(set, key);
    }
    if (with_prunes)
        remains_deletion_add_prunes(burials->deletion, set);
    int code = store_run(catalog->store, set, operation, NULL);
    if (with_prunes)
        remains_deletion_take_prunes(burials->deletion, set, code);
    for (size_t i = 0; i < burials->count; i++) {
        if (!deletes[i])
            continue;
        struct burial *burial = &burials->list[i];
        burial->code = store_answer_failure(&deletes[i]->answer, code, &burial->error);
        if (burial->code == 0)
            tombstones_note_deleted(catalog->tombstones, deletes[i]->key);
    }
    exchange_codes(burials);
    store_set_unref(set);
}

void burials_carry_out(struct burials *burials, struct operation *operation)
{
    delete_remains(burials, operation);
    delete_tombstones(burials, true, operation);
}

void bury(struct catalog *catalog, struct burial *list, size_t count, struct operation *operation)
{
    if (count == 0)
        return;
    struct burials *burials = burials_new(catalog, list, count);
    struct store_set *listings = store_set_new();
    burials_add_listings(burials, listings);
    int code = store_run(catalog->store, listings, operation, NULL);
    burials_take_listings(burials, listings, code);
    delete_remains(burials, operation);
    prune(burials, operation);
    delete_tombstones(burials, false, operation);
    store_set_unref(listings);
    burials_free(burials);
}

int bury_tombstone(struct catalog *catalog, const char *key, struct operation *operation,
                   struct error *err)
{
    int code = store_delete(catalog->store, key, operation, err);
    if (code == 0)
        tombstones_note_deleted(catalog->tombstones, key);
    return code;
}

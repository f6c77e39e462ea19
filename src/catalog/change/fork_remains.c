#include "catalog/change/fork_remains.h"

#include <string.h>

#include "lance/branch_name.h"
#include "lance/dataset.h"
#include "lance/ref_catalog.h"

/* A branch whose deletion is under way. */
struct doomed_branch {
    char *dataset_key;
    const char *dataset, *branch; /* owned by the caller's list */
    struct store_request *listing;
    struct store_request *catalog; /* whether its refs may be elsewhere; NULL: known not to be */
};

/* A fork whose deletion is under way. */
struct doomed_fork {
    struct fork_remains *remains;
    GPtrArray *branches; /* struct doomed_branch */
    char *overlay;
    char *registration;
    char *tagging;
    char *files;
    char *wal;
    struct store_request *listed_files;
    struct store_request *listed_wal;
    size_t first; /* its requests in the set at hand: first to end - 1 */
    size_t end;
};

struct remains_deletion {
    struct store *store;
    const struct layout *layout;
    struct fork_remains *list;
    struct doomed_fork *forks;
    size_t count;
    GHashTable *catalogs; /* key of a dataset -> the request, of all forks */
};

static void doomed_branch_free(void *pointer)
{
    struct doomed_branch *doomed = pointer;
    g_free(doomed->dataset_key);
    g_free(doomed);
}

int fork_remains_check_names(const GPtrArray *branches, struct error *err)
{
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        if (!layout_dataset_name_is_safe(pair->dataset))
            return error_set(err, ERR_CORRUPT, "dataset name '%s' cannot be used", pair->dataset);
        struct error failure = {0};
        if (lance_branch_name_check(pair->branch, &failure) != 0)
            return error_set(err, ERR_CORRUPT, "branch of dataset %s: %s", pair->dataset,
                             failure.text);
    }
    return 0;
}

static GPtrArray *choose_branches(const struct layout *layout, struct log *log,
                                  const struct registry *registry,
                                  const struct fork_remains *remains)
{
    GPtrArray *chosen = g_ptr_array_new_with_free_func(doomed_branch_free);
    for (guint i = 0; i < remains->branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(remains->branches, i);
        if (registry_protects_branch(registry, remains->id, pair->branch)) {
            log_warning(log,
                        "fork %s: leaving branch %s of dataset %s alone, it is not this fork's",
                        remains->id->text, pair->branch, pair->dataset);
            continue;
        }
        struct doomed_branch *doomed = g_new0(struct doomed_branch, 1);
        doomed->dataset_key = layout_dataset_key(layout, pair->dataset);
        doomed->dataset = pair->dataset;
        doomed->branch = pair->branch;
        g_ptr_array_add(chosen, doomed);
    }
    return chosen;
}

struct remains_deletion *remains_deletion_new(struct store *store, const struct layout *layout,
                                              struct log *log, const struct registry *registry,
                                              struct fork_remains *list, size_t count)
{
    struct remains_deletion *deletion = g_new0(struct remains_deletion, 1);
    deletion->store = store;
    deletion->layout = layout;
    deletion->list = list;
    deletion->count = count;
    deletion->forks = g_new0(struct doomed_fork, count);
    deletion->catalogs = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; i < count; i++) {
        struct doomed_fork *fork = &deletion->forks[i];
        fork->remains = &list[i];
        list[i].code = 0;
        list[i].error = (struct error){0};
        fork->branches = choose_branches(layout, log, registry, &list[i]);
        fork->overlay = layout_overlay_key(layout, list[i].id);
        fork->registration = layout_registration_key(layout, list[i].id);
        fork->tagging = layout_tagging_key(layout, list[i].id);
        fork->files = layout_fork_prefix(layout, list[i].id);
        fork->wal = layout_fork_wal_prefix(layout, list[i].id);
    }
    return deletion;
}

void remains_deletion_free(struct remains_deletion *deletion)
{
    if (!deletion)
        return;
    for (size_t i = 0; i < deletion->count; i++) {
        struct doomed_fork *fork = &deletion->forks[i];
        g_ptr_array_unref(fork->branches);
        g_free(fork->overlay);
        g_free(fork->registration);
        g_free(fork->tagging);
        g_free(fork->files);
        g_free(fork->wal);
    }
    g_hash_table_unref(deletion->catalogs);
    g_free(deletion->forks);
    g_free(deletion);
}

/* ---- The three waves, each for one fork ---- */

static bool is_looked_at(const struct fork_remains *remains, const struct doomed_branch *doomed)
{
    for (guint i = 0; remains->looked_at && i < remains->looked_at->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(remains->looked_at, i);
        if (strcmp(pair->dataset, doomed->dataset) == 0)
            return true;
    }
    return false;
}

/* Asked once for each dataset. */
static struct store_request *catalog_request(GHashTable *catalogs, struct store_set *set,
                                             char *dataset_key)
{
    struct store_request *request = g_hash_table_lookup(catalogs, dataset_key);
    if (!request) {
        request = lance_ref_catalog_request(set, dataset_key);
        g_hash_table_insert(catalogs, dataset_key, request);
    }
    return request;
}

static void add_listings(struct remains_deletion *deletion, struct store_set *set,
                         struct doomed_fork *fork)
{
    for (guint i = 0; i < fork->branches->len; i++) {
        struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        doomed->listing = lance_branch_tree_request(set, doomed->dataset_key, doomed->branch);
        if (!is_looked_at(fork->remains, doomed))
            doomed->catalog = catalog_request(deletion->catalogs, set, doomed->dataset_key);
    }
    if (fork->remains->branches_only)
        return;
    fork->listed_files = store_set_list(set, fork->files, NULL, 0);
    fork->listed_wal = store_set_list(set, fork->wal, NULL, 0);
}

static void add_listed(struct store_set *set, const struct store_request *listing)
{
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(listing->answer.objects, i);
        store_set_delete(set, object->key);
    }
}

/* What makes branches and fork visible comes first. */
static void add_deletes(struct remains_deletion *deletion, struct store_set *set,
                        struct doomed_fork *fork)
{
    for (guint i = 0; i < fork->branches->len; i++) {
        const struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        lance_branch_delete_requests(set, doomed->dataset_key, doomed->branch, doomed->listing);
    }
    if (fork->remains->branches_only)
        return;
    store_set_delete(set, fork->overlay);
    if (!fork->remains->keep_intents) {
        store_set_delete(set, fork->registration);
        store_set_delete(set, fork->tagging);
    }
    add_listed(set, fork->listed_files);
    add_listed(set, fork->listed_wal);
}

static void add_prunes(struct remains_deletion *deletion, struct store_set *set,
                       struct doomed_fork *fork)
{
    for (guint i = 0; i < fork->branches->len; i++) {
        const struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        lance_branch_prune_requests(set, doomed->dataset_key, doomed->branch);
    }
    if (fork->remains->branches_only)
        return;
    store_set_prune(set, fork->overlay);
    store_set_prune(set, fork->registration);
    store_set_prune(set, fork->tagging);
    store_set_prune(set, fork->files);
    store_set_prune(set, fork->wal);
}

/* Adds the requests of all forks that are well so far. */
static void add_requests(struct remains_deletion *deletion, struct store_set *set,
                         void (*add)(struct remains_deletion *, struct store_set *,
                                     struct doomed_fork *))
{
    for (size_t i = 0; i < deletion->count; i++) {
        struct doomed_fork *fork = &deletion->forks[i];
        fork->first = store_set_size(set);
        if (fork->remains->code == 0)
            add(deletion, set, fork);
        fork->end = store_set_size(set);
    }
}

/* A failure concerns the fork whose request it is. */
static void take_answers(struct remains_deletion *deletion, struct store_set *set, int run_code)
{
    for (size_t i = 0; i < deletion->count; i++) {
        struct doomed_fork *fork = &deletion->forks[i];
        struct fork_remains *remains = fork->remains;
        if (remains->code)
            continue;
        for (size_t j = fork->first; remains->code == 0 && j < fork->end; j++)
            remains->code =
                store_answer_failure(&store_set_at(set, j)->answer, run_code, &remains->error);
        if (remains->code)
            error_prefix(&remains->error, "deleting what fork %s has on the store",
                         remains->id->text);
    }
}

/* Where a catalog lists the branches nobody can tell what deleting their files would do. */
static void check_catalogs(struct doomed_fork *fork)
{
    struct fork_remains *remains = fork->remains;
    for (guint i = 0; remains->code == 0 && i < fork->branches->len; i++) {
        const struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        if (doomed->catalog && doomed->listing->answer.objects->len > 0)
            remains->code =
                lance_ref_catalog_check(doomed->catalog, doomed->dataset_key, &remains->error);
    }
}

void remains_deletion_add_listings(struct remains_deletion *deletion, struct store_set *set)
{
    add_requests(deletion, set, add_listings);
}

void remains_deletion_take_listings(struct remains_deletion *deletion, struct store_set *set,
                                    int run_code)
{
    take_answers(deletion, set, run_code);
    for (size_t i = 0; i < deletion->count; i++)
        check_catalogs(&deletion->forks[i]);
}

void remains_deletion_run(struct remains_deletion *deletion, struct operation *operation)
{
    struct store_set *set = store_set_new();
    add_requests(deletion, set, add_deletes);
    int code = store_run(deletion->store, set, operation, NULL);
    take_answers(deletion, set, code);
    store_set_unref(set);
}

void remains_deletion_add_prunes(struct remains_deletion *deletion, struct store_set *set)
{
    add_requests(deletion, set, add_prunes);
}

void remains_deletion_take_prunes(struct remains_deletion *deletion, struct store_set *set,
                                  int run_code)
{
    take_answers(deletion, set, run_code);
}

void fork_remains_delete(struct store *store, const struct layout *layout, struct log *log,
                         const struct registry *registry, struct fork_remains *list, size_t count,
                         struct operation *operation)
{
    struct remains_deletion *deletion =
        remains_deletion_new(store, layout, log, registry, list, count);
    struct store_set *listings = store_set_new();
    struct store_set *prunes = store_set_new();
    remains_deletion_add_listings(deletion, listings);
    int code = store_run(store, listings, operation, NULL);
    remains_deletion_take_listings(deletion, listings, code);
    remains_deletion_run(deletion, operation);
    remains_deletion_add_prunes(deletion, prunes);
    code = store_run(store, prunes, operation, NULL);
    remains_deletion_take_prunes(deletion, prunes, code);
    store_set_unref(listings);
    store_set_unref(prunes);
    remains_deletion_free(deletion);
}

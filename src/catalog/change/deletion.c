#include "catalog/change/deletion.h"

#include <string.h>

#include "lance/dataset.h"
#include "lance/ref_catalog.h"

/* How often what others have put into a fork's directories meanwhile is deleted before the deletion
 * is given up. */
#define MOST_REPEATS 8

/* A branch whose deletion is under way. */
struct doomed_branch {
    char *dataset_key;
    const char *dataset, *branch; /* owned by the deletion's list */
    struct store_request *listing;
    struct store_request *catalog; /* whether its refs may be elsewhere; NULL: known not to be */
    struct lance_branch_prunes prunes;
};

/* A fork whose deletion is under way. */
struct doomed_fork {
    struct deletion deletion;
    GPtrArray *branches; /* struct doomed_branch */
    struct store_request *listed_files;
    struct store_request *listed_wal;
    struct store_request *tombstone_deleted; /* NULL: it is not (yet) to be */
    GPtrArray *prunes;                       /* struct store_request, those of no branch */
    bool pruned;                             /* all prunes, also of branches, have just been run */
    bool has_rest;                           /* something was found by them */
    size_t first;                            /* its requests in the set at hand: first to end - 1 */
    size_t end;
};

struct deletions {
    struct catalog *catalog;
    struct registry *registry; /* as it was when they began */
    GPtrArray *forks;          /* struct doomed_fork */
    GHashTable *catalogs;      /* key of a dataset -> the request, of all forks */
};

static void doomed_branch_free(void *pointer)
{
    struct doomed_branch *doomed = pointer;
    g_free(doomed->dataset_key);
    g_free(doomed);
}

static void doomed_fork_free(void *pointer)
{
    struct doomed_fork *fork = pointer;
    g_ptr_array_unref(fork->branches);
    g_ptr_array_unref(fork->prunes);
    g_free(fork);
}

struct deletions *deletions_new(struct catalog *catalog)
{
    struct deletions *deletions = g_new0(struct deletions, 1);
    deletions->catalog = catalog;
    deletions->registry = catalog_registry(catalog);
    deletions->forks = g_ptr_array_new_with_free_func(doomed_fork_free);
    deletions->catalogs = g_hash_table_new(g_str_hash, g_str_equal);
    return deletions;
}

void deletions_free(struct deletions *deletions)
{
    if (!deletions)
        return;
    g_hash_table_unref(deletions->catalogs);
    g_ptr_array_unref(deletions->forks);
    registry_unref(deletions->registry);
    g_free(deletions);
}

static GPtrArray *choose_branches(const struct deletions *deletions,
                                  const struct deletion *deletion)
{
    GPtrArray *chosen = g_ptr_array_new_with_free_func(doomed_branch_free);
    for (guint i = 0; i < deletion->branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(deletion->branches, i);
        if (registry_protects_branch(deletions->registry, deletion->id, pair->branch)) {
            log_warning(deletions->catalog->settings.log,
                        "fork %s: leaving branch %s of dataset %s alone, it is not this fork's",
                        deletion->id->text, pair->branch, pair->dataset);
            continue;
        }
        struct doomed_branch *doomed = g_new0(struct doomed_branch, 1);
        doomed->dataset_key = layout_dataset_key(deletions->catalog->layout, pair->dataset);
        doomed->dataset = pair->dataset;
        doomed->branch = pair->branch;
        g_ptr_array_add(chosen, doomed);
    }
    return chosen;
}

void deletions_add(struct deletions *deletions, const struct deletion *deletion)
{
    struct doomed_fork *fork = g_new0(struct doomed_fork, 1);
    fork->deletion = *deletion;
    fork->branches = choose_branches(deletions, deletion);
    fork->prunes = g_ptr_array_new();
    g_ptr_array_add(deletions->forks, fork);
}

/* ---- The waves, each for one fork ---- */

/* pairs (struct dataset_branch): NULL: none. */
static bool is_of_dataset(const GPtrArray *pairs, const struct doomed_branch *doomed)
{
    for (guint i = 0; pairs && i < pairs->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(pairs, i);
        if (strcmp(pair->dataset, doomed->dataset) == 0)
            return true;
    }
    return false;
}

/* Where nothing says that there is anything of the branch, nothing is missed. */
static void expect_branch(const struct doomed_fork *fork, const struct doomed_branch *doomed,
                          struct store_request *request)
{
    if (fork->deletion.extent == DELETION_OF_FORK || is_of_dataset(fork->deletion.written, doomed))
        lance_expect_branches(request, doomed->dataset_key, false);
}

/* The request for a dataset's catalog, sent once for all forks. */
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

static void add_listings(struct deletions *deletions, struct store_set *set,
                         struct doomed_fork *fork)
{
    const struct layout *layout = deletions->catalog->layout;
    const struct ulid *id = fork->deletion.id;
    for (guint i = 0; i < fork->branches->len; i++) {
        struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        doomed->listing = lance_branch_tree_request(set, doomed->dataset_key, doomed->branch);
        expect_branch(fork, doomed, doomed->listing);
        if (!is_of_dataset(fork->deletion.looked_at, doomed))
            doomed->catalog = catalog_request(deletions->catalogs, set, doomed->dataset_key);
    }
    if (fork->deletion.extent == DELETION_OF_BRANCHES)
        return;
    fork->listed_files = store_set_add_own(set, STORE_LIST, layout_fork_prefix(layout, id));
    fork->listed_wal = store_set_add_own(set, STORE_LIST, layout_fork_wal_prefix(layout, id));
}

/* What makes branches and fork visible comes first. */
static void add_deletes(struct deletions *deletions, struct store_set *set,
                        struct doomed_fork *fork)
{
    const struct layout *layout = deletions->catalog->layout;
    const struct ulid *id = fork->deletion.id;
    for (guint i = 0; i < fork->branches->len; i++) {
        const struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        struct store_request *ref =
            lance_branch_delete_requests(set, doomed->dataset_key, doomed->branch, doomed->listing);
        expect_branch(fork, doomed, ref);
    }
    if (fork->deletion.extent == DELETION_OF_BRANCHES)
        return;
    layout_expect_files_of_forks(layout,
                                 store_set_add(set, STORE_DELETE, layout_overlay_key(layout, id)));
    if (!catalog_is_shared(deletions->catalog)) {
        store_request_expect_around(
            store_set_add(set, STORE_DELETE, layout_registration_key(layout, id)));
        store_request_expect_around(
            store_set_add(set, STORE_DELETE, layout_tagging_key(layout, id)));
    }
    store_set_delete_found(set, fork->listed_files);
    store_set_delete_found(set, fork->listed_wal);
}

/* Takes the key over. */
static struct store_request *add_prune(struct store_set *set, struct doomed_fork *fork, char *key)
{
    struct store_request *prune = store_set_add_own(set, STORE_PRUNE, key);
    g_ptr_array_add(fork->prunes, prune);
    return prune;
}

/* Directories that the deletes have left empty, also one in the place of a document. They come
 * last: what is where it was then has been there for the deletes, too. */
static void add_prunes(struct deletions *deletions, struct store_set *set, struct doomed_fork *fork)
{
    const struct layout *layout = deletions->catalog->layout;
    const struct ulid *id = fork->deletion.id;
    for (guint i = 0; i < fork->branches->len; i++) {
        struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        doomed->prunes = lance_branch_prune_requests(set, doomed->dataset_key, doomed->branch);
        expect_branch(fork, doomed, doomed->prunes.tree);
        expect_branch(fork, doomed, doomed->prunes.ref);
    }
    fork->pruned = true;
    g_ptr_array_set_size(fork->prunes, 0);
    if (fork->deletion.extent == DELETION_OF_BRANCHES)
        return;
    layout_expect_files_of_forks(layout, add_prune(set, fork, layout_overlay_key(layout, id)));
    add_prune(set, fork, layout_registration_key(layout, id));
    add_prune(set, fork, layout_tagging_key(layout, id));
    layout_expect_files_of_forks(layout, add_prune(set, fork, layout_fork_prefix(layout, id)));
    layout_expect_logs_of_forks(layout, add_prune(set, fork, layout_fork_wal_prefix(layout, id)));
    if (fork->deletion.extent == DELETION_OF_FORK)
        store_request_expect_around(add_prune(set, fork, layout_tombstone_key(layout, id)));
}

/* What the prunes have found. */
static void add_rest(struct deletions *deletions, struct store_set *set, struct doomed_fork *fork)
{
    for (guint i = 0; fork->pruned && i < fork->branches->len; i++) {
        const struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        lance_branch_rest_requests(set, doomed->dataset_key, doomed->branch, &doomed->prunes);
    }
    for (guint i = 0; fork->pruned && i < fork->prunes->len; i++)
        store_set_delete_found(set, g_ptr_array_index(fork->prunes, i));
    fork->pruned = false;
    fork->has_rest = store_set_size(set) > fork->first;
}

/* ---- The waves, for all that are well ---- */

static void add_requests(struct deletions *deletions, struct store_set *set,
                         void (*add)(struct deletions *, struct store_set *, struct doomed_fork *))
{
    for (guint i = 0; i < deletions->forks->len; i++) {
        struct doomed_fork *fork = g_ptr_array_index(deletions->forks, i);
        fork->first = store_set_size(set);
        if (fork->deletion.err->code == 0)
            add(deletions, set, fork);
        fork->end = store_set_size(set);
    }
}

/* A failure concerns the fork whose request it is. */
static void take_answers(struct deletions *deletions, struct store_set *set, int run_code)
{
    for (guint i = 0; i < deletions->forks->len; i++) {
        const struct doomed_fork *fork = g_ptr_array_index(deletions->forks, i);
        struct error *err = fork->deletion.err;
        if (err->code)
            continue;
        for (size_t j = fork->first; err->code == 0 && j < fork->end; j++)
            store_answer_failure(&store_set_at(set, j)->answer, run_code, err);
        error_prefix(err, err->code, "deleting what fork %s has on the store",
                     fork->deletion.id->text);
    }
}

/* Where a catalog lists the branches nobody can tell what deleting their files would do. */
static void check_catalogs(const struct doomed_fork *fork)
{
    struct error *err = fork->deletion.err;
    for (guint i = 0; err->code == 0 && i < fork->branches->len; i++) {
        const struct doomed_branch *doomed = g_ptr_array_index(fork->branches, i);
        if (doomed->catalog && doomed->listing->answer.objects->len > 0)
            lance_ref_catalog_check(doomed->catalog, doomed->dataset_key, err);
    }
}

void deletions_add_listings(struct deletions *deletions, struct store_set *set)
{
    add_requests(deletions, set, add_listings);
}

void deletions_take_listings(struct deletions *deletions, struct store_set *set, int run_code)
{
    take_answers(deletions, set, run_code);
    for (guint i = 0; i < deletions->forks->len; i++)
        check_catalogs(g_ptr_array_index(deletions->forks, i));
}

static void delete_files(struct deletions *deletions, struct operation *operation)
{
    struct catalog *catalog = deletions->catalog;
    auto_store_set struct store_set *set = store_set_new();
    add_requests(deletions, set, add_deletes);
    int code = store_run(catalog->store, set, operation, NULL);
    take_answers(deletions, set, code);
    for (guint i = 0; i < deletions->forks->len; i++) {
        const struct deletion *deletion =
            &((struct doomed_fork *)g_ptr_array_index(deletions->forks, i))->deletion;
        if (deletion->err->code || deletion->extent == DELETION_OF_BRANCHES)
            continue;
        overlays_forget(catalog->overlays, deletion->id);
        tags_forget(catalog->tags, deletion->id);
    }
}

static void add_tombstones(struct deletions *deletions, struct store_set *set)
{
    const struct layout *layout = deletions->catalog->layout;
    for (guint i = 0; i < deletions->forks->len; i++) {
        struct doomed_fork *fork = g_ptr_array_index(deletions->forks, i);
        if (fork->deletion.err->code || fork->deletion.extent != DELETION_OF_FORK)
            continue;
        fork->tombstone_deleted =
            store_set_add(set, STORE_DELETE, layout_tombstone_key(layout, fork->deletion.id));
        store_request_expect_around(fork->tombstone_deleted);
    }
}

static void take_tombstones(struct deletions *deletions, int run_code)
{
    for (guint i = 0; i < deletions->forks->len; i++) {
        const struct doomed_fork *fork = g_ptr_array_index(deletions->forks, i);
        const struct store_request *deleted = fork->tombstone_deleted;
        if (deleted && store_answer_failure(&deleted->answer, run_code, fork->deletion.err) == 0)
            tombstones_note_deleted(deletions->catalog->tombstones, deleted->key);
    }
}

/* ---- What is left ---- */

/* Fails those of which something is left, however often it was deleted. */
static void fail_unfinished(struct deletions *deletions, struct store_set *rest)
{
    for (guint i = 0; i < deletions->forks->len; i++) {
        const struct doomed_fork *fork = g_ptr_array_index(deletions->forks, i);
        if (fork->deletion.err->code == 0 && fork->first < fork->end)
            error_set(
                fork->deletion.err, ERR_HELD,
                "somebody goes on writing into what fork %s has on the store: %.600s has come "
                "while it was being deleted",
                fork->deletion.id->text, store_set_at(rest, fork->first)->key);
    }
}

/* Forks of which the last deletes have left nothing need not be pruned again. */
static void add_prunes_again(struct deletions *deletions, struct store_set *set,
                             struct doomed_fork *fork)
{
    if (fork->has_rest)
        add_prunes(deletions, set, fork);
}

/* After the prunes: deletes what they found, and prunes again. `prunes` is theirs, and is taken
 * over. */
static void delete_rest(struct deletions *deletions, struct store_set *prunes,
                        struct operation *operation)
{
    struct store *store = deletions->catalog->store;
    for (unsigned i = 0; i <= MOST_REPEATS; i++) {
        auto_store_set struct store_set *rest = store_set_new();
        add_requests(deletions, rest, add_rest);
        store_set_unref(prunes);
        prunes = store_set_new();
        if (store_set_size(rest) == 0)
            break;
        if (i == MOST_REPEATS) {
            fail_unfinished(deletions, rest);
            break;
        }
        int code = store_run(store, rest, operation, NULL);
        take_answers(deletions, rest, code);
        add_requests(deletions, prunes, add_prunes_again);
        code = store_run(store, prunes, operation, NULL);
        take_answers(deletions, prunes, code);
    }
    store_set_unref(prunes);
}

/* A crash between the prunes and the tombstones is no harm as long as there is an entry, for which
 * all of this is done again. */
void deletions_carry_out(struct deletions *deletions, struct operation *operation)
{
    delete_files(deletions, operation);
    struct store_set *set = store_set_new();
    add_tombstones(deletions, set);
    add_requests(deletions, set, add_prunes);
    int code = store_run(deletions->catalog->store, set, operation, NULL);
    take_tombstones(deletions, code);
    take_answers(deletions, set, code);
    delete_rest(deletions, set, operation);
}

/* ---- All of it ---- */

void deletions_run(struct deletions *deletions, struct operation *operation)
{
    struct store *store = deletions->catalog->store;
    auto_store_set struct store_set *listings = store_set_new();
    struct store_set *prunes = store_set_new();
    auto_store_set struct store_set *tombstones = store_set_new();
    deletions_add_listings(deletions, listings);
    int code = store_run(store, listings, operation, NULL);
    deletions_take_listings(deletions, listings, code);
    delete_files(deletions, operation);
    add_requests(deletions, prunes, add_prunes);
    code = store_run(store, prunes, operation, NULL);
    take_answers(deletions, prunes, code);
    delete_rest(deletions, prunes, operation);
    add_tombstones(deletions, tombstones);
    code = store_run(store, tombstones, operation, NULL);
    take_tombstones(deletions, code);
}

int deletion_run(struct catalog *catalog, struct deletion deletion, struct operation *operation,
                 struct error *err)
{
    struct error failure = {0};
    struct deletions *deletions = deletions_new(catalog);
    deletion.err = &failure;
    deletions_add(deletions, &deletion);
    deletions_run(deletions, operation);
    deletions_free(deletions);
    return failure.code ? error_copy(err, &failure) : 0;
}

int deletion_of_tombstone(struct catalog *catalog, const char *key, struct operation *operation,
                          struct error *err)
{
    int code = store_delete(catalog->store, key, operation, err);
    if (code == 0)
        tombstones_note_deleted(catalog->tombstones, key);
    return code;
}

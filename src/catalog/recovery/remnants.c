#include "catalog/recovery/remnants.h"

#include <string.h>

#include "base/timestamp.h"
#include "catalog/change/deletion.h"
#include "catalog/fork/deletion_branches.h"
#include "catalog/fork/written_files.h"
#include "catalog/recovery/recovery_private.h"
#include "catalog/registry/transitions.h"
#include "lance/branch_name.h"
#include "lance/dataset.h"

/* Between two looks at everything while nothing is found. */
#define LOOK_PAUSE_NS (3600 * NS_PER_SECOND)

/* An id that no entry knows. */
struct remnant {
    struct ulid id;
    GPtrArray *branches; /* struct dataset_branch: those that were seen */
    GChecksum *version;  /* of all that the listings told of it */
    bool is_known;       /* by now; it is no remnant */
    bool gone;           /* it has been deleted */
    struct error problem;
};

static struct remnant *remnant_new(const struct ulid *id)
{
    struct remnant *remnant = g_new0(struct remnant, 1);
    remnant->id = *id;
    remnant->branches = dataset_branches_new();
    remnant->version = g_checksum_new(G_CHECKSUM_SHA256);
    return remnant;
}

static void remnant_free(void *pointer)
{
    struct remnant *remnant = pointer;
    g_ptr_array_unref(remnant->branches);
    g_checksum_free(remnant->version);
    g_free(remnant);
}

/* ---- Deleting ---- */

/* Those that are not in the registry, which has just been read, and of which nothing in it is a
 * child. */
static GPtrArray *choose_childless(struct catalog *catalog, const GPtrArray *remnants)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    GPtrArray *chosen = g_ptr_array_new();
    for (guint i = 0; i < remnants->len; i++) {
        struct remnant *remnant = g_ptr_array_index(remnants, i);
        remnant->is_known = registry_find_id(registry, &remnant->id);
        remnant->problem = (struct error){0};
        if (!remnant->gone && !remnant->is_known &&
            transition_check_childless(registry, &remnant->id, &remnant->problem) == 0)
            g_ptr_array_add(chosen, remnant);
    }
    return chosen;
}

/* Takes out of the list those that a tag or another branch hangs on. */
static void keep_independent(struct catalog *catalog, GPtrArray *remnants,
                             struct operation *operation)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autofree struct descendants_query *queries = g_new0(struct descendants_query, remnants->len);
    for (guint i = 0; i < remnants->len; i++) {
        struct remnant *remnant = g_ptr_array_index(remnants, i);
        queries[i] =
            (struct descendants_query){.branches = remnant->branches, .err = &remnant->problem};
    }
    if (remnants->len > 0)
        descendants_check(catalog->descendants, registry, queries, remnants->len, NULL, operation);
    for (guint i = remnants->len; i > 0; i--) {
        if (((struct remnant *)g_ptr_array_index(remnants, i - 1))->problem.code)
            g_ptr_array_remove_index(remnants, i - 1);
    }
}

static bool delete_chosen(struct catalog *catalog, const GPtrArray *remnants,
                          struct operation *operation)
{
    struct deletions *deletions = deletions_new(catalog);
    bool any = false;
    for (guint i = 0; i < remnants->len; i++) {
        struct remnant *remnant = g_ptr_array_index(remnants, i);
        deletions_add(deletions, &(struct deletion){.id = &remnant->id,
                                                    .branches = remnant->branches,
                                                    .err = &remnant->problem});
    }
    deletions_run(deletions, operation);
    for (guint i = 0; i < remnants->len; i++) {
        struct remnant *remnant = g_ptr_array_index(remnants, i);
        remnant->gone = remnant->problem.code == 0;
        any = any || remnant->gone;
    }
    deletions_free(deletions);
    return any;
}

/* One may descend from another: as long as any goes, the others are looked at again. The registry
 * is read first, after whatever told of them. */
static int delete_remnants(struct catalog *catalog, const GPtrArray *remnants,
                           struct operation *operation, struct error *err)
{
    int code = committer_reload(catalog->committer, operation, err);
    for (bool again = code == 0; again;) {
        g_autoptr(GPtrArray) chosen = choose_childless(catalog, remnants);
        guint waiting = chosen->len;
        keep_independent(catalog, chosen, operation);
        again = delete_chosen(catalog, chosen, operation) && chosen->len < waiting;
    }
    return code;
}

/* ---- This mount's own ---- */

static GPtrArray *list_own(const GPtrArray *forks)
{
    GPtrArray *remnants = g_ptr_array_new_with_free_func(remnant_free);
    for (guint i = 0; i < forks->len; i++) {
        const struct late_fork *fork = g_ptr_array_index(forks, i);
        struct remnant *remnant = remnant_new(&fork->id);
        for (guint j = 0; j < fork->branches->len; j++) {
            const struct dataset_branch *pair = g_ptr_array_index(fork->branches, j);
            g_ptr_array_add(remnant->branches, dataset_branch_new(pair->dataset, pair->branch));
        }
        g_ptr_array_add(remnants, remnant);
    }
    return remnants;
}

/* One that something hangs on is left to the look at everything, which tells of it. */
int remnants_of_own(struct catalog *catalog, struct operation *operation,
                    struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) forks = late_forks_due(catalog->late_forks, monotonic_now_ns());
    if (forks->len == 0)
        return 0;
    g_autoptr(GPtrArray) remnants = list_own(forks);
    int code = delete_remnants(catalog, remnants, operation, err);
    for (guint i = 0; code == 0 && i < remnants->len; i++) {
        const struct remnant *remnant = g_ptr_array_index(remnants, i);
        if (remnant->gone || remnant->is_known || recovery_is_about_one_fork(remnant->problem.code))
            late_forks_forget(catalog->late_forks, g_ptr_array_index(forks, i));
        else
            code = error_copy(err, &remnant->problem);
    }
    return code;
}

/* ---- Looking for those of others ---- */

/* A row of a listing of a dataset that is about a branch. */
static void note_row(GHashTable *found, const struct ulid *id, const char *dataset,
                     const char *branch, const struct store_object *row)
{
    struct remnant *remnant = g_hash_table_lookup(found, id->text);
    if (!remnant) {
        remnant = remnant_new(id);
        g_hash_table_insert(found, remnant->id.text, remnant);
    }
    dataset_branches_add(remnant->branches, dataset, branch);
    g_checksum_update(remnant->version, (const guchar *)row->key, (gssize)strlen(row->key) + 1);
    if (row->etag)
        g_checksum_update(remnant->version, (const guchar *)row->etag, (gssize)strlen(row->etag));
}

/* The branches of one dataset: those that have a ref, and those that have files. */
static int look_at_dataset(struct catalog *catalog, const char *dataset, GHashTable *found,
                           struct operation *operation, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autofree char *key = layout_dataset_key(catalog->layout, dataset);
    g_autofree char *trees = lance_branch_trees_prefix(key);
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *refs = lance_branch_refs_request(set, key);
    const struct store_request *files = store_set_list_shallow(set, trees);
    int code = store_run_all(catalog->store, set, 0, operation, err);
    if (code)
        return code;
    struct ulid id;
    for (guint i = 0; i < refs->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(refs->answer.objects, i);
        g_autofree char *branch = lance_branch_of_ref_key(key, row->key);
        if (branch && recovery_is_of_unknown_fork(registry, branch, &id))
            note_row(found, &id, dataset, branch, row);
    }
    for (guint i = 0; i < files->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(files->answer.objects, i);
        g_autofree char *branch = g_path_get_basename(row->key);
        if (row->is_directory && recovery_is_of_unknown_fork(registry, branch, &id))
            note_row(found, &id, dataset, branch, row);
    }
    return 0;
}

/* One dataset after the other, so that memory holds the branches of one only. */
static int look_at_all(struct catalog *catalog, GHashTable *found, struct operation *operation,
                       struct error *err)
{
    g_autoptr(GPtrArray) datasets = NULL;
    int code = deletion_candidates(catalog->fork_points, operation, &datasets, err);
    for (guint i = 0; code == 0 && i < datasets->len; i++)
        code = look_at_dataset(catalog, g_ptr_array_index(datasets, i), found, operation, err);
    if (code == 0 && g_hash_table_size(found) > 0)
        code = committer_reload(catalog->committer, operation, err);
    return code;
}

/* Without a registry every fork looks like a remnant: there are none then. */
static void forget_known(struct catalog *catalog, GHashTable *found)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    if (!registry->etag)
        g_hash_table_remove_all(found);
    recovery_forget_known(catalog, found);
}

/* Takes out those that have to be watched still; the time until the first of them is due, or until
 * the next look. */
static int64_t watch(struct catalog *catalog, GHashTable *found)
{
    int64_t now_ns = monotonic_now_ns(), pause_ns = LOOK_PAUSE_NS;
    GHashTableIter iterator;
    void *id, *value;
    takeover_begin_look(catalog->watched, TAKEOVER_REMNANT);
    g_hash_table_iter_init(&iterator, found);
    while (g_hash_table_iter_next(&iterator, &id, &value)) {
        const struct remnant *remnant = value;
        int64_t wait_ms = takeover_wait_ms(catalog->watched, TAKEOVER_REMNANT, id,
                                           g_checksum_get_string(remnant->version), now_ns);
        if (wait_ms == 0)
            continue;
        pause_ns = MIN(pause_ns, wait_ms * NS_PER_MS);
        g_hash_table_iter_remove(&iterator);
    }
    takeover_end_look(catalog->watched, TAKEOVER_REMNANT, now_ns);
    return now_ns + pause_ns;
}

/* ---- Judging them ---- */

struct examined_branch {
    const struct store_request *files;
    const struct store_request *ref;
    char *versions; /* the prefix of its manifests */
};

static void examined_branch_clear(void *pointer)
{
    g_free(((struct examined_branch *)pointer)->versions);
}

static struct examined_branch examine_branch(struct catalog *catalog, struct store_set *set,
                                             const struct dataset_branch *pair)
{
    g_autofree char *dataset = layout_dataset_key(catalog->layout, pair->dataset);
    g_autofree char *ref = lance_branch_ref_key(dataset, pair->branch);
    return (struct examined_branch){.files = lance_branch_tree_request(set, dataset, pair->branch),
                                    .ref = store_set_head(set, ref),
                                    .versions = lance_versions_prefix(dataset, pair->branch)};
}

/* A request of forkfs puts a first manifest there, and nothing else. */
static bool has_own_files(const struct examined_branch *branch)
{
    const GPtrArray *files = branch->files->answer.objects;
    if (files->len > 1)
        return true;
    return files->len == 1 &&
           !g_str_has_prefix(((struct store_object *)files->pdata[0])->key, branch->versions);
}

static bool is_whole_branch(const struct examined_branch *branch)
{
    return branch->files->answer.objects->len > 0 && branch->ref->answer.code == 0;
}

/* written: the key of what somebody has written to it, NULL: nothing. has_files: it has the files
 * of its own that each fork has. */
static void judge(struct remnant *remnant, const GArray *branches, const char *written,
                  bool has_files)
{
    bool whole = has_files;
    if (written) {
        error_set(&remnant->problem, ERR_CORRUPT,
                  "no fork has it, but somebody has written %s; see forkfs-fsck", written);
        return;
    }
    for (guint i = 0; i < branches->len; i++) {
        const struct examined_branch *branch = &g_array_index(branches, struct examined_branch, i);
        if (has_own_files(branch)) {
            const struct dataset_branch *pair = g_ptr_array_index(remnant->branches, i);
            error_set(&remnant->problem, ERR_CORRUPT,
                      "no fork has it, but its branch %s of dataset %s has data of its own",
                      pair->branch, pair->dataset);
            return;
        }
        whole = whole && is_whole_branch(branch);
    }
    if (whole)
        error_set(&remnant->problem, ERR_CORRUPT,
                  "no fork has it, but all that a fork has is there");
}

/* Finds out whether it is what late requests leave; else says in its problem why not. */
static int examine(struct catalog *catalog, struct remnant *remnant, struct operation *operation,
                   struct error *err)
{
    g_autofree char *allocator_key = layout_fork_allocator_key(catalog->layout, &remnant->id);
    auto_store_set struct store_set *set = store_set_new();
    g_autoptr(GArray) branches = g_array_new(FALSE, FALSE, sizeof(struct examined_branch));
    g_array_set_clear_func(branches, examined_branch_clear);
    const struct written_files files = written_files_request(set, catalog->layout, &remnant->id);
    const struct store_request *allocator = store_set_head(set, allocator_key);
    for (guint i = 0; i < remnant->branches->len; i++) {
        struct examined_branch branch =
            examine_branch(catalog, set, g_ptr_array_index(remnant->branches, i));
        g_array_append_val(branches, branch);
    }
    const char *written = NULL;
    int code = store_run_all(catalog->store, set, ERR_NOT_FOUND, operation, err);
    if (code == 0)
        code = written_files_find(&files, catalog->layout, &remnant->id, &written, err);
    if (code == 0)
        judge(remnant, branches, written,
              files.overlay->answer.code == 0 && allocator->answer.code == 0);
    return code;
}

/* ---- The whole ---- */

static int remove_due(struct catalog *catalog, GHashTable *found, struct operation *operation,
                      struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) provable = g_ptr_array_new();
    GHashTableIter iterator;
    void *value;
    int code = 0;
    g_hash_table_iter_init(&iterator, found);
    while (code == 0 && g_hash_table_iter_next(&iterator, NULL, &value)) {
        struct remnant *remnant = value;
        code = examine(catalog, remnant, operation, err);
        if (remnant->problem.code == 0)
            g_ptr_array_add(provable, remnant);
    }
    if (code == 0 && provable->len > 0)
        code = delete_remnants(catalog, provable, operation, err);
    g_hash_table_iter_init(&iterator, found);
    while (code == 0 && g_hash_table_iter_next(&iterator, NULL, &value)) {
        const struct remnant *remnant = value;
        if (remnant->gone)
            report->orphans++;
        else if (remnant->is_known)
            continue;
        else if (recovery_is_about_one_fork(remnant->problem.code))
            recovery_report_problem(report, &remnant->problem, "the id", remnant->id.text);
        else
            code = error_copy(err, &remnant->problem);
    }
    return code;
}

int remnants_remove(struct catalog *catalog, struct operation *operation,
                    struct recovery_report *report, struct error *err)
{
    bool met = descendants_take_remnants(catalog->descendants);
    if (!met && monotonic_now_ns() < catalog->remnants_due_ns)
        return 0;
    g_autoptr(GHashTable) found =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, remnant_free);
    int code = look_at_all(catalog, found, operation, err);
    if (code)
        return code;
    forget_known(catalog, found);
    catalog->remnants_due_ns = watch(catalog, found);
    return remove_due(catalog, found, operation, report, err);
}

#include "catalog/recovery/orphans.h"

#include <string.h>

#include "base/timestamp.h"
#include "catalog/change/deletion.h"
#include "catalog/fork/foreign_branches.h"
#include "catalog/fork/written_files.h"
#include "catalog/recovery/recovery_private.h"
#include "lance/branch_name.h"

#define OVERLAY_SUFFIX ".json"

static void collect_ids(const struct store_request *listing, const char *suffix, GHashTable *ids)
{
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(listing->answer.objects, i);
        struct ulid id;
        if (layout_id_of_key(object->key, listing->key, suffix, &id))
            g_hash_table_add(ids, g_strdup(id.text));
    }
}

/* The ids that have files of their own: overlay, per-fork files, WAL. */
static int list_ids(struct catalog *catalog, struct operation *operation, GHashTable *ids,
                    struct error *err)
{
    g_autofree char *overlays = layout_overlays_prefix(catalog->layout);
    g_autofree char *forks = layout_forks_prefix(catalog->layout);
    g_autofree char *wals = layout_fork_wals_prefix(catalog->layout);
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listed_overlays = store_set_list(set, overlays, NULL, 0);
    const struct store_request *listed_forks = store_set_list_shallow(set, forks);
    const struct store_request *listed_wals = store_set_list_shallow(set, wals);
    int code = store_run_all(catalog->store, set, 0, operation, err);
    if (code == 0) {
        collect_ids(listed_overlays, OVERLAY_SUFFIX, ids);
        collect_ids(listed_forks, "/", ids);
        collect_ids(listed_wals, "/", ids);
    }
    return code;
}

void recovery_forget_known(struct catalog *catalog, GHashTable *ids)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        g_hash_table_remove(ids, entry->id.text);
    }
    g_autoptr(GPtrArray) tombstones = tombstones_list(catalog->tombstones);
    for (guint i = 0; i < tombstones->len; i++) {
        const struct tombstone *tombstone = g_ptr_array_index(tombstones, i);
        if (tombstone->entry)
            g_hash_table_remove(ids, tombstone->entry->id.text);
        struct ulid id; /* one that does not parse still tells its fork by its name */
        g_autofree char *prefix = layout_tombstones_prefix(catalog->layout);
        if (layout_id_of_key(tombstone->key, prefix, OVERLAY_SUFFIX, &id))
            g_hash_table_remove(ids, id.text);
    }
}

/* Whether any dataset has a ref or a tree whose name starts with "fork_<id>_". */
static int has_branches(struct catalog *catalog, const struct ulid *id, const GPtrArray *datasets,
                        struct operation *operation, bool *ret, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    g_autofree char *mark = layout_branch_name(id, "");
    for (guint i = 0; i < datasets->len; i++) {
        g_autofree char *dataset =
            layout_dataset_key(catalog->layout, g_ptr_array_index(datasets, i));
        g_autofree char *refs = lance_branch_refs_prefix(dataset);
        g_autofree char *ref = g_strconcat(refs, mark, NULL);
        g_autofree char *tree = lance_branch_path(dataset, mark);
        store_set_list(set, ref, NULL, 1);
        store_set_list(set, tree, NULL, 1);
    }
    int code = store_run_all(catalog->store, set, 0, operation, err);
    *ret = false;
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++)
        *ret = *ret || store_set_at(set, i)->answer.objects->len > 0;
    return code;
}

/* A fork that has been written to may have lost its entry. */
static int check_unwritten(struct catalog *catalog, const struct ulid *id,
                           struct operation *operation, struct error *ret_problem,
                           struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    const struct written_files written = written_files_request(set, catalog->layout, id);
    const char *found = NULL;
    int code = store_run(catalog->store, set, operation, err);
    if (code == 0)
        code = written_files_find(&written, catalog->layout, id, &found, err);
    if (found)
        error_set(ret_problem, ERR_CORRUPT,
                  "no fork has it, but somebody has written %s; see forkfs-fsck", found);
    return code;
}

static int remove_orphan(struct catalog *catalog, const char *text, const GPtrArray *datasets,
                         struct operation *operation, struct recovery_report *report,
                         struct error *err)
{
    struct ulid id;
    ulid_parse(text, ULID_LENGTH, &id);
    bool branches = false;
    int code = has_branches(catalog, &id, datasets, operation, &branches, err);
    if (code)
        return code;
    if (branches) {
        struct error reason;
        error_set(&reason, ERR_CORRUPT, "it is no fork, but has branches; forkfs-fsck lists them");
        recovery_report_problem(report, &reason, "the id", text);
        return 0;
    }
    struct error written = {0};
    code = check_unwritten(catalog, &id, operation, &written, err);
    if (code)
        return code;
    if (written.code) {
        recovery_report_problem(report, &written, "the id", text);
        return 0;
    }
    g_autoptr(GPtrArray) none = dataset_branches_new();
    const struct deletion deletion = {.extent = DELETION_OF_FILES, .id = &id, .branches = none};
    code = deletion_run(catalog, deletion, operation, err);
    if (code == 0)
        report->orphans++;
    return code;
}

/* Ids that another mount may be at work on are watched, and not judged yet. */
static void forget_those_not_due(struct catalog *catalog, GHashTable *ids)
{
    GHashTableIter iterator;
    void *id;
    takeover_begin_look(catalog->takeover, TAKEOVER_ORPHAN);
    g_hash_table_iter_init(&iterator, ids);
    while (g_hash_table_iter_next(&iterator, &id, NULL))
        if (takeover_wait_ms(catalog->takeover, TAKEOVER_ORPHAN, id, "", monotonic_now_ns()) > 0)
            g_hash_table_iter_remove(&iterator);
    takeover_end_look(catalog->takeover, TAKEOVER_ORPHAN, monotonic_now_ns());
}

/* Of a database below another prefix, with which this one shares the metadata of a bucket. */
static int leave_those_of_others(struct catalog *catalog, GHashTable *ids,
                                 struct operation *operation, struct recovery_report *report,
                                 struct error *err)
{
    g_autoptr(GHashTable) elsewhere = NULL;
    int code =
        foreign_branches_of_ids(catalog->store, catalog->layout, ids, operation, &elsewhere, err);
    if (code)
        return code;
    GHashTableIter iterator;
    void *id, *prefix;
    g_hash_table_iter_init(&iterator, elsewhere);
    while (g_hash_table_iter_next(&iterator, &id, &prefix)) {
        struct error reason;
        error_set(&reason, ERR_AWAY, "no fork has it, but there are branches of it below '%s'",
                  (const char *)prefix);
        recovery_report_problem(report, &reason, "the id", id);
        g_hash_table_remove(ids, id);
    }
    return 0;
}

int orphans_remove(struct catalog *catalog, struct operation *operation,
                   struct recovery_report *report, struct error *err)
{
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    int code = list_ids(catalog, operation, ids, err);
    if (code == 0 && g_hash_table_size(ids) > 0)
        code = committer_reload(catalog->committer, operation, err);
    if (code)
        return code;
    recovery_forget_known(catalog, ids);
    forget_those_not_due(catalog, ids);
    if (g_hash_table_size(ids) == 0)
        return 0;
    code = leave_those_of_others(catalog, ids, operation, report, err);
    if (code)
        return code;
    g_autoptr(GPtrArray) datasets = NULL;
    code = fork_point_datasets(catalog->fork_points, operation, &datasets, err);
    GHashTableIter iterator;
    void *id;
    g_hash_table_iter_init(&iterator, ids);
    while (code == 0 && g_hash_table_iter_next(&iterator, &id, NULL))
        code = remove_orphan(catalog, id, datasets, operation, report, err);
    return code;
}

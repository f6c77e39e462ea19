/*
 * The datasets of a fork point: which are branched, from which manifest, and whether they can be.
 */
#include "catalog/fork_point/fork_point_private.h"

#include <string.h>

#include "catalog/fork_point/dataset_listing.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"
#include "lance/ref_catalog.h"

/* A dataset that is going to be branched. */
struct source {
    char *dataset;
    const char *parent_branch; /* NULL: main; owned by the parent's entry */
    struct store_request *tip_request;
    struct lance_tip tip;
    bool asked;                    /* for what follows */
    struct bytes *manifest;        /* the parent's */
    struct branch_ref *parent_ref; /* NULL for main */
    struct store_request *manifest_request;
    struct store_request *ref_request;
    struct store_request *catalog_request; /* NULL: it is known that there is no catalog of refs */
};

static void source_free(void *pointer)
{
    struct source *source = pointer;
    g_free(source->dataset);
    lance_tip_clear(&source->tip);
    bytes_unref(source->manifest);
    branch_ref_free(source->parent_ref);
    g_free(source);
}

GPtrArray *sources_new(void)
{
    return g_ptr_array_new_with_free_func(source_free);
}

static void add_source(struct reading *reading, const char *dataset, const char *parent_branch)
{
    struct source *source = g_new0(struct source, 1);
    source->dataset = g_strdup(dataset);
    source->parent_branch = parent_branch;
    g_ptr_array_add(reading->sources, source);
    g_autofree char *key = layout_dataset_key(reading->reader->layout, dataset);
    source->tip_request = lance_tip_request(reading->set, key, parent_branch);
}

static bool has_source(const struct reading *reading, const char *dataset)
{
    for (guint i = 0; i < reading->sources->len; i++) {
        const struct source *source = g_ptr_array_index(reading->sources, i);
        if (strcmp(source->dataset, dataset) == 0)
            return true;
    }
    return false;
}

/* ---- Which ---- */

static int add_sources_of_parent(struct reading *reading, struct error *err)
{
    for (guint i = 0; i < reading->parent->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(reading->parent->datasets, i);
        if (!layout_dataset_name_is_safe(pair->dataset) ||
            lance_branch_name_check(pair->branch, NULL) != 0)
            return error_set(err, ERR_CORRUPT, "parent fork %s: unusable dataset or branch name",
                             reading->parent->id.text);
        int code = layout_check_branchable(pair->dataset, err);
        if (code)
            return code;
        add_source(reading, pair->dataset, pair->branch);
    }
    return 0;
}

static void add_sources_known(struct reading *reading)
{
    g_autoptr(GPtrArray) known = fork_point_cache_datasets(reading->reader->cache);
    for (guint i = 0; i < known->len; i++)
        add_source(reading, g_ptr_array_index(known, i), NULL);
}

int sources_request_first(struct reading *reading, struct error *err)
{
    if (reading->parent)
        return add_sources_of_parent(reading, err);
    add_sources_known(reading);
    return 0;
}

/* Datasets that the caller wants besides, if they exist: of a fork's own label, or of a schemaless
 * type. */
static int add_sources_besides(struct reading *reading, GHashTable *present, struct error *err)
{
    for (guint i = 0; reading->besides && i < reading->besides->len; i++) {
        const char *dataset = g_ptr_array_index(reading->besides, i);
        if (!g_hash_table_contains(present, dataset) || has_source(reading, dataset))
            continue;
        int code = layout_check_branchable(dataset, err);
        if (code)
            return code;
        add_source(reading, dataset, NULL);
    }
    return 0;
}

/* Notes a table of an undeclared type that exists and that no branch can be of. */
static void note_left_out(struct reading *reading, GHashTable *present)
{
    g_autoptr(GPtrArray) tables = schema_undeclared_tables(reading->schema);
    for (guint i = 0; i < tables->len && !reading->left_out; i++) {
        const char *table = g_ptr_array_index(tables, i);
        if (g_hash_table_contains(present, table) && layout_check_branchable(table, NULL))
            reading->left_out = g_strdup(table);
    }
}

/* The schema does not say that Uni 5 has taken over a database of an older one, which reads such
 * tables in main, but the snapshot does. */
int sources_check_left_out(const struct reading *reading, struct error *err)
{
    bool is_of_uni_5 = reading->snapshot && reading->snapshot->branches_all;
    return is_of_uni_5 && reading->left_out ? layout_check_branchable(reading->left_out, err) : 0;
}

int sources_settle(struct reading *reading, struct error *err)
{
    const struct store_request *storage = reading->state.storage;
    g_autoptr(GPtrArray) all = dataset_listing_read(storage, NULL);
    g_autoptr(GHashTable) present = dataset_listing_set(all);
    int code = 0;
    if (layout_is_remote(reading->reader->layout))
        code = dataset_listing_check_encoded(present, storage->key, reading->schema, err);
    if (code == 0)
        code = away_check_datasets(reading, present, err);
    if (code)
        return code;
    g_autoptr(GPtrArray) existing = dataset_listing_read(storage, reading->schema);
    g_autoptr(GHashTable) wanted = dataset_listing_set(existing);
    for (guint i = 0; i < reading->sources->len;) {
        const struct source *source = g_ptr_array_index(reading->sources, i);
        if (g_hash_table_contains(wanted, source->dataset))
            i++;
        else
            g_ptr_array_remove_index(reading->sources, i);
    }
    for (guint i = 0; i < existing->len; i++) {
        const char *dataset = g_ptr_array_index(existing, i);
        code = layout_check_branchable(dataset, err);
        if (code)
            return code;
        if (!has_source(reading, dataset))
            add_source(reading, dataset, NULL);
    }
    fork_point_cache_set_datasets(reading->reader->cache, existing);
    note_left_out(reading, present);
    return add_sources_besides(reading, present, err);
}

/* ---- Tips and contents ---- */

int sources_read_tips(struct reading *reading, struct error *err)
{
    for (guint i = 0; i < reading->sources->len; i++) {
        struct source *source = g_ptr_array_index(reading->sources, i);
        if (!source->tip_request || !source->tip_request->answer.objects)
            continue; /* in the wave being built */
        bool again = false;
        lance_tip_clear(&source->tip);
        int code = lance_tip_answer(source->tip_request, &source->tip, &again, err);
        if (code)
            return code;
        source->tip_request = NULL;
        if (again) {
            g_autofree char *key = layout_dataset_key(reading->reader->layout, source->dataset);
            source->tip_request = lance_tip_request_all(reading->set, key, source->parent_branch);
        }
    }
    return 0;
}

/* Who moves the refs into a catalog is taken to write main, too: then its manifest is read anyway.
 */
static bool needs_look_at_refs(const struct reading *reading, const struct source *source)
{
    bool main_changed = !source->parent_branch && source->manifest_request;
    return main_changed ||
           !fork_point_cache_has_plain_refs(reading->reader->cache, source->dataset);
}

void sources_request_contents(struct reading *reading)
{
    for (guint i = 0; i < reading->sources->len; i++) {
        struct source *source = g_ptr_array_index(reading->sources, i);
        g_autofree char *key = layout_dataset_key(reading->reader->layout, source->dataset);
        if (source->tip_request || !source->tip.exists || source->asked)
            continue;
        source->asked = true;
        if (!source->parent_branch)
            source->manifest = fork_point_cache_manifest(reading->reader->cache, &source->tip);
        if (!source->manifest)
            source->manifest_request = store_set_get(reading->set, source->tip.manifest_key);
        if (needs_look_at_refs(reading, source))
            source->catalog_request = lance_ref_catalog_request(reading->set, key);
        if (source->parent_branch) {
            g_autofree char *ref = lance_branch_ref_key(key, source->parent_branch);
            source->ref_request = store_set_get(reading->set, ref);
        }
    }
}

/* ---- Origins ---- */

static int check_refs(struct reading *reading, const struct source *source, struct error *err)
{
    if (!source->catalog_request)
        return 0;
    g_autofree char *key = layout_dataset_key(reading->reader->layout, source->dataset);
    int code = lance_ref_catalog_check(source->catalog_request, key, err);
    if (code == 0)
        fork_point_cache_keep_plain_refs(reading->reader->cache, source->dataset);
    return code;
}

static int read_contents_of(struct reading *reading, struct source *source, struct error *err)
{
    int code = check_refs(reading, source, err);
    if (code)
        return code;
    if (source->manifest_request) {
        const struct store_answer *answer = &source->manifest_request->answer;
        if (answer->code) /* absent: nothing else passes as an answer */
            return error_set(err, ERR_CONTENDED, "manifest %s went away while it was being read",
                             source->manifest_request->key);
        source->manifest = bytes_ref(answer->body);
        if (!source->parent_branch && g_strcmp0(answer->etag, source->tip.etag) == 0)
            fork_point_cache_keep_manifest(reading->reader->cache, &source->tip, answer->body);
    }
    if (!source->ref_request)
        return 0;
    if (source->ref_request->answer.code)
        return error_set(err, ERR_CORRUPT, "branch %s of the parent fork has no ref",
                         source->parent_branch);
    return branch_ref_parse(source->ref_request->answer.body, &source->parent_ref, err);
}

static struct branch_origin *origin_of(struct source *source)
{
    struct branch_origin *origin = g_new0(struct branch_origin, 1);
    origin->dataset = g_strdup(source->dataset);
    origin->parent_branch = g_strdup(source->parent_branch);
    origin->version = source->tip.version;
    origin->manifest = bytes_ref(source->manifest);
    origin->parent_ref = g_steal_pointer(&source->parent_ref);
    return origin;
}

/* A branch of the parent fork that has no manifest. */
static int refuse_absent_branch(const struct reading *reading, const struct source *source,
                                struct error *err)
{
    g_autofree char *key = layout_dataset_key(reading->reader->layout, source->dataset);
    if (!away_is_listed(reading, source->dataset))
        return known_things_refuse_branchless(key, source->parent_branch, err);
    return error_set(err, ERR_CORRUPT, "branch %s of the parent fork does not exist",
                     source->parent_branch);
}

int sources_collect(struct reading *reading, GPtrArray *origins, struct error *err)
{
    for (guint i = 0; i < reading->sources->len; i++) {
        struct source *source = g_ptr_array_index(reading->sources, i);
        int code = 0;
        if (source->tip.exists)
            code = read_contents_of(reading, source, err);
        else if (source->parent_branch)
            code = refuse_absent_branch(reading, source, err);
        else /* it is no dataset yet; unless it was one */
            code = away_check_version(reading, source->dataset, err);
        if (code)
            return error_prefix(err, code, "dataset %s", source->dataset);
        if (!source->tip.exists)
            continue;
        if (!source->parent_branch)
            known_things_add_dataset(reading->reader->known, source->dataset, true);
        g_ptr_array_add(origins, origin_of(source));
    }
    return 0;
}

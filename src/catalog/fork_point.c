#include "catalog/fork_point.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "catalog/database_state.h"
#include "catalog/dataset_listing.h"
#include "catalog/fork_point_cache.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"

#define NO_SNAPSHOT "uninitialized"

struct fork_point_reader {
    struct store *store;
    const struct layout *layout;
    struct fork_point_cache *cache;
};

/* A dataset that is going to be branched. */
struct source {
    char *dataset;
    const char *parent_branch; /* NULL: main; owned by the parent's entry */
    struct store_request *tip_request;
    struct lance_tip tip;
    struct bytes *manifest;        /* the parent's */
    struct branch_ref *parent_ref; /* NULL for main */
    struct store_request *manifest_request;
    struct store_request *ref_request;
};

/* One reading in progress. */
struct reading {
    struct fork_point_reader *reader;
    const struct fork_entry *parent;
    struct operation *operation;
    struct store_set *set; /* the wave being built or just run */
    GPtrArray *old_sets;   /* earlier waves, whose answers are still used */

    struct database_state state;
    struct store_request *snapshot_files; /* the manifest, or a listing of all manifests */

    GPtrArray *sources; /* struct source */
    char *snapshot_id;
    struct snapshot *snapshot;
    struct store_request *older_snapshot; /* the one before it, for a cross-check */
    struct schema *schema;
};

struct fork_point_reader *fork_point_reader_new(struct store *store, const struct layout *layout)
{
    struct fork_point_reader *reader = g_new0(struct fork_point_reader, 1);
    reader->store = store;
    reader->layout = layout;
    reader->cache = fork_point_cache_new();
    return reader;
}

void fork_point_reader_free(struct fork_point_reader *reader)
{
    if (!reader)
        return;
    fork_point_cache_free(reader->cache);
    g_free(reader);
}

void fork_point_free(struct fork_point *point)
{
    if (!point)
        return;
    g_free(point->snapshot_id);
    g_ptr_array_unref(point->origins);
    g_free(point);
}

static void source_free(void *pointer)
{
    struct source *source = pointer;
    g_free(source->dataset);
    lance_tip_clear(&source->tip);
    bytes_unref(source->manifest);
    branch_ref_free(source->parent_ref);
    g_free(source);
}

static void reading_begin(struct reading *reading, struct fork_point_reader *reader,
                          const struct fork_entry *parent, struct operation *operation)
{
    *reading = (struct reading){.reader = reader, .parent = parent, .operation = operation};
    reading->old_sets = g_ptr_array_new_with_free_func((GDestroyNotify)store_set_unref);
    reading->set = store_set_new();
    reading->sources = g_ptr_array_new_with_free_func(source_free);
}

static void reading_end(struct reading *reading)
{
    g_ptr_array_unref(reading->sources);
    store_set_unref(reading->set);
    g_ptr_array_unref(reading->old_sets);
    g_free(reading->snapshot_id);
    snapshot_free(reading->snapshot);
    schema_free(reading->schema);
}

/* Runs the wave; a request may only fail with "absent". The next wave starts empty. */
static int run_wave(struct reading *reading, struct error *err)
{
    struct store_set *set = reading->set;
    if (store_set_size(set) == 0)
        return 0;
    g_ptr_array_add(reading->old_sets, set);
    reading->set = store_set_new();
    int code = store_run(reading->reader->store, set, reading->operation, err);
    if (code == 0)
        code = store_set_failure(set, ERR_NOT_FOUND, err);
    return code;
}

static struct source *add_source(struct reading *reading, const char *dataset,
                                 const char *parent_branch)
{
    struct source *source = g_new0(struct source, 1);
    source->dataset = g_strdup(dataset);
    source->parent_branch = parent_branch;
    g_ptr_array_add(reading->sources, source);
    g_autofree char *key = layout_dataset_key(reading->reader->layout, dataset);
    source->tip_request = lance_tip_request(reading->set, key, parent_branch);
    return source;
}

static struct source *find_source(const struct reading *reading, const char *dataset)
{
    for (guint i = 0; i < reading->sources->len; i++) {
        struct source *source = g_ptr_array_index(reading->sources, i);
        if (strcmp(source->dataset, dataset) == 0)
            return source;
    }
    return NULL;
}

/* ---- First wave ---- */

static int add_sources_of_parent(struct reading *reading, struct error *err)
{
    for (guint i = 0; i < reading->parent->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(reading->parent->datasets, i);
        if (!layout_dataset_name_is_safe(pair->dataset) ||
            lance_branch_name_check(pair->branch, NULL) != 0)
            return error_set(err, ERR_CORRUPT, "parent fork %s: unusable dataset or branch name",
                             reading->parent->id.text);
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

static int read_schema(struct reading *reading, struct error *err)
{
    int code = database_state_schema(&reading->state, &reading->schema, err);
    if (code == 0)
        fork_point_cache_set_has_schema(reading->reader->cache,
                                        reading->state.schema->answer.code == 0);
    return code;
}

/* ---- Second wave ---- */

/* Drops sources that are no candidates (any more) and adds those that were not known. */
static int settle_sources(struct reading *reading, struct error *err)
{
    g_autoptr(GPtrArray) existing = dataset_listing_read(reading->state.storage, reading->schema);
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
        g_autofree char *branch = g_strconcat("fork_", dataset, NULL); /* any id is fine */
        if (!layout_dataset_name_is_safe(dataset) || lance_branch_name_check(branch, NULL) != 0)
            return error_set(err, ERR_UNSUPPORTED,
                             "dataset %s: its name cannot be part of a Lance branch name", dataset);
        if (!find_source(reading, dataset))
            add_source(reading, dataset, NULL);
    }
    fork_point_cache_set_datasets(reading->reader->cache, existing);
    return 0;
}

static void add_snapshot_request(struct reading *reading)
{
    const struct layout *layout = reading->reader->layout;
    if (!reading->snapshot_id) {
        g_autofree char *prefix = layout_snapshots_prefix(layout);
        if (!reading->parent)
            reading->snapshot_files = store_set_list(reading->set, prefix, NULL, 1);
        return;
    }
    reading->snapshot = fork_point_cache_snapshot(reading->reader->cache, reading->snapshot_id);
    if (reading->snapshot)
        return;
    g_autofree char *key = reading->parent ? layout_fork_snapshot_key(layout, &reading->parent->id,
                                                                      reading->snapshot_id)
                                           : layout_snapshot_key(layout, reading->snapshot_id);
    reading->snapshot_files = store_set_get(reading->set, key);
}

/* Reads the tips that have been answered; those with V1 names are listed again, whole. */
static int read_tips(struct reading *reading, struct error *err)
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

static int read_snapshot(struct reading *reading, struct error *err)
{
    const struct store_request *files = reading->snapshot_files;
    if (!files)
        return 0;
    if (!reading->snapshot_id) {
        if (files->answer.objects->len > 0 || reading->sources->len > 0)
            return error_set(err, ERR_UNCLEAN,
                             "the database has data but no snapshot pointer %s; open it with Uni "
                             "first",
                             reading->state.pointer->key);
        return 0;
    }
    if (files->answer.code == ERR_NOT_FOUND)
        return error_set(err, ERR_CORRUPT, "snapshot manifest %s, named by %s, does not exist",
                         files->key, reading->state.pointer->key);
    struct error failure = {0};
    int code = snapshot_parse(files->answer.body, &reading->snapshot, &failure);
    if (code) {
        error_prefix(&failure, "%s", files->key);
        return error_copy(err, &failure);
    }
    if (strcmp(reading->snapshot->id, reading->snapshot_id) != 0)
        return error_set(err, ERR_CORRUPT, "snapshot manifest %s says that it is %s", files->key,
                         reading->snapshot->id);
    fork_point_cache_keep_snapshot(reading->reader->cache, reading->snapshot);
    return 0;
}

/* ---- Third wave ---- */

static void add_content_requests(struct reading *reading)
{
    for (guint i = 0; i < reading->sources->len; i++) {
        struct source *source = g_ptr_array_index(reading->sources, i);
        g_autofree char *key = layout_dataset_key(reading->reader->layout, source->dataset);
        if (!source->tip.exists)
            continue;
        if (!source->parent_branch)
            source->manifest = fork_point_cache_manifest(reading->reader->cache, &source->tip);
        if (!source->manifest)
            source->manifest_request = store_set_get(reading->set, source->tip.manifest_key);
        if (source->parent_branch) {
            g_autofree char *ref = lance_branch_ref_key(key, source->parent_branch);
            source->ref_request = store_set_get(reading->set, ref);
        }
    }
}

/* Databases last written by Uni 2.2.3 or older may have a pointer that a fork's flush overwrote:
 * the mark then lies below that of the snapshot before. */
static void add_older_snapshot_request(struct reading *reading)
{
    const struct snapshot *snapshot = reading->snapshot;
    if (reading->parent || !snapshot || !snapshot->parent_id)
        return;
    struct snapshot *known = fork_point_cache_snapshot(reading->reader->cache, snapshot->parent_id);
    if (!known) {
        g_autofree char *key = layout_snapshot_key(reading->reader->layout, snapshot->parent_id);
        reading->older_snapshot = store_set_get(reading->set, key);
    }
    snapshot_free(known); /* it passed the check when it was kept */
}

static int check_older_snapshot(struct reading *reading, struct error *err)
{
    if (!reading->older_snapshot || reading->older_snapshot->answer.code == ERR_NOT_FOUND)
        return 0;
    struct snapshot *older = NULL;
    int code = snapshot_parse(reading->older_snapshot->answer.body, &older, err);
    if (code == 0 && older->version_mark > reading->snapshot->version_mark)
        code =
            error_set(err, ERR_UNCLEAN,
                      "snapshot %s has a lower version mark than the one before it: %s was "
                      "overwritten by a fork's flush; open and close the database with Uni first",
                      reading->snapshot_id, reading->state.pointer->key);
    if (code == 0)
        fork_point_cache_keep_snapshot(reading->reader->cache, older);
    snapshot_free(older);
    return code;
}

static int read_contents_of(struct reading *reading, struct source *source, struct error *err)
{
    if (source->manifest_request) {
        const struct store_answer *answer = &source->manifest_request->answer;
        if (answer->code)
            return error_copy(err, &answer->error);
        source->manifest = bytes_ref(answer->body);
        if (!source->parent_branch && g_strcmp0(answer->etag, source->tip.etag) == 0)
            fork_point_cache_keep_manifest(reading->reader->cache, &source->tip, answer->body);
    }
    if (!source->ref_request)
        return 0;
    if (source->ref_request->answer.code)
        return error_copy(err, &source->ref_request->answer.error);
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

static int collect_origins(struct reading *reading, GPtrArray *origins, struct error *err)
{
    for (guint i = 0; i < reading->sources->len; i++) {
        struct source *source = g_ptr_array_index(reading->sources, i);
        struct error failure = {0};
        int code = 0;
        if (source->tip.exists)
            code = read_contents_of(reading, source, &failure);
        else if (source->parent_branch)
            code = error_set(&failure, ERR_CORRUPT, "branch %s of the parent fork does not exist",
                             source->parent_branch);
        else
            continue; /* a directory without any version is no dataset yet */
        if (code) {
            error_prefix(&failure, "dataset %s", source->dataset);
            return error_copy(err, &failure);
        }
        g_ptr_array_add(origins, origin_of(source));
    }
    return 0;
}

/* ---- The whole reading ---- */

static int first_wave(struct reading *reading, struct error *err)
{
    const struct ulid *parent = reading->parent ? &reading->parent->id : NULL;
    database_state_request(&reading->state, reading->set, reading->reader->layout, parent,
                           !fork_point_cache_has_schema(reading->reader->cache));
    int code = 0;
    if (reading->parent)
        code = add_sources_of_parent(reading, err);
    else
        add_sources_known(reading);
    if (code == 0)
        code = run_wave(reading, err);
    if (code == 0)
        code = database_state_check_clean(&reading->state, err);
    if (code == 0)
        code = read_schema(reading, err);
    if (code == 0)
        code =
            snapshot_pointer_parse(reading->state.pointer->answer.body, &reading->snapshot_id, err);
    return code;
}

static int second_wave(struct reading *reading, struct error *err)
{
    int code = reading->parent ? 0 : settle_sources(reading, err);
    if (code == 0)
        code = read_tips(reading, err);
    if (code)
        return code;
    add_snapshot_request(reading);
    code = run_wave(reading, err);
    if (code == 0)
        code = read_tips(reading, err); /* may ask for V1 tables once more */
    if (code == 0)
        code = run_wave(reading, err);
    if (code == 0)
        code = read_tips(reading, err);
    if (code == 0)
        code = read_snapshot(reading, err);
    return code;
}

static int third_wave(struct reading *reading, struct fork_point *point, struct error *err)
{
    add_content_requests(reading);
    add_older_snapshot_request(reading);
    int code = run_wave(reading, err);
    if (code == 0)
        code = check_older_snapshot(reading, err);
    if (code == 0)
        code = collect_origins(reading, point->origins, err);
    if (code == 0)
        code = allocator_parse(reading->state.allocator->answer.body, &point->allocator, err);
    return code;
}

/* A reopened Uni starts at the mark plus one; the larger bound is the safer one. */
static uint64_t version_mark(const struct reading *reading)
{
    if (reading->snapshot)
        return reading->snapshot->version_mark == UINT64_MAX ? UINT64_MAX
                                                             : reading->snapshot->version_mark + 1;
    return reading->parent ? reading->parent->version_mark : 0;
}

int fork_point_read(struct fork_point_reader *reader, const struct fork_entry *parent,
                    struct operation *operation, struct fork_point **ret, struct error *err)
{
    struct reading reading;
    reading_begin(&reading, reader, parent, operation);
    struct fork_point *point = g_new0(struct fork_point, 1);
    point->origins = g_ptr_array_new_with_free_func((GDestroyNotify)branch_origin_free);
    struct error failure = {0};
    int code = first_wave(&reading, &failure);
    if (code == 0)
        code = second_wave(&reading, &failure);
    if (code == 0)
        code = third_wave(&reading, point, &failure);
    if (code == 0) {
        point->snapshot_id = g_strdup(reading.snapshot_id ? reading.snapshot_id : NO_SNAPSHOT);
        point->version_mark = version_mark(&reading);
        point->schema_version = reading.schema->version;
        *ret = g_steal_pointer(&point);
    } else {
        error_prefix(&failure, "reading the fork point");
        error_copy(err, &failure);
    }
    fork_point_free(point);
    reading_end(&reading);
    return code;
}

int fork_point_plan(const struct fork_point *point, const struct layout *layout,
                    const struct ulid *id, GPtrArray **ret, struct error *err)
{
    struct timespec now = timestamp_now();
    g_autoptr(GPtrArray) plans = g_ptr_array_new_with_free_func((GDestroyNotify)branch_plan_free);
    for (guint i = 0; i < point->origins->len; i++) {
        const struct branch_origin *origin = g_ptr_array_index(point->origins, i);
        struct branch_plan *plan = NULL;
        struct error failure = {0};
        int code = branch_plan_make(layout, id, origin, now, &plan, &failure);
        if (code) {
            error_prefix(&failure, "dataset %s", origin->dataset);
            return error_copy(err, &failure);
        }
        g_ptr_array_add(plans, plan);
    }
    *ret = g_steal_pointer(&plans);
    return 0;
}

/* ---- For mount and recovery ---- */

int fork_point_warm(struct fork_point_reader *reader, struct operation *operation,
                    struct error *err)
{
    struct reading reading;
    struct error failure = {0};
    reading_begin(&reading, reader, NULL, operation);
    database_state_request(&reading.state, reading.set, reader->layout, NULL, true);
    int code = run_wave(&reading, &failure);
    if (code == 0)
        code = database_state_check_present(&reading.state, &failure);
    if (code == 0 && read_schema(&reading, NULL) == 0) {
        g_autoptr(GPtrArray) known = dataset_listing_read(reading.state.storage, reading.schema);
        fork_point_cache_set_datasets(reader->cache, known);
    }
    reading_end(&reading);
    return error_copy(err, &failure);
}

int fork_point_datasets(struct fork_point_reader *reader, struct operation *operation,
                        GPtrArray **ret, struct error *err)
{
    struct reading reading;
    reading_begin(&reading, reader, NULL, operation);
    g_autofree char *storage = layout_storage_prefix(reader->layout);
    const struct store_request *listing = store_set_list_shallow(reading.set, storage);
    int code = run_wave(&reading, err);
    if (code == 0)
        *ret = dataset_listing_read(listing, NULL);
    reading_end(&reading);
    return code;
}

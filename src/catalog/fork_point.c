#include <string.h>

#include "base/timestamp.h"
#include "catalog/dataset_listing.h"
#include "catalog/fork_point_private.h"

#define NO_SNAPSHOT "uninitialized"

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

static void reading_begin(struct reading *reading, struct fork_point_reader *reader,
                          const struct fork_entry *parent, struct operation *operation)
{
    *reading = (struct reading){.reader = reader, .parent = parent, .operation = operation};
    reading->old_sets = g_ptr_array_new_with_free_func((GDestroyNotify)store_set_unref);
    reading->set = store_set_new();
    reading->sources = sources_new();
}

static void reading_end(struct reading *reading)
{
    g_ptr_array_unref(reading->sources);
    store_set_unref(reading->set);
    g_ptr_array_unref(reading->old_sets);
    g_free(reading->snapshot_id);
    snapshot_free(reading->snapshot);
    snapshot_free(reading->older_snapshot);
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

/* ---- The snapshot ---- */

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

/* Databases last written by Uni 2.2.3 or older may have a pointer that a fork's flush overwrote:
 * the mark then lies below that of the snapshot before. */
static void add_older_snapshot_request(struct reading *reading)
{
    const struct snapshot *snapshot = reading->snapshot;
    if (reading->parent || !snapshot || !snapshot->parent_id)
        return;
    reading->older_snapshot =
        fork_point_cache_snapshot(reading->reader->cache, snapshot->parent_id);
    if (reading->older_snapshot)
        return;
    g_autofree char *key = layout_snapshot_key(reading->reader->layout, snapshot->parent_id);
    reading->older_requested = store_set_get(reading->set, key);
}

static int read_older_snapshot(struct reading *reading, struct error *err)
{
    const struct store_request *get = reading->older_requested;
    if (!get || get->answer.code == ERR_NOT_FOUND)
        return 0;
    struct error failure = {0};
    int code = snapshot_parse(get->answer.body, &reading->older_snapshot, &failure);
    if (code == 0) {
        fork_point_cache_keep_snapshot(reading->reader->cache, reading->older_snapshot);
    } else {
        error_prefix(&failure, "%s", get->key);
        error_copy(err, &failure);
    }
    return code;
}

static int check_older_snapshot(struct reading *reading, struct error *err)
{
    int code = read_older_snapshot(reading, err);
    const struct snapshot *older = reading->older_snapshot;
    if (code == 0 && older && older->version_mark > reading->snapshot->version_mark)
        code =
            error_set(err, ERR_UNCLEAN,
                      "snapshot %s has a lower version mark than the one before it: %s was "
                      "overwritten by a fork's flush; open and close the database with Uni first",
                      reading->snapshot_id, reading->state.pointer->key);
    return code;
}

/* ---- The whole reading ---- */

static int first_wave(struct reading *reading, struct error *err)
{
    const struct ulid *parent = reading->parent ? &reading->parent->id : NULL;
    database_state_request(&reading->state, reading->set, reading->reader->layout, parent);
    int code = sources_request_first(reading, err);
    if (code == 0)
        code = run_wave(reading, err);
    if (code == 0)
        code = database_state_check_clean(&reading->state, err);
    if (code == 0)
        code = database_state_schema(&reading->state, &reading->schema, err);
    if (code == 0)
        code =
            snapshot_pointer_parse(reading->state.pointer->answer.body, &reading->snapshot_id, err);
    return code;
}

static int second_wave(struct reading *reading, struct error *err)
{
    int code = reading->parent ? 0 : sources_settle(reading, err);
    if (code == 0)
        code = sources_read_tips(reading, err);
    if (code)
        return code;
    add_snapshot_request(reading);
    code = run_wave(reading, err);
    if (code == 0)
        code = sources_read_tips(reading, err); /* may ask for V1 tables once more */
    if (code == 0)
        code = run_wave(reading, err);
    if (code == 0)
        code = sources_read_tips(reading, err);
    if (code == 0)
        code = read_snapshot(reading, err);
    return code;
}

static int read_allocator(const struct reading *reading, struct allocator *ret, struct error *err)
{
    const struct store_request *get = reading->state.allocator;
    struct error failure = {0};
    int code = allocator_parse(get->answer.body, ret, &failure);
    if (code) {
        error_prefix(&failure, "%s", get->key);
        error_copy(err, &failure);
    }
    return code;
}

static int third_wave(struct reading *reading, struct fork_point *point, struct error *err)
{
    sources_request_contents(reading);
    add_older_snapshot_request(reading);
    int code = run_wave(reading, err);
    if (code == 0)
        code = check_older_snapshot(reading, err);
    if (code == 0)
        code = sources_collect(reading, point->origins, err);
    if (code == 0)
        code = read_allocator(reading, &point->allocator, err);
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
                    const GPtrArray *besides, struct operation *operation, struct fork_point **ret,
                    struct error *err)
{
    struct reading reading;
    reading_begin(&reading, reader, parent, operation);
    reading.besides = besides;
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
    database_state_request(&reading.state, reading.set, reader->layout, NULL);
    int code = run_wave(&reading, &failure);
    if (code == 0)
        code = database_state_check_present(&reading.state, &failure);
    if (code == 0 && database_state_schema(&reading.state, &reading.schema, NULL) == 0) {
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
    g_autofree char *storage = layout_datasets_prefix(reader->layout);
    const struct store_request *listing = store_set_list_shallow(reading.set, storage);
    int code = run_wave(&reading, err);
    if (code == 0)
        *ret = dataset_listing_read(listing, NULL);
    reading_end(&reading);
    return code;
}

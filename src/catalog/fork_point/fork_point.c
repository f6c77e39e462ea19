#include "base/timestamp.h"
#include "catalog/fork_point/allocator_presence.h"
#include "catalog/fork_point/dataset_listing.h"
#include "catalog/fork_point/fork_point_private.h"
#include "catalog/format/overlay_document.h"

#define NO_SNAPSHOT "uninitialized"

struct fork_point_reader *fork_point_reader_new(struct store *store, const struct layout *layout)
{
    struct fork_point_reader *reader = g_new0(struct fork_point_reader, 1);
    reader->store = store;
    reader->layout = layout;
    reader->cache = fork_point_cache_new();
    reader->known = known_things_new();
    reader->segments = wal_segment_cache_new();
    return reader;
}

void fork_point_reader_free(struct fork_point_reader *reader)
{
    if (!reader)
        return;
    wal_segment_cache_free(reader->segments);
    fork_point_cache_free(reader->cache);
    known_things_free(reader->known);
    g_free(reader);
}

void fork_point_free(struct fork_point *point)
{
    if (!point)
        return;
    g_free(point->snapshot_id);
    g_ptr_array_unref(point->origins);
    g_ptr_array_unref(point->schemaless_types);
    g_free(point);
}

/* ---- Several readings, which share their waves ---- */

struct readings {
    struct store *store;
    struct operation *operation;
    struct reading *list;
    size_t count;
    struct store_set *set; /* the wave being built */
    GPtrArray *old_sets;   /* earlier waves, whose answers are still used */
    size_t common;         /* so many requests of the wave are everybody's */
};

static void readings_begin(struct readings *readings, struct fork_point_reader *reader,
                           struct fork_point_query *queries, size_t count,
                           struct operation *operation)
{
    *readings = (struct readings){.store = reader->store, .operation = operation, .count = count};
    readings->old_sets = g_ptr_array_new_with_free_func((GDestroyNotify)store_set_unref);
    readings->set = store_set_new();
    readings->list = g_new0(struct reading, count);
    for (size_t i = 0; i < count; i++) {
        struct reading *reading = &readings->list[i];
        reading->reader = reader;
        reading->parent = queries[i].parent;
        reading->besides = queries[i].besides;
        reading->err = &queries[i].error;
        reading->set = readings->set;
        reading->sources = sources_new();
        reading->point = g_new0(struct fork_point, 1);
        reading->point->origins =
            g_ptr_array_new_with_free_func((GDestroyNotify)branch_origin_free);
        reading->point->schemaless_types = g_ptr_array_new_with_free_func(g_free);
    }
}

static void readings_end(struct readings *readings)
{
    for (size_t i = 0; i < readings->count; i++) {
        struct reading *reading = &readings->list[i];
        g_ptr_array_unref(reading->sources);
        g_free(reading->snapshot_id);
        snapshot_free(reading->snapshot);
        g_free(reading->left_out);
        snapshot_free(reading->older_snapshot);
        schema_free(reading->schema);
        logs_clear(reading);
        marks_clear(reading);
        fork_point_free(reading->point);
    }
    g_free(readings->list);
    store_set_unref(readings->set);
    g_ptr_array_unref(readings->old_sets);
}

/* A request may only fail with "absent". */
static int check_answers(struct store_set *set, size_t first, size_t end, struct error *err)
{
    for (size_t i = first; i < end; i++) {
        const struct store_answer *answer = &store_set_at(set, i)->answer;
        if (answer->code != 0 && answer->code != ERR_NOT_FOUND)
            return error_copy(err, &answer->error);
    }
    return 0;
}

static bool any_is_well(const struct readings *readings)
{
    for (size_t i = 0; i < readings->count; i++)
        if (readings->list[i].err->code == 0)
            return true;
    return false;
}

/* A failure concerns those whose request it is. The next wave starts empty. */
static void run_wave(struct readings *readings)
{
    struct store_set *set = readings->set;
    if (!any_is_well(readings) || store_set_size(set) == 0)
        return;
    g_ptr_array_add(readings->old_sets, set);
    readings->set = store_set_new();
    store_run(readings->store, set, readings->operation, NULL); /* the answers say more */
    for (size_t i = 0; i < readings->count; i++) {
        struct reading *reading = &readings->list[i];
        reading->set = readings->set;
        if (reading->err->code == 0)
            check_answers(set, 0, readings->common, reading->err);
        if (reading->err->code == 0)
            check_answers(set, reading->first, reading->end, reading->err);
    }
    readings->common = 0;
}

/* One step of all that are well so far: takes what the last wave has answered, asks for what the
 * next one is to answer; and that wave. */
static void take_step(struct readings *readings,
                      int (*step)(struct reading *reading, struct error *err))
{
    for (size_t i = 0; i < readings->count; i++) {
        struct reading *reading = &readings->list[i];
        reading->first = store_set_size(readings->set);
        if (reading->err->code == 0)
            step(reading, reading->err);
        reading->end = store_set_size(readings->set);
    }
    run_wave(readings);
}

/* ---- The steps of a reading ---- */

static void ask_for_common_state(struct readings *readings)
{
    struct database_state common;
    database_state_request_common(&common, readings->set, readings->list[0].reader->layout);
    readings->common = store_set_size(readings->set);
    for (size_t i = 0; i < readings->count; i++)
        readings->list[i].state = common;
}

static int ask_for_state(struct reading *reading, struct error *err)
{
    const struct ulid *parent = reading->parent ? &reading->parent->id : NULL;
    database_state_request_own(&reading->state, reading->set, reading->reader->layout, parent);
    return sources_request_first(reading, err);
}

static int take_state(struct reading *reading, struct error *err)
{
    int code = away_check_state(reading, err);
    if (code == 0)
        code = logs_request(reading, err);
    if (code == 0)
        code = database_state_check_clean(&reading->state, err);
    if (code == 0)
        code = database_state_schema(&reading->state, &reading->schema, err);
    if (code == 0)
        code =
            snapshot_pointer_parse(reading->state.pointer->answer.body, &reading->snapshot_id, err);
    if (code == 0 && !reading->parent)
        code = sources_settle(reading, err);
    if (code == 0)
        code = sources_read_tips(reading, err);
    if (code)
        return code;
    snapshot_request(reading);
    marks_request(reading);
    sources_request_contents(reading);
    return 0;
}

static int take_snapshot(struct reading *reading, struct error *err)
{
    int code = sources_read_tips(reading, err); /* may ask for V1 tables once more */
    if (code == 0)
        code = snapshot_read(reading, err);
    if (code == 0)
        code = sources_check_left_out(reading, err);
    if (code == 0)
        code = away_check_rows(reading, err);
    if (code == 0)
        code = logs_request_rest(reading, err);
    if (code == 0)
        code = marks_go_on(reading, err);
    if (code)
        return code;
    snapshot_request_older(reading);
    sources_request_contents(reading);
    return 0;
}

static int take_tips(struct reading *reading, struct error *err)
{
    int code = sources_read_tips(reading, err);
    if (code == 0)
        code = logs_check(reading, err);
    if (code == 0)
        code = marks_go_on(reading, err);
    if (code == 0)
        sources_request_contents(reading);
    return code;
}

static int read_allocator(const struct reading *reading, struct allocator *ret, struct error *err)
{
    const struct store_request *get = reading->state.allocator;
    int code = allocator_parse(get->answer.body, ret, err);
    return error_prefix(err, code, "%s", get->key);
}

/* A reopened Uni starts at the mark plus one; the larger bound is the safer one. */
static uint64_t version_mark(const struct reading *reading)
{
    uint64_t inherited = reading->parent ? reading->parent->version_mark : 0;
    if (!reading->snapshot)
        return inherited;
    uint64_t mark = MAX(reading->snapshot->version_mark, reading->highest_mark);
    return MAX(mark == UINT64_MAX ? UINT64_MAX : mark + 1, inherited);
}

/* Of the parent and of the primary graph: Uni 5 writes all that a new fork knows into its overlay.
 */
static int collect_schemaless_types(const struct reading *reading, GPtrArray *names,
                                    struct error *err)
{
    const struct store_request *overlay = reading->state.overlay;
    int code = 0;
    if (overlay)
        code = overlay_document_add_schemaless_types(overlay->answer.body, names, err);
    if (code)
        return error_prefix(err, code, "%s", overlay->key);
    overlay_document_add_names(names, reading->schema->schemaless_types);
    return 0;
}

static int take_contents(struct reading *reading, struct error *err)
{
    struct fork_point *point = reading->point;
    int code = snapshot_check_older(reading, err);
    if (code == 0)
        code = collect_schemaless_types(reading, point->schemaless_types, err);
    if (code == 0)
        code = sources_collect(reading, point->origins, err);
    if (code == 0)
        code = allocator_presence_check(reading->reader->layout, reading->state.allocator,
                                        reading->parent != NULL, point->origins, err);
    if (code == 0)
        code = read_allocator(reading, &point->allocator, err);
    if (code)
        return code;
    point->snapshot_id = g_strdup(reading->snapshot_id ? reading->snapshot_id : NO_SNAPSHOT);
    point->version_mark = version_mark(reading);
    point->schema_version = reading->schema->version;
    point->has_overlay = reading->state.overlay && reading->state.overlay->answer.code == 0;
    return 0;
}

static bool any_marks_are_missing(const struct readings *readings)
{
    for (size_t i = 0; i < readings->count; i++)
        if (marks_are_missing(&readings->list[i]))
            return true;
    return false;
}

void fork_point_read_all(struct fork_point_reader *reader, struct fork_point_query *queries,
                         size_t count, struct operation *operation)
{
    struct readings readings;
    if (count == 0)
        return;
    readings_begin(&readings, reader, queries, count, operation);
    ask_for_common_state(&readings);
    take_step(&readings, ask_for_state);
    take_step(&readings, take_state);
    take_step(&readings, take_snapshot);
    take_step(&readings, take_tips);
    while (any_marks_are_missing(&readings))
        take_step(&readings, marks_go_on);
    take_step(&readings, take_contents);
    for (size_t i = 0; i < count; i++) {
        struct reading *reading = &readings.list[i];
        if (reading->err->code)
            error_prefix(reading->err, reading->err->code, "reading the fork point");
        else
            queries[i].point = g_steal_pointer(&reading->point);
    }
    readings_end(&readings);
}

int fork_point_read(struct fork_point_reader *reader, const struct fork_entry *parent,
                    const GPtrArray *besides, struct operation *operation, struct fork_point **ret,
                    struct error *err)
{
    struct fork_point_query query = {.parent = parent, .besides = besides};
    fork_point_read_all(reader, &query, 1, operation);
    *ret = query.point;
    return error_copy(err, &query.error);
}

int fork_point_plan(const struct fork_point *point, const struct layout *layout,
                    const struct ulid *id, GPtrArray **ret, struct error *err)
{
    struct timespec now = timestamp_now();
    g_autoptr(GPtrArray) plans = g_ptr_array_new_with_free_func((GDestroyNotify)branch_plan_free);
    for (guint i = 0; i < point->origins->len; i++) {
        const struct branch_origin *origin = g_ptr_array_index(point->origins, i);
        struct branch_plan *plan = NULL;
        int code = branch_plan_make(layout, id, origin, now, &plan, err);
        if (code)
            return error_prefix(err, code, "dataset %s", origin->dataset);
        g_ptr_array_add(plans, plan);
    }
    *ret = g_steal_pointer(&plans);
    return 0;
}

/* ---- For mount and recovery ---- */

/* A schema at the top, as early versions of Uni had it, or that of the database above. */
static int check_not_catalog(struct fork_point_reader *reader, const struct database_state *state,
                             struct operation *operation, struct error *err)
{
    g_autofree char *registry = NULL, *allocator = NULL;
    auto_store_set struct store_set *set = store_set_new();
    if (state->schema->answer.code == 0 || state->legacy_schema->answer.code ||
        !layout_may_be_catalog(reader->layout, &registry, &allocator))
        return 0;
    store_set_head(set, registry);
    store_set_head(set, allocator);
    int code = store_run_all(reader->store, set, ERR_NOT_FOUND, operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++) {
        const struct store_request *head = store_set_at(set, i);
        if (head->answer.code == 0)
            code = error_set(err, ERR_INVALID,
                             "%s and %s are those of the database above: is its prefix that of the "
                             "metadata?",
                             state->legacy_schema->key, head->key);
    }
    return code;
}

static int check_present(struct fork_point_reader *reader, const struct database_state *state,
                         struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *snapshot =
        database_state_request_snapshot(state, set, reader->layout);
    int code = snapshot ? store_run_all(reader->store, set, ERR_NOT_FOUND, operation, err) : 0;
    if (code == 0)
        code = database_state_check_present(state, snapshot, err);
    return code;
}

int fork_point_warm(struct fork_point_reader *reader, struct store_set *set,
                    struct operation *operation, bool *ret_has_datasets, struct error *err)
{
    struct database_state state;
    struct schema *schema = NULL;
    database_state_request(&state, set, reader->layout, NULL);
    store_request_remember(state.storage); /* an empty directory says that a dataset is gone */
    int code = store_run_all(reader->store, set, ERR_NOT_FOUND, operation, err);
    if (code == 0)
        code = check_present(reader, &state, operation, err);
    if (code == 0)
        code = check_not_catalog(reader, &state, operation, err);
    if (code == 0)
        code = database_state_schema(&state, &schema, err);
    if (code)
        return code;
    g_autoptr(GPtrArray) existing = dataset_listing_read(state.storage, schema);
    fork_point_cache_set_datasets(reader->cache, existing);
    away_learn_state(reader->known, &state);
    *ret_has_datasets = database_state_has_datasets(&state);
    schema_free(schema);
    return 0;
}

void fork_point_learn(struct fork_point_reader *reader, const struct fork_entry *entry)
{
    known_things_add_entry(reader->known, entry);
}

int fork_point_check_seen(const struct fork_point_reader *reader, const char *dataset,
                          struct error *err)
{
    g_autofree char *key = layout_dataset_key(reader->layout, dataset);
    return known_things_check_listed(reader->known, dataset, key, err);
}

bool fork_point_knows_datasets(const struct fork_point_reader *reader)
{
    return known_things_has_datasets(reader->known);
}

bool fork_point_knows_snapshot(const struct fork_point_reader *reader)
{
    g_autofree char *pointer = layout_snapshot_pointer_key(reader->layout);
    return known_things_check_object(reader->known, pointer, NULL) != 0;
}

size_t fork_point_datasets_known(struct fork_point_reader *reader)
{
    g_autoptr(GPtrArray) known = fork_point_cache_datasets(reader->cache);
    return known->len;
}

int fork_point_datasets(struct fork_point_reader *reader, struct operation *operation,
                        GPtrArray **ret, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    g_autofree char *storage = layout_datasets_prefix(reader->layout);
    const struct store_request *listing = store_set_list_shallow(set, storage);
    int code = store_run_all(reader->store, set, ERR_NOT_FOUND, operation, err);
    if (code == 0)
        *ret = dataset_listing_read(listing, NULL);
    return code;
}

#include "catalog/fork_point/database_state.h"

#include "catalog/fork_point/dataset_listing.h"

#define STAGING_SUFFIX "_staging.lance/"

void database_state_request_common(struct database_state *state, struct store_set *set,
                                   const struct layout *layout)
{
    *state = (struct database_state){0};
    g_autofree char *storage = layout_datasets_prefix(layout);
    state->wal = store_set_add(set, STORE_LIST, layout_wal_prefix(layout));
    state->wal->with_dead_links = true; /* what is away is not flushed */
    /* Its absence is told in one request, unlike that of HEAD. */
    state->intent = store_set_add(set, STORE_GET, layout_bulk_load_intent_key(layout));
    state->storage = store_set_list_shallow(set, storage);
    store_request_in_place(state->storage); /* branches say where their parents are */
    layout_expect_files_of_forks(layout, state->storage);
    layout_expect_logs_of_forks(layout, state->storage);
    store_request_expect(state->wal, state->wal->key, NULL, false);
    state->schema = store_set_add(set, STORE_GET, layout_schema_key(layout));
    state->legacy_schema = store_set_add(set, STORE_GET, layout_legacy_schema_key(layout));
}

void database_state_request_own(struct database_state *state, struct store_set *set,
                                const struct layout *layout, const struct ulid *parent)
{
    g_autofree char *pointer =
        parent ? layout_fork_pointer_key(layout, parent) : layout_snapshot_pointer_key(layout);
    g_autofree char *allocator =
        parent ? layout_fork_allocator_key(layout, parent) : layout_allocator_key(layout);
    if (parent) {
        state->fork_wal = store_set_add(set, STORE_LIST, layout_fork_wal_prefix(layout, parent));
        state->fork_wal->with_dead_links = true;
        state->overlay = store_set_add(set, STORE_GET, layout_overlay_key(layout, parent));
    }
    state->pointer = store_set_get(set, pointer);
    state->allocator = store_set_get(set, allocator);
}

void database_state_request(struct database_state *state, struct store_set *set,
                            const struct layout *layout, const struct ulid *parent)
{
    database_state_request_common(state, set, layout);
    database_state_request_own(state, set, layout, parent);
}

int database_state_check_clean(const struct database_state *state, struct error *err)
{
    if (state->intent->answer.code == 0)
        return error_set(err, ERR_UNCLEAN,
                         "a bulk load was interrupted (%s); open the database with Uni first",
                         state->intent->key);
    for (guint i = 0; i < state->storage->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(state->storage->answer.objects, i);
        if (g_str_has_suffix(object->key, STAGING_SUFFIX))
            return error_set(err, ERR_UNCLEAN,
                             "a table swap was interrupted (%s); open the database with Uni first",
                             object->key);
    }
    return 0;
}

const struct store_request *database_state_schema_request(const struct database_state *state)
{
    return state->schema->answer.code == ERR_NOT_FOUND ? state->legacy_schema : state->schema;
}

int database_state_schema(const struct database_state *state, struct schema **ret,
                          struct error *err)
{
    const struct store_request *found = database_state_schema_request(state);
    int code = schema_parse(found->answer.body, ret, err);
    return error_prefix(err, code, "%s", found->key);
}

bool database_state_has_datasets(const struct database_state *state)
{
    g_autoptr(GPtrArray) datasets = dataset_listing_read(state->storage, NULL);
    return datasets->len > 0;
}

struct store_request *database_state_request_snapshot(const struct database_state *state,
                                                      struct store_set *set,
                                                      const struct layout *layout)
{
    g_autofree char *id = NULL;
    if (database_state_has_datasets(state))
        return NULL;
    if (snapshot_pointer_parse(state->pointer->answer.body, &id, NULL) || !id)
        return NULL;
    g_autofree char *key = layout_snapshot_key(layout, id);
    return store_set_get(set, key);
}

/* Whether a snapshot has no tables; of one that cannot be read nobody can say that. */
static bool is_empty(const struct store_request *snapshot)
{
    struct snapshot *parsed = NULL;
    bool empty = snapshot->answer.code == 0 &&
                 snapshot_parse(snapshot->answer.body, &parsed, NULL) == 0 && !parsed->has_tables;
    snapshot_free(parsed);
    return empty;
}

static int check_schema_is_there(const struct database_state *state, struct error *err)
{
    if (database_state_schema_request(state)->answer.code == 0)
        return 0;
    return error_set(err, ERR_NOT_FOUND,
                     "there are datasets below '%s', but no schema that names them: neither %s nor "
                     "%s exists; are these the prefixes of the database?",
                     state->storage->key, state->schema->key, state->legacy_schema->key);
}

/* Ids have been given out, so there are rows: in the log, or flushed to where there is nothing. */
static bool has_lost_rows(const struct database_state *state)
{
    return state->allocator->answer.code == 0 && state->pointer->answer.code == ERR_NOT_FOUND &&
           state->wal->answer.objects->len == 0;
}

int database_state_check_present(const struct database_state *state,
                                 const struct store_request *snapshot, struct error *err)
{
    if (database_state_has_datasets(state))
        return check_schema_is_there(state, err);
    if (snapshot && is_empty(snapshot))
        return 0;
    if (snapshot)
        return error_set(err, ERR_NOT_FOUND,
                         "%s names a snapshot, but there is no dataset below '%s': is that the "
                         "prefix of the database?",
                         state->pointer->key, state->storage->key);
    if (database_state_schema_request(state)->answer.code == 0 && has_lost_rows(state))
        return error_set(err, ERR_NOT_FOUND,
                         "there is %s, but no snapshot %s, and no dataset below '%s': are these "
                         "the prefixes of the database?",
                         state->allocator->key, state->pointer->key, state->storage->key);
    if (database_state_schema_request(state)->answer.code == 0)
        return 0;
    return error_set(err, ERR_NOT_FOUND,
                     "no Uni database: neither %s nor %s nor any dataset exists",
                     state->schema->key, state->pointer->key);
}

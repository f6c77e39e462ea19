/*
 * What a fork point is read from and has gone since it was seen.
 */
#include "catalog/fork_point/fork_point_private.h"

#include <string.h>

#include "catalog/fork_point/dataset_listing.h"

static void learn_object(struct known_things *known, const struct store_request *get)
{
    if (get->answer.code == 0)
        known_things_add_object(known, get->key);
}

void away_learn_state(struct known_things *known, const struct database_state *state)
{
    g_autoptr(GPtrArray) listed = dataset_listing_read(state->storage, NULL);
    learn_object(known, database_state_schema_request(state));
    learn_object(known, state->pointer);
    for (guint i = 0; i < listed->len; i++)
        known_things_add_dataset(known, g_ptr_array_index(listed, i), false);
}

static int check_object(struct known_things *known, const struct store_request *get,
                        struct error *err)
{
    return get->answer.code == ERR_NOT_FOUND ? known_things_check_object(known, get->key, err) : 0;
}

/* An old schema may be left beside the one that has taken its place. */
static int check_schema(struct known_things *known, const struct database_state *state,
                        struct error *err)
{
    int code = check_object(known, state->schema, err);
    if (code == 0 && state->schema->answer.code == ERR_NOT_FOUND)
        code = check_object(known, state->legacy_schema, err);
    return code;
}

/* Said of all together, of which one is the first to be missed. */
static int check_storage(struct known_things *known, const struct database_state *state,
                         struct error *err)
{
    if (!known_things_has_datasets(known) || database_state_has_datasets(state))
        return 0;
    return known_things_refuse_storage(state->storage->key, err);
}

int away_check_state(struct reading *reading, struct error *err)
{
    struct known_things *known = reading->reader->known;
    const struct database_state *state = &reading->state;
    int code = check_storage(known, state, err);
    if (code == 0)
        code = check_schema(known, state, err);
    if (code == 0)
        code = check_object(known, state->pointer, err);
    if (code == 0)
        away_learn_state(known, state);
    return code;
}

bool away_is_listed(const struct reading *reading, const char *dataset)
{
    g_autoptr(GPtrArray) listed = dataset_listing_read(reading->state.storage, NULL);
    return g_ptr_array_find_with_equal_func(listed, dataset, g_str_equal, NULL);
}

/* What the caller asks for by name is all that it needs. */
int away_check_datasets(struct reading *reading, GHashTable *present, struct error *err)
{
    g_autoptr(GPtrArray) candidates = reading->besides ? NULL : schema_candidates(reading->schema);
    const GPtrArray *needed = reading->besides ? reading->besides : candidates;
    for (guint i = 0; i < needed->len; i++) {
        const char *dataset = g_ptr_array_index(needed, i);
        if (g_hash_table_contains(present, dataset))
            continue;
        g_autofree char *key = layout_dataset_key(reading->reader->layout, dataset);
        int code = known_things_check_dataset(reading->reader->known, dataset, key, err);
        if (code)
            return code;
    }
    return 0;
}

/* Deltas are gone for good once they are compacted to an adjacency. */
static bool is_compacted(GHashTable *present, const char *dataset)
{
    static const char of_deltas[] = "deltas_";
    if (!g_str_has_prefix(dataset, of_deltas))
        return false;
    g_autofree char *adjacency = g_strconcat("adjacency_", dataset + strlen(of_deltas), NULL);
    return g_hash_table_contains(present, adjacency);
}

/* `part` (may be "") of a dataset is absent: ERR_AWAY when the snapshot has rows in it. A fork's
 * snapshot is not asked: what the fork has is in its entry. */
static int check_without_rows(const struct reading *reading, GHashTable *present,
                              const char *dataset, const char *part, struct error *err)
{
    if (reading->parent || !reading->snapshot || is_compacted(present, dataset) ||
        !snapshot_has_rows_in(reading->snapshot, dataset))
        return 0;
    g_autofree char *key = layout_dataset_key(reading->reader->layout, dataset);
    return error_set(err, ERR_AWAY,
                     "%s%s is not there, but snapshot %s has rows in it: nothing was changed; "
                     "put it back",
                     key, part, reading->snapshot->id);
}

int away_check_rows(const struct reading *reading, struct error *err)
{
    g_autoptr(GPtrArray) candidates = schema_candidates(reading->schema);
    g_autoptr(GPtrArray) listed = dataset_listing_read(reading->state.storage, NULL);
    g_autoptr(GHashTable) present = dataset_listing_set(listed);
    int code = 0;
    for (guint i = 0; code == 0 && i < candidates->len; i++) {
        const char *dataset = g_ptr_array_index(candidates, i);
        if (!g_hash_table_contains(present, dataset))
            code = check_without_rows(reading, present, dataset, "", err);
    }
    return code;
}

int away_check_version(const struct reading *reading, const char *dataset, struct error *err)
{
    g_autofree char *key = layout_dataset_key(reading->reader->layout, dataset);
    g_autoptr(GPtrArray) listed = dataset_listing_read(reading->state.storage, NULL);
    g_autoptr(GHashTable) present = dataset_listing_set(listed);
    int code = known_things_check_version(reading->reader->known, dataset, key, err);
    return code ? code : check_without_rows(reading, present, dataset, "/_versions/", err);
}

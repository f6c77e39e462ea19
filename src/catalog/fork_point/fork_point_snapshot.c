/*
 * The snapshot that a fork starts from: which one it is, and what it says.
 */
#include "catalog/fork_point/fork_point_private.h"

#include <string.h>

void snapshot_request(struct reading *reading)
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

int snapshot_take(struct reading *reading, const struct store_request *get, const char *id,
                  const char *pointer_key, struct snapshot **ret, struct error *err)
{
    struct snapshot *snapshot = NULL;
    if (get->answer.code == ERR_NOT_FOUND)
        return error_set(err, ERR_CORRUPT, "snapshot manifest %s, named by %s, does not exist",
                         get->key, pointer_key);
    int code = snapshot_parse(get->answer.body, &snapshot, err);
    if (code)
        return error_prefix(err, code, "%s", get->key);
    if (strcmp(snapshot->id, id) == 0) {
        fork_point_cache_keep_snapshot(reading->reader->cache, snapshot);
        *ret = snapshot;
        return 0;
    }
    code = error_set(err, ERR_CORRUPT, "snapshot manifest %s says that it is %s", get->key,
                     snapshot->id);
    snapshot_free(snapshot);
    return code;
}

int snapshot_read(struct reading *reading, struct error *err)
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
    return snapshot_take(reading, files, reading->snapshot_id, reading->state.pointer->key,
                         &reading->snapshot, err);
}

/* Databases last written by Uni 2.2.3 or older may have a pointer that a fork's flush overwrote:
 * the mark then lies below that of the snapshot before. */
void snapshot_request_older(struct reading *reading)
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
    int code = snapshot_parse(get->answer.body, &reading->older_snapshot, err);
    if (code)
        return error_prefix(err, code, "%s", get->key);
    fork_point_cache_keep_snapshot(reading->reader->cache, reading->older_snapshot);
    return 0;
}

int snapshot_check_older(struct reading *reading, struct error *err)
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

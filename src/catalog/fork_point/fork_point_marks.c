/*
 * The version mark of a child: the highest one in any snapshot that its parent has made.
 */
#include "catalog/fork_point/fork_point_private.h"

#define SUFFIX ".json"

/* So many manifests are read in one wave; their texts are let go after it. */
#define MANIFESTS_PER_WAVE 1024

/* Versions of Uni before 5 begin anew at the fork point whenever the fork is opened, so that the
 * mark of a later snapshot may be lower, and below that of rows that the fork has flushed. What
 * bounds them all is the highest of all snapshots. */
static void note_mark(struct reading *reading, uint64_t mark)
{
    reading->highest_mark = MAX(reading->highest_mark, mark);
}

void marks_request(struct reading *reading)
{
    if (!reading->parent || !reading->snapshot_id)
        return;
    const struct layout *layout = reading->reader->layout;
    reading->newest_manifest =
        layout_fork_snapshot_key(layout, &reading->parent->id, reading->snapshot_id);
    if (fork_point_cache_highest_mark(reading->reader->cache, reading->newest_manifest,
                                      &reading->highest_mark))
        return;
    g_autofree char *prefix = layout_fork_snapshots_prefix(layout, &reading->parent->id);
    reading->manifests = store_set_list(reading->set, prefix, NULL, 0);
}

/* Asks for the manifests that are not known by now. */
static void ask_for_manifests(struct reading *reading)
{
    const GPtrArray *objects = reading->manifests->answer.objects;
    g_ptr_array_set_size(reading->manifests_asked, 0);
    while (reading->manifests_seen < objects->len &&
           reading->manifests_asked->len < MANIFESTS_PER_WAVE) {
        const struct store_object *object = g_ptr_array_index(objects, reading->manifests_seen++);
        uint64_t mark;
        if (!g_str_has_suffix(object->key, SUFFIX))
            continue;
        if (fork_point_cache_mark(reading->reader->cache, object->key, &mark))
            note_mark(reading, mark);
        else
            g_ptr_array_add(reading->manifests_asked, store_set_get(reading->set, object->key));
    }
}

static int take_manifest(struct reading *reading, struct store_request *get, struct error *err)
{
    if (get->answer.code) /* absent: nothing else passes as an answer */
        return error_set(err, ERR_CONTENDED,
                         "snapshot manifest %s went away while it was being read", get->key);
    struct snapshot *snapshot = NULL;
    int code = snapshot_parse(get->answer.body, &snapshot, err);
    if (code)
        return error_prefix(err, code, "%s", get->key);
    note_mark(reading, snapshot->version_mark);
    fork_point_cache_keep_mark(reading->reader->cache, get->key, snapshot->version_mark);
    snapshot_free(snapshot);
    bytes_unref(g_steal_pointer(&get->answer.body));
    return 0;
}

int marks_go_on(struct reading *reading, struct error *err)
{
    if (!reading->manifests)
        return 0;
    if (!reading->manifests_asked)
        reading->manifests_asked = g_ptr_array_new();
    int code = 0;
    for (guint i = 0; code == 0 && i < reading->manifests_asked->len; i++)
        code = take_manifest(reading, g_ptr_array_index(reading->manifests_asked, i), err);
    if (code)
        return code;
    ask_for_manifests(reading);
    if (reading->manifests_asked->len == 0) {
        fork_point_cache_keep_highest_mark(reading->reader->cache, reading->newest_manifest,
                                           reading->highest_mark);
        reading->manifests = NULL;
    }
    return 0;
}

bool marks_are_missing(const struct reading *reading)
{
    return reading->err->code == 0 && reading->manifests;
}

void marks_clear(struct reading *reading)
{
    g_free(reading->newest_manifest);
    if (reading->manifests_asked)
        g_ptr_array_unref(reading->manifests_asked);
}

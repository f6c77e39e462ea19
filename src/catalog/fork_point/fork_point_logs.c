/*
 * Whether the write-ahead logs of the primary graph and of the parent hold what is not flushed.
 */
#include "catalog/fork_point/fork_point_private.h"

/* ---- The mark of main's log below a parent, whose own snapshot is the reading's ---- */

static void ask_for_main_pointer(struct reading *reading)
{
    g_autofree char *key = layout_snapshot_pointer_key(reading->reader->layout);
    if (reading->parent && wal_check_needs_mark(&reading->main_log))
        reading->main_pointer = store_set_get(reading->set, key);
}

static int ask_for_main_snapshot(struct reading *reading, struct error *err)
{
    const struct store_request *pointer = reading->main_pointer;
    if (!pointer || !wal_check_needs_mark(&reading->main_log))
        return 0;
    int code = snapshot_pointer_parse(pointer->answer.body, &reading->main_snapshot_id, err);
    const char *id = reading->main_snapshot_id;
    if (code || !id)
        return code;
    reading->main_snapshot = fork_point_cache_snapshot(reading->reader->cache, id);
    if (reading->main_snapshot)
        return 0;
    g_autofree char *key = layout_snapshot_key(reading->reader->layout, id);
    reading->main_snapshot_needed = store_set_get(reading->set, key);
    return 0;
}

static int take_main_snapshot(struct reading *reading, struct error *err)
{
    if (!reading->main_snapshot_needed)
        return 0;
    return snapshot_take(reading, reading->main_snapshot_needed, reading->main_snapshot_id,
                         reading->main_pointer->key, &reading->main_snapshot, err);
}

/* Without a snapshot nothing has been flushed. */
static uint64_t mark_of(const struct snapshot *snapshot)
{
    return snapshot ? snapshot->wal_mark : 0;
}

/* ---- The steps ---- */

int logs_request(struct reading *reading, struct error *err)
{
    const struct database_state *state = &reading->state;
    struct wal_segment_cache *segments = reading->reader->segments;
    int code = wal_check_begin(&reading->main_log, state->wal, segments, NULL, reading->set, err);
    if (code == 0 && state->fork_wal)
        code = wal_check_begin(&reading->fork_log, state->fork_wal, segments,
                               fork_entry_name(reading->parent), reading->set, err);
    if (code == 0)
        ask_for_main_pointer(reading);
    return code;
}

int logs_request_rest(struct reading *reading, struct error *err)
{
    const uint64_t mark = mark_of(reading->snapshot);
    int code =
        wal_check_go_on(&reading->main_log, reading->parent ? NULL : &mark, reading->set, err);
    if (code == 0)
        code = wal_check_go_on(&reading->fork_log, &mark, reading->set, err);
    return code ? code : ask_for_main_snapshot(reading, err);
}

int logs_check(struct reading *reading, struct error *err)
{
    int code = take_main_snapshot(reading, err);
    const uint64_t mark = mark_of(reading->snapshot);
    const uint64_t main_mark = reading->parent ? mark_of(reading->main_snapshot) : mark;
    if (code == 0)
        code = wal_check_end(&reading->main_log, main_mark, err);
    return code ? code : wal_check_end(&reading->fork_log, mark, err);
}

void logs_clear(struct reading *reading)
{
    wal_check_clear(&reading->main_log);
    wal_check_clear(&reading->fork_log);
    g_free(reading->main_snapshot_id);
    snapshot_free(reading->main_snapshot);
}

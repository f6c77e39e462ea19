#include "catalog/fork/written_files.h"

#include <string.h>

#include "catalog/format/overlay_document.h"

#define SEGMENT_SUFFIX ".wal"

struct written_files written_files_request(struct store_set *set, const struct layout *layout,
                                           const struct ulid *id)
{
    return (struct written_files){
        .log = store_set_add_own(set, STORE_LIST, layout_fork_wal_prefix(layout, id)),
        .files = store_set_add_own(set, STORE_LIST, layout_fork_prefix(layout, id)),
        .overlay = store_set_add(set, STORE_GET, layout_overlay_key(layout, id))};
}

static const char *find_segment(const GPtrArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        const struct store_object *row = g_ptr_array_index(rows, i);
        if (g_str_has_suffix(row->key, SEGMENT_SUFFIX))
            return row->key;
    }
    return NULL;
}

static const char *find_snapshot(const GPtrArray *rows, const struct layout *layout,
                                 const struct ulid *id)
{
    g_autofree char *pointer = layout_fork_pointer_key(layout, id);
    g_autofree char *own = layout_fork_prefix(layout, id);
    g_autofree char *snapshots = g_strconcat(own, "manifests/", NULL);
    for (guint i = 0; i < rows->len; i++) {
        const struct store_object *row = g_ptr_array_index(rows, i);
        if (strcmp(row->key, pointer) == 0 || g_str_has_prefix(row->key, snapshots))
            return row->key;
    }
    return NULL;
}

int written_files_find(const struct written_files *written, const struct layout *layout,
                       const struct ulid *id, const char **ret, struct error *err)
{
    const struct store_answer *overlay = &written->overlay->answer;
    int code = store_answer_failure(&written->log->answer, 0, err);
    if (code == 0)
        code = store_answer_failure(&written->files->answer, 0, err);
    if (code == 0 && overlay->code != ERR_NOT_FOUND)
        code = store_answer_failure(overlay, 0, err);
    if (code)
        return code;
    *ret = find_segment(written->log->answer.objects);
    if (!*ret)
        *ret = find_snapshot(written->files->answer.objects, layout, id);
    if (!*ret && overlay->code == 0 && overlay_document_is_written(overlay->body))
        *ret = written->overlay->key;
    return 0;
}

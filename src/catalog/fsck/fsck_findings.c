#include "catalog/fsck/fsck_findings.h"

#include <stdarg.h>
#include <string.h>

#include "base/printable.h"

void fsck_find(struct fsck *fsck, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    GString *line = g_string_new(NULL);
    printable_append(line, text);
    g_ptr_array_add(fsck->findings, g_string_free(line, FALSE));
}

int fsck_run(struct fsck *fsck, struct store_set *set, const char *stage, struct error *err)
{
    int code = store_run_all(fsck->store, set, ERR_NOT_FOUND, fsck->operation, err);
    return error_prefix(err, code, "%s", stage);
}

void fsck_check_temporary(struct fsck *fsck, const GPtrArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        const struct store_object *row = rows->pdata[i];
        const char *slash = strrchr(row->key, '/');
        if (store_name_is_temporary(slash ? slash + 1 : row->key))
            fsck_find(fsck, "%s: temporary file left by a writer", row->key);
    }
}

bool fsck_is_orphan(const struct fsck *fsck, const char *branch)
{
    struct ulid id;
    return layout_id_of_branch(branch, &id) && !registry_find_id(fsck->registry, &id);
}

#include "catalog/fsck/fsck_findings.h"

#include <stdarg.h>
#include <string.h>

#include "base/printable.h"

void fsck_find(struct fsck *fsck, enum fsck_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    GString *line = g_string_new(NULL);
    printable_append(line, text);
    struct fsck_finding *finding = g_new0(struct fsck_finding, 1);
    finding->kind = kind;
    finding->text = g_string_free(line, FALSE);
    g_ptr_array_add(fsck->findings, finding);
}

void fsck_finding_free(void *pointer)
{
    struct fsck_finding *finding = pointer;
    g_free(finding->text);
    g_free(finding);
}

char *fsck_summary(const GPtrArray *findings)
{
    static const char *const names[FSCK_KINDS][2] = {
        [FSCK_ERROR] = {"error", "errors"},
        [FSCK_UNFINISHED] = {"unfinished", "unfinished"},
        [FSCK_LEFTOVER] = {"leftover", "leftovers"},
    };
    unsigned counts[FSCK_KINDS] = {0};
    if (findings->len == 0)
        return g_strdup("nothing found");
    for (guint i = 0; i < findings->len; i++)
        counts[((const struct fsck_finding *)g_ptr_array_index(findings, i))->kind]++;
    GString *text = g_string_new(NULL);
    g_string_printf(text, "%u finding%s", findings->len, findings->len == 1 ? "" : "s");
    const char *separator = ": ";
    for (unsigned i = 0; i < FSCK_KINDS; i++) {
        if (counts[i] == 0)
            continue;
        g_string_append_printf(text, "%s%u %s", separator, counts[i], names[i][counts[i] != 1]);
        separator = ", ";
    }
    return g_string_free(text, FALSE);
}

int fsck_run(struct fsck *fsck, struct store_set *set, const char *stage, struct error *err)
{
    int code = store_run_all(fsck->store, set, ERR_NOT_FOUND, fsck->operation, err);
    return error_prefix(err, code, "%s", stage);
}

int fsck_read(struct fsck *fsck, struct store_set *set, const char *stage, struct error *err)
{
    int code = store_run(fsck->store, set, fsck->operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++) {
        struct store_answer *answer = &store_set_at(set, i)->answer;
        if (answer->code == ERR_CORRUPT) {
            fsck_find(fsck, FSCK_ERROR, "%s: it cannot be read: %s", store_set_at(set, i)->key,
                      answer->error.text);
            answer->code = ERR_NOT_FOUND;
        } else if (answer->code && answer->code != ERR_NOT_FOUND) {
            code = error_copy(err, &answer->error);
        }
    }
    return error_prefix(err, code, "%s", stage);
}

void fsck_check_temporary(struct fsck *fsck, const GPtrArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        const struct store_object *row = rows->pdata[i];
        const char *slash = strrchr(row->key, '/');
        if (store_name_is_temporary(slash ? slash + 1 : row->key))
            fsck_find(fsck, FSCK_LEFTOVER, "%s: temporary file left by a writer", row->key);
    }
}

bool fsck_is_orphan(const struct fsck *fsck, const char *branch)
{
    struct ulid id;
    return layout_id_of_branch(branch, &id) && !registry_find_id(fsck->registry, &id);
}

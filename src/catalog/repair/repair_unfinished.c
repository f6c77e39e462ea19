/*
 * What a mount recovers. Recovery counts what it does; which findings of the check have gone tells
 * what that was.
 */
#include <string.h>

#include "catalog/fsck/fsck.h"
#include "catalog/repair/repair_private.h"

static bool is_among(const GPtrArray *findings, const char *text)
{
    for (guint i = 0; i < findings->len; i++)
        if (strcmp(((const struct fsck_finding *)g_ptr_array_index(findings, i))->text, text) == 0)
            return true;
    return false;
}

int repair_unfinished(struct repair *repair, struct error *err)
{
    g_autoptr(GPtrArray) before = NULL;
    g_autoptr(GPtrArray) after = NULL;
    struct recovery_report report = {0};
    int code = catalog_fsck(repair->store, repair->layout, repair->operation, &before, err);
    if (code)
        return code;
    code = catalog_recover(repair->catalog, repair->operation, &report, err);
    recovery_report_clear(&report);
    if (code == 0)
        code = catalog_fsck(repair->store, repair->layout, repair->operation, &after, err);
    for (guint i = 0; code == 0 && i < before->len; i++) {
        const struct fsck_finding *finding = g_ptr_array_index(before, i);
        if (!is_among(after, finding->text))
            repair_did(repair, "clear up: %s", finding->text);
    }
    return code;
}

/*
 * Tags that pin nothing, and those that pin what is to be purged.
 */
#include <inttypes.h>
#include <string.h>

#include "catalog/fork/kept_reason.h"
#include "catalog/repair/repair_private.h"
#include "catalog/repair/tag_survey.h"

int repair_tags(struct repair *repair, struct error *err)
{
    g_autoptr(GPtrArray) tags = NULL;
    int code = tag_survey(repair->store, repair->layout, repair->operation, &tags, err);
    for (guint i = 0; code == 0 && i < tags->len; i++) {
        const struct tag_found *tag = g_ptr_array_index(tags, i);
        if (!tag->pins_nothing)
            continue;
        code = tag_found_delete(repair->store, repair->layout, tag, repair->operation, err);
        if (code)
            break;
        g_autofree char *version = g_strdup_printf("version %" PRIu64 " of ", tag->version);
        repair_did(repair, "delete the tag '%s' of %s: %s%s%s is gone", tag->name, tag->dataset,
                   tag->is_branch_gone ? "" : version, tag->branch ? "branch " : "",
                   tag->branch ? tag->branch : "main");
    }
    return code;
}

/*
 * Refs of branches: what is read is written with the same fields, and a branch that is made of one
 * descends from it.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/error.h"
#include "lance/branch_ref.h"

static void check_equal(const struct branch_ref *a, const struct branch_ref *b)
{
    HOLDS(g_strcmp0(a->parent_branch, b->parent_branch) == 0);
    HOLDS(a->parent_version == b->parent_version && a->created_at == b->created_at);
    HOLDS(a->manifest_size == b->manifest_size && a->has_lineage == b->has_lineage);
    HOLDS(a->lineage->len == b->lineage->len);
    for (guint i = 0; i < a->lineage->len; i++) {
        const struct lineage_step *left = &g_array_index(a->lineage, struct lineage_step, i);
        const struct lineage_step *right = &g_array_index(b->lineage, struct lineage_step, i);
        HOLDS(left->version == right->version && strcmp(left->id, right->id) == 0);
    }
}

static void check_written(const struct branch_ref *ref)
{
    auto_bytes struct bytes *text = branch_ref_render(ref);
    struct branch_ref *again = NULL;
    HOLDS(fuzz_is_pretty(text));
    HOLDS(branch_ref_parse(text, &again, NULL) == 0);
    check_equal(ref, again);
    branch_ref_free(again);
}

static void check_child(const struct branch_ref *ref)
{
    struct branch_ref *child = NULL;
    int code = branch_ref_derive(ref, "parent/branch", 7, 1700000000, 1000, &child, NULL);
    HOLDS(code == (ref->lineage->len > 0 ? 0 : ERR_UNSUPPORTED));
    if (code)
        return;
    HOLDS(branch_ref_descends(child, ref) && !branch_ref_descends(ref, child));
    HOLDS(!branch_ref_descends(ref, ref));
    check_written(child);
    branch_ref_free(child);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    struct branch_ref *ref = NULL;
    struct error error = {0};
    int code = branch_ref_parse(body, &ref, &error);
    HOLDS(error.code == code);
    HOLDS(code == 0 || code == ERR_CORRUPT || code == ERR_UNSUPPORTED);
    if (code)
        return 0;
    check_written(ref);
    check_child(ref);
    branch_ref_free(ref);
    return 0;
}

#include "catalog/fork_point/branch_plan.h"

#include <glib.h>

#include "lance/branch_name.h"
#include "lance/manifest.h"

void branch_origin_free(struct branch_origin *origin)
{
    if (!origin)
        return;
    g_free(origin->dataset);
    g_free(origin->parent_branch);
    bytes_unref(origin->manifest);
    branch_ref_free(origin->parent_ref);
    g_free(origin);
}

void branch_plan_free(struct branch_plan *plan)
{
    if (!plan)
        return;
    g_free(plan->dataset);
    g_free(plan->branch);
    bytes_unref(plan->manifest);
    bytes_unref(plan->ref);
    g_free(plan);
}

static int make_manifest(const struct layout *layout, const struct branch_origin *origin,
                         const char *branch, struct timespec now, struct bytes **ret,
                         struct error *err)
{
    g_autofree char *table = layout_dataset_uri(layout, origin->dataset);
    g_autofree char *parent_uri = lance_branch_path(table, origin->parent_branch);
    const struct manifest_branching branching = {.branch = branch,
                                                 .parent_branch = origin->parent_branch,
                                                 .parent_uri = parent_uri,
                                                 .version = origin->version,
                                                 .now = now};
    return manifest_branch(origin->manifest, &branching, ret, err);
}

int branch_plan_make(const struct layout *layout, const struct ulid *id,
                     const struct branch_origin *origin, struct timespec now,
                     struct branch_plan **ret, struct error *err)
{
    g_autofree char *branch = layout_branch_name(id, origin->dataset);
    auto_bytes struct bytes *manifest = NULL;
    struct branch_ref *ref = NULL;
    int code = make_manifest(layout, origin, branch, now, &manifest, err);
    if (code == 0)
        code = branch_ref_derive(origin->parent_ref, origin->parent_branch, origin->version,
                                 now.tv_sec, origin->manifest->size, &ref, err);
    if (code)
        return code;
    struct branch_plan *plan = g_new0(struct branch_plan, 1);
    plan->dataset = g_strdup(origin->dataset);
    plan->branch = g_steal_pointer(&branch);
    plan->version = origin->version;
    plan->manifest = g_steal_pointer(&manifest);
    plan->ref = branch_ref_render(ref);
    branch_ref_free(ref);
    *ret = plan;
    return 0;
}

#include "catalog/fork_point/allocator_presence.h"

#include "catalog/fork_point/branch_plan.h"
#include "lance/manifest.h"

/* *ret: the first dataset that has a fragment, and so has or had rows; NULL: none has. */
static int find_rows(const GPtrArray *origins, const char **ret, struct error *err)
{
    *ret = NULL;
    for (guint i = 0; i < origins->len && !*ret; i++) {
        const struct branch_origin *origin = g_ptr_array_index(origins, i);
        struct manifest_summary summary;
        int code = manifest_summarize(origin->manifest, &summary, err);
        if (code)
            return error_prefix(err, code, "dataset %s", origin->dataset);
        if (summary.fragments > 0)
            *ret = origin->dataset;
    }
    return 0;
}

static int refuse_primary(const struct layout *layout, const char *key, const char *dataset,
                          struct error *err)
{
    const char *directory = layout_local_metadata(layout);
    if (directory)
        return error_set(err, ERR_UNSUPPORTED,
                         "there is no id_allocator.json in local_metadata=%s, but dataset %s has "
                         "rows: is that the directory of this database?",
                         directory, dataset);
    if (layout_is_remote(layout))
        return error_set(err, ERR_UNSUPPORTED,
                         "there is no %s, but dataset %s has rows: looks like hybrid mode: mount "
                         "with -o local_metadata=DIR",
                         key, dataset);
    return error_set(err, ERR_CORRUPT,
                     "there is no %s, but dataset %s has rows: the fork would use their ids again",
                     key, dataset);
}

int allocator_presence_check(const struct layout *layout, const struct store_request *allocator,
                             bool of_fork, const GPtrArray *origins, struct error *err)
{
    const char *dataset = NULL;
    if (allocator->answer.code != ERR_NOT_FOUND)
        return 0;
    int code = find_rows(origins, &dataset, err);
    if (code || !dataset)
        return code;
    if (!of_fork)
        return refuse_primary(layout, allocator->key, dataset, err);
    return error_set(err, ERR_CORRUPT,
                     "the parent fork has no %s, but its dataset %s has rows: a child would use "
                     "their ids again",
                     allocator->key, dataset);
}

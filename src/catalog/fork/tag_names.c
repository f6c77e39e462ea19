#include "catalog/fork/tag_names.h"

#include <string.h>

#include "catalog/format/fork_name.h"
#include "lance/branch_name.h"

#define PREFIX "fork_"

int tag_name_check(const char *tag, const struct fork_entry *entry, struct error *err)
{
    if (entry->datasets->len == 0)
        return error_set(err, ERR_UNSUPPORTED, "the fork has no datasets that could be tagged");
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_autofree char *name = g_strconcat(PREFIX, tag, "_", pair->dataset, NULL);
        if (strlen(name) > LANCE_TAG_NAME_MAX)
            return error_set(err, ERR_NAME_TOO_LONG, "tag name '%s' is too long", tag);
        if (!g_str_is_ascii(pair->dataset))
            return error_set(err, ERR_UNSUPPORTED,
                             "the Lance engine cannot read a tag named after dataset %s: it would "
                             "delete no branch of it any more",
                             pair->dataset);
        struct error failure = {0};
        if (!*tag || lance_new_tag_name_check(name, &failure))
            return error_set(err, ERR_INVALID, "tag name '%s': %s", tag,
                             *tag ? failure.text : "empty");
    }
    return 0;
}

char *tag_name_key(const struct layout *layout, const char *tag, const char *dataset)
{
    g_autofree char *root = layout_dataset_key(layout, dataset);
    g_autofree char *prefix = lance_tag_refs_prefix(root);
    g_autofree char *name = g_strconcat(PREFIX, tag, "_", dataset, NULL);
    g_autofree char *file = lance_ref_file_name(name);
    return g_strconcat(prefix, file, NULL);
}

char *tag_name_of_key(const char *key, const char *dataset)
{
    const char *slash = strrchr(key, '/');
    g_autofree char *name = lance_name_of_ref_file(slash ? slash + 1 : key);
    g_autofree char *suffix = g_strconcat("_", dataset, NULL);
    size_t around = strlen(PREFIX) + strlen(suffix);
    if (!name || lance_tag_name_check(name, NULL) || strlen(name) <= around ||
        !g_str_has_prefix(name, PREFIX) || !g_str_has_suffix(name, suffix))
        return NULL;
    return g_strndup(name + strlen(PREFIX), strlen(name) - around);
}

#include "lance/ref_catalog.h"

#include <glib.h>

static char *catalog_prefix(const char *dataset)
{
    return g_strconcat(dataset, "/_refs/catalog/", NULL);
}

struct store_request *lance_ref_catalog_request(struct store_set *set, const char *dataset)
{
    g_autofree char *prefix = catalog_prefix(dataset);
    return store_set_list(set, prefix, NULL, 1);
}

int lance_ref_catalog_check(const struct store_request *listing, const char *dataset,
                            struct error *err)
{
    const struct store_answer *answer = &listing->answer;
    g_autofree char *prefix = catalog_prefix(dataset);
    if (answer->code)
        return error_copy(err, &answer->error);
    for (guint i = 0; i < answer->objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(answer->objects, i);
        if (g_str_has_prefix(row->key, prefix))
            return error_set(err, ERR_UNSUPPORTED,
                             "%s keeps its branches and tags in a newer layout (%s), which forkfs "
                             "does not know",
                             dataset, prefix);
    }
    return 0;
}

#include "catalog/fork_point/dataset_listing.h"

#include <string.h>

#define DATASET_SUFFIX ".lance"

/* The dataset's name in a row of the shallow listing of the storage prefix, or NULL. */
static char *dataset_of_row(const struct store_request *storage, const struct store_object *object)
{
    g_autofree char *name = g_strdup(object->key + strlen(storage->key));
    if (!object->is_directory || name[0] == '\0')
        return NULL;
    name[strlen(name) - 1] = '\0'; /* the '/' at the end */
    if (!g_str_has_suffix(name, DATASET_SUFFIX))
        return NULL;
    name[strlen(name) - strlen(DATASET_SUFFIX)] = '\0';
    return g_steal_pointer(&name);
}

GHashTable *dataset_listing_set(const GPtrArray *names)
{
    GHashTable *set = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < names->len; i++)
        g_hash_table_add(set, g_ptr_array_index(names, i));
    return set;
}

GPtrArray *dataset_listing_read(const struct store_request *storage, const struct schema *schema)
{
    g_autoptr(GPtrArray) candidates = schema ? schema_candidates(schema) : g_ptr_array_new();
    g_autoptr(GHashTable) wanted = dataset_listing_set(candidates);
    GPtrArray *existing = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < storage->answer.objects->len; i++) {
        char *dataset = dataset_of_row(storage, g_ptr_array_index(storage->answer.objects, i));
        if (dataset && (!schema || g_hash_table_contains(wanted, dataset)))
            g_ptr_array_add(existing, g_steal_pointer(&dataset));
        g_free(dataset);
    }
    return existing;
}

int dataset_listing_check_encoded(GHashTable *present, const char *prefix,
                                  const struct schema *schema, struct error *err)
{
    g_autoptr(GPtrArray) candidates = schema_candidates(schema);
    g_autoptr(GHashTable) wanted = dataset_listing_set(candidates);
    for (guint i = 0; i < candidates->len; i++) {
        const char *dataset = g_ptr_array_index(candidates, i);
        g_autofree char *encoded = g_uri_escape_string(dataset, NULL, FALSE);
        if (g_hash_table_contains(present, encoded) && !g_hash_table_contains(present, dataset) &&
            !g_hash_table_contains(wanted, encoded))
            return error_set(err, ERR_UNSUPPORTED,
                             "dataset %s lies at %s%s.lance, where Lance before 11 puts it in a "
                             "bucket and later ones do not find it",
                             dataset, prefix, encoded);
    }
    return 0;
}

#include "fs/content/operation_counts.h"

#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"

struct operation_counts {
    pthread_mutex_t lock;
    GHashTable *by_name; /* char * to struct call_metrics */
};

struct operation_counts *operation_counts_new(void)
{
    struct operation_counts *counts = g_new0(struct operation_counts, 1);
    pthread_mutex_init(&counts->lock, NULL);
    counts->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return counts;
}

void operation_counts_free(struct operation_counts *counts)
{
    if (!counts)
        return;
    g_hash_table_unref(counts->by_name);
    pthread_mutex_destroy(&counts->lock);
    g_free(counts);
}

struct call_metrics *operation_counts_of(struct operation_counts *counts, const char *operation)
{
    LOCK_SCOPE(&counts->lock);
    struct call_metrics *metrics = g_hash_table_lookup(counts->by_name, operation);
    if (!metrics) {
        metrics = g_new0(struct call_metrics, 1);
        g_hash_table_insert(counts->by_name, g_strdup(operation), metrics);
    }
    return metrics;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *operation_counts_names(struct operation_counts *counts)
{
    GHashTableIter iterator;
    gpointer name;
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    {
        LOCK_SCOPE(&counts->lock);
        g_hash_table_iter_init(&iterator, counts->by_name);
        while (g_hash_table_iter_next(&iterator, &name, NULL))
            g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare_names);
    return names;
}

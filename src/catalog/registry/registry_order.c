/*
 * Entries in an order: sorting, searching, and walking two images side by side.
 */
#include <string.h>

#include "catalog/registry/registry_private.h"

int order_by_key(const struct fork_entry *a, const struct fork_entry *b)
{
    if (a->key && b->key)
        return strcmp(a->key, b->key);
    if (a->key || b->key)
        return a->key ? -1 : 1;
    return strcmp(a->key_source, b->key_source);
}

int order_by_id(const struct fork_entry *a, const struct fork_entry *b)
{
    return memcmp(a->id.text, b->id.text, ULID_LENGTH);
}

int order_by_id_and_key(const struct fork_entry *a, const struct fork_entry *b)
{
    int order = order_by_id(a, b);
    return order != 0 ? order : order_by_key(a, b);
}

int order_by_parent(const struct fork_entry *a, const struct fork_entry *b)
{
    return memcmp(a->parent_id.text, b->parent_id.text, ULID_LENGTH);
}

int order_by_parent_and_key(const struct fork_entry *a, const struct fork_entry *b)
{
    int order = order_by_parent(a, b);
    return order != 0 ? order : order_by_key(a, b);
}

guint order_lower_bound(const GPtrArray *entries, entry_order *order,
                        const struct fork_entry *probe)
{
    guint low = 0;
    guint high = entries->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (order(entries->pdata[middle], probe) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static gint compare_indirect(gconstpointer a, gconstpointer b, gpointer order)
{
    return (*(entry_order **)order)(*(struct fork_entry *const *)a, *(struct fork_entry *const *)b);
}

void order_sort(GPtrArray *entries, entry_order *order)
{
    g_ptr_array_sort_with_data(entries, compare_indirect, &order);
}

void registry_compare(const struct registry *before, const struct registry *after,
                      registry_difference *tell, void *argument)
{
    const GPtrArray *old = before->by_id, *new = after->by_id;
    for (guint a = 0, b = 0; a < old->len || b < new->len;) {
        const struct fork_entry *was = a < old->len ? old->pdata[a] : NULL;
        const struct fork_entry *is = b < new->len ? new->pdata[b] : NULL;
        int order = !was ? 1 : !is ? -1 : was == is ? 0 : order_by_id_and_key(was, is);
        if (was != is)
            tell(order <= 0 ? was : NULL, order >= 0 ? is : NULL, argument);
        a += order <= 0;
        b += order >= 0;
    }
}

#include "catalog/change/left_names.h"

#include "catalog/change/round.h"

bool catalog_finishes_for_create(struct catalog *catalog, const struct fork_entry *entry)
{
    return entry->status != FORK_ACTIVE &&
           leftovers_has(catalog->leftovers, LEFTOVER_ENTRY, &entry->id) &&
           !kept_forks_rests(catalog->kept, &entry->id);
}

/* The fork in the way of a create that is to be finished; NULL: none. fork_entry_unref(). */
static struct fork_entry *find_left(struct catalog *catalog, const struct change *change)
{
    if (change->kind != CHANGE_CREATE)
        return NULL;
    auto_registry struct registry *registry = catalog_registry(catalog);
    struct fork_entry *entry = registry_find(registry, change->name);
    return entry && catalog_finishes_for_create(catalog, entry) ? fork_entry_ref(entry) : NULL;
}

/* Somebody else may have finished it meanwhile. What hangs on it is none of the create's business:
 * the name is taken. */
static void tell(const struct error *failure, const struct fork_entry *left, struct change *create)
{
    if (failure->code == 0 || failure->code == ERR_NOT_FOUND)
        return;
    error_copy(&create->error, failure);
    error_prefix(&create->error, failure->code == ERR_NOT_EMPTY ? ERR_EXISTS : failure->code,
                 "creating fork '%s': the name is still taken (%s, %s)", create->name,
                 left->id.text, fork_status_name(left->status));
}

void left_names_finish(struct catalog *catalog, const GPtrArray *changes,
                       struct operation *operation)
{
    g_autoptr(GPtrArray) left = g_ptr_array_new_with_free_func((GDestroyNotify)fork_entry_unref);
    g_autoptr(GPtrArray) creates = g_ptr_array_new();
    g_autoptr(GPtrArray) drops = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < changes->len; i++) {
        struct change *create = g_ptr_array_index(changes, i);
        struct fork_entry *entry = find_left(catalog, create);
        if (!entry)
            continue;
        struct change *drop = g_new0(struct change, 1);
        *drop =
            (struct change){.kind = CHANGE_DROP, .expected_id = &entry->id, .is_unfinished = true};
        g_ptr_array_add(left, entry);
        g_ptr_array_add(creates, create);
        g_ptr_array_add(drops, drop);
    }
    if (drops->len > 0)
        round_run(catalog, drops, operation);
    for (guint i = 0; i < drops->len; i++)
        tell(&((struct change *)g_ptr_array_index(drops, i))->error, g_ptr_array_index(left, i),
             g_ptr_array_index(creates, i));
}

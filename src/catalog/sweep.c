#include "catalog/catalog.h"

#include "base/timestamp.h"
#include "catalog/catalog_private.h"

/* What one sweep works on. */
struct sweep {
    struct catalog *catalog;
    struct registry *registry;
    struct operation *operation;
    sweep_failure *failed;
    void *argument;
    GHashTable *seen; /* set of id texts: forks that some subtree has covered */
    unsigned dropped;
};

static const char *shown_key(const struct fork_entry *entry)
{
    return entry->key ? entry->key : entry->id.text;
}

static void tell(struct sweep *sweep, const struct fork_entry *entry, const struct error *failure)
{
    if (sweep->failed)
        sweep->failed(sweep->argument, shown_key(entry), failure);
}

static bool is_expired(const struct fork_entry *entry, struct timespec now)
{
    return entry->status == FORK_ACTIVE && entry->has_expiry &&
           (entry->expires_at.tv_sec < now.tv_sec ||
            (entry->expires_at.tv_sec == now.tv_sec && entry->expires_at.tv_nsec <= now.tv_nsec));
}

/* The subtree of a fork, deepest first. A fork is taken once, so that a cycle of parents ends. The
 * stack is explicit: a hostile chain may be as long as the registry. */
static void collect_subtree(struct sweep *sweep, struct fork_entry *root, GPtrArray *subtree)
{
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_ptr_array_add(stack, root);
    g_hash_table_add(sweep->seen, root->id.text);
    while (stack->len > 0) {
        struct fork_entry *entry = g_ptr_array_steal_index(stack, stack->len - 1);
        g_ptr_array_insert(subtree, 0, entry);
        size_t first = 0;
        size_t count = registry_children(sweep->registry, &entry->id, &first);
        for (size_t i = first; i < first + count; i++) {
            struct fork_entry *child = g_ptr_array_index(sweep->registry->by_parent, i);
            if (g_hash_table_add(sweep->seen, child->id.text))
                g_ptr_array_add(stack, child);
        }
    }
}

/* Whether all of the subtree can go: nobody holds any of it, nothing is tagged or descends from it,
 * nothing is half made. Tells what stands in the way. */
static bool can_go(struct sweep *sweep, const GPtrArray *subtree)
{
    struct catalog *catalog = sweep->catalog;
    g_autofree struct descendants_query *queries = g_new0(struct descendants_query, subtree->len);
    struct error failure = {0};
    for (guint i = 0; i < subtree->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(subtree, i);
        queries[i].entry = entry;
        size_t holds = holders_count(catalog->holders, &entry->id);
        if (holds > 0)
            error_set(&failure, ERR_HELD, "expired, but held by %zu open handle%s", holds,
                      holds == 1 ? "" : "s");
        else if (entry->status == FORK_PENDING)
            error_set(&failure, ERR_PENDING, "a fork below an expired one is being made");
        if (failure.code) {
            tell(sweep, entry, &failure);
            return false;
        }
    }
    descendants_check(catalog->descendants, sweep->registry, queries, subtree->len,
                      sweep->operation);
    for (guint i = 0; i < subtree->len; i++) {
        if (queries[i].code == 0)
            continue;
        error_prefix(&queries[i].error, "expired, but cannot be dropped");
        tell(sweep, g_ptr_array_index(subtree, i), &queries[i].error);
        return false;
    }
    return true;
}

static void drop_subtree(struct sweep *sweep, const GPtrArray *subtree)
{
    g_autofree struct change *changes = g_new0(struct change, subtree->len);
    for (guint i = 0; i < subtree->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(subtree, i);
        changes[i] = (struct change){
            .kind = CHANGE_DROP, .name = entry->key, .expected_id = &entry->id, .no_drain = true};
    }
    catalog_change(sweep->catalog, changes, subtree->len, sweep->operation);
    for (guint i = 0; i < subtree->len; i++) {
        if (changes[i].code == 0)
            sweep->dropped++;
        else
            tell(sweep, g_ptr_array_index(subtree, i), &changes[i].error);
    }
}

unsigned catalog_sweep(struct catalog *catalog, struct operation *operation, sweep_failure *failed,
                       void *argument)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    struct sweep sweep = {.catalog = catalog,
                          .registry = registry,
                          .operation = operation,
                          .failed = failed,
                          .argument = argument,
                          .seen = seen};
    struct timespec now = timestamp_now();
    for (guint i = 0; i < registry->entries->len; i++) {
        struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (!is_expired(entry, now) || g_hash_table_contains(seen, entry->id.text))
            continue;
        g_autoptr(GPtrArray) subtree = g_ptr_array_new();
        collect_subtree(&sweep, entry, subtree);
        if (can_go(&sweep, subtree))
            drop_subtree(&sweep, subtree);
    }
    __atomic_fetch_add(&catalog->swept, sweep.dropped, __ATOMIC_RELAXED);
    return sweep.dropped;
}

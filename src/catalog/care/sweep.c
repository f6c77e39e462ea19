/*
 * One sweep: drops the forks whose time is over, with all that was made from them, deepest first.
 */
#include "catalog/catalog.h"

#include "base/timestamp.h"
#include "catalog/catalog_private.h"

/* An expired fork that no other expired one is above, with all forks below it, deepest first. */
struct subtree {
    struct fork_entry *root;
    GPtrArray *forks; /* struct fork_entry, owned by the registry */
    bool stays;
};

/* What one sweep works on. */
struct sweep {
    struct catalog *catalog;
    struct registry *registry;
    struct operation *operation;
    sweep_failure *failed;
    void *argument;
    GPtrArray *subtrees; /* struct subtree */
    size_t forks;        /* in all of them */
};

static void subtree_free(void *pointer)
{
    struct subtree *subtree = pointer;
    g_ptr_array_unref(subtree->forks);
    g_free(subtree);
}

static void tell_failure(struct sweep *sweep, const struct fork_entry *entry,
                         const struct error *failure)
{
    if (sweep->failed)
        sweep->failed(sweep->argument, fork_entry_name(entry), failure);
}

/* ---- Which ---- */

/* Adds the children of an entry that are not in `seen` yet to both. */
static void add_children(const struct registry *registry, const struct fork_entry *entry,
                         GHashTable *seen, GPtrArray *to)
{
    size_t first = 0;
    size_t count = registry_children(registry, &entry->id, &first);
    for (size_t i = first; i < first + count; i++) {
        struct fork_entry *child = g_ptr_array_index(registry->by_parent, i);
        if (g_hash_table_add(seen, child->id.text))
            g_ptr_array_add(to, child);
    }
}

/* The ids of all forks below expired ones. */
static GHashTable *list_below(const struct registry *registry, struct timespec now)
{
    GHashTable *below = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) open = g_ptr_array_new();
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (fork_entry_is_expired(entry, now))
            add_children(registry, entry, below, open);
    }
    while (open->len > 0)
        add_children(registry, g_ptr_array_steal_index(open, open->len - 1), below, open);
    return below;
}

/* The subtree of a fork: parents before children, then turned round. Each fork is taken once, so
 * that a cycle of parents ends. */
static void add_subtree(struct sweep *sweep, struct fork_entry *root)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    struct subtree *subtree = g_new0(struct subtree, 1);
    subtree->root = root;
    subtree->forks = g_ptr_array_new();
    g_hash_table_add(seen, root->id.text);
    g_ptr_array_add(subtree->forks, root);
    for (guint i = 0; i < subtree->forks->len; i++)
        add_children(sweep->registry, g_ptr_array_index(subtree->forks, i), seen, subtree->forks);
    for (guint i = 0; i < subtree->forks->len / 2; i++) {
        gpointer *forks = subtree->forks->pdata, kept = forks[i];
        forks[i] = forks[subtree->forks->len - 1 - i];
        forks[subtree->forks->len - 1 - i] = kept;
    }
    sweep->forks += subtree->forks->len;
    g_ptr_array_add(sweep->subtrees, subtree);
}

static void find_subtrees(struct sweep *sweep)
{
    struct timespec now = timestamp_now();
    g_autoptr(GHashTable) below = list_below(sweep->registry, now);
    for (guint i = 0; i < sweep->registry->entries->len; i++) {
        struct fork_entry *entry = g_ptr_array_index(sweep->registry->entries, i);
        if (fork_entry_is_expired(entry, now) && !g_hash_table_contains(below, entry->id.text))
            add_subtree(sweep, entry);
    }
}

/* ---- Whether all of a subtree can go ---- */

/* Nobody holds any of it and nobody makes a fork in it. */
static void check_use(struct sweep *sweep, struct subtree *subtree)
{
    for (guint i = 0; !subtree->stays && i < subtree->forks->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(subtree->forks, i);
        struct error failure = {0};
        size_t holds = holders_count(sweep->catalog->holders, &entry->id);
        if (holds > 0)
            error_set(&failure, ERR_HELD, "expired, but held by %zu open handle%s", holds,
                      holds == 1 ? "" : "s");
        else if (sweep->catalog->leases &&
                 leases_check_held(sweep->catalog->leases, &entry->id, &failure) != 0)
            error_prefix(&failure, failure.code, "expired, but");
        else if (entry->status == FORK_PENDING)
            error_set(&failure, ERR_PENDING, "a fork below an expired one is being made");
        subtree->stays = failure.code != 0;
        if (subtree->stays)
            tell_failure(sweep, entry, &failure);
    }
}

/* Nothing is tagged or descends from it outside of the registry. */
static void check_descendants(struct sweep *sweep)
{
    g_autofree struct descendants_query *list = g_new0(struct descendants_query, sweep->forks);
    g_autofree struct error *failures = g_new0(struct error, sweep->forks);
    g_autoptr(GPtrArray) owners = g_ptr_array_new();
    for (guint i = 0; i < sweep->subtrees->len; i++) {
        struct subtree *subtree = g_ptr_array_index(sweep->subtrees, i);
        for (guint j = 0; !subtree->stays && j < subtree->forks->len; j++) {
            const struct fork_entry *entry = g_ptr_array_index(subtree->forks, j);
            list[owners->len] = (struct descendants_query){
                .entry = entry, .branches = entry->datasets, .err = &failures[owners->len]};
            g_ptr_array_add(owners, subtree);
        }
    }
    descendants_check(sweep->catalog->descendants, sweep->registry, list, owners->len, NULL,
                      sweep->operation);
    for (guint i = 0; i < owners->len; i++) {
        struct subtree *subtree = g_ptr_array_index(owners, i);
        if (failures[i].code == 0 || subtree->stays)
            continue;
        subtree->stays = true;
        error_prefix(&failures[i], failures[i].code, "expired, but cannot be dropped");
        tell_failure(sweep, list[i].entry, &failures[i]);
    }
}

/* ---- Dropping ---- */

/* Someone else has dropped it, or is at it, or has given it more time. */
static bool is_a_failure(const struct change *change)
{
    return change->error.code && change->error.code != ERR_NOT_FOUND &&
           change->error.code != ERR_STALE && !change->elsewhere;
}

/* All in one list, so that forks of the same depth share the registry's writes. */
static unsigned drop_subtrees(struct sweep *sweep)
{
    g_autofree struct change *changes = g_new0(struct change, sweep->forks);
    g_autoptr(GPtrArray) entries = g_ptr_array_new();
    for (guint i = 0; i < sweep->subtrees->len; i++) {
        const struct subtree *subtree = g_ptr_array_index(sweep->subtrees, i);
        for (guint j = 0; !subtree->stays && j < subtree->forks->len; j++) {
            const struct fork_entry *entry = g_ptr_array_index(subtree->forks, j);
            changes[entries->len] = (struct change){.kind = CHANGE_DROP,
                                                    .name = entry->key,
                                                    .expected_id = &entry->id,
                                                    .no_drain = true,
                                                    .expired = &subtree->root->id};
            g_ptr_array_add(entries, (void *)entry);
        }
    }
    catalog_change(sweep->catalog, changes, entries->len, sweep->operation);
    unsigned dropped = 0;
    for (guint i = 0; i < entries->len; i++) {
        if (changes[i].error.code == 0)
            dropped++;
        else if (is_a_failure(&changes[i]))
            tell_failure(sweep, g_ptr_array_index(entries, i), &changes[i].error);
    }
    return dropped;
}

unsigned catalog_sweep(struct catalog *catalog, struct operation *operation, sweep_failure *failed,
                       void *argument)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autoptr(GPtrArray) subtrees = g_ptr_array_new_with_free_func(subtree_free);
    struct sweep sweep = {.catalog = catalog,
                          .registry = registry,
                          .operation = operation,
                          .failed = failed,
                          .argument = argument,
                          .subtrees = subtrees};
    find_subtrees(&sweep);
    for (guint i = 0; i < subtrees->len; i++)
        check_use(&sweep, g_ptr_array_index(subtrees, i));
    check_descendants(&sweep);
    unsigned dropped = drop_subtrees(&sweep);
    __atomic_fetch_add(&catalog->swept, dropped, __ATOMIC_RELAXED);
    return dropped;
}

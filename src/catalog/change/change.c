/*
 * A list of changes is carried out in rounds: a round takes every change that does not depend on an
 * earlier one of the list (same name, one's parent is the other's name, or a budget that an earlier
 * drop frees).
 */
#include "catalog/change/round.h"

/* In how many rounds of a list creates are planned again: each time somebody has been faster. */
#define PLANS_MAX 8

/* What the earlier changes of a list decide and depend on. */
struct earlier {
    GHashTable *decided; /* set of names */
    GHashTable *needed;  /* set of names: parents */
    size_t creates;
    bool any_drop;
};

/* The name of the fork that a change gets a child, or loses one; NULL: none. g_free(). */
static char *parent_of(struct catalog *catalog, const struct change *change, const char *name)
{
    if (change->kind == CHANGE_CREATE)
        return g_strdup(change->parent);
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find(registry, name);
    const struct fork_entry *parent =
        entry && entry->has_parent ? registry_find_id(registry, &entry->parent_id) : NULL;
    return parent ? g_strdup(parent->key) : NULL;
}

/* Takes over both names. */
static void earlier_add(struct earlier *earlier, const struct change *change, char *name,
                        char *parent)
{
    earlier->creates += change->kind == CHANGE_CREATE;
    earlier->any_drop |= change->kind == CHANGE_DROP;
    g_hash_table_add(earlier->decided, name);
    if (parent)
        g_hash_table_add(earlier->needed, parent);
}

/* Whether a create would break a budget that an earlier drop may relieve. */
static bool waits_for_budget(const struct earlier *earlier, struct catalog *catalog,
                             const struct change *change)
{
    size_t max_forks = catalog->settings.max_forks;
    if (max_forks == 0 || !earlier->any_drop || change->kind != CHANGE_CREATE)
        return false;
    auto_registry struct registry *registry = catalog_registry(catalog);
    return registry->entries->len + earlier->creates >= max_forks;
}

static bool has_to_wait(const struct earlier *earlier, struct catalog *catalog,
                        const struct change *change, const char *name, const char *parent)
{
    return g_hash_table_contains(earlier->decided, name) ||
           g_hash_table_contains(earlier->needed, name) ||
           (parent && g_hash_table_contains(earlier->decided, parent)) ||
           waits_for_budget(earlier, catalog, change);
}

/* Takes the next round out of `waiting`: every change that need not wait for an earlier one. */
static void take_round(struct catalog *catalog, GPtrArray *waiting, GPtrArray *round)
{
    if (waiting->len == 1) { /* nothing is earlier */
        g_ptr_array_add(round, g_ptr_array_remove_index(waiting, 0));
        return;
    }
    g_autoptr(GHashTable) decided = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) needed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct earlier earlier = {.decided = decided, .needed = needed};
    g_autoptr(GPtrArray) later = g_ptr_array_new();
    for (guint i = 0; i < waiting->len; i++) {
        struct change *change = g_ptr_array_index(waiting, i);
        char *name = round_lock_name(catalog, change);
        char *parent = parent_of(catalog, change, name);
        bool waits = has_to_wait(&earlier, catalog, change, name, parent);
        g_ptr_array_add(waits ? later : round, change);
        earlier_add(&earlier, change, name, parent);
    }
    g_ptr_array_set_size(waiting, 0);
    g_ptr_array_extend(waiting, later, NULL, NULL);
}

/* Creates whose parent got further datasets while they were planned go first in the next round. */
static void plan_again(GPtrArray *waiting, const GPtrArray *round)
{
    for (guint i = round->len; i > 0; i--) {
        struct change *change = g_ptr_array_index(round, i - 1);
        if (change->kind == CHANGE_CREATE && change->error.code == ERR_CHANGED)
            g_ptr_array_insert(waiting, 0, change);
    }
}

void catalog_change(struct catalog *catalog, struct change *changes, size_t count,
                    struct operation *operation)
{
    auto_operation struct operation unlimited;
    operation_init(&unlimited, -1);
    g_autoptr(GPtrArray) waiting = g_ptr_array_new();
    operation_give_up_early(operation);
    for (size_t i = 0; i < count; i++) {
        if (catalog->settings.read_only)
            error_set(&changes[i].error, ERR_READ_ONLY, "the catalog is mounted read-only");
        else
            g_ptr_array_add(waiting, &changes[i]);
    }
    for (unsigned plans = 0; waiting->len > 0;) {
        g_autoptr(GPtrArray) round = g_ptr_array_new();
        take_round(catalog, waiting, round);
        round_run(catalog, round, operation ? operation : &unlimited);
        if (plans++ < PLANS_MAX)
            plan_again(waiting, round);
    }
}

int catalog_create(struct catalog *catalog, const char *name, const char *parent,
                   struct operation *operation, struct ulid *ret_id, struct error *err)
{
    struct change change = {.kind = CHANGE_CREATE, .name = name, .parent = parent};
    catalog_change(catalog, &change, 1, operation);
    if (change.error.code)
        return error_copy(err, &change.error);
    if (ret_id)
        *ret_id = change.id;
    return 0;
}

int catalog_drop(struct catalog *catalog, const char *key, const struct ulid *id,
                 struct operation *operation, struct error *err)
{
    struct change change = {.kind = CHANGE_DROP, .name = key, .expected_id = id};
    catalog_change(catalog, &change, 1, operation);
    return change.error.code ? error_copy(err, &change.error) : 0;
}

/*
 * A list of changes is carried out in rounds: a round takes every change that does not depend on an
 * earlier one of the list (same name, one's parent is the other's name, or a budget that an earlier
 * drop frees).
 */
#include "catalog/change/left_names.h"
#include "catalog/change/pace.h"
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

/* Takes the next round out of `waiting`: every change that need not wait for an earlier one, as
 * long as the pace allows for more. */
static void take_round(struct catalog *catalog, struct pace *pace, GPtrArray *waiting,
                       GPtrArray *round)
{
    pace_begin_round(pace);
    if (waiting->len == 1 && pace_admits(pace, catalog, g_ptr_array_index(waiting, 0))) {
        /* nothing is earlier */
        g_ptr_array_add(round, g_ptr_array_remove_index(waiting, 0));
        return;
    }
    g_autoptr(GHashTable) decided = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) needed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct earlier earlier = {.decided = decided, .needed = needed};
    g_autoptr(GPtrArray) later = g_ptr_array_new();
    for (guint i = 0, is_full = false; i < waiting->len; i++) {
        struct change *change = g_ptr_array_index(waiting, i);
        if (is_full) {
            g_ptr_array_add(later, change);
            continue;
        }
        char *name = round_lock_name(catalog, change);
        char *parent = parent_of(catalog, change, name);
        bool waits = has_to_wait(&earlier, catalog, change, name, parent);
        is_full = !waits && !pace_admits(pace, catalog, change);
        g_ptr_array_add(waits || is_full ? later : round, change);
        earlier_add(&earlier, change, name, parent);
    }
    g_ptr_array_set_size(waiting, 0);
    g_ptr_array_extend(waiting, later, NULL, NULL);
}

/* What one list is on. */
struct list {
    struct catalog *catalog;
    GPtrArray *waiting; /* struct change */
    struct pace pace;
    unsigned plans;
    change_observer *observer;
    void *argument;
};

static void tell(const struct list *list, const struct change *change)
{
    if (list->observer)
        list->observer(list->argument, change);
}

/* Creates whose parent got further datasets while they were planned. */
static bool is_to_be_planned_again(const struct change *change)
{
    return change->kind == CHANGE_CREATE && change->error.code == ERR_CHANGED;
}

static bool is_to_be_tried_again(struct list *list, const struct change *change, bool goes_on)
{
    if (list->plans < PLANS_MAX && is_to_be_planned_again(change))
        return true;
    return goes_on && pace_is_late(change);
}

/* What is tried again goes first in the next round; of the others the answer stands. False: what
 * waits is not begun any more. */
static bool end_round(struct list *list, const GPtrArray *round)
{
    const bool goes_on = pace_end_round(&list->pace, round);
    g_autoptr(GPtrArray) again = g_ptr_array_new();
    bool plans = false;
    for (guint i = 0; i < round->len; i++) {
        struct change *change = g_ptr_array_index(round, i);
        if (is_to_be_tried_again(list, change, goes_on)) {
            g_ptr_array_add(again, change);
            plans = plans || is_to_be_planned_again(change);
        } else {
            tell(list, change);
        }
    }
    list->plans += plans;
    g_ptr_array_extend(again, list->waiting, NULL, NULL);
    g_ptr_array_set_size(list->waiting, 0);
    g_ptr_array_extend(list->waiting, again, NULL, NULL);
    return goes_on;
}

static void fail_waiting(struct list *list, const struct error *failure)
{
    for (guint i = 0; i < list->waiting->len; i++) {
        struct change *change = g_ptr_array_index(list->waiting, i);
        change->error = *failure;
        tell(list, change);
    }
    g_ptr_array_set_size(list->waiting, 0);
}

/* Those whose names cannot be had have failed before it begins. */
static void run_round(struct list *list, const GPtrArray *round)
{
    struct operation *operation = list->pace.operation;
    g_autoptr(GPtrArray) ready = g_ptr_array_new();
    for (guint i = 0; i < round->len; i++)
        ((struct change *)g_ptr_array_index(round, i))->error = (struct error){0};
    left_names_finish(list->catalog, round, operation);
    for (guint i = 0; i < round->len; i++) {
        struct change *change = g_ptr_array_index(round, i);
        if (change->error.code == 0)
            g_ptr_array_add(ready, change);
    }
    round_run(list->catalog, ready, operation);
}

static void run_rounds(struct list *list)
{
    struct operation *operation = list->pace.operation;
    bool goes_on = true;
    while (goes_on && list->waiting->len > 0) {
        g_autoptr(GPtrArray) round = g_ptr_array_new();
        take_round(list->catalog, &list->pace, list->waiting, round);
        run_round(list, round);
        goes_on = end_round(list, round) && !operation_is_cancelled(operation);
    }
    struct error failure = {0};
    if (operation_check(operation, "not begun", &failure) == 0)
        error_set(&failure, ERR_DEADLINE, "not begun: those before have taken all the time");
    fail_waiting(list, &failure);
}

void catalog_change_telling(struct catalog *catalog, struct change *changes, size_t count,
                            struct operation *operation, change_observer *observer, void *argument)
{
    auto_operation struct operation unlimited;
    operation_init(&unlimited, -1);
    g_autoptr(GPtrArray) waiting = g_ptr_array_new();
    struct list list = {
        .catalog = catalog, .waiting = waiting, .observer = observer, .argument = argument};
    operation_give_up_early(operation);
    pace_begin(&list.pace, operation ? operation : &unlimited);
    for (size_t i = 0; i < count; i++)
        g_ptr_array_add(waiting, &changes[i]);
    if (catalog->settings.read_only) {
        struct error failure;
        error_set(&failure, ERR_READ_ONLY, "the catalog is mounted read-only");
        fail_waiting(&list, &failure);
    }
    run_rounds(&list);
}

void catalog_change(struct catalog *catalog, struct change *changes, size_t count,
                    struct operation *operation)
{
    catalog_change_telling(catalog, changes, count, operation, NULL, NULL);
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

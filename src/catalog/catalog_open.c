/*
 * Opening and closing a catalog.
 */
#include "base/timestamp.h"
#include "catalog/catalog_private.h"
#include "catalog/fork/recorded_branches.h"

static struct catalog *catalog_new(struct store *store, struct layout *layout,
                                   const struct catalog_settings *settings)
{
    struct catalog *catalog = g_new0(struct catalog, 1);
    catalog->store = store;
    catalog->layout = layout;
    catalog->settings = *settings;
    catalog->settings.compaction_lock = NULL; /* the caller's; the lock has a copy */
    catalog->holders = holders_new();
    catalog->names = name_locks_new();
    catalog->leftovers = leftovers_new();
    catalog->compaction = compaction_lock_new(settings->compaction_lock, COMPACTION_LOCK_WAIT_MS);
    catalog->tombstones = tombstones_new();
    catalog->kept = kept_forks_new();
    catalog->late_forks = late_forks_new();
    catalog->late_tags = late_tags_new();
    catalog->overlays = overlays_new(store, layout, catalog_is_in_bucket(catalog));
    catalog->fork_points = fork_point_reader_new(store, layout);
    catalog->refs = ref_cache_new();
    catalog->descendants = descendants_new(store, layout, catalog->refs);
    catalog->tags = tags_new(store, layout, catalog->refs);
    if (settings->shared)
        catalog->takeover = takeover_new(settings->takeover_ms);
    if (catalog_is_in_bucket(catalog))
        catalog->watched = takeover_new(settings->takeover_ms);
    return catalog;
}

/* Frees all but what the caller of catalog_open() gave. */
static void catalog_release(struct catalog *catalog)
{
    lease_keeper_stop(catalog->keeper);
    committer_free(catalog->committer);
    takeover_free(catalog->watched);
    takeover_free(catalog->takeover);
    tags_free(catalog->tags);
    descendants_free(catalog->descendants);
    ref_cache_free(catalog->refs);
    fork_point_reader_free(catalog->fork_points);
    overlays_free(catalog->overlays);
    late_forks_free(catalog->late_forks);
    late_tags_free(catalog->late_tags);
    kept_forks_free(catalog->kept);
    tombstones_free(catalog->tombstones);
    compaction_lock_free(catalog->compaction);
    leftovers_free(catalog->leftovers);
    name_locks_free(catalog->names);
    lease_keeper_free(catalog->keeper);
    leases_free(catalog->leases);
    holders_free(catalog->holders);
    g_free(catalog);
}

static void note_for_lease(void *argument)
{
    struct catalog *catalog = argument;
    if (catalog->keeper)
        lease_keeper_note(catalog->keeper);
}

static void learn_difference(const struct fork_entry *was, const struct fork_entry *is,
                             void *argument)
{
    const struct catalog *catalog = argument;
    if (is)
        fork_point_learn(catalog->fork_points, is);
}

static void registry_changed(void *argument, const struct registry *before,
                             const struct registry *after)
{
    struct catalog *catalog = argument;
    note_for_lease(catalog);
    registry_compare(before, after, learn_difference, catalog);
    if (catalog->settings.observer)
        catalog->settings.observer(catalog->settings.observer_argument, before, after);
}

/* A read-only mount has no lease: it writes nothing. */
static int take_lease(struct catalog *catalog, struct operation *operation, struct error *err)
{
    const struct catalog_settings *settings = &catalog->settings;
    if (!settings->shared || settings->read_only || settings->lease_ms < 0)
        return 0;
    int64_t lease_ms = catalog_lease_ms(catalog);
    struct leases_settings others = {.store = catalog->store,
                                     .layout = catalog->layout,
                                     .lease_ms = lease_ms,
                                     .delete_ms = settings->takeover_ms,
                                     .now_ns = monotonic_now_ns,
                                     .appeared = note_for_lease,
                                     .argument = catalog};
    catalog->leases = leases_new(&others);
    struct lease_keeper_settings own = {.store = catalog->store,
                                        .layout = catalog->layout,
                                        .holders = catalog->holders,
                                        .leases = catalog->leases,
                                        .lease_ms = lease_ms};
    int code = lease_keeper_new(&own, operation, &catalog->keeper, err);
    if (code == 0)
        holders_observe(catalog->holders, note_for_lease, catalog);
    return code;
}

/* What there is but for the registry, in one wave unless there are tombstones. */
static int read_all_but_registry(struct catalog *catalog, struct operation *operation,
                                 bool *ret_has_datasets, struct error *err)
{
    g_autofree char *prefix = layout_tombstones_prefix(catalog->layout);
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, prefix, NULL, 0);
    tombstones_begin_load(catalog->tombstones);
    int code = fork_point_warm(catalog->fork_points, set, operation, ret_has_datasets, err);
    if (code == 0)
        code =
            tombstones_take_listing(catalog->tombstones, catalog->store, listing, operation, err);
    tombstones_end_load(catalog->tombstones);
    return code;
}

/* Where there is no dataset at all, forks that have some would look as if they had lost them; and
 * their branches would be taken for deleted when they are dropped. */
static int check_forks_have_none(struct catalog *catalog, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autofree char *datasets = layout_datasets_prefix(catalog->layout);
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (entry->datasets->len > 0)
            return error_set(err, ERR_NOT_FOUND,
                             "fork %s has branches, but there is no dataset below '%s': is that "
                             "the prefix of the database?",
                             fork_entry_name(entry), datasets);
    }
    return 0;
}

/* In a bucket several databases can have one registry (docs/formats.md), and their datasets the
 * same names. The forks of another one would be dropped without their branches. */
static int check_branches_are_here(struct catalog *catalog, struct operation *operation,
                                   struct error *err)
{
    g_autofree char *datasets = layout_datasets_prefix(catalog->layout);
    if (!layout_is_remote(catalog->layout))
        return 0;
    for (;;) {
        bool are_here = false;
        auto_registry struct registry *registry = catalog_registry(catalog);
        int code = recorded_branches_are_here(catalog->store, catalog->layout, registry, operation,
                                              &are_here, err);
        if (code || are_here)
            return code;
        code = catalog_refresh_registry(catalog, operation, err);
        if (code)
            return code;
        auto_registry struct registry *latest = catalog_registry(catalog);
        if (latest == registry)
            return error_set(err, ERR_NOT_FOUND,
                             "the registry records branches of forks, but none of them is below "
                             "'%s': is that the prefix of the database?",
                             datasets);
    }
}

/* Of a registry of thousands of forks. */
#define ALLOCATORS_LOOKED_FOR 16

/* Where there are datasets and no snapshot it may be that only the datasets' prefix is right. Each
 * fork has an allocator in the storage. */
static int check_storage(struct catalog *catalog, struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    auto_registry struct registry *registry = catalog_registry(catalog);
    if (fork_point_knows_snapshot(catalog->fork_points))
        return 0;
    for (guint i = 0; i < registry->entries->len && store_set_size(set) < ALLOCATORS_LOOKED_FOR;
         i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (entry->status == FORK_ACTIVE)
            store_set_add(set, STORE_HEAD, layout_fork_allocator_key(catalog->layout, &entry->id));
    }
    int code = store_run_all(catalog->store, set, ERR_NOT_FOUND, operation, err);
    bool is_here = store_set_size(set) == 0;
    for (size_t i = 0; i < store_set_size(set); i++)
        is_here = is_here || store_set_at(set, i)->answer.code == 0;
    if (code || is_here)
        return code;
    g_autofree char *forks = layout_forks_prefix(catalog->layout);
    return error_set(err, ERR_NOT_FOUND,
                     "there is no snapshot, and none of the registry's forks has its allocator "
                     "below '%s': is that the prefix of the storage?",
                     forks);
}

static int check_forks(struct catalog *catalog, bool has_datasets, struct operation *operation,
                       struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    for (guint i = 0; i < registry->entries->len; i++)
        fork_point_learn(catalog->fork_points, g_ptr_array_index(registry->entries, i));
    if (!has_datasets)
        return check_forks_have_none(catalog, err);
    int code = check_storage(catalog, operation, err);
    return code ? code : check_branches_are_here(catalog, operation, err);
}

/* Where nobody else writes a directory, room is kept in it for dropping forks when it is full. */
static int make_committer(struct catalog *catalog, struct operation *operation, struct error *err)
{
    g_autofree char *key = layout_registry_key(catalog->layout);
    g_autofree char *reserve = layout_registry_reserve_key(catalog->layout);
    const bool has_end = !catalog_is_in_bucket(catalog);
    const struct committer_settings settings = {
        .store = catalog->store,
        .key = key,
        .reserve = has_end && !catalog->settings.read_only ? reserve : NULL,
        .shared = catalog_is_in_bucket(catalog),
        .observer = registry_changed,
        .observer_argument = catalog};
    return committer_new(&settings, operation, &catalog->committer, err);
}

int catalog_open(struct store *store, struct layout *layout,
                 const struct catalog_settings *settings, struct operation *operation,
                 struct catalog **ret, struct error *err)
{
    struct catalog *catalog = catalog_new(store, layout, settings);
    bool has_datasets = false;
    /* The lease before the registry: whoever drops a fork and does not see it (yet) can be sure
     * that this mount sees the fork as tombstoned. */
    int code = take_lease(catalog, operation, err);
    if (code == 0)
        code = read_all_but_registry(catalog, operation, &has_datasets, err);
    if (code == 0)
        code = make_committer(catalog, operation, err);
    if (code == 0)
        code = check_forks(catalog, has_datasets, operation, err);
    if (code == 0 && catalog->keeper)
        code = lease_keeper_start(catalog->keeper, catalog->committer, err);
    if (code) {
        catalog_release(catalog);
        return code;
    }
    *ret = catalog;
    return 0;
}

void catalog_free(struct catalog *catalog)
{
    if (!catalog)
        return;
    struct store *store = catalog->store;
    struct layout *layout = catalog->layout;
    catalog_release(catalog);
    store_free_within(store, STORE_FREE_LONGEST_MS);
    layout_free(layout);
}

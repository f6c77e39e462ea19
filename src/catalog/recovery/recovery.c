/*
 * One recovery: its parts in order, and when the next one is due.
 */
#include "catalog/catalog.h"

#include "base/timestamp.h"
#include "catalog/edit/registration_intent.h"
#include "catalog/edit/tag_intent.h"
#include "catalog/recovery/orphans.h"
#include "catalog/recovery/recovery_private.h"
#include "catalog/recovery/remnant_tags.h"
#include "catalog/recovery/remnants.h"

/* How often recovery looks whether the time of something has come. */
#define INTERVAL_SHORTEST_MS 1000
#define INTERVAL_LONGEST_MS 30000

/* The registry after the tombstones: one of a fork made and dropped meanwhile elsewhere must not
 * pass for one without an entry. */
static int reload_registry(struct catalog *catalog, struct operation *operation, struct error *err)
{
    int code =
        tombstones_load(catalog->tombstones, catalog->store, catalog->layout, operation, err);
    return code ? code : committer_reload(catalog->committer, operation, err);
}

/* What the registry and the tombstones tell of. */
static int recover_known(struct catalog *catalog, struct operation *operation,
                         struct recovery_report *report, struct error *err)
{
    recovery_has_tombstones(catalog); /* begins to watch them before their forks are finished */
    int code = recovery_of_entries(catalog, operation, report, err);
    return code ? code : recovery_of_tombstones(catalog, operation, report, err);
}

/* What has to be looked for, but for half-made and half-removed tags: those go first, as they keep
 * their forks. */
static int recover_hidden(struct catalog *catalog, struct operation *operation,
                          struct recovery_report *report, struct error *err)
{
    int code = intents_recover(catalog, &registration_intents, operation, report, err);
    if (code == 0)
        code = orphans_remove(catalog, operation, report, err);
    if (code == 0)
        catalog->full_look_due_ns = monotonic_now_ns() + catalog->settings.takeover_ms * NS_PER_MS;
    report->whole = code == 0;
    return code;
}

static void tell_reserve(struct catalog *catalog)
{
    struct error reason;
    if (committer_check_reserve(catalog->committer, &reason))
        log_warning(catalog->settings.log,
                    "there is no room for dropping forks once the file system is full: %s",
                    reason.text);
}

static int recover_all(struct catalog *catalog, struct operation *operation,
                       struct recovery_report *report, struct error *err)
{
    int code = reload_registry(catalog, operation, err);
    if (code == 0)
        code = intents_recover(catalog, &tag_intents, operation, report, err);
    if (code == 0)
        code = recover_known(catalog, operation, report, err);
    if (code == 0)
        code = recover_hidden(catalog, operation, report, err);
    if (code == 0)
        code = recovery_prune(catalog, operation, report, err);
    tell_reserve(catalog);
    return code;
}

/* What other mounts may have left. */
static int recover_shared(struct catalog *catalog, struct operation *operation,
                          struct recovery_report *report, struct error *err)
{
    bool entries = recovery_has_entries(catalog), tombstones = recovery_has_tombstones(catalog);
    bool hidden = monotonic_now_ns() >= catalog->full_look_due_ns;
    if (!entries && !tombstones && !hidden)
        return 0;
    int code = reload_registry(catalog, operation, err);
    if (code == 0 && hidden)
        code = intents_recover(catalog, &tag_intents, operation, report, err);
    if (code == 0) /* what rests is looked at as often as what has to be looked for */
        code = recover_known(catalog, operation, report, err);
    if (code == 0 && hidden)
        code = recover_hidden(catalog, operation, report, err);
    return code;
}

/* Tags before what they keep, and remnants before orphans: their files go with them. */
static int recover_due(struct catalog *catalog, struct operation *operation,
                       struct recovery_report *report, struct error *err)
{
    int code = remnant_tags_remove(catalog, operation, err);
    if (code == 0)
        code = remnants_of_own(catalog, operation, report, err);
    if (code == 0)
        code = remnants_remove(catalog, operation, report, err);
    if (code == 0 && catalog_is_shared(catalog))
        code = recover_shared(catalog, operation, report, err);
    return code;
}

static int run_recovery(struct catalog *catalog,
                        int (*recover)(struct catalog *, struct operation *,
                                       struct recovery_report *, struct error *),
                        struct operation *operation, struct recovery_report *report,
                        struct error *err)
{
    *report = (struct recovery_report){.problems = g_ptr_array_new_with_free_func(g_free)};
    if (catalog->settings.read_only)
        return error_set(err, ERR_READ_ONLY, "the catalog is mounted read-only");
    int code = recover(catalog, operation, report, err);
    __atomic_fetch_add(&catalog->rolled_back, report->rolled_back, __ATOMIC_RELAXED);
    __atomic_fetch_add(&catalog->finished, report->finished, __ATOMIC_RELAXED);
    __atomic_fetch_add(&catalog->orphans, report->orphans, __ATOMIC_RELAXED);
    return error_prefix(err, code, "recovering the catalog");
}

int catalog_recover(struct catalog *catalog, struct operation *operation,
                    struct recovery_report *report, struct error *err)
{
    return run_recovery(catalog, recover_all, operation, report, err);
}

int catalog_recover_due(struct catalog *catalog, struct operation *operation,
                        struct recovery_report *report, struct error *err)
{
    return run_recovery(catalog, recover_due, operation, report, err);
}

int catalog_recover_left(struct catalog *catalog, struct operation *operation,
                         struct recovery_report *report, struct error *err)
{
    return run_recovery(catalog, recovery_of_leftovers, operation, report, err);
}

int64_t catalog_recovery_interval_ms(const struct catalog *catalog)
{
    if (!catalog_is_in_bucket(catalog) || catalog->settings.read_only)
        return 0;
    return CLAMP(catalog->settings.takeover_ms / 4, INTERVAL_SHORTEST_MS, INTERVAL_LONGEST_MS);
}

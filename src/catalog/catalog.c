#include "catalog/catalog.h"

#include "catalog/catalog_private.h"

/* ---- From memory ---- */

int64_t catalog_lease_ms(const struct catalog *catalog)
{
    return catalog->settings.lease_ms > 0 ? catalog->settings.lease_ms : LEASE_DEFAULT_MS;
}

bool catalog_is_read_only(const struct catalog *catalog)
{
    return catalog->settings.read_only;
}

struct registry *catalog_registry(struct catalog *catalog)
{
    return committer_registry(catalog->committer);
}

struct bytes *catalog_tombstones(struct catalog *catalog)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    return tombstones_render(catalog->tombstones, registry, catalog->kept);
}

struct holders *catalog_holders(struct catalog *catalog)
{
    return catalog->holders;
}

/* The status of a fork as readers see it now. */
static int check_status(struct catalog *catalog, const struct ulid *id, bool must_hold,
                        bool *is_active, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, id);
    if (!entry)
        return error_set(err, ERR_STALE, "fork %s is gone", id->text);
    *is_active = entry->status == FORK_ACTIVE;
    if (*is_active || !must_hold)
        return 0;
    bool is_pending = entry->status == FORK_PENDING;
    return error_set(err, is_pending ? ERR_PENDING : ERR_STALE, "fork %s is %s", id->text,
                     is_pending ? "pending" : "being dropped");
}

int catalog_hold(struct catalog *catalog, const struct ulid *id, bool must_hold, pid_t pid,
                 const char *command, struct hold **ret, struct error *err)
{
    bool is_active = false;
    *ret = NULL;
    int code = check_status(catalog, id, must_hold, &is_active, err);
    if (code || !is_active)
        return code;
    struct hold *hold = NULL;
    code = holders_hold(catalog->holders, id, pid, command, &hold, err);
    if (code)
        return code;
    /* A drop may have come and gone between the look and the hold. */
    code = check_status(catalog, id, true, &is_active, err);
    if (code == 0 && catalog->keeper)
        code = lease_keeper_check(catalog->keeper, id, err);
    if (code)
        holders_release(catalog->holders, hold);
    else
        *ret = hold;
    return code == ERR_PENDING ? ERR_STALE : code;
}

int catalog_check_unheld(struct catalog *catalog, const struct ulid *id, int64_t since_ns,
                         struct error *err)
{
    size_t holds = holders_count(catalog->holders, id);
    if (holds > 0)
        return error_set(err, ERR_HELD, "held by %zu open handle%s", holds, holds == 1 ? "" : "s");
    if (catalog->leases && leases_ask(catalog->leases, id, since_ns, err) != LEASES_AGREE)
        return ERR_HELD;
    return 0;
}

int64_t catalog_left_due_ns(struct catalog *catalog)
{
    return leftovers_due_ns(catalog->leftovers);
}

int catalog_left_fd(const struct catalog *catalog)
{
    return leftovers_fd(catalog->leftovers);
}

void catalog_counts(struct catalog *catalog, struct catalog_counts *ret)
{
    *ret = (struct catalog_counts){0};
    committer_counts(catalog->committer, &ret->commits, &ret->committed_requests);
    ret->holders = holders_total(catalog->holders);
    ret->recovered_rolled_back = __atomic_load_n(&catalog->rolled_back, __ATOMIC_RELAXED);
    ret->recovered_finished = __atomic_load_n(&catalog->finished, __ATOMIC_RELAXED);
    ret->recovered_orphans = __atomic_load_n(&catalog->orphans, __ATOMIC_RELAXED);
    ret->swept = __atomic_load_n(&catalog->swept, __ATOMIC_RELAXED);
}

const struct call_metrics *catalog_store_metrics(const struct catalog *catalog,
                                                 enum store_method method)
{
    return store_metrics(catalog->store, method);
}

bool catalog_store_connection(const struct catalog *catalog, struct store_connection *ret)
{
    return store_connection(catalog->store, ret);
}

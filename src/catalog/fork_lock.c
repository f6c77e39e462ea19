/*
 * An entry for one worker at a time: its name is locked, and it still has that name afterwards.
 */
#include <string.h>

#include "base/timestamp.h"
#include "catalog/catalog_private.h"

/* Finds the entry of an id, which may be of the wrong status, and gives a reference. */
typedef int find_entry(struct catalog *catalog, const struct ulid *id, struct fork_entry **ret,
                       struct error *err);

static int find_any(struct catalog *catalog, const struct ulid *id, struct fork_entry **ret,
                    struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    struct fork_entry *entry = registry_find_id(registry, id);
    if (!entry)
        return error_set(err, ERR_STALE, "fork %s is gone", id->text);
    *ret = fork_entry_ref(entry);
    return 0;
}

static int find_active(struct catalog *catalog, const struct ulid *id, struct fork_entry **ret,
                       struct error *err)
{
    auto_entry struct fork_entry *entry = NULL;
    int code = find_any(catalog, id, &entry, err);
    if (code)
        return code;
    bool is_pending = entry->status == FORK_PENDING;
    if (entry->status != FORK_ACTIVE)
        return error_set(err, is_pending ? ERR_PENDING : ERR_STALE, "fork %s is %s", id->text,
                         is_pending ? "pending" : "being dropped");
    *ret = g_steal_pointer(&entry);
    return 0;
}

int catalog_confirm_active(struct catalog *catalog, const struct fork_entry *entry,
                           struct operation *operation, struct error *err)
{
    auto_entry struct fork_entry *now = NULL;
    int code = catalog_refresh_registry(catalog, operation, err);
    if (code == 0)
        code = find_active(catalog, &entry->id, &now, err);
    if (code == 0 && !fork_entry_same_datasets(entry, now))
        code = error_set(err, ERR_CHANGED, "fork %s has other datasets by now", entry->id.text);
    return code;
}

/* While we waited for the name, the fork may have been dropped, or (by somebody who edits the
 * registry) given another name, which is not locked. */
static int find_again(struct catalog *catalog, const struct fork_entry *before, find_entry *find,
                      struct fork_entry **ret, struct error *err)
{
    int code = find(catalog, &before->id, ret, err);
    if (code || strcmp(fork_entry_name(*ret), fork_entry_name(before)) == 0)
        return code;
    g_clear_pointer(ret, fork_entry_unref);
    return error_set(err, ERR_STALE, "fork %s was renamed meanwhile", before->id.text);
}

static int lock_fork(struct catalog *catalog, const struct ulid *id, find_entry *find,
                     struct operation *operation, struct fork_entry **ret, struct error *err)
{
    if (catalog->settings.read_only)
        return error_set(err, ERR_READ_ONLY, "the catalog is mounted read-only");
    auto_entry struct fork_entry *before = NULL;
    int code = find(catalog, id, &before, err);
    if (code)
        return code;
    code = name_locks_acquire(catalog->names, fork_entry_name(before), operation, err);
    if (code == 0) {
        code = find_again(catalog, before, find, ret, err);
        if (code)
            name_locks_release(catalog->names, fork_entry_name(before));
    }
    return code;
}

int catalog_lock_active(struct catalog *catalog, const struct ulid *id, struct operation *operation,
                        struct fork_entry **ret, struct error *err)
{
    return lock_fork(catalog, id, find_active, operation, ret, err);
}

int catalog_lock_any(struct catalog *catalog, const struct ulid *id, struct operation *operation,
                     struct fork_entry **ret, struct error *err)
{
    return lock_fork(catalog, id, find_any, operation, ret, err);
}

void catalog_unlock(struct catalog *catalog, struct fork_entry *entry)
{
    name_locks_release(catalog->names, fork_entry_name(entry));
    fork_entry_unref(entry);
}

bool catalog_may_take_over(struct catalog *catalog, const struct fork_entry *entry,
                           int64_t *ret_wait_ms)
{
    int64_t wait_ms = takeover_wait_ms(catalog->takeover, TAKEOVER_ENTRY, entry->id.text,
                                       entry->text, monotonic_now_ns());
    if (ret_wait_ms)
        *ret_wait_ms = wait_ms;
    return wait_ms == 0;
}

#include "catalog/catalog.h"

#include "catalog/burial.h"
#include "catalog/catalog_private.h"
#include "catalog/fork_remains.h"
#include "catalog/transitions.h"

/* A drop in progress. */
struct drop {
    struct catalog *catalog;
    const char *key;       /* NULL: found by id */
    const struct ulid *id; /* what the caller expects; NULL: anything */
    struct fork_entry *entry;
    GPtrArray *branches; /* struct dataset_branch, to be deleted */
    struct operation *operation;
    /* After the decision the drop goes on although the caller may have lost interest; it keeps the
     * deadline. */
    struct operation finishing;
};

static int find_fork(struct drop *drop, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(drop->catalog);
    struct fork_entry *entry =
        drop->key ? registry_find(registry, drop->key) : registry_find_id(registry, drop->id);
    if (!entry)
        return error_set(err, ERR_NOT_FOUND, "no such fork");
    if (drop->id && !ulid_equal(&entry->id, drop->id))
        return error_set(err, ERR_STALE, "the name belongs to another fork by now (%s)",
                         entry->id.text);
    if (registry_id_is_ambiguous(registry, &entry->id))
        return error_set(err, ERR_CORRUPT, "several entries of the registry have the id %s",
                         entry->id.text);
    drop->entry = fork_entry_ref(entry);
    return 0;
}

/* Nothing may depend on the fork. Child forks are looked at again when it is tombstoned, what the
 * engine has made is not: it takes no part in the registry. */
static int check_dependents(struct drop *drop, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(drop->catalog);
    int code = transition_check_childless(registry, &drop->entry->id, err);
    if (code == 0 && drop->entry->status == FORK_ACTIVE)
        code = descendants_check(drop->catalog->descendants, registry, drop->entry, drop->operation,
                                 err);
    return code;
}

/* An active fork has what its entry records; another one may have more. */
static int find_branches(struct drop *drop, struct error *err)
{
    g_autoptr(GPtrArray) candidates = NULL;
    int code = 0;
    if (drop->entry->status == FORK_ACTIVE)
        candidates = g_ptr_array_new();
    else
        code = burial_candidates(drop->catalog, drop->operation, &candidates, err);
    if (code == 0)
        drop->branches = burial_branches(drop->entry, candidates);
    return code;
}

static int fence(struct drop *drop, struct error *err)
{
    int code = transition_fence(drop->catalog->committer, &drop->entry->id, drop->operation, err);
    if (code == ERR_EXISTS)
        code = error_set(err, ERR_CONTENDED, "its creator has just finished it");
    return code;
}

/* The decision. A fork that is tombstoned already was decided on before. */
static int decide(struct drop *drop, struct error *err)
{
    struct committer *committer = drop->catalog->committer;
    const struct ulid *id = &drop->entry->id;
    switch (drop->entry->status) {
    case FORK_ACTIVE:
        return transition_tombstone(committer, id, drop->operation, err);
    case FORK_PENDING:
        return fence(drop, err);
    case FORK_TOMBSTONED:
        break;
    }
    return operation_check(drop->operation, "before finishing the drop", err);
}

/* The tombstone is a copy of the entry from before the decision, as Uni writes it. */
static int put_tombstone(struct drop *drop, struct error *err)
{
    struct catalog *catalog = drop->catalog;
    g_autofree char *key = layout_tombstone_key(catalog->layout, &drop->entry->id);
    auto_bytes struct bytes *body = fork_entry_document(drop->entry);
    int code =
        store_put(catalog->store, key, body, STORE_ALWAYS, NULL, &drop->finishing, NULL, err);
    if (code == 0)
        tombstones_note_put(catalog->tombstones, key, body);
    return code;
}

static int finish(struct drop *drop, struct error *err)
{
    struct error failure = {0};
    int code = put_tombstone(drop, &failure);
    if (code == 0)
        code = bury(drop->catalog, drop->entry, drop->branches, &drop->finishing, &failure);
    if (code) {
        error_prefix(&failure, "the fork stays tombstoned");
        error_copy(err, &failure);
    }
    return code;
}

static int drop_locked(struct drop *drop, struct error *err)
{
    struct catalog *catalog = drop->catalog;
    int code = find_fork(drop, err);
    if (code == 0)
        code = fork_remains_check_names(drop->entry->datasets, err);
    if (code == 0)
        code = check_dependents(drop, err);
    if (code == 0)
        code = find_branches(drop, err);
    if (code == 0)
        code = holders_close_door(catalog->holders, &drop->entry->id,
                                  catalog->settings.drain_timeout_ms, drop->operation, err);
    if (code)
        return code;
    code = decide(drop, err);
    if (code == 0)
        code = finish(drop, err);
    /* Whatever came of it, from now on the status in the registry keeps the door. */
    holders_open_door(catalog->holders, &drop->entry->id);
    return code;
}

/* Whoever drops by id must not work beside one who uses the name. g_free(). */
static char *name_to_lock(struct catalog *catalog, const char *key, const struct ulid *id)
{
    if (key)
        return g_strdup(key);
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, id);
    return g_strdup(entry && entry->key ? entry->key : id->text);
}

int catalog_drop(struct catalog *catalog, const char *key, const struct ulid *id,
                 struct operation *operation, struct error *err)
{
    if (catalog->settings.read_only)
        return error_set(err, ERR_READ_ONLY, "the catalog is mounted read-only");
    struct error failure = {0};
    struct drop drop = {.catalog = catalog, .key = key, .id = id, .operation = operation};
    operation_init(&drop.finishing, -1);
    if (operation)
        drop.finishing.deadline_ns = operation->deadline_ns;
    g_autofree char *name = name_to_lock(catalog, key, id);
    int code = name_locks_acquire(catalog->names, name, operation, &failure);
    if (code == 0) {
        code = drop_locked(&drop, &failure);
        name_locks_release(catalog->names, name);
    }
    if (code) {
        error_prefix(&failure, "dropping fork '%s'", name);
        error_copy(err, &failure);
    }
    operation_destroy(&drop.finishing);
    fork_entry_unref(drop.entry);
    if (drop.branches)
        g_ptr_array_unref(drop.branches);
    return code;
}

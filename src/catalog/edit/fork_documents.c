/*
 * The documents of one fork that users change through the catalog: expiry, overlay, tags.
 */
#include "catalog/catalog.h"

#include "base/timestamp.h"
#include "catalog/catalog_private.h"
#include "catalog/edit/tag_intent.h"
#include "catalog/edit/tags_change.h"
#include "catalog/format/overlay_document.h"
#include "catalog/registry/transitions.h"

/* ---- Expiry ---- */

int catalog_set_ttl(struct catalog *catalog, const struct ulid *id, bool has_ttl,
                    uint64_t ttl_seconds, struct operation *operation, struct error *err)
{
    if (catalog->settings.read_only)
        return error_set(err, ERR_READ_ONLY, "the catalog is mounted read-only");
    struct timespec expires_at;
    int code = fork_entry_expiry(timestamp_now(), has_ttl ? ttl_seconds : 0, &expires_at, err);
    if (code)
        return code;
    return transition_commit(catalog->committer,
                             (struct transition){.kind = TRANSITION_EXPIRY,
                                                 .id = id,
                                                 .expires_at = has_ttl ? &expires_at : NULL},
                             operation, err);
}

/* ---- Overlay ---- */

struct overlay *catalog_overlay_cached(struct catalog *catalog, const struct ulid *id)
{
    return overlays_cached(catalog->overlays, id);
}

/* Whether somebody else has begun to drop a fork, as the registry on the store tells. */
static bool is_being_dropped(struct catalog *catalog, const struct ulid *id,
                             struct operation *operation)
{
    if (catalog_refresh_registry(catalog, operation, NULL) != 0)
        return false;
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, id);
    return !entry || entry->status != FORK_ACTIVE;
}

int catalog_overlay(struct catalog *catalog, const struct ulid *id, struct operation *operation,
                    struct overlay **ret, struct error *err)
{
    struct error failure = {0};
    int code = overlays_read(catalog->overlays, id, operation, ret, &failure);
    if (code == ERR_AWAY && is_being_dropped(catalog, id, operation))
        return error_set(err, ERR_STALE, "fork %s is being dropped", id->text);
    return code ? error_copy(err, &failure) : 0;
}

int catalog_write_overlay(struct catalog *catalog, const struct ulid *id, struct bytes *text,
                          const char *version, struct operation *operation, char **ret_version,
                          struct error *err)
{
    auto_bytes struct bytes *pretty = NULL;
    int code = overlay_document_check(text, &pretty, err);
    if (code)
        return code;
    struct fork_entry *entry = NULL;
    code = catalog_lock_active(catalog, id, operation, &entry, err);
    if (code)
        return code;
    code = overlays_write(catalog->overlays, id, pretty, version, operation, ret_version, err);
    catalog_unlock(catalog, entry);
    return code;
}

/* ---- Tags ---- */

GPtrArray *catalog_tags_cached(struct catalog *catalog, const struct ulid *id)
{
    return tags_cached(catalog->tags, id);
}

int catalog_tags(struct catalog *catalog, const struct ulid *id, struct operation *operation,
                 GPtrArray **ret, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    struct fork_entry *entry = registry_find_id(registry, id);
    if (!entry)
        return error_set(err, ERR_STALE, "fork %s is gone", id->text);
    return tags_read(catalog->tags, entry, operation, ret, err);
}

/* How often a tag is made again because the fork got further datasets meanwhile. */
#define TAG_TRIES_MAX 8

typedef int tag_change(struct catalog *catalog, const struct fork_entry *entry, const char *tag,
                       struct operation *operation, struct error *err);
typedef int fork_lock(struct catalog *catalog, const struct ulid *id, struct operation *operation,
                      struct fork_entry **ret, struct error *err);

/* What an earlier change left is cleared away first; a tag that is to be removed may go with it. */
static int change_tag_locked(struct catalog *catalog, const struct fork_entry *entry,
                             const char *tag, tag_change *change, struct operation *operation,
                             struct error *err)
{
    int code = change(catalog, entry, tag, operation, err);
    if (code != ERR_HELD)
        return code;
    code = intent_clear(catalog, &tag_intents, &entry->id, operation, err);
    if (code == 0)
        code = change(catalog, entry, tag, operation, err);
    return code == ERR_NOT_FOUND && change == tags_remove ? 0 : code;
}

static int change_tag(struct catalog *catalog, const struct ulid *id, const char *tag,
                      tag_change *change, fork_lock *lock, const char *what,
                      struct operation *operation, struct error *err)
{
    int code = 0;
    for (int tries = 0; tries == 0 || (code == ERR_CHANGED && tries < TAG_TRIES_MAX); tries++) {
        struct fork_entry *entry = NULL;
        code = lock(catalog, id, operation, &entry, err);
        if (code)
            break;
        code = change_tag_locked(catalog, entry, tag, change, operation, err);
        catalog_unlock(catalog, entry);
    }
    return error_prefix(err, code, "%s tag '%s' of fork %s", what, tag, id->text);
}

int catalog_tag(struct catalog *catalog, const struct ulid *id, const char *tag,
                struct operation *operation, struct error *err)
{
    return change_tag(catalog, id, tag, tags_create, catalog_lock_active, "making", operation, err);
}

/* Also of a fork that is not active: the tag may be what keeps its drop from being finished. */
int catalog_untag(struct catalog *catalog, const struct ulid *id, const char *tag,
                  struct operation *operation, struct error *err)
{
    int code =
        change_tag(catalog, id, tag, tags_remove, catalog_lock_any, "removing", operation, err);
    if (code == 0)
        kept_forks_note_untagged(catalog->kept, id, tag);
    return code;
}

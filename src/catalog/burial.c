#include "catalog/burial.h"

#include "catalog/fork_remains.h"
#include "catalog/transitions.h"

int bury_tombstone(struct catalog *catalog, const char *key, struct operation *operation,
                   struct error *err)
{
    int code = store_delete(catalog->store, key, operation, err);
    if (code == 0)
        tombstones_note_deleted(catalog->tombstones, key);
    return code;
}

int bury(struct catalog *catalog, const struct fork_entry *entry, const GPtrArray *branches,
         struct operation *operation, struct error *err)
{
    g_autofree char *tombstone = layout_tombstone_key(catalog->layout, &entry->id);
    auto_registry struct registry *registry = catalog_registry(catalog);
    int code = fork_remains_delete_one(catalog->store, catalog->layout, catalog->settings.log,
                                       registry, &entry->id, branches, operation, err);
    overlays_forget(catalog->overlays, &entry->id);
    if (code == 0)
        code = bury_tombstone(catalog, tombstone, operation, err);
    if (code == 0)
        code = transition_commit(catalog->committer,
                                 (struct transition){.kind = TRANSITION_REMOVE, .id = &entry->id},
                                 operation, err);
    return code;
}

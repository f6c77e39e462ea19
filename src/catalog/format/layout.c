#include "catalog/format/layout.h"

#include <glib.h>
#include <string.h>

#include "catalog/format/fork_name.h"
#include "lance/branch_name.h"
#include "store/store.h"

/* Before the id in the name of a fork's branch. */
#define BRANCH_MARK "fork_"

struct layout {
    char *metadata;
    char *storage;
    char *datasets;
    char *base_uri;
    char *local_metadata; /* NULL: none */
};

static int check_prefix(const char *which, const char *prefix, struct error *err)
{
    if (prefix[0] == '\0')
        return 0;
    if (!g_str_has_suffix(prefix, "/"))
        return error_set(err, ERR_INVALID, "%s prefix '%.200s' does not end in '/'", which, prefix);
    g_autofree char *key = g_strndup(prefix, strlen(prefix) - 1);
    if (!store_key_is_valid(key))
        return error_set(err, ERR_INVALID, "%s prefix '%.200s' is no valid key", which, prefix);
    return 0;
}

int layout_new(const char *metadata, const char *storage, const char *base_uri, struct layout **ret,
               struct error *err)
{
    return layout_new_apart(metadata, storage, storage, base_uri, ret, err);
}

int layout_new_apart(const char *metadata, const char *storage, const char *datasets,
                     const char *base_uri, struct layout **ret, struct error *err)
{
    int code = check_prefix("metadata", metadata, err);
    if (!code)
        code = check_prefix("storage", storage, err);
    if (!code)
        code = check_prefix("storage", datasets, err);
    if (code)
        return code;
    if (!g_utf8_validate(base_uri, -1, NULL))
        return error_set(err, ERR_INVALID, "the path or URI of the storage is not valid UTF-8");

    struct layout *layout = g_new0(struct layout, 1);
    layout->metadata = g_strdup(metadata);
    layout->storage = g_strdup(storage);
    layout->datasets = g_strdup(datasets);
    layout->base_uri = g_strdup(base_uri);
    *ret = layout;
    return 0;
}

void layout_free(struct layout *layout)
{
    if (!layout)
        return;
    g_free(layout->metadata);
    g_free(layout->storage);
    g_free(layout->datasets);
    g_free(layout->base_uri);
    g_free(layout->local_metadata);
    g_free(layout);
}

void layout_set_local_metadata(struct layout *layout, const char *directory)
{
    g_free(layout->local_metadata);
    layout->local_metadata = g_strdup(directory);
}

const char *layout_local_metadata(const struct layout *layout)
{
    return layout->local_metadata;
}

bool layout_is_remote(const struct layout *layout)
{
    return strstr(layout->base_uri, "://") != NULL;
}

static char *metadata_key(const struct layout *layout, const char *rest)
{
    return g_strconcat(layout->metadata, rest, NULL);
}

static char *storage_key(const struct layout *layout, const char *rest)
{
    return g_strconcat(layout->storage, rest, NULL);
}

char *layout_registry_key(const struct layout *layout)
{
    return metadata_key(layout, "catalog/fork_registry.json");
}

char *layout_schema_key(const struct layout *layout)
{
    return metadata_key(layout, "catalog/schema.json");
}

char *layout_legacy_schema_key(const struct layout *layout)
{
    return metadata_key(layout, "schema.json");
}

char *layout_allocator_key(const struct layout *layout)
{
    return metadata_key(layout, "id_allocator.json");
}

char *layout_wal_prefix(const struct layout *layout)
{
    return metadata_key(layout, "wal/");
}

char *layout_overlays_prefix(const struct layout *layout)
{
    return metadata_key(layout, "catalog/fork_schemas/");
}

char *layout_overlay_key(const struct layout *layout, const struct ulid *id)
{
    return g_strconcat(layout->metadata, "catalog/fork_schemas/", id->text, ".json", NULL);
}

char *layout_tombstones_prefix(const struct layout *layout)
{
    return metadata_key(layout, "catalog/fork_tombstones/");
}

char *layout_tombstone_key(const struct layout *layout, const struct ulid *id)
{
    return g_strconcat(layout->metadata, "catalog/fork_tombstones/", id->text, ".json", NULL);
}

char *layout_datasets_prefix(const struct layout *layout)
{
    return g_strdup(layout->datasets);
}

char *layout_compaction_lock_key(const struct layout *layout)
{
    return g_strconcat(layout->datasets, "compaction.lock", NULL);
}

char *layout_snapshot_pointer_key(const struct layout *layout)
{
    return storage_key(layout, "catalog/latest");
}

char *layout_snapshots_prefix(const struct layout *layout)
{
    return storage_key(layout, "catalog/manifests/");
}

char *layout_snapshot_key(const struct layout *layout, const char *snapshot_id)
{
    return g_strconcat(layout->storage, "catalog/manifests/", snapshot_id, ".json", NULL);
}

char *layout_bulk_load_intent_key(const struct layout *layout)
{
    return storage_key(layout, "catalog/bulk_flush_intent.json");
}

char *layout_forks_prefix(const struct layout *layout)
{
    return storage_key(layout, "catalog/forks/");
}

char *layout_fork_prefix(const struct layout *layout, const struct ulid *id)
{
    return g_strconcat(layout->storage, "catalog/forks/", id->text, "/", NULL);
}

char *layout_fork_allocator_key(const struct layout *layout, const struct ulid *id)
{
    return g_strconcat(layout->storage, "catalog/forks/", id->text, "/id_allocator.json", NULL);
}

char *layout_fork_pointer_key(const struct layout *layout, const struct ulid *id)
{
    return g_strconcat(layout->storage, "catalog/forks/", id->text, "/latest", NULL);
}

char *layout_fork_snapshots_prefix(const struct layout *layout, const struct ulid *id)
{
    return g_strconcat(layout->storage, "catalog/forks/", id->text, "/manifests/", NULL);
}

char *layout_fork_snapshot_key(const struct layout *layout, const struct ulid *id,
                               const char *snapshot_id)
{
    return g_strconcat(layout->storage, "catalog/forks/", id->text, "/manifests/", snapshot_id,
                       ".json", NULL);
}

char *layout_registrations_prefix(const struct layout *layout)
{
    return storage_key(layout, "catalog/fork_registrations/");
}

char *layout_registration_key(const struct layout *layout, const struct ulid *id)
{
    return g_strconcat(layout->storage, "catalog/fork_registrations/", id->text, ".json", NULL);
}

char *layout_taggings_prefix(const struct layout *layout)
{
    return storage_key(layout, "catalog/fork_taggings/");
}

char *layout_tagging_key(const struct layout *layout, const struct ulid *id)
{
    return g_strconcat(layout->storage, "catalog/fork_taggings/", id->text, ".json", NULL);
}

char *layout_probes_prefix(const struct layout *layout)
{
    return storage_key(layout, "catalog/fork_probes/");
}

char *layout_leases_prefix(const struct layout *layout)
{
    return storage_key(layout, "catalog/fork_leases/");
}

char *layout_lease_key(const struct layout *layout, const struct ulid *id)
{
    return g_strconcat(layout->storage, "catalog/fork_leases/", id->text, ".json", NULL);
}

char *layout_fork_wals_prefix(const struct layout *layout)
{
    return storage_key(layout, "wal_forks/");
}

char *layout_fork_wal_prefix(const struct layout *layout, const struct ulid *id)
{
    return g_strconcat(layout->storage, "wal_forks/", id->text, "/", NULL);
}

char *layout_dataset_key(const struct layout *layout, const char *dataset)
{
    return g_strconcat(layout->datasets, dataset, ".lance", NULL);
}

char *layout_dataset_uri(const struct layout *layout, const char *dataset)
{
    return g_strconcat(layout->base_uri, "/", dataset, ".lance", NULL);
}

char *layout_branch_name(const struct ulid *id, const char *dataset)
{
    return g_strconcat(BRANCH_MARK, id->text, "_", dataset, NULL);
}

int layout_check_branchable(const char *dataset, struct error *err)
{
    g_autofree char *file = lance_ref_file_name(dataset);
    if (strlen(file) > BRANCHABLE_FILE_MAX)
        return error_set(err, ERR_UNSUPPORTED,
                         "dataset %s: its name is too long to be part of a branch name", dataset);
    g_autofree char *branch = g_strconcat(BRANCH_MARK, dataset, NULL); /* any id is fine */
    if (layout_dataset_name_is_safe(dataset) && lance_new_branch_name_check(branch, NULL) == 0)
        return 0;
    return error_set(err, ERR_UNSUPPORTED,
                     "dataset %s: its name cannot be part of a Lance branch name", dataset);
}

bool layout_id_of_branch(const char *branch, struct ulid *ret)
{
    const char *id = branch + strlen(BRANCH_MARK);
    return g_str_has_prefix(branch, BRANCH_MARK) && strlen(id) > ULID_LENGTH &&
           id[ULID_LENGTH] == '_' && ulid_parse(id, ULID_LENGTH, ret);
}

bool layout_branch_is_of(const char *branch, const struct ulid *id)
{
    const char *rest = branch + strlen(BRANCH_MARK);
    return g_str_has_prefix(branch, BRANCH_MARK) && strncmp(rest, id->text, ULID_LENGTH) == 0 &&
           rest[ULID_LENGTH] == '_';
}

/* The rest of a key after "<prefix><ULID>"; NULL: it does not begin so. */
static const char *after_id(const char *key, const char *prefix, struct ulid *ret)
{
    const char *name = key + strlen(prefix);
    bool has_id = g_str_has_prefix(key, prefix) && strlen(name) >= ULID_LENGTH &&
                  ulid_parse(name, ULID_LENGTH, ret) && memcmp(name, ret->text, ULID_LENGTH) == 0;
    return has_id ? name + ULID_LENGTH : NULL;
}

bool layout_id_of_key(const char *key, const char *prefix, const char *suffix, struct ulid *ret)
{
    const char *rest = after_id(key, prefix, ret);
    return rest && strcmp(rest, suffix) == 0;
}

bool layout_id_of_file(const char *key, const char *prefix, struct ulid *ret)
{
    const char *rest = after_id(key, prefix, ret);
    return rest && rest[0] == '/';
}

bool layout_dataset_name_is_safe(const char *dataset)
{
    size_t length = strlen(dataset);
    if (length == 0 || length > DATASET_NAME_MAX)
        return false;
    if (strcmp(dataset, ".") == 0 || strcmp(dataset, "..") == 0)
        return false;
    return g_utf8_validate(dataset, (gssize)length, NULL) && !strpbrk(dataset, "/\\") &&
           !name_control_character(dataset);
}

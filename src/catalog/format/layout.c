#include "catalog/format/layout.h"

#include <glib.h>
#include <string.h>

#include "catalog/format/fork_name.h"
#include "lance/branch_name.h"
#include "store/store.h"

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

/* The function for a key that every layout has, below one of its prefixes. */
#define KEY(name, prefix, path)                                                                    \
    char *layout_##name(const struct layout *layout)                                               \
    {                                                                                              \
        return g_strconcat(layout->prefix, path, NULL);                                            \
    }

/* The function for a key that every fork has: with its id between two parts of the path. */
#define FORK_KEY(name, prefix, before, after)                                                      \
    char *layout_##name(const struct layout *layout, const struct ulid *id)                        \
    {                                                                                              \
        return g_strconcat(layout->prefix, before, id->text, after, NULL);                         \
    }

KEY(registry_key, metadata, "catalog/fork_registry.json")
KEY(registry_reserve_key, metadata, "catalog/forkfs/registry.reserve")
KEY(schema_key, metadata, "catalog/schema.json")
KEY(legacy_schema_key, metadata, "schema.json")
KEY(allocator_key, metadata, "id_allocator.json")
KEY(wal_prefix, metadata, "wal/")
KEY(overlays_prefix, metadata, "catalog/fork_schemas/")
FORK_KEY(overlay_key, metadata, "catalog/fork_schemas/", ".json")
KEY(tombstones_prefix, metadata, "catalog/fork_tombstones/")
FORK_KEY(tombstone_key, metadata, "catalog/fork_tombstones/", ".json")
KEY(datasets_prefix, datasets, "")
KEY(compaction_lock_key, datasets, "compaction.lock")
KEY(snapshot_pointer_key, storage, "catalog/latest")
KEY(snapshots_prefix, storage, "catalog/manifests/")
KEY(bulk_load_intent_key, storage, "catalog/bulk_flush_intent.json")
KEY(forks_prefix, storage, "catalog/forks/")
FORK_KEY(fork_prefix, storage, "catalog/forks/", "/")
FORK_KEY(fork_allocator_key, storage, "catalog/forks/", "/id_allocator.json")
FORK_KEY(fork_pointer_key, storage, "catalog/forks/", "/latest")
FORK_KEY(fork_snapshots_prefix, storage, "catalog/forks/", "/manifests/")
KEY(registrations_prefix, storage, "catalog/fork_registrations/")
FORK_KEY(registration_key, storage, "catalog/fork_registrations/", ".json")
KEY(taggings_prefix, storage, "catalog/fork_taggings/")
FORK_KEY(tagging_key, storage, "catalog/fork_taggings/", ".json")
KEY(probes_prefix, storage, "catalog/fork_probes/")
KEY(leases_prefix, storage, "catalog/fork_leases/")
FORK_KEY(lease_key, storage, "catalog/fork_leases/", ".json")
KEY(fork_wals_prefix, storage, "wal_forks/")
FORK_KEY(fork_wal_prefix, storage, "wal_forks/", "/")

char *layout_snapshot_key(const struct layout *layout, const char *snapshot_id)
{
    return g_strconcat(layout->storage, "catalog/manifests/", snapshot_id, ".json", NULL);
}

char *layout_fork_snapshot_key(const struct layout *layout, const struct ulid *id,
                               const char *snapshot_id)
{
    return g_strconcat(layout->storage, "catalog/forks/", id->text, "/manifests/", snapshot_id,
                       ".json", NULL);
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

const char *layout_id_in_branch(const char *branch)
{
    const char *id = branch + strlen(BRANCH_MARK);
    bool has_id = strncmp(branch, BRANCH_MARK, strlen(BRANCH_MARK)) == 0 &&
                  strnlen(id, ULID_LENGTH + 1) > ULID_LENGTH && id[ULID_LENGTH] == '_';
    return has_id ? id : NULL;
}

bool layout_id_of_branch(const char *branch, struct ulid *ret)
{
    const char *id = layout_id_in_branch(branch);
    return id && ulid_parse(id, ULID_LENGTH, ret);
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

bool layout_may_be_catalog(const struct layout *layout, char **ret_registry, char **ret_allocator)
{
    static const char catalog[] = "catalog/";
    const char *prefix = layout->metadata;
    if (!g_str_has_suffix(prefix, catalog))
        return false;
    g_autofree char *above = g_strndup(prefix, strlen(prefix) - strlen(catalog));
    if (above[0] && !g_str_has_suffix(above, "/"))
        return false;
    *ret_registry = g_strconcat(prefix, "fork_registry.json", NULL);
    *ret_allocator = g_strconcat(above, "id_allocator.json", NULL);
    return true;
}

void layout_expect_files_of_forks(const struct layout *layout, struct store_request *request)
{
    g_autofree char *forks = layout_forks_prefix(layout);
    g_autofree char *overlays = layout_overlays_prefix(layout);
    store_request_expect(request, forks, NULL, false);
    store_request_expect(request, overlays, NULL, false);
}

void layout_expect_logs_of_forks(const struct layout *layout, struct store_request *request)
{
    g_autofree char *logs = layout_fork_wals_prefix(layout);
    store_request_expect(request, logs, NULL, false);
}

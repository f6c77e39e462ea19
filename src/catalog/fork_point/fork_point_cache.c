#include "catalog/fork_point/fork_point_cache.h"

#include "base/cleanup.h"

/* Snapshot manifests kept; the current one, its parent, and those of parent forks in use. */
#define SNAPSHOTS_MAX 64
/* Marks kept of snapshots of forks, one for each flush. */
#define MARKS_MAX 65536
#define HIGHEST_MAX 1024 /* of so many forks the highest */

struct kept_manifest {
    char *key;
    char *etag;
    struct bytes *manifest;
};

struct fork_point_cache {
    pthread_mutex_t lock;
    GPtrArray *datasets;   /* char * */
    GHashTable *manifests; /* directory of the manifest -> struct kept_manifest */
    GHashTable *snapshots; /* id -> struct snapshot */
    GHashTable *plain;     /* set of datasets without a catalog of refs */
    GHashTable *marks;     /* key of a manifest -> uint64_t */
    GHashTable *highest;   /* key of the newest manifest -> uint64_t */
};

static void kept_manifest_free(void *pointer)
{
    struct kept_manifest *kept = pointer;
    g_free(kept->key);
    g_free(kept->etag);
    bytes_unref(kept->manifest);
    g_free(kept);
}

struct fork_point_cache *fork_point_cache_new(void)
{
    struct fork_point_cache *cache = g_new0(struct fork_point_cache, 1);
    pthread_mutex_init(&cache->lock, NULL);
    cache->datasets = g_ptr_array_new_with_free_func(g_free);
    cache->manifests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, kept_manifest_free);
    cache->snapshots =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)snapshot_free);
    cache->plain = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    cache->marks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    cache->highest = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return cache;
}

void fork_point_cache_free(struct fork_point_cache *cache)
{
    if (!cache)
        return;
    g_ptr_array_unref(cache->datasets);
    g_hash_table_unref(cache->manifests);
    g_hash_table_unref(cache->snapshots);
    g_hash_table_unref(cache->plain);
    g_hash_table_unref(cache->marks);
    g_hash_table_unref(cache->highest);
    pthread_mutex_destroy(&cache->lock);
    g_free(cache);
}

static GPtrArray *copy_names(const GPtrArray *names)
{
    GPtrArray *copy = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < names->len; i++)
        g_ptr_array_add(copy, g_strdup(g_ptr_array_index(names, i)));
    return copy;
}

GPtrArray *fork_point_cache_datasets(struct fork_point_cache *cache)
{
    LOCK_SCOPE(&cache->lock);
    return copy_names(cache->datasets);
}

void fork_point_cache_set_datasets(struct fork_point_cache *cache, const GPtrArray *datasets)
{
    GPtrArray *copy = copy_names(datasets);
    LOCK_SCOPE(&cache->lock);
    g_ptr_array_unref(cache->datasets);
    cache->datasets = copy;
}

struct bytes *fork_point_cache_manifest(struct fork_point_cache *cache, const struct lance_tip *tip)
{
    g_autofree char *directory = g_path_get_dirname(tip->manifest_key);
    LOCK_SCOPE(&cache->lock);
    const struct kept_manifest *kept = g_hash_table_lookup(cache->manifests, directory);
    if (!kept || !tip->etag || g_strcmp0(kept->key, tip->manifest_key) != 0 ||
        g_strcmp0(kept->etag, tip->etag) != 0)
        return NULL;
    return bytes_ref(kept->manifest);
}

void fork_point_cache_keep_manifest(struct fork_point_cache *cache, const struct lance_tip *tip,
                                    struct bytes *manifest)
{
    struct kept_manifest *kept = g_new0(struct kept_manifest, 1);
    kept->key = g_strdup(tip->manifest_key);
    kept->etag = g_strdup(tip->etag);
    kept->manifest = bytes_ref(manifest);
    char *directory = g_path_get_dirname(tip->manifest_key);
    LOCK_SCOPE(&cache->lock);
    g_hash_table_replace(cache->manifests, directory, kept);
}

bool fork_point_cache_has_plain_refs(struct fork_point_cache *cache, const char *dataset)
{
    LOCK_SCOPE(&cache->lock);
    return g_hash_table_contains(cache->plain, dataset);
}

void fork_point_cache_keep_plain_refs(struct fork_point_cache *cache, const char *dataset)
{
    LOCK_SCOPE(&cache->lock);
    g_hash_table_add(cache->plain, g_strdup(dataset));
}

static struct snapshot *snapshot_copy(const struct snapshot *from)
{
    struct snapshot *copy = g_new0(struct snapshot, 1);
    *copy = *from;
    copy->id = g_strdup(from->id);
    copy->parent_id = g_strdup(from->parent_id);
    copy->labels = g_hash_table_ref(from->labels);
    copy->edge_types = g_hash_table_ref(from->edge_types);
    return copy;
}

struct snapshot *fork_point_cache_snapshot(struct fork_point_cache *cache, const char *id)
{
    LOCK_SCOPE(&cache->lock);
    const struct snapshot *snapshot = g_hash_table_lookup(cache->snapshots, id);
    return snapshot ? snapshot_copy(snapshot) : NULL;
}

void fork_point_cache_keep_snapshot(struct fork_point_cache *cache, const struct snapshot *snapshot)
{
    struct snapshot *copy = snapshot_copy(snapshot);
    LOCK_SCOPE(&cache->lock);
    if (g_hash_table_size(cache->snapshots) >= SNAPSHOTS_MAX)
        g_hash_table_remove_all(cache->snapshots);
    g_hash_table_replace(cache->snapshots, copy->id, copy);
}

static bool find_mark(struct fork_point_cache *cache, GHashTable *marks, const char *key,
                      uint64_t *ret)
{
    LOCK_SCOPE(&cache->lock);
    const uint64_t *mark = g_hash_table_lookup(marks, key);
    if (mark)
        *ret = *mark;
    return mark != NULL;
}

static void keep_mark(struct fork_point_cache *cache, GHashTable *marks, guint max, const char *key,
                      uint64_t mark)
{
    uint64_t *kept = g_new(uint64_t, 1);
    *kept = mark;
    LOCK_SCOPE(&cache->lock);
    if (g_hash_table_size(marks) >= max)
        g_hash_table_remove_all(marks);
    g_hash_table_replace(marks, g_strdup(key), kept);
}

bool fork_point_cache_mark(struct fork_point_cache *cache, const char *manifest_key, uint64_t *ret)
{
    return find_mark(cache, cache->marks, manifest_key, ret);
}

void fork_point_cache_keep_mark(struct fork_point_cache *cache, const char *manifest_key,
                                uint64_t mark)
{
    keep_mark(cache, cache->marks, MARKS_MAX, manifest_key, mark);
}

bool fork_point_cache_highest_mark(struct fork_point_cache *cache, const char *newest_key,
                                   uint64_t *ret)
{
    return find_mark(cache, cache->highest, newest_key, ret);
}

void fork_point_cache_keep_highest_mark(struct fork_point_cache *cache, const char *newest_key,
                                        uint64_t mark)
{
    keep_mark(cache, cache->highest, HIGHEST_MAX, newest_key, mark);
}

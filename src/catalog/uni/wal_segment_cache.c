#include "catalog/uni/wal_segment_cache.h"

#include <glib.h>

#include "base/cleanup.h"

/* Segments kept: those of main and of some parents. */
#define SEGMENTS_MAX 1024

struct wal_segment_cache {
    pthread_mutex_t lock;
    GHashTable *segments; /* key, blank, etag -> enum wal_segment_content */
};

struct wal_segment_cache *wal_segment_cache_new(void)
{
    struct wal_segment_cache *cache = g_new0(struct wal_segment_cache, 1);
    pthread_mutex_init(&cache->lock, NULL);
    cache->segments = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return cache;
}

void wal_segment_cache_free(struct wal_segment_cache *cache)
{
    if (!cache)
        return;
    g_hash_table_unref(cache->segments);
    pthread_mutex_destroy(&cache->lock);
    g_free(cache);
}

static char *segment_version(const char *key, const char *etag)
{
    return g_strdup_printf("%s %s", key, etag);
}

bool wal_segment_cache_find(struct wal_segment_cache *cache, const char *key, const char *etag,
                            enum wal_segment_content *ret)
{
    g_autofree char *version = segment_version(key, etag ? etag : "");
    void *content;
    LOCK_SCOPE(&cache->lock);
    if (!etag || !g_hash_table_lookup_extended(cache->segments, version, NULL, &content))
        return false;
    *ret = GPOINTER_TO_INT(content);
    return true;
}

void wal_segment_cache_keep(struct wal_segment_cache *cache, const char *key, const char *etag,
                            enum wal_segment_content content)
{
    if (!etag)
        return;
    char *version = segment_version(key, etag);
    LOCK_SCOPE(&cache->lock);
    if (g_hash_table_size(cache->segments) >= SEGMENTS_MAX)
        g_hash_table_remove_all(cache->segments);
    g_hash_table_replace(cache->segments, version, GINT_TO_POINTER(content));
}

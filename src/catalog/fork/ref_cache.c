#include "catalog/fork/ref_cache.h"

#include "base/cleanup.h"

#define KEPT_MAX 10000

struct kept_ref {
    char *etag;
    struct bytes *body;
};

struct ref_cache {
    pthread_mutex_t lock;
    GHashTable *kept; /* key -> struct kept_ref */
};

static void kept_ref_free(void *pointer)
{
    struct kept_ref *kept = pointer;
    g_free(kept->etag);
    bytes_unref(kept->body);
    g_free(kept);
}

struct ref_cache *ref_cache_new(void)
{
    struct ref_cache *cache = g_new0(struct ref_cache, 1);
    pthread_mutex_init(&cache->lock, NULL);
    cache->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, kept_ref_free);
    return cache;
}

void ref_cache_free(struct ref_cache *cache)
{
    if (!cache)
        return;
    g_hash_table_unref(cache->kept);
    pthread_mutex_destroy(&cache->lock);
    g_free(cache);
}

struct bytes *ref_cache_find(struct ref_cache *cache, const struct store_object *object)
{
    LOCK_SCOPE(&cache->lock);
    const struct kept_ref *kept = g_hash_table_lookup(cache->kept, object->key);
    if (!kept || !object->etag || g_strcmp0(kept->etag, object->etag) != 0)
        return NULL;
    return bytes_ref(kept->body);
}

void ref_cache_keep(struct ref_cache *cache, const struct store_request *get)
{
    struct kept_ref *kept = g_new0(struct kept_ref, 1);
    kept->etag = g_strdup(get->answer.etag);
    kept->body = bytes_ref(get->answer.body);
    LOCK_SCOPE(&cache->lock);
    if (g_hash_table_size(cache->kept) >= KEPT_MAX)
        g_hash_table_remove_all(cache->kept);
    g_hash_table_replace(cache->kept, g_strdup(get->key), kept);
}

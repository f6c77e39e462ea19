#include "open_catalog.h"

#include <glib.h>
#include <string.h>

#include "store/local_store.h"

/* How engines name the storage prefix: the path without trailing slash. */
static char *base_uri(const struct catalog_location *location)
{
    const char *separator = g_str_has_suffix(location->path, "/") ? "" : "/";
    char *uri = g_strconcat(location->path, separator, location->storage, NULL);
    size_t length = strlen(uri);
    if (uri[length - 1] == '/')
        uri[length - 1] = '\0';
    return uri;
}

static int lock_store(struct store *store, const char *path, struct error *err)
{
    struct error failure;
    int code = local_store_lock(store, &failure);
    if (code == ERR_HELD)
        return error_set(err, code, "another forkfs has this catalog mounted for writing: %s",
                         path);
    return code == 0 ? 0 : error_copy(err, &failure);
}

int open_catalog(const struct catalog_location *location, struct store **ret_store,
                 struct layout **ret_layout, struct error *err)
{
    struct store *store;
    int code = local_store_open(location->path, location->jobs, &store, err);
    if (code != 0)
        return code;
    g_autofree char *uri = base_uri(location);
    struct layout *layout;
    code = location->lock ? lock_store(store, location->path, err) : 0;
    if (code == 0)
        code = layout_new(location->metadata, location->storage, uri, &layout, err);
    if (code != 0) {
        store_free(store);
        return code;
    }
    *ret_store = store;
    *ret_layout = layout;
    return 0;
}

/* The prefix of an object's siblings; g_free(). */
static char *parent_prefix(const char *key)
{
    const char *slash = strrchr(key, '/');
    return g_strndup(key, slash ? (size_t)(slash + 1 - key) : 0);
}

int open_watch(const struct catalog_location *location, const struct layout *layout,
               struct local_watch **ret, struct error *err)
{
    g_autofree char *registry = layout_registry_key(layout);
    g_autofree char *catalog = parent_prefix(registry);
    g_autofree char *overlays = layout_overlays_prefix(layout);
    g_autofree char *tombstones = layout_tombstones_prefix(layout);
    const char *const prefixes[] = {catalog, overlays, tombstones, NULL};
    return local_watch_new(location->path, prefixes, ret, err);
}

#include "program/open_catalog.h"

#include <glib.h>
#include <string.h>
#include <sys/stat.h>

#include "program/lock_owner.h"
#include "program/open_s3_catalog.h"
#include "store/local/local_store.h"
#include "store/s3/wire/s3_endpoint.h"

#define LOCAL_STORAGE "storage/"

/* How engines name the storage prefix: the path without trailing slash. */
static char *base_uri(const char *path, const char *storage)
{
    const char *separator = g_str_has_suffix(path, "/") ? "" : "/";
    char *uri = g_strconcat(path, separator, storage, NULL);
    size_t length = strlen(uri);
    if (uri[length - 1] == '/')
        uri[length - 1] = '\0';
    return uri;
}

static int lock_directory(struct store *store, const char *path, const char *directory,
                          struct error *err)
{
    struct error failure;
    int code = local_store_lock(store, directory, &failure);
    if (code != ERR_HELD)
        return code == 0 ? 0 : error_copy(err, &failure);
    g_autofree char *locked = g_build_filename(path, directory, NULL);
    g_autofree char *owner = lock_owner_text(locked);
    return error_set(err, code, "another forkfs has this catalog mounted for writing: %s%s", locked,
                     owner);
}

/* What holds an object or a directory: its key without '/' at its end, "" for the top; g_free(). */
static char *directory_above(const char *key)
{
    size_t above = store_key_above(key);
    return g_strndup(key, above ? above - 1 : 0);
}

/* The directory of the registry is what two mounts of one catalog share, by whatever path and
 * prefixes they come to it. The one above it is there before that is made, and is CATALOG for who
 * comes without prefixes; earlier versions lock CATALOG only. */
static int lock_store(struct store *store, const char *path, const struct layout *layout,
                      struct error *err)
{
    g_autofree char *registry = layout_registry_key(layout);
    g_autofree char *catalog = directory_above(registry);
    g_autofree char *metadata = directory_above(catalog);
    int code = lock_directory(store, path, "", err);
    if (code == 0)
        code = lock_directory(store, path, metadata, err);
    if (code == 0)
        code = lock_directory(store, path, catalog, err);
    return code;
}

static bool is_there(const char *directory, const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Whether `path` is the directory `catalog/` of a database, which looks like a database of an early
 * version of Uni itself: these had their schema at the top. */
static bool is_catalog_directory(const char *path)
{
    struct stat status, sibling;
    g_autofree char *above = g_build_filename(path, "..", NULL);
    g_autofree char *catalog = g_build_filename(above, "catalog", NULL);
    if (stat(path, &status) != 0 || stat(catalog, &sibling) != 0 ||
        status.st_dev != sibling.st_dev || status.st_ino != sibling.st_ino)
        return false;
    return (is_there(path, "schema.json") || is_there(path, "fork_registry.json")) &&
           !is_there(path, "catalog/schema.json") &&
           (is_there(above, "storage") || is_there(above, "id_allocator.json"));
}

static int check_place(const char *path, struct error *err)
{
    if (!is_catalog_directory(path))
        return 0;
    return error_set(err, ERR_INVALID,
                     "catalog '%s': that is the directory catalog/ of a database; mount the "
                     "directory above it",
                     path);
}

static int open_local_catalog(const struct catalog_location *location, struct opened_catalog *ret,
                              struct error *err)
{
    const struct catalog_options *options = location->options;
    const char *path = location->catalog;
    const char *storage = options->storage ? options->storage : LOCAL_STORAGE;
    g_autofree char *uri = base_uri(path, storage);
    struct layout *layout;
    int code = check_place(path, err);
    if (code == 0)
        code = layout_new(options->metadata, storage, uri, &layout, err);
    if (code != 0)
        return code;
    struct store *store = NULL;
    code = local_store_open(path, (unsigned)options->jobs, &store, err);
    if (code == 0 && location->writable)
        code = lock_store(store, path, layout, err);
    if (code != 0) {
        store_free(store);
        layout_free(layout);
        return code;
    }
    *ret = (struct opened_catalog){.store = store, .layout = layout};
    return 0;
}

int open_catalog(const struct catalog_location *location, struct operation *operation,
                 struct opened_catalog *ret, struct error *err)
{
    if (!s3_url_is(location->catalog))
        return open_local_catalog(location, ret, err);
    int code = open_s3_catalog(location, operation, ret, err);
    return error_prefix(err, code, "catalog '%s'", location->catalog);
}

char *open_compaction_lock_path(const char *path, const struct layout *layout)
{
    g_autofree char *key = layout_compaction_lock_key(layout);
    return g_build_filename(path, key, NULL);
}

struct local_watch *open_watch(const char *path, const struct layout *layout)
{
    g_autofree char *registry = layout_registry_key(layout);
    g_autofree char *catalog = g_strndup(registry, store_key_above(registry));
    g_autofree char *overlays = layout_overlays_prefix(layout);
    g_autofree char *tombstones = layout_tombstones_prefix(layout);
    const char *const prefixes[] = {catalog, overlays, tombstones, NULL};
    return local_watch_new(path, prefixes);
}

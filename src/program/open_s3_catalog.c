#include "program/open_s3_catalog.h"

#include <glib.h>

#include "base/bytes.h"
#include "base/timestamp.h"
#include "lance/bucket_uri.h"
#include "store/local/routed_store.h"
#include "store/s3/credentials/s3_profile.h"
#include "store/s3/s3_store.h"
#include "store/s3/wire/s3_endpoint.h"

/* A probe of that age is none that is under way, however wrong clocks are. */
#define PROBE_LEFT_NS (3600 * NS_PER_SECOND)

/* ---- Settings ---- */

static int set_endpoint(const struct catalog_options *options, const struct s3_profile *profile,
                        const char *bucket, struct s3_endpoint *endpoint, struct error *err)
{
    const char *url = options->endpoint ? options->endpoint : s3_profile_endpoint(profile);
    const char *region = options->region ? options->region : s3_profile_region(profile);
    int code = s3_endpoint_init(endpoint, url, region, bucket, options->path_style, err);
    if (code == 0 && options->ca_file && !endpoint->https)
        return error_set(err, ERR_INVALID,
                         "there is a ca_file, but the endpoint is not https: nothing would be "
                         "encrypted");
    return code;
}

/* Opens the store. Takes over the profile. */
static int open_store(const struct catalog_location *location, struct s3_profile *profile,
                      const struct s3_endpoint *endpoint, struct store **ret, struct error *err)
{
    const struct catalog_options *options = location->options;
    const struct s3_store_settings settings = {
        .endpoint = endpoint,
        .profile = profile,
        .ca_file = options->ca_file,
        .client = options->client,
        .jobs = (unsigned)options->jobs,
        .log = location->log,
    };
    return s3_store_open(&settings, ret, err);
}

static int make_layout(const struct catalog_options *options, const char *bucket,
                       const char *prefix, struct layout **ret, struct error *err)
{
    const char *storage = options->storage ? options->storage : "";
    const char *datasets = options->storage ? options->storage : prefix;
    g_autofree char *uri = NULL;
    int code = lance_bucket_uri(bucket, datasets, &uri, err);
    return code ? code : layout_new_apart(options->metadata, storage, datasets, uri, ret, err);
}

/* ---- Trying it out ---- */

static int probe_conditions(const struct catalog_location *location, struct operation *operation,
                            struct opened_catalog *opened, struct error *err)
{
    g_autofree char *prefix = layout_probes_prefix(opened->layout);
    struct error failure;
    int code = s3_store_probe(opened->store, prefix, operation, &failure);
    if (code == ERR_UNSUPPORTED && !location->single_writer)
        return error_set(err, code,
                         "%s; writers could overwrite each other's changes: mount it with ro, or, "
                         "where there is no other writer, with single_writer",
                         failure.text);
    if (code != 0 && code != ERR_UNSUPPORTED)
        return error_copy(err, &failure);
    opened->needs_single_writer = code == ERR_UNSUPPORTED;
    s3_store_remove_probes(opened->store, prefix, timestamp_now_ns() - PROBE_LEFT_NS, operation);
    return 0;
}

static int try_out(const struct catalog_location *location, const struct s3_endpoint *endpoint,
                   struct operation *operation, struct opened_catalog *opened, struct error *err)
{
    g_autofree char *overlays = layout_overlays_prefix(opened->layout);
    struct error failure;
    int code = s3_store_check(opened->store, overlays, operation, &failure);
    if (code == 0)
        return location->writable ? probe_conditions(location, operation, opened, err) : 0;
    bool by_host_name = !endpoint->path_style && !endpoint->is_aws;
    return error_set(err, code, "%s%s", failure.text,
                     code == ERR_UNREACHABLE && by_host_name
                         ? " (a server that has no host name for each bucket needs path_style)"
                         : "");
}

/* ---- Hybrid mode ---- */

/* Two allocators would leave open which one counts. Where a policy does not let us look, it lets us
 * see what is needed all the same. */
static int refuse_second_allocator(struct opened_catalog *opened, struct operation *operation,
                                   struct error *err)
{
    g_autofree char *key = layout_allocator_key(opened->layout);
    auto_bytes struct bytes *body = NULL;
    struct error failure;
    int code = store_get(opened->store, key, operation, &body, NULL, &failure);
    if (code == ERR_NOT_FOUND || code == ERR_ACCESS)
        return 0;
    if (code)
        return error_copy(err, &failure);
    return error_set(err, ERR_INVALID,
                     "local_metadata is for databases in hybrid mode, but this bucket has an "
                     "allocator of its own, %s",
                     key);
}

/* Takes the primary's allocator and log from the directory. */
static int route_metadata(const struct catalog_location *location, struct opened_catalog *opened,
                          struct error *err)
{
    g_autofree char *allocator = layout_allocator_key(opened->layout);
    g_autofree char *wal = layout_wal_prefix(opened->layout);
    const char *const keys[] = {allocator, wal, NULL};
    const struct store_routing routing = {
        .directory = location->local_metadata, .prefix = location->options->metadata, .keys = keys};
    layout_set_local_metadata(opened->layout, location->local_metadata);
    return routed_store_new(opened->store, &routing, &opened->store, err);
}

static int open_hybrid(const struct catalog_location *location, struct operation *operation,
                       struct opened_catalog *opened, struct error *err)
{
    if (!location->local_metadata)
        return 0;
    int code = refuse_second_allocator(opened, operation, err);
    return code ? code : route_metadata(location, opened, err);
}

/* ---- All of it ---- */

static int open_bucket(const struct catalog_location *location, const char *bucket,
                       struct s3_endpoint *endpoint, struct opened_catalog *opened,
                       struct error *err)
{
    const struct catalog_options *options = location->options;
    struct s3_profile *profile;
    int code = s3_profile_open(options->profile, &profile, err);
    if (code != 0)
        return code;
    code = set_endpoint(options, profile, bucket, endpoint, err);
    if (code != 0) {
        s3_profile_free(profile);
        return code;
    }
    opened->profile = profile;
    return open_store(location, profile, endpoint, &opened->store, err);
}

int open_s3_catalog(const struct catalog_location *location, struct operation *operation,
                    struct opened_catalog *ret, struct error *err)
{
    g_autofree char *bucket = NULL;
    g_autofree char *prefix = NULL;
    int code = s3_url_parse(location->catalog, &bucket, &prefix, err);
    if (code != 0)
        return code;
    struct opened_catalog opened = {0};
    code = make_layout(location->options, bucket, prefix, &opened.layout, err);
    if (code != 0)
        return code;
    struct s3_endpoint endpoint = {0};
    code = open_bucket(location, bucket, &endpoint, &opened, err);
    if (code == 0)
        code = try_out(location, &endpoint, operation, &opened, err);
    if (code == 0)
        code = open_hybrid(location, operation, &opened, err);
    s3_endpoint_clear(&endpoint);
    if (code != 0)
        opened_catalog_close(&opened);
    else
        *ret = opened;
    return code;
}

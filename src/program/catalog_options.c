#include "program/catalog_options.h"

#include <glib.h>

#include "store/s3/wire/s3_endpoint.h"

void catalog_options_init(struct catalog_options *options)
{
    *options = (struct catalog_options){.metadata = g_strdup(""), .jobs = 192};
}

void catalog_options_clear(struct catalog_options *options)
{
    g_free(options->metadata);
    g_free(options->storage);
    g_free(options->endpoint);
    g_free(options->region);
    g_free(options->profile);
    g_free(options->ca_file);
    g_free(options->local_metadata);
    *options = (struct catalog_options){0};
}

int catalog_option_needs_s3(const char *catalog, const char *option, bool given, struct error *err)
{
    if (!given || s3_url_is(catalog))
        return 0;
    return error_set(err, ERR_INVALID,
                     "option '%s' is for catalogs on S3 (s3://BUCKET/PREFIX), and '%s' is a local "
                     "directory",
                     option, catalog);
}

static int check_local(const struct catalog_options *options, const char *catalog,
                       struct error *err)
{
    const struct {
        const char *name;
        bool given;
    } s3_only[] = {
        {"endpoint", options->endpoint != NULL},
        {"region", options->region != NULL},
        {"profile", options->profile != NULL},
        {"path_style", options->path_style},
        {"ca_file", options->ca_file != NULL},
        {"s3_client", options->client != S3_CLIENT_AUTOMATIC},
        {"local_metadata", options->local_metadata != NULL},
    };
    int code = 0;
    for (size_t i = 0; code == 0 && i < G_N_ELEMENTS(s3_only); i++)
        code = catalog_option_needs_s3(catalog, s3_only[i].name, s3_only[i].given, err);
    return code;
}

/* Endpoint and region wait until the catalog is opened: environment and profile have a say in what
 * they are, and one cannot be judged without the other. */
static int check_s3(const char *catalog, struct error *err)
{
    g_autofree char *bucket = NULL;
    g_autofree char *prefix = NULL;
    return s3_url_parse(catalog, &bucket, &prefix, err);
}

int catalog_options_check(const struct catalog_options *options, const char *catalog,
                          struct error *err)
{
    return s3_url_is(catalog) ? check_s3(catalog, err) : check_local(options, catalog, err);
}

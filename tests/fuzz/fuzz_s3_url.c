/* Where a catalog is on S3: a URL that is accepted makes keys, an endpoint makes addresses. */
#include "fuzz/fuzz.h"

#include <glib.h>
#include <string.h>

#include "store/s3/wire/s3_endpoint.h"
#include "store/store.h"

static void check_catalog(const char *url)
{
    g_autofree char *bucket = NULL;
    g_autofree char *prefix = NULL;
    struct layout *layout = NULL;
    struct error error = {0};
    int code = s3_url_parse(url, &bucket, &prefix, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_INVALID));
    HOLDS((code == 0) == (bucket != NULL) && (code == 0) == (prefix != NULL));
    if (code)
        return;
    g_autofree char *again = g_strdup_printf("s3://%s/%s", bucket, prefix);
    g_autofree char *same_bucket = NULL;
    g_autofree char *same_prefix = NULL;
    HOLDS(s3_url_parse(again, &same_bucket, &same_prefix, NULL) == 0);
    HOLDS(strcmp(bucket, same_bucket) == 0 && strcmp(prefix, same_prefix) == 0);
    HOLDS(layout_new_apart("", "", prefix, again, &layout, NULL) == 0);
    g_autofree char *key = layout_dataset_key(layout, "vertices");
    HOLDS(store_key_is_valid(key) && g_str_has_prefix(key, prefix));
    layout_free(layout);
}

static void check_endpoint(const char *url)
{
    struct s3_endpoint endpoint = {0}, again = {0};
    struct error error = {0};
    int code = s3_endpoint_init(&endpoint, url, NULL, "bucket", true, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_INVALID));
    if (code == 0) {
        g_autofree char *base = s3_endpoint_base(&endpoint);
        HOLDS(s3_endpoint_init(&again, base, NULL, "bucket", true, NULL) == 0);
        HOLDS(strcmp(endpoint.host, again.host) == 0 && endpoint.port == again.port);
        HOLDS(endpoint.https == again.https);
    }
    s3_endpoint_clear(&endpoint);
    s3_endpoint_clear(&again);
}

/* A path is what was encoded, and nothing in it has a meaning in a URL. */
static void check_path(const char *key)
{
    struct s3_endpoint endpoint = {0};
    HOLDS(s3_endpoint_init(&endpoint, "http://127.0.0.1:8000", NULL, "bucket", true, NULL) == 0);
    g_autofree char *path = s3_endpoint_path(&endpoint, key);
    g_autofree char *value = s3_query_encode(key);
    g_autofree char *decoded = g_uri_unescape_string(path, NULL);
    HOLDS(g_str_is_ascii(path) && !strpbrk(path, " ?#&+\"<>"));
    HOLDS(g_str_is_ascii(value) && !strpbrk(value, " ?#&+/="));
    HOLDS(decoded && g_str_has_suffix(decoded, key));
    s3_endpoint_clear(&endpoint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *url = fuzz_text(data, size);
    check_catalog(url);
    check_endpoint(url);
    if (g_utf8_validate(url, -1, NULL))
        check_path(url);
    return 0;
}

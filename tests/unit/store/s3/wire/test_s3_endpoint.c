/*
 * The URLs of catalogs and endpoints, and the encoding of keys.
 */
#include <glib.h>
#include <string.h>

#include "store/s3/wire/s3_endpoint.h"
#include "unit/unit.h"

/* ---- s3://bucket/prefix ---- */

static void assert_url(const char *url, const char *bucket, const char *prefix)
{
    g_autofree char *got_bucket = NULL;
    g_autofree char *got_prefix = NULL;
    struct error err = {0};
    int code = s3_url_parse(url, &got_bucket, &got_prefix, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(code, 0);
    assert_string_equal(got_bucket, bucket);
    assert_string_equal(got_prefix, prefix);
}

static void assert_bad_url(const char *url, const char *reason)
{
    char *bucket = NULL;
    char *prefix = NULL;
    struct error err;
    assert_int_equal(s3_url_parse(url, &bucket, &prefix, &err), ERR_INVALID);
    if (!strstr(err.text, reason))
        fail_msg("%s: \"%s\" does not say \"%s\"", url, err.text, reason);
    assert_null(bucket);
    assert_null(prefix);
}

static void url_is_told_from_a_directory(void **state)
{
    assert_true(s3_url_is("s3://bucket"));
    assert_true(s3_url_is("S3://bucket"));
    assert_false(s3_url_is("s3:/bucket"));
    assert_false(s3_url_is("/srv/s3://x"));
    assert_false(s3_url_is(""));
}

static void url_is_split_into_bucket_and_prefix(void **state)
{
    assert_url("s3://bucket", "bucket", "");
    assert_url("s3://bucket/", "bucket", "");
    assert_url("s3://bucket/graph", "bucket", "graph/");
    assert_url("s3://bucket/graph/", "bucket", "graph/");
    assert_url("s3://my.bucket-1/a/b/c", "my.bucket-1", "a/b/c/");
    assert_url("S3://bucket/x", "bucket", "x/");
}

static void prefix_is_taken_as_it_is_written(void **state)
{
    assert_url("s3://bucket/a b/100%/%20", "bucket", "a b/100%/%20/");
    assert_url("s3://bucket/gr\xc3\xa4ph/x@y", "bucket", "gr\xc3\xa4ph/x@y/");
    assert_url("s3://bucket/.a/..b/...", "bucket", ".a/..b/.../");
}

static void names_of_old_buckets_are_taken(void **state)
{
    assert_url("s3://Old_Bucket", "Old_Bucket", "");
}

static void url_without_a_good_bucket_is_refused(void **state)
{
    assert_bad_url("s3://", "bucket is missing");
    assert_bad_url("s3:///graph", "bucket is missing");
    assert_bad_url("s3://ab", "3 to 255");
    assert_bad_url("s3://-abc", "starts and ends");
    assert_bad_url("s3://abc.", "starts and ends");
    assert_bad_url("s3://a..b", "two dots");
    assert_bad_url("s3://192.168.0.1", "not an address");
    assert_bad_url("s3://buck et", "letters, digits");
    assert_bad_url("s3://bucket:9000/x", "letters, digits");
    assert_bad_url("s3://b\xc3\xbc"
                   "cket",
                   "letters, digits");
    assert_bad_url("http://bucket", "s3://bucket");
    assert_bad_url("bucket", "s3://bucket");
}

static void url_with_odd_segments_is_refused(void **state)
{
    assert_bad_url("s3://bucket//", "empty segment");
    assert_bad_url("s3://bucket//a", "empty segment");
    assert_bad_url("s3://bucket/a//b", "empty segment");
    assert_bad_url("s3://bucket/a//", "empty segment");
    assert_bad_url("s3://bucket/.", "\".\"");
    assert_bad_url("s3://bucket/a/../b", "\"..\"");
    assert_bad_url("s3://bucket/a\nb", "UTF-8");
    assert_bad_url("s3://bucket/\xff", "UTF-8");
    assert_bad_url("s3://bucket/a?versions", "'?'");
    assert_bad_url("s3://bucket/a#b", "'#'");
}

static void assert_not_told(const char *url)
{
    g_autofree char *bucket = NULL;
    g_autofree char *prefix = NULL;
    struct error err;
    assert_int_equal(s3_url_parse(url, &bucket, &prefix, &err), ERR_INVALID);
    assert_null(strstr(err.text, "hush"));
}

static void secret_in_a_url_is_refused_and_not_told(void **state)
{
    assert_bad_url("s3://key:hush@bucket/x", "user and password");
    assert_not_told("s3://key:hush@bucket/x");
    assert_not_told("s3://key:hu/hush@bucket/x");
    assert_not_told("s3://bucket/x?token=hush");
    struct s3_endpoint endpoint;
    struct error err;
    assert_int_equal(s3_endpoint_init(&endpoint, "http://u:hush@host", NULL, "bucket", true, &err),
                     ERR_INVALID);
    assert_null(strstr(err.text, "hush"));
    assert_non_null(strstr(err.text, "password"));
    s3_endpoint_clear(&endpoint);
}

/* ---- Endpoints ---- */

static void assert_base(const char *url, const char *region, const char *bucket, bool path_style,
                        const char *base)
{
    struct s3_endpoint endpoint;
    struct error err = {0};
    int code = s3_endpoint_init(&endpoint, url, region, bucket, path_style, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(code, 0);
    g_autofree char *got = s3_endpoint_base(&endpoint);
    assert_string_equal(got, base);
    s3_endpoint_clear(&endpoint);
}

static void assert_bad_endpoint(const char *url, const char *region, const char *reason)
{
    struct s3_endpoint endpoint;
    struct error err;
    assert_int_equal(s3_endpoint_init(&endpoint, url, region, "bucket", false, &err), ERR_INVALID);
    if (!strstr(err.text, reason))
        fail_msg("%s: \"%s\" does not say \"%s\"", url, err.text, reason);
    s3_endpoint_clear(&endpoint);
}

static void without_url_the_endpoint_is_that_of_aws(void **state)
{
    assert_base(NULL, NULL, "bucket", false, "https://bucket.s3.us-east-1.amazonaws.com");
    assert_base(NULL, "eu-west-1", "bucket", false, "https://bucket.s3.eu-west-1.amazonaws.com");
    assert_base(NULL, "eu-west-1", "bucket", true, "https://s3.eu-west-1.amazonaws.com");
    assert_base(NULL, "cn-north-1", "bucket", true, "https://s3.cn-north-1.amazonaws.com.cn");
}

static void endpoint_is_taken_from_its_url(void **state)
{
    assert_base("http://127.0.0.1:8000", NULL, "bucket", true, "http://127.0.0.1:8000");
    assert_base("http://localhost:8000/", NULL, "bucket", false, "http://bucket.localhost:8000");
    assert_base("HTTPS://Store.Example", NULL, "bucket", false, "https://bucket.store.example");
    assert_base("http://[::1]:8000", NULL, "bucket", true, "http://[::1]:8000");
    assert_base("http://minio_1:9000", NULL, "bucket", true, "http://minio_1:9000");
}

static void port_of_the_protocol_is_left_out(void **state)
{
    assert_base("https://host:443", NULL, "bucket", true, "https://host");
    assert_base("http://host:80", NULL, "bucket", true, "http://host");
    assert_base("http://host:443", NULL, "bucket", true, "http://host:443");
}

static void path_style_is_taken_where_no_other_works(void **state)
{
    assert_base("http://127.0.0.1:8000", NULL, "bucket", false, "http://127.0.0.1:8000");
    assert_base("http://[::1]", NULL, "bucket", false, "http://[::1]");
    assert_base("https://host", NULL, "dotted.bucket", false, "https://host");
    assert_base("http://host", NULL, "dotted.bucket", false, "http://dotted.bucket.host");
    assert_base("http://host", NULL, "Old_Bucket", false, "http://host");
    assert_base("http://host", NULL, "odd.-bucket", false, "http://host");
}

static void aws_is_recognized(void **state)
{
    static const struct {
        const char *url;
        bool is_aws;
    } cases[] = {{NULL, true},
                 {"https://s3.eu-west-1.amazonaws.com", true},
                 {"https://s3.cn-north-1.amazonaws.com.cn", true},
                 {"https://S3.AmazonAWS.com", true},
                 {"https://amazonaws.com.example", false},
                 {"https://notamazonaws.com", false}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct s3_endpoint endpoint;
        assert_int_equal(s3_endpoint_init(&endpoint, cases[i].url, NULL, "bucket", false, NULL), 0);
        assert_int_equal(endpoint.is_aws, cases[i].is_aws);
        s3_endpoint_clear(&endpoint);
    }
}

static void bad_endpoints_are_refused(void **state)
{
    assert_bad_endpoint("", NULL, "neither http:// nor https://");
    assert_bad_endpoint("host:8000", NULL, "neither http:// nor https://");
    assert_bad_endpoint("ftp://host", NULL, "neither http:// nor https://");
    assert_bad_endpoint("http://", NULL, "host is missing");
    assert_bad_endpoint("http://:80", NULL, "host is missing");
    assert_bad_endpoint("http://host/path", NULL, "more than a host and a port");
    assert_bad_endpoint("http://host//", NULL, "more than a host and a port");
    assert_bad_endpoint("http://host?x=y", NULL, "more than a host and a port");
    assert_bad_endpoint("http://host:", NULL, "port");
    assert_bad_endpoint("http://host:0", NULL, "port");
    assert_bad_endpoint("http://host:65536", NULL, "port");
    assert_bad_endpoint("http://host:80x", NULL, "port");
    assert_bad_endpoint("http://ho st", NULL, "not valid");
    assert_bad_endpoint("http://host\r\nx: y", NULL, "not valid");
    assert_bad_endpoint("http://.host", NULL, "not valid");
    assert_bad_endpoint("http://[::1", NULL, "']'");
    assert_bad_endpoint("http://[1.2.3.4]", NULL, "IPv6");
    assert_bad_endpoint("http://[]", NULL, "IPv6");
    assert_bad_endpoint("http://[::1]x", NULL, "no port");
}

static void bad_regions_are_refused(void **state)
{
    assert_bad_endpoint("http://host", "", "region");
    assert_bad_endpoint("http://host", "eu west", "region");
    assert_bad_endpoint("http://host", "aws:s3", "region");
    assert_bad_endpoint(NULL, "evil.example/", "region");
    assert_bad_endpoint(NULL, "evil.example", "region");
    assert_base("http://host", "Garage_1.x", "bucket", true, "http://host");
}

static void bad_bucket_is_refused(void **state)
{
    struct s3_endpoint endpoint;
    struct error err;
    assert_int_equal(s3_endpoint_init(&endpoint, "http://host", NULL, "a/b", true, &err),
                     ERR_INVALID);
    s3_endpoint_clear(&endpoint);
}

static void copy_stands_by_itself(void **state)
{
    struct s3_endpoint endpoint;
    struct s3_endpoint copy;
    assert_int_equal(s3_endpoint_init(&endpoint, "http://h:81", "r", "bucket", true, NULL), 0);
    s3_endpoint_copy(&copy, &endpoint);
    s3_endpoint_clear(&endpoint);
    assert_string_equal(copy.host, "h");
    assert_string_equal(copy.region, "r");
    assert_string_equal(copy.bucket, "bucket");
    assert_int_equal(copy.port, 81);
    g_autofree char *host = s3_endpoint_host(&copy);
    assert_string_equal(host, "h:81");
    s3_endpoint_clear(&copy);
}

/* ---- Encoding ---- */

static void assert_path(bool path_style, const char *key, const char *path)
{
    struct s3_endpoint endpoint;
    assert_int_equal(s3_endpoint_init(&endpoint, "http://host", NULL, "bucket", path_style, NULL),
                     0);
    g_autofree char *got = s3_endpoint_path(&endpoint, key);
    assert_string_equal(got, path);
    s3_endpoint_clear(&endpoint);
}

static void paths_have_the_bucket_in_path_style_only(void **state)
{
    assert_path(true, "", "/bucket");
    assert_path(true, "a/b", "/bucket/a/b");
    assert_path(false, "", "/");
    assert_path(false, "a/b", "/a/b");
}

static void keys_are_encoded_as_signatures_want(void **state)
{
    assert_path(false, "A-z_0.9~/x", "/A-z_0.9~/x");
    assert_path(false, "a b+c%d", "/a%20b%2Bc%25d");
    assert_path(false, "=&!*'():@?#,;$[]", "/%3D%26%21%2A%27%28%29%3A%40%3F%23%2C%3B%24%5B%5D");
    assert_path(false, "\xc3\xa4\xf0\x9f\x8c\x8d", "/%C3%A4%F0%9F%8C%8D");
    assert_path(false, "a//b/../c", "/a//b/../c");
}

static void query_values_have_no_slashes(void **state)
{
    g_autofree char *encoded = s3_query_encode("a/b c\xc3\xa4~\x7f");
    assert_string_equal(encoded, "a%2Fb%20c%C3%A4~%7F");
    g_autofree char *empty = s3_query_encode("");
    assert_string_equal(empty, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_is_told_from_a_directory),
        cmocka_unit_test(url_is_split_into_bucket_and_prefix),
        cmocka_unit_test(prefix_is_taken_as_it_is_written),
        cmocka_unit_test(names_of_old_buckets_are_taken),
        cmocka_unit_test(url_without_a_good_bucket_is_refused),
        cmocka_unit_test(url_with_odd_segments_is_refused),
        cmocka_unit_test(secret_in_a_url_is_refused_and_not_told),
        cmocka_unit_test(without_url_the_endpoint_is_that_of_aws),
        cmocka_unit_test(endpoint_is_taken_from_its_url),
        cmocka_unit_test(port_of_the_protocol_is_left_out),
        cmocka_unit_test(path_style_is_taken_where_no_other_works),
        cmocka_unit_test(aws_is_recognized),
        cmocka_unit_test(bad_endpoints_are_refused),
        cmocka_unit_test(bad_regions_are_refused),
        cmocka_unit_test(bad_bucket_is_refused),
        cmocka_unit_test(copy_stands_by_itself),
        cmocka_unit_test(paths_have_the_bucket_in_path_style_only),
        cmocka_unit_test(keys_are_encoded_as_signatures_want),
        cmocka_unit_test(query_values_have_no_slashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

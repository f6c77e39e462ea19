/*
 * Signatures. Those with the name of AWS are the examples of its manual; the others were computed
 * with botocore.
 */
#include <string.h>

#include "store/s3/wire/s3_signature.h"
#include "unit/unit.h"

#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define NOW 1369353600 /* 2013-05-24 */

static char access_key[] = "AKIAIOSFODNN7EXAMPLE";
static char secret_key[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
static char session_token[] = "AQoDYXdzEPT//////////wEXAMPLE+token==";
static const struct s3_credentials credentials = {.access_key = access_key,
                                                  .secret_key = secret_key};
static const struct s3_credentials temporary = {
    .access_key = access_key, .secret_key = secret_key, .session_token = session_token};

static GArray *headers_with_host(const char *host)
{
    GArray *headers = s3_headers_new();
    s3_headers_add(headers, "host", "%s", host);
    return headers;
}

static const char *find_value(const GArray *headers, const char *name)
{
    for (guint i = 0; i < headers->len; i++) {
        const struct s3_header *header = &g_array_index(headers, struct s3_header, i);
        if (strcmp(header->name, name) == 0)
            return header->value;
    }
    return NULL;
}

/* Signs, filling in what is the same in all examples. */
static void assert_signed(struct s3_signing signing, GArray *headers, const char *names,
                          const char *signature)
{
    signing.now = NOW;
    signing.credentials = signing.credentials ? signing.credentials : &credentials;
    signing.region = signing.region ? signing.region : "us-east-1";
    signing.query = signing.query ? signing.query : "";
    signing.payload_hash = signing.payload_hash ? signing.payload_hash : SHA256_OF_NOTHING;
    s3_sign(&signing, headers);
    g_autofree char *expected =
        g_strdup_printf("AWS4-HMAC-SHA256 Credential=%s/20130524/%s/s3/aws4_request, "
                        "SignedHeaders=%s, Signature=%s",
                        access_key, signing.region, names, signature);
    assert_string_equal(find_value(headers, "authorization"), expected);
    assert_string_equal(find_value(headers, "x-amz-date"), "20130524T000000Z");
    assert_string_equal(find_value(headers, "x-amz-content-sha256"), signing.payload_hash);
}

static void get_is_signed_as_in_the_manual_of_aws(void **state)
{
    g_autoptr(GArray) headers = headers_with_host("examplebucket.s3.amazonaws.com");
    s3_headers_add(headers, "range", "bytes=0-9");
    assert_signed((struct s3_signing){.method = "GET", .path = "/test.txt"}, headers,
                  "host;range;x-amz-content-sha256;x-amz-date",
                  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void put_is_signed_as_in_the_manual_of_aws(void **state)
{
    g_autoptr(GArray) headers = headers_with_host("examplebucket.s3.amazonaws.com");
    s3_headers_add(headers, "x-amz-storage-class", "REDUCED_REDUNDANCY");
    s3_headers_add(headers, "date", "Fri, 24 May 2013 00:00:00 GMT");
    g_autofree char *hash =
        g_compute_checksum_for_string(G_CHECKSUM_SHA256, "Welcome to Amazon S3.", -1);
    assert_signed(
        (struct s3_signing){.method = "PUT", .path = "/test%24file.text", .payload_hash = hash},
        headers, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void parameter_without_value_is_signed_as_in_the_manual_of_aws(void **state)
{
    g_autoptr(GArray) headers = headers_with_host("examplebucket.s3.amazonaws.com");
    assert_signed((struct s3_signing){.method = "GET", .path = "/", .query = "lifecycle="}, headers,
                  "host;x-amz-content-sha256;x-amz-date",
                  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

static void listing_is_signed_as_in_the_manual_of_aws(void **state)
{
    g_autoptr(GArray) headers = headers_with_host("examplebucket.s3.amazonaws.com");
    assert_signed((struct s3_signing){.method = "GET", .path = "/", .query = "max-keys=2&prefix=J"},
                  headers, "host;x-amz-content-sha256;x-amz-date",
                  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void odd_key_is_signed_as_it_is_sent_and_a_token_with_it(void **state)
{
    g_autoptr(GArray) headers = headers_with_host("127.0.0.1:8000");
    assert_signed((struct s3_signing){.credentials = &temporary,
                                      .region = "eu-test-1",
                                      .method = "DELETE",
                                      .path = "/bucket/a%20b%2Bc/../d//e%25%2E%C3%A4/."},
                  headers, "host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
                  "2f80174c0c8cbef2b021c6b2bb6132c19f0053c9e662c7e20e00582ba25f4ebb");
    assert_string_equal(find_value(headers, "x-amz-security-token"), session_token);
}

static void odd_prefix_of_a_listing_is_signed_as_it_is_sent(void **state)
{
    g_autoptr(GArray) headers = headers_with_host("127.0.0.1:8000");
    assert_signed((struct s3_signing){.region = "eu-test-1",
                                      .method = "GET",
                                      .path = "/bucket",
                                      .query = "delimiter=%2F&encoding-type=url&list-type=2"
                                               "&max-keys=7&prefix=a%20b%2F..%2F%2Fc%252F%2B"},
                  headers, "host;x-amz-content-sha256;x-amz-date",
                  "58ecf9c5783fe7e8b702ef67009e1434e122f4540213a7b3b4c7870d7d8e6b32");
    assert_null(find_value(headers, "x-amz-security-token"));
}

static char *signature_with(const char *name, const char *value)
{
    g_autoptr(GArray) headers = headers_with_host("h");
    s3_headers_add(headers, name, "%s", value);
    s3_sign(&(struct s3_signing){.credentials = &credentials,
                                 .region = "r",
                                 .method = "GET",
                                 .path = "/",
                                 .query = "",
                                 .payload_hash = "UNSIGNED-PAYLOAD"},
            headers);
    return g_strdup(find_value(headers, "authorization"));
}

/* Which is what a server or a proxy before it may see. */
static void blanks_around_and_between_words_do_not_matter(void **state)
{
    g_autofree char *plain = signature_with("if-match", "a b");
    g_autofree char *blanks = signature_with("if-match", " \ta   b  ");
    g_autofree char *other = signature_with("if-match", "ab");
    assert_string_equal(plain, blanks);
    assert_string_not_equal(plain, other);
}

/* "x-amz" comes before "x-amz-date", though ':' comes after '-'. */
static void headers_are_sorted_by_name_alone(void **state)
{
    g_autofree char *authorization = signature_with("x-amz", "1");
    assert_non_null(
        strstr(authorization, "SignedHeaders=host;x-amz;x-amz-content-sha256;x-amz-date,"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_is_signed_as_in_the_manual_of_aws),
        cmocka_unit_test(put_is_signed_as_in_the_manual_of_aws),
        cmocka_unit_test(parameter_without_value_is_signed_as_in_the_manual_of_aws),
        cmocka_unit_test(listing_is_signed_as_in_the_manual_of_aws),
        cmocka_unit_test(odd_key_is_signed_as_it_is_sent_and_a_token_with_it),
        cmocka_unit_test(odd_prefix_of_a_listing_is_signed_as_it_is_sent),
        cmocka_unit_test(blanks_around_and_between_words_do_not_matter),
        cmocka_unit_test(headers_are_sorted_by_name_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

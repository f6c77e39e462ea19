/*
 * The XML of listings and errors, sound and unsound.
 */
#include <string.h>

#include "store/s3/wire/s3_wire.h"
#include "store/s3/wire/s3_xml.h"
#include "unit/unit.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define LISTING(content)                                                                           \
    HEAD "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" content            \
         "</ListBucketResult>"
#define OBJECT(key, size)                                                                          \
    "<Contents><Key>" key "</Key><LastModified>2024-02-03T04:05:06.789Z</LastModified>"            \
    "<ETag>&quot;abc&quot;</ETag><Size>" size "</Size><StorageClass>STANDARD</StorageClass>"       \
    "<Owner><ID>x</ID><DisplayName>y</DisplayName></Owner></Contents>"
#define COMPLETE "<IsTruncated>false</IsTruncated>"
#define ENCODED "<EncodingType>url</EncodingType>"

static GPtrArray *parse(const char *text, bool *ret_truncated)
{
    struct s3_list_page page;
    struct error err = {0};
    int code = s3_xml_parse_listing(text, strlen(text), &page, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(code, 0);
    *ret_truncated = page.truncated;
    GPtrArray *rows = g_steal_pointer(&page.rows);
    s3_list_page_clear(&page);
    return rows;
}

static void assert_unsound(const char *text, const char *reason)
{
    struct s3_list_page page;
    struct error err = {0};
    assert_int_equal(s3_xml_parse_listing(text, strlen(text), &page, &err), ERR_CORRUPT);
    if (!strstr(err.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
    s3_list_page_clear(&page);
}

static const struct s3_wire_row *row(const GPtrArray *rows, guint index)
{
    assert_true(index < rows->len);
    return g_ptr_array_index(rows, index);
}

static void listing_has_objects_and_prefixes(void **state)
{
    bool truncated;
    g_autoptr(GPtrArray) rows =
        parse(LISTING("<Name>b</Name><Prefix></Prefix>" COMPLETE OBJECT(
                  "a/b", "17") "<CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>"),
              &truncated);
    assert_false(truncated);
    assert_int_equal(rows->len, 2);
    assert_string_equal(row(rows, 0)->key, "a/b");
    assert_string_equal(row(rows, 0)->etag, "abc");
    assert_int_equal(row(rows, 0)->size, 17);
    assert_true(row(rows, 0)->modified_ns == INT64_C(1706933106789000000));
    assert_false(row(rows, 0)->is_prefix);
    assert_string_equal(row(rows, 1)->key, "c/");
    assert_null(row(rows, 1)->etag);
    assert_true(row(rows, 1)->is_prefix);
}

static void listing_may_be_empty_or_truncated(void **state)
{
    bool truncated;
    g_autoptr(GPtrArray) none = parse(LISTING(COMPLETE), &truncated);
    assert_int_equal(none->len, 0);
    g_autoptr(GPtrArray) some =
        parse(LISTING("<IsTruncated>true</IsTruncated>" OBJECT("a", "0")), &truncated);
    assert_true(truncated);
    assert_int_equal(some->len, 1);
}

static void encoded_keys_are_decoded(void **state)
{
    bool truncated;
    g_autoptr(GPtrArray) rows =
        parse(LISTING(COMPLETE ENCODED OBJECT("a%20b%2Bc+d/%C3%A4%25", "1") OBJECT(
                  "%3C%26%0A%01", "1") "<CommonPrefixes><Prefix>x%20y/</Prefix></CommonPrefixes>"),
              &truncated);
    assert_string_equal(row(rows, 0)->key, "a b+c d/\xc3\xa4%");
    assert_string_equal(row(rows, 1)->key, "<&\n\x01");
    assert_string_equal(row(rows, 2)->key, "x y/");
}

static void keys_that_are_not_encoded_are_left_alone(void **state)
{
    bool truncated;
    g_autoptr(GPtrArray) rows =
        parse(LISTING(COMPLETE OBJECT("a%20b+c&amp;&lt;<![CDATA[<d>]]>", "1")), &truncated);
    assert_string_equal(row(rows, 0)->key, "a%20b+c&<<d>");
}

static void times_and_etags_may_be_missing(void **state)
{
    bool truncated;
    g_autoptr(GPtrArray) rows =
        parse(LISTING(COMPLETE "<Contents><Key>a</Key><Size>1</Size></Contents>"), &truncated);
    assert_null(row(rows, 0)->etag);
    assert_int_equal(row(rows, 0)->modified_ns, 0);
}

static void unsound_listings_are_refused(void **state)
{
    assert_unsound("", "not a listing");
    assert_unsound("nonsense", "not a listing");
    assert_unsound("<html><body>Sign in</body></html>", "not a listing");
    assert_unsound(HEAD "<Error><Code>InternalError</Code></Error>", "not a listing");
    assert_unsound(LISTING(""), "complete");
    assert_unsound(LISTING("<IsTruncated>perhaps</IsTruncated>"), "complete");
    assert_unsound(LISTING(COMPLETE OBJECT("", "1")), "without a key");
    assert_unsound(LISTING(COMPLETE OBJECT("a", "")), "without a size");
    assert_unsound(LISTING(COMPLETE OBJECT("a", "-1")), "without a size");
    assert_unsound(LISTING(COMPLETE OBJECT("a", "1x")), "without a size");
    assert_unsound(LISTING(COMPLETE "<Contents><Size>1</Size></Contents>"), "without a key");
    assert_unsound(LISTING(COMPLETE "<CommonPrefixes></CommonPrefixes>"), "without text");
    assert_unsound(LISTING(COMPLETE ENCODED OBJECT("a%zz", "1")), "without a key");
    assert_unsound(LISTING(COMPLETE ENCODED OBJECT("a%00b", "1")), "without a key");
}

static void no_beginning_of_a_listing_is_taken_for_the_whole(void **state)
{
    const char *text = LISTING(COMPLETE OBJECT("a", "1") OBJECT("b", "2"));
    for (size_t size = 0; size < strlen(text); size++) {
        struct s3_list_page page;
        assert_int_equal(s3_xml_parse_listing(text, size, &page, NULL), ERR_CORRUPT);
        s3_list_page_clear(&page);
    }
}

static void entities_of_the_document_are_refused(void **state)
{
    assert_unsound(HEAD "<!DOCTYPE ListBucketResult [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>"
                        "<ListBucketResult>" COMPLETE
                        "<Contents><Key>&e;</Key><Size>1</Size></Contents></ListBucketResult>",
                   "not a listing");
    assert_unsound(HEAD "<!DOCTYPE ListBucketResult [<!ENTITY a \"aaaa\">"
                        "<!ENTITY b \"&a;&a;&a;&a;\">]><ListBucketResult>" COMPLETE
                        "<Contents><Key>&b;</Key><Size>1</Size></Contents></ListBucketResult>",
                   "not a listing");
}

/* ---- Errors ---- */

static void error_has_code_message_region_and_endpoint(void **state)
{
    const char *text =
        HEAD "<Error><Code>AuthorizationHeaderMalformed</Code><Message> wrong </Message>"
             "<Region>eu-west-1</Region><Endpoint>s3.example</Endpoint><HostId>x</HostId></Error>";
    struct s3_error_document document;
    assert_true(s3_xml_parse_error(text, strlen(text), &document));
    assert_string_equal(document.code, "AuthorizationHeaderMalformed");
    assert_string_equal(document.message, "wrong");
    assert_string_equal(document.region, "eu-west-1");
    assert_string_equal(document.endpoint, "s3.example");
    s3_error_document_clear(&document);
}

static void empty_members_are_none(void **state)
{
    const char *text = "<Error><Code>NoSuchKey</Code><Message></Message></Error>";
    struct s3_error_document document;
    assert_true(s3_xml_parse_error(text, strlen(text), &document));
    assert_null(document.message);
    assert_null(document.region);
    s3_error_document_clear(&document);
}

static void what_is_no_error_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "<html><head><title>503</title></head></html>",
        "<!DOCTYPE html><html><body><h1>Bad Gateway</h1><br></body></html>",
        "<Error></Error>",
        "<Error><Code></Code></Error>",
        "<Error><Code>x</Code>",
        "{\"Error\": \"x\"}",
        LISTING(COMPLETE),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct s3_error_document document;
        assert_false(s3_xml_parse_error(texts[i], strlen(texts[i]), &document));
        s3_error_document_clear(&document);
    }
}

static int set_up(void **state)
{
    s3_xml_initialize();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listing_has_objects_and_prefixes),
        cmocka_unit_test(listing_may_be_empty_or_truncated),
        cmocka_unit_test(encoded_keys_are_decoded),
        cmocka_unit_test(keys_that_are_not_encoded_are_left_alone),
        cmocka_unit_test(times_and_etags_may_be_missing),
        cmocka_unit_test(unsound_listings_are_refused),
        cmocka_unit_test(no_beginning_of_a_listing_is_taken_for_the_whole),
        cmocka_unit_test(entities_of_the_document_are_refused),
        cmocka_unit_test(error_has_code_message_region_and_endpoint),
        cmocka_unit_test(empty_members_are_none),
        cmocka_unit_test(what_is_no_error_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

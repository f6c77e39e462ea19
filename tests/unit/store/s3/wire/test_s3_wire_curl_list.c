/*
 * Listings over the libcurl wire, page by page.
 */
#include "unit/store/s3/wire/wire_fixture.h"

#define OBJECT(key) "<Contents><Key>" key "</Key><ETag>\"e\"</ETag><Size>1</Size></Contents>"
#define PREFIX(key) "<CommonPrefixes><Prefix>" key "</Prefix></CommonPrefixes>"
#define PAGE(truncated, content)                                                                   \
    "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"  \
    "<EncodingType>url</EncodingType><IsTruncated>" truncated "</IsTruncated>" content             \
    "</ListBucketResult>"

static void add_page(struct wire_fixture *fixture, const char *page)
{
    scripted_server_add_body(fixture->server, 200, XML AMZ, page);
}

static void list(struct wire_fixture *fixture, const char *prefix, const char *start_after,
                 bool shallow, unsigned max_keys)
{
    wire_perform(fixture, (struct s3_wire_request){.method = S3_WIRE_LIST,
                                                   .key = prefix,
                                                   .start_after = start_after,
                                                   .shallow = shallow,
                                                   .max_keys = max_keys});
}

static void assert_query(const struct wire_fixture *fixture, unsigned index, const char *query)
{
    g_autofree char *request = scripted_server_request(fixture->server, index);
    g_autofree char *line = g_strdup_printf("GET /bucket?%s HTTP/1.1\r\n", query);
    *(strchr(request, '\n') + 1) = '\0';
    assert_string_equal(request, line);
}

/* The keys of the answer, with a blank between them. */
static void assert_rows(const struct wire_fixture *fixture, const char *expected, const char *next)
{
    assert_result(fixture, S3_WIRE_OK, NULL);
    g_autoptr(GString) keys = g_string_new(NULL);
    for (guint i = 0; i < fixture->answer.rows->len; i++) {
        const struct s3_wire_row *row = g_ptr_array_index(fixture->answer.rows, i);
        g_string_append_printf(keys, "%s%s", i ? " " : "", row->key);
    }
    assert_string_equal(keys->str, expected);
    if (next)
        assert_string_equal(fixture->answer.next, next);
    else
        assert_null(fixture->answer.next);
}

static void query_is_sorted_and_encoded(void **state)
{
    struct wire_fixture *fixture = *state;
    add_page(fixture, PAGE("false", ""));
    list(fixture, "", NULL, false, 1000);
    list(fixture, "a b/", NULL, true, 7);
    list(fixture, "a+b/", "a+b/c&=/\xc3\xa4", false, 1);
    assert_query(fixture, 0, "encoding-type=url&list-type=2&max-keys=1000&prefix=");
    assert_query(fixture, 1,
                 "delimiter=%2F&encoding-type=url&list-type=2&max-keys=7&prefix=a%20b%2F");
    assert_query(fixture, 2,
                 "encoding-type=url&list-type=2&max-keys=1&prefix=a%2Bb%2F"
                 "&start-after=a%2Bb%2Fc%26%3D%2F%C3%A4");
}

static void shallow_page_starts_behind_a_whole_prefix(void **state)
{
    struct wire_fixture *fixture = *state;
    add_page(fixture, PAGE("false", ""));
    list(fixture, "p/", "p/a/", true, 10);
    list(fixture, "p/", "p/a/b/c", true, 10);
    list(fixture, "p/", "p/a", true, 10);
    list(fixture, "p/", "other/a", true, 10);
    for (unsigned i = 0; i < 4; i++) {
        g_autofree char *request = scripted_server_request(fixture->server, i);
        *strchr(request, '\r') = '\0';
        const char *start = strstr(request, "&start-after=");
        static const char *const expected[] = {
            "&start-after=p%2Fa%2F%F4%8F%BF%BF HTTP/1.1",
            "&start-after=p%2Fa%2F%F4%8F%BF%BF HTTP/1.1",
            "&start-after=p%2Fa HTTP/1.1",
            "&start-after=other%2Fa HTTP/1.1",
        };
        assert_string_equal(start, expected[i]);
    }
}

static void rows_come_in_key_order(void **state)
{
    struct wire_fixture *fixture = *state;
    add_page(fixture, PAGE("false", OBJECT("p/a") OBJECT("p/c") OBJECT("p/%C3%A4") PREFIX("p/b/")));
    list(fixture, "p/", NULL, true, 1000);
    assert_rows(fixture, "p/a p/b/ p/c p/\xc3\xa4", NULL);
    const struct s3_wire_row *row = g_ptr_array_index(fixture->answer.rows, 1);
    assert_true(row->is_prefix);
    assert_null(row->etag);
}

static void next_page_starts_after_the_last_row(void **state)
{
    struct wire_fixture *fixture = *state;
    add_page(fixture, PAGE("true", OBJECT("p/a") PREFIX("p/b/")));
    add_page(fixture, PAGE("true", OBJECT("p/c%20d")));
    add_page(fixture, PAGE("false", ""));
    list(fixture, "p/", NULL, true, 2);
    assert_rows(fixture, "p/a p/b/", "p/b/");
    list(fixture, "p/", "p/b/", true, 2);
    assert_rows(fixture, "p/c d", "p/c d");
    list(fixture, "p/", "p/c d", true, 2);
    assert_rows(fixture, "", NULL);
}

static void page_that_starts_elsewhere_is_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    add_page(fixture, PAGE("true", OBJECT("p/a") OBJECT("p/b")));
    list(fixture, "p/", "p/b", false, 2);
    assert_result(fixture, S3_WIRE_LOST, "before its start");
    list(fixture, "p/a/", NULL, false, 2);
    assert_result(fixture, S3_WIRE_LOST, "outside the prefix");
}

static void empty_page_that_is_not_the_last_is_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    add_page(fixture, PAGE("true", ""));
    list(fixture, "p/", NULL, false, 2);
    assert_result(fixture, S3_WIRE_LOST, "empty but not the last");
}

static void empty_pages_are_passed_over(void **state)
{
    struct wire_fixture *fixture = *state;
    add_page(fixture, PAGE("true", "<NextContinuationToken>t/1=</NextContinuationToken>"));
    add_page(fixture, PAGE("true", "<NextContinuationToken>t2</NextContinuationToken>"));
    add_page(fixture,
             PAGE("true", OBJECT("p/a") "<NextContinuationToken>t3</NextContinuationToken>"));
    list(fixture, "p/", NULL, false, 2);
    assert_rows(fixture, "p/a", "p/a");
    assert_requests(fixture, 3);
    assert_query(
        fixture, 1,
        "continuation-token=t%2F1%3D&encoding-type=url&list-type=2&max-keys=2&prefix=p%2F");
    assert_query(fixture, 2,
                 "continuation-token=t2&encoding-type=url&list-type=2&max-keys=2&prefix=p%2F");
}

static void endless_empty_pages_end_with_the_time(void **state)
{
    struct wire_fixture *fixture = *state;
    add_page(fixture, PAGE("true", "<NextContinuationToken>t</NextContinuationToken>"));
    wire_perform(fixture,
                 (struct s3_wire_request){.method = S3_WIRE_LIST, .key = "p/", .timeout_ms = 100});
    assert_true(fixture->answer.result == S3_WIRE_LOST ||
                fixture->answer.result == S3_WIRE_TIMED_OUT ||
                fixture->answer.result == S3_WIRE_UNREACHABLE);
}

static void page_that_was_cut_is_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    g_autofree char *page = g_strdup(PAGE("false", OBJECT("a") OBJECT("b")));
    page[strlen(page) / 2] = '\0';
    g_autofree char *whole =
        g_strconcat("HTTP/1.1 200 OK\n" XML "Content-Length: 1000\n\n", page, NULL);
    g_autofree char *endless = g_strconcat("HTTP/1.1 200 OK\n" XML "\n", page, NULL);
    scripted_server_add(fixture->server, SCRIPT_CLOSE, whole);
    scripted_server_add(fixture->server, SCRIPT_CLOSE, endless);
    for (int i = 0; i < 2; i++) {
        list(fixture, "", NULL, false, 1000);
        assert_result(fixture, S3_WIRE_LOST, NULL);
    }
}

static void listing_of_a_missing_bucket_says_so(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 404, XML, ERROR_XML("NoSuchBucket", ""));
    scripted_server_add_body(fixture->server, 404, HTML, "<html>");
    list(fixture, "", NULL, false, 1000);
    assert_result(fixture, S3_WIRE_NO_BUCKET, NULL);
    list(fixture, "", NULL, false, 1000);
    assert_result(fixture, S3_WIRE_REJECTED, "not an answer of S3");
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, wire_fixture_set_up_curl, wire_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(query_is_sorted_and_encoded),
        TEST(shallow_page_starts_behind_a_whole_prefix),
        TEST(rows_come_in_key_order),
        TEST(next_page_starts_after_the_last_row),
        TEST(page_that_starts_elsewhere_is_lost),
        TEST(empty_page_that_is_not_the_last_is_lost),
        TEST(empty_pages_are_passed_over),
        TEST(endless_empty_pages_end_with_the_time),
        TEST(page_that_was_cut_is_lost),
        TEST(listing_of_a_missing_bucket_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

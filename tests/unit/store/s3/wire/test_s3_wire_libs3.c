/*
 * The libs3 wire: what it takes on, and that it does not believe everything that libs3 believes.
 */
#include "unit/store/s3/wire/wire_fixture.h"

#define PAGE "<html><head><title>Oops</title></head><body><br>Please sign in</body></html>"
#define MD5_OF_NOTHING "d41d8cd98f00b204e9800998ecf8427e"

static int make_wire(struct wire_fixture *fixture)
{
    return s3_wire_libs3_new(&fixture->endpoint, &fixture->wire, NULL);
}

static int set_up(void **state)
{
    return wire_fixture_set_up(state, make_wire);
}

/* ---- Success ---- */

static void wire_has_the_name_of_its_library(void **state)
{
    struct wire_fixture *fixture = *state;
    assert_string_equal(fixture->wire->name, s3_wire_libs3_name());
    assert_true(g_str_has_prefix(fixture->wire->name, "libs3/"));
}

static void get_tells_body_etag_size_and_time(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200,
                             "ETag: \"e1\"\nLast-Modified: Sat, 03 Feb 2024 04:05:06 GMT\n" AMZ,
                             "hello");
    wire_get(fixture, "a/b");
    assert_result(fixture, S3_WIRE_OK, NULL);
    assert_string_equal(fixture->answer.body->data, "hello");
    assert_string_equal(fixture->answer.etag, "e1");
    assert_int_equal(fixture->answer.size, 5);
    assert_true(fixture->answer.modified_ns == INT64_C(1706933106000000000));
    g_autofree char *request = scripted_server_request(fixture->server, 0);
    assert_true(g_str_has_prefix(request, "GET /bucket/a/b HTTP/1.1\r\n"));
    assert_null(strstr(request, SECRET));
}

static void head_tells_etag_and_size(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_KEEP,
                        "HTTP/1.1 200 OK\nETag: \"e1\"\nContent-Length: 12345\n\n");
    assert_head(fixture, S3_WIRE_OK, NULL);
    assert_string_equal(fixture->answer.etag, "e1");
    assert_int_equal(fixture->answer.size, 12345);
}

static void delete_needs_no_body(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_KEEP, "HTTP/1.1 204 No Content\n" AMZ "\n");
    wire_delete(fixture, "key");
    assert_result(fixture, S3_WIRE_OK, NULL);
}

/* ---- What libs3 is not asked ---- */

static void what_libs3_cannot_be_trusted_with_is_refused(void **state)
{
    struct wire_fixture *fixture = *state;
    static const char *const keys[] = {"a b", "a+b", "a%b", "\xc3\xa4", "a=b", "../a", "a/./b"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        wire_get(fixture, keys[i]);
        assert_result(fixture, S3_WIRE_REJECTED, "key");
        wire_delete(fixture, keys[i]);
        assert_result(fixture, S3_WIRE_REJECTED, "key");
    }
    wire_put(fixture, "a", "x", S3_WIRE_ALWAYS, NULL);
    assert_result(fixture, S3_WIRE_REJECTED, "put");
    wire_list(fixture, "");
    assert_result(fixture, S3_WIRE_REJECTED, "listing");
    assert_requests(fixture, 0);
}

static void session_token_is_sent_or_refused(void **state)
{
    struct wire_fixture *fixture = *state;
    wire_use_token(fixture);
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n", "x");
    wire_get(fixture, "key");
    if (strcmp(fixture->wire->name, "libs3/2.0") == 0) {
        assert_result(fixture, S3_WIRE_REJECTED, "session token");
        assert_requests(fixture, 0);
    } else {
        assert_result(fixture, S3_WIRE_OK, NULL);
        assert_header(fixture, 0, "x-amz-security-token", TOKEN);
    }
}

static void assert_endpoint_refused(const char *url)
{
    struct s3_endpoint endpoint;
    struct s3_wire *wire = NULL;
    struct error err = {0};
    assert_int_equal(s3_endpoint_init(&endpoint, url, NULL, "bucket", true, NULL), 0);
    assert_int_equal(s3_wire_libs3_new(&endpoint, &wire, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "libs3"));
    assert_null(wire);
    s3_endpoint_clear(&endpoint);
}

static void https_is_refused(void **state)
{
    assert_endpoint_refused("https://127.0.0.1");
    assert_endpoint_refused(NULL);
}

/* ---- What libs3 believes ---- */

static void short_body_is_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_CLOSE,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nContent-Length: 10\n\nhello");
    scripted_server_add(fixture->server, SCRIPT_CLOSE,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nContent-Length: 10\n\n");
    scripted_server_add(fixture->server, SCRIPT_CLOSE,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nTransfer-Encoding: chunked\n\n5\r\nhello");
    scripted_server_add(fixture->server, SCRIPT_CLOSE,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nTransfer-Encoding: chunked\n\n");
    for (int i = 0; i < 4; i++)
        assert_get(fixture, S3_WIRE_LOST, NULL);
}

static void empty_body_counts_with_its_etag_only(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"" MD5_OF_NOTHING "\"\n", "");
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n", "");
    assert_get(fixture, S3_WIRE_OK, NULL);
    assert_int_equal(fixture->answer.body->size, 0);
    assert_get(fixture, S3_WIRE_LOST, "length");
}

static void answer_without_etag_is_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, HTML, PAGE);
    assert_get(fixture, S3_WIRE_LOST, "etag");
    assert_head(fixture, S3_WIRE_LOST, "etag");
}

/* ---- Absence ---- */

static void absence_is_believed_when_s3_says_so(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 404, XML, ERROR_XML("NoSuchKey", ""));
    assert_get(fixture, S3_WIRE_NOT_FOUND, NULL);
    assert_string_equal(fixture->answer.s3_code, "NoSuchKey");
}

static void absence_that_head_tells_is_confirmed(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_KEEP,
                        "HTTP/1.1 404 Not Found\nContent-Length: 200\n\n");
    scripted_server_add_body(fixture->server, 404, XML, ERROR_XML("NoSuchKey", ""));
    scripted_server_add(fixture->server, SCRIPT_KEEP,
                        "HTTP/1.1 404 Not Found\nContent-Length: 200\n\n");
    scripted_server_add_body(fixture->server, 404, HTML, PAGE);
    assert_head(fixture, S3_WIRE_NOT_FOUND, NULL);
    assert_head(fixture, S3_WIRE_LOST, NULL);
}

static void absence_is_not_believed_when_others_say_so(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 404, HTML, PAGE);
    scripted_server_add_body(fixture->server, 404, HTML, "<html><body>well-formed</body></html>");
    scripted_server_add_body(fixture->server, 404, "", "");
    for (int i = 0; i < 3; i++)
        assert_get(fixture, S3_WIRE_LOST, NULL);
}

/* ---- Errors ---- */

static void errors_of_s3_are_told_apart(void **state)
{
    static const struct {
        int status;
        const char *document;
        enum s3_wire_result result;
    } cases[] = {
        {403, ERROR_XML("InvalidAccessKeyId", "<Message>Who?</Message>"), S3_WIRE_DENIED},
        {403, ERROR_XML("SignatureDoesNotMatch", ""), S3_WIRE_DENIED},
        {404, ERROR_XML("NoSuchBucket", ""), S3_WIRE_NO_BUCKET},
        {301, ERROR_XML("PermanentRedirect", ""), S3_WIRE_REDIRECT},
        {400, ERROR_XML("InvalidArgument", ""), S3_WIRE_REJECTED},
        {409, ERROR_XML("OperationAborted", ""), S3_WIRE_CONFLICT},
        {412, ERROR_XML("PreconditionFailed", ""), S3_WIRE_PRECONDITION},
        {500, ERROR_XML("InternalError", ""), S3_WIRE_SERVER_ERROR},
        {500, ERROR_XML("UnknownError", ""), S3_WIRE_SERVER_ERROR},
        {503, ERROR_XML("SlowDown", ""), S3_WIRE_BUSY},
        {503, ERROR_XML("ServiceUnavailable", ""), S3_WIRE_SERVER_ERROR},
        {502, "", S3_WIRE_SERVER_ERROR},
        {503, PAGE, S3_WIRE_LOST},
    };
    struct wire_fixture *fixture = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        scripted_server_add_body(fixture->server, cases[i].status, XML, cases[i].document);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_get(fixture, cases[i].result, i == 0 ? "Who?" : NULL);
}

static void answers_that_do_not_come_are_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_CLOSE, "");
    scripted_server_add(fixture->server, SCRIPT_RESET, "");
    scripted_server_add(fixture->server, SCRIPT_RESET, "HTTP/1.1 200 OK\nContent-Le");
    for (int i = 0; i < 3; i++)
        assert_get(fixture, S3_WIRE_LOST, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, wire_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wire_has_the_name_of_its_library),
        TEST(get_tells_body_etag_size_and_time),
        TEST(head_tells_etag_and_size),
        TEST(delete_needs_no_body),
        TEST(what_libs3_cannot_be_trusted_with_is_refused),
        TEST(session_token_is_sent_or_refused),
        TEST(https_is_refused),
        TEST(short_body_is_lost),
        TEST(empty_body_counts_with_its_etag_only),
        TEST(answer_without_etag_is_lost),
        TEST(absence_is_believed_when_s3_says_so),
        TEST(absence_that_head_tells_is_confirmed),
        TEST(absence_is_not_believed_when_others_say_so),
        TEST(errors_of_s3_are_told_apart),
        TEST(answers_that_do_not_come_are_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

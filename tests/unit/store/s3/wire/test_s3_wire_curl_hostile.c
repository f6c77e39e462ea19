/*
 * What the libcurl wire makes of errors, of servers that misbehave, and of what is no S3 server.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/store/s3/wire/wire_fixture.h"

#define SHORT_MS 300
#define LONG_MS 60000
#define PAGE "<html><head><title>Oops</title></head><body><br>Please sign in</body></html>"
#define NO_KEY ERROR_XML("NoSuchKey", "")

static void assert_put(struct wire_fixture *fixture, enum s3_wire_result result,
                       const char *message)
{
    wire_put(fixture, "key", "hello", S3_WIRE_IF_NONE_MATCH_ANY, NULL);
    assert_result(fixture, result, message);
}

/* ---- Errors of S3 ---- */

static void errors_are_told_with_code_and_message(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 403, XML AMZ,
                             ERROR_XML("InvalidAccessKeyId", "<Message>No such\nkey.</Message>"));
    assert_get(fixture, S3_WIRE_DENIED, "No such key.");
    assert_string_equal(fixture->answer.s3_code, "InvalidAccessKeyId");
    assert_int_equal(fixture->answer.status, 403);
}

static void lost_races_are_told_apart(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 412, XML, ERROR_XML("PreconditionFailed", ""));
    scripted_server_add_body(fixture->server, 409, XML,
                             ERROR_XML("ConditionalRequestConflict", ""));
    scripted_server_add_body(fixture->server, 500, XML, ERROR_XML("UnknownError", ""));
    scripted_server_add_body(fixture->server, 412, AMZ, "");
    scripted_server_add_body(fixture->server, 404, XML, NO_KEY);
    scripted_server_add_body(fixture->server, 404, XML, ERROR_XML("NoSuchBucket", ""));
    assert_put(fixture, S3_WIRE_PRECONDITION, NULL);
    assert_put(fixture, S3_WIRE_CONFLICT, NULL);
    assert_put(fixture, S3_WIRE_SERVER_ERROR, NULL);
    assert_put(fixture, S3_WIRE_PRECONDITION, NULL);
    assert_put(fixture, S3_WIRE_NOT_FOUND, NULL);
    assert_put(fixture, S3_WIRE_NO_BUCKET, NULL);
}

static void slow_down_is_told_from_other_503(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 503, XML, ERROR_XML("SlowDown", ""));
    scripted_server_add_body(fixture->server, 503, XML, ERROR_XML("ServiceUnavailable", ""));
    assert_put(fixture, S3_WIRE_BUSY, NULL);
    assert_put(fixture, S3_WIRE_SERVER_ERROR, NULL);
}

static void redirects_are_told_and_not_followed(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(
        fixture->server, 301, XML AMZ "Location: /elsewhere\nX-Amz-Bucket-Region: eu-west-3\n",
        ERROR_XML("PermanentRedirect", "<Message>Go</Message><Endpoint>there.example</Endpoint>"));
    scripted_server_add_body(fixture->server, 301, XML AMZ "X-Amz-Bucket-Region: eu-west-3\n", "");
    assert_get(fixture, S3_WIRE_REDIRECT, "Go (endpoint there.example)");
    assert_string_equal(fixture->answer.region, "eu-west-3");
    assert_head(fixture, S3_WIRE_REDIRECT, NULL);
    assert_string_equal(fixture->answer.region, "eu-west-3");
    assert_requests(fixture, 2);
}

/* They come from something on the way, and pass. */
static void redirects_of_others_are_lost_and_not_followed(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 307, "Location: https://other.example/\n", "");
    scripted_server_add_body(fixture->server, 302, HTML "Location: /sign-in\n", PAGE);
    for (int i = 0; i < 2; i++) {
        assert_get(fixture, S3_WIRE_LOST, "not an answer of S3");
        assert_put(fixture, S3_WIRE_LOST, "not an answer of S3");
    }
    assert_requests(fixture, 4);
}

static void region_that_the_signature_should_have_is_told(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(
        fixture->server, 400, XML AMZ,
        ERROR_XML("AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>"));
    wire_list(fixture, "");
    assert_result(fixture, S3_WIRE_REDIRECT, NULL);
    assert_string_equal(fixture->answer.region, "eu-west-3");
}

static void token_that_the_server_repeats_is_not_told(void **state)
{
    struct wire_fixture *fixture = *state;
    wire_use_token(fixture);
    scripted_server_add_body(fixture->server, 400, XML,
                             ERROR_XML("InvalidToken", "<Message>bad: " TOKEN "</Message>"));
    assert_get(fixture, S3_WIRE_DENIED, NULL);
    assert_null(fixture->answer.message);
}

static void codes_and_regions_are_made_printable(void **state)
{
    struct wire_fixture *fixture = *state;
    wire_use_token(fixture);
    scripted_server_add_body(
        fixture->server, 400, XML,
        ERROR_XML("Line\ntwo\x7f", "<Region>eu\n3</Region><Endpoint>a\nb</Endpoint>"));
    scripted_server_add_body(fixture->server, 400, XML "x-amz-bucket-region: eu\x1b[31m\n",
                             ERROR_XML(TOKEN, ""));
    assert_get(fixture, S3_WIRE_REJECTED, NULL);
    assert_string_equal(fixture->answer.s3_code, "Line two");
    assert_string_equal(fixture->answer.region, "eu 3");
    assert_get(fixture, S3_WIRE_REJECTED, NULL);
    assert_null(fixture->answer.s3_code);
    assert_string_equal(fixture->answer.region, "eu [31m");
}

/* ---- Absence ---- */

static void absence_is_believed_when_s3_says_so(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 404, XML, NO_KEY);
    scripted_server_add_body(fixture->server, 404, AMZ, "");
    scripted_server_add(fixture->server, SCRIPT_KEEP,
                        "HTTP/1.1 404 Not Found\n" AMZ "Content-Length: 200\n\n");
    scripted_server_add(fixture->server, SCRIPT_KEEP,
                        "HTTP/1.1 404 Not Found\n" XML "Content-Length: 200\n\n");
    assert_get(fixture, S3_WIRE_NOT_FOUND, NULL);
    assert_get(fixture, S3_WIRE_NOT_FOUND, NULL);
    assert_head(fixture, S3_WIRE_NOT_FOUND, NULL);
    assert_head(fixture, S3_WIRE_NOT_FOUND, NULL);
}

static void absence_is_not_believed_when_others_say_so(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 404, HTML, PAGE);
    scripted_server_add_body(fixture->server, 404, "", "");
    scripted_server_add_body(fixture->server, 404, "Content-Type: text/plain\n", "not found");
    scripted_server_add_body(fixture->server, 404, AMZ "Content-Type: text/html\n", PAGE);
    for (int i = 0; i < 4; i++)
        assert_get(fixture, S3_WIRE_REJECTED, "not an answer of S3");
}

static void absence_without_signs_of_s3_is_not_believed_of_head(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_KEEP,
                        "HTTP/1.1 404 Not Found\nContent-Length: 200\n\n");
    scripted_server_add(fixture->server, SCRIPT_KEEP,
                        "HTTP/1.1 404 Not Found\n" HTML AMZ "Content-Length: 200\n\n");
    assert_head(fixture, S3_WIRE_REJECTED, "not an answer of S3");
    assert_head(fixture, S3_WIRE_REJECTED, "not an answer of S3");
}

static void error_document_that_was_cut_is_no_absence(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_CLOSE,
                        "HTTP/1.1 404 Not Found\n" XML "Content-Length: 200\n\n<Error><Code>NoS");
    assert_get(fixture, S3_WIRE_LOST, NULL);
}

/* ---- What is no S3 server ---- */

static void pages_of_proxies_count_by_their_status(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 503, HTML, PAGE);
    scripted_server_add_body(fixture->server, 502, "", "");
    scripted_server_add_body(fixture->server, 403, HTML, PAGE);
    scripted_server_add_body(fixture->server, 405, HTML, PAGE);
    assert_get(fixture, S3_WIRE_SERVER_ERROR, "HTTP 503, and not an answer of S3 (text/html)");
    assert_put(fixture, S3_WIRE_SERVER_ERROR, "HTTP 502");
    assert_get(fixture, S3_WIRE_DENIED, "not an answer of S3");
    assert_put(fixture, S3_WIRE_REJECTED, "not an answer of S3");
}

static void pages_that_say_ok_are_not_taken_for_success(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, HTML, PAGE);
    assert_get(fixture, S3_WIRE_LOST, "etag");
    wire_list(fixture, "");
    assert_result(fixture, S3_WIRE_LOST, "not a listing");
    assert_put(fixture, S3_WIRE_LOST, "page");
    wire_delete(fixture, "key");
    assert_result(fixture, S3_WIRE_LOST, "page");
}

/* moto types every answer so. */
static void changes_answered_with_nothing_are_no_pages_whatever_their_type(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, HTML "ETag: \"abc\"\n", "");
    scripted_server_add(fixture->server, SCRIPT_KEEP, "HTTP/1.1 204 No Content\n" HTML "\n");
    assert_put(fixture, S3_WIRE_OK, NULL);
    wire_delete(fixture, "key");
    assert_result(fixture, S3_WIRE_OK, NULL);
}

static void errors_that_say_ok_are_not_taken_for_success(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, XML AMZ, ERROR_XML("InternalError", ""));
    scripted_server_add_body(fixture->server, 200, AMZ, "");
    scripted_server_add_body(fixture->server, 200, AMZ, "");
    scripted_server_add_body(fixture->server, 206, AMZ "ETag: \"e\"\n", "half");
    assert_put(fixture, S3_WIRE_LOST, "error document");
    assert_put(fixture, S3_WIRE_LOST, "without an etag");
    wire_list(fixture, "");
    assert_result(fixture, S3_WIRE_LOST, "not a listing");
    assert_get(fixture, S3_WIRE_LOST, NULL);
}

static void nonsense_is_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_CLOSE, "SSH-2.0-OpenSSH_9.2\r\n");
    assert_get(fixture, S3_WIRE_LOST, NULL);
}

/* ---- Bodies ---- */

static void short_body_is_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_CLOSE,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nContent-Length: 10\n\nhello");
    assert_get(fixture, S3_WIRE_LOST, NULL);
    assert_int_equal(fixture->answer.status, 200);
}

static void body_that_lacks_its_last_chunk_is_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_CLOSE,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nTransfer-Encoding: chunked\n\n"
                        "5\r\nhello\r\n");
    assert_get(fixture, S3_WIRE_LOST, NULL);
}

static void body_of_unknown_length_is_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_CLOSE, "HTTP/1.1 200 OK\nETag: \"e\"\n\nhello");
    scripted_server_add(fixture->server, SCRIPT_CLOSE, "HTTP/1.1 200 OK\nETag: \"e\"\n\n");
    assert_get(fixture, S3_WIRE_LOST, "length");
    assert_head(fixture, S3_WIRE_LOST, "length");
}

static void body_that_is_too_large_is_refused_before_it_comes(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_HANG,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nContent-Length: 1073741825\n\nhello");
    assert_get(fixture, S3_WIRE_REJECTED, NULL);
}

static void long_error_is_cut_and_counts(void **state)
{
    struct wire_fixture *fixture = *state;
    g_autofree char *page = g_strnfill(200000, 'x');
    scripted_server_add_body(fixture->server, 503, HTML, page);
    scripted_server_add_body(fixture->server, 404, HTML, page);
    assert_get(fixture, S3_WIRE_SERVER_ERROR, "not an answer of S3");
    assert_get(fixture, S3_WIRE_REJECTED, "not an answer of S3");
}

/* ---- Connections ---- */

static void answers_that_do_not_come_are_lost(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_CLOSE, "");
    scripted_server_add(fixture->server, SCRIPT_RESET, "");
    scripted_server_add(fixture->server, SCRIPT_RESET, "HTTP/1.1 200 OK\nContent-Le");
    for (int i = 0; i < 3; i++)
        assert_put(fixture, S3_WIRE_LOST, NULL);
    assert_requests(fixture, 3);
}

/* On a busy machine the time may be over before there is a connection; then again with more. */
static void get_within_short(struct wire_fixture *fixture)
{
    unsigned before = scripted_server_requests(fixture->server);
    for (int64_t time_ms = SHORT_MS; time_ms < LONG_MS; time_ms *= 4) {
        wire_perform(fixture, (struct s3_wire_request){
                                  .method = S3_WIRE_GET, .key = "key", .timeout_ms = time_ms});
        if (fixture->answer.result != S3_WIRE_UNREACHABLE ||
            scripted_server_requests(fixture->server) > before)
            break;
    }
}

static void waiting_ends_with_the_time(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_HANG, "");
    scripted_server_add(fixture->server, SCRIPT_HANG,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nContent-Length: 10\n\nhello");
    scripted_server_add(fixture->server, SCRIPT_DRIP,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nContent-Length: 1000000\n\n");
    scripted_server_add(fixture->server, SCRIPT_DRIP, "HTTP/1.1 200 OK\nx-drip: ");
    for (int i = 0; i < 4; i++) {
        get_within_short(fixture);
        assert_result(fixture, S3_WIRE_TIMED_OUT, NULL);
    }
}

/* Makes a wire to another place. */
static void use_endpoint(struct wire_fixture *fixture, const char *url)
{
    s3_endpoint_clear(&fixture->endpoint);
    s3_wire_free(fixture->wire);
    assert_int_equal(s3_endpoint_init(&fixture->endpoint, url, NULL, "bucket", true, NULL), 0);
    assert_int_equal(s3_wire_curl_new(&fixture->endpoint, NULL, &fixture->wire, NULL), 0);
}

/* A socket that is bound but does not listen: nobody else can listen there meanwhile. */
static int dead_port(unsigned *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int dead = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(dead >= 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(dead, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return dead;
}

static void server_that_is_not_there_is_unreachable(void **state)
{
    struct wire_fixture *fixture = *state;
    unsigned port;
    int dead = dead_port(&port);
    g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u", port);
    use_endpoint(fixture, url);
    assert_put(fixture, S3_WIRE_UNREACHABLE, "127.0.0.1");
    close(dead);
}

static void server_without_tls_is_unreachable_by_https(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "", "");
    g_autofree char *url =
        g_strconcat("https", scripted_server_url(fixture->server) + strlen("http"), NULL);
    use_endpoint(fixture, url);
    wire_perform(fixture, (struct s3_wire_request){
                              .method = S3_WIRE_GET, .key = "key", .timeout_ms = SHORT_MS});
    assert_result(fixture, S3_WIRE_UNREACHABLE, NULL);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, wire_fixture_set_up_curl, wire_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(errors_are_told_with_code_and_message),
        TEST(lost_races_are_told_apart),
        TEST(slow_down_is_told_from_other_503),
        TEST(redirects_are_told_and_not_followed),
        TEST(redirects_of_others_are_lost_and_not_followed),
        TEST(region_that_the_signature_should_have_is_told),
        TEST(token_that_the_server_repeats_is_not_told),
        TEST(codes_and_regions_are_made_printable),
        TEST(absence_is_believed_when_s3_says_so),
        TEST(absence_is_not_believed_when_others_say_so),
        TEST(absence_without_signs_of_s3_is_not_believed_of_head),
        TEST(error_document_that_was_cut_is_no_absence),
        TEST(pages_of_proxies_count_by_their_status),
        TEST(pages_that_say_ok_are_not_taken_for_success),
        TEST(changes_answered_with_nothing_are_no_pages_whatever_their_type),
        TEST(errors_that_say_ok_are_not_taken_for_success),
        TEST(nonsense_is_lost),
        TEST(short_body_is_lost),
        TEST(body_that_lacks_its_last_chunk_is_lost),
        TEST(body_of_unknown_length_is_lost),
        TEST(body_that_is_too_large_is_refused_before_it_comes),
        TEST(long_error_is_cut_and_counts),
        TEST(answers_that_do_not_come_are_lost),
        TEST(waiting_ends_with_the_time),
        TEST(server_that_is_not_there_is_unreachable),
        TEST(server_without_tls_is_unreachable_by_https),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

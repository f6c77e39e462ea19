/*
 * What the libcurl wire sends, and what it makes of good answers.
 */
#include <pthread.h>

#include "unit/store/s3/wire/wire_fixture.h"
#include "unit/virtual_clock.h"

#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA256_OF_HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

/* ---- Requests ---- */

static void wire_has_the_name_of_its_library(void **state)
{
    struct wire_fixture *fixture = *state;
    assert_true(g_str_has_prefix(fixture->wire->name, "libcurl/"));
}

static void keys_are_sent_encoded_and_as_they_are(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 204, AMZ, "");
    wire_delete(fixture, "a b+c/../d//e%\xc3\xa4");
    assert_result(fixture, S3_WIRE_OK, NULL);
    assert_request_line(fixture, 0, "DELETE /bucket/a%20b%2Bc/../d//e%25%C3%A4 HTTP/1.1");
}

static void requests_are_signed_for_their_region(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 204, AMZ, "");
    wire_delete(fixture, "key");
    g_autofree char *header = scripted_server_header(fixture->server, 0, "Authorization");
    assert_non_null(header);
    assert_non_null(strstr(header, "AWS4-HMAC-SHA256"));
    assert_non_null(strstr(header, "Credential=ACCESS/"));
    assert_non_null(strstr(header, "/eu-test-1/s3/aws4_request"));
    assert_non_null(strstr(header, "Signature="));
    assert_header(fixture, 0, "x-amz-content-sha256", SHA256_OF_NOTHING);
    assert_header(fixture, 0, "x-amz-security-token", NULL);
}

static void put_sends_the_body_at_once_with_its_hash(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e1\"\n" AMZ, "");
    wire_put(fixture, "key", "hello", S3_WIRE_ALWAYS, NULL);
    assert_result(fixture, S3_WIRE_OK, NULL);
    assert_string_equal(fixture->answer.etag, "e1");
    assert_request_line(fixture, 0, "PUT /bucket/key HTTP/1.1");
    assert_header(fixture, 0, "Content-Length", "5");
    assert_header(fixture, 0, "Content-Type", "application/octet-stream");
    assert_header(fixture, 0, "x-amz-content-sha256", SHA256_OF_HELLO);
    assert_header(fixture, 0, "Expect", NULL);
    assert_header(fixture, 0, "Transfer-Encoding", NULL);
    assert_header(fixture, 0, "If-Match", NULL);
    assert_header(fixture, 0, "If-None-Match", NULL);
    g_autofree char *request = scripted_server_request(fixture->server, 0);
    assert_true(g_str_has_suffix(request, "\r\n\r\nhello"));
}

static void put_sends_its_condition_as_given(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n" AMZ, "");
    wire_put(fixture, "key", "x", S3_WIRE_IF_NONE_MATCH_ANY, NULL);
    wire_put(fixture, "key", "x", S3_WIRE_IF_MATCH, "\"quoted\"");
    wire_put(fixture, "key", "", S3_WIRE_IF_MATCH, "bare");
    assert_header(fixture, 0, "If-None-Match", "*");
    assert_header(fixture, 0, "If-Match", NULL);
    assert_header(fixture, 1, "If-Match", "\"quoted\"");
    assert_header(fixture, 1, "If-None-Match", NULL);
    assert_header(fixture, 2, "If-Match", "bare");
    assert_header(fixture, 2, "Content-Length", "0");
}

static void put_large(struct wire_fixture *fixture)
{
    size_t size = (size_t)3 << 20;
    auto_bytes struct bytes *body = bytes_allocate(size);
    memset(body->data, 'x', size);
    wire_perform(fixture,
                 (struct s3_wire_request){.method = S3_WIRE_PUT, .key = "key", .body = body});
}

/* For which libcurl would take a second, which never passes here. */
static void large_put_does_not_wait_for_leave(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_set_expect(fixture->server, SCRIPT_IGNORE);
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n" AMZ, "");
    virtual_clock_stop();
    put_large(fixture);
    virtual_clock_go_on();
    assert_result(fixture, S3_WIRE_OK, NULL);
    g_autofree char *request = scripted_server_request(fixture->server, 0);
    assert_int_equal(strlen(strstr(request, "\r\n\r\n") + 4), 3 << 20);
}

static void large_put_with_leave_is_complete(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n" AMZ, "");
    put_large(fixture);
    assert_result(fixture, S3_WIRE_OK, NULL);
    assert_requests(fixture, 1);
}

static void large_put_that_is_refused_at_once_is_understood(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_set_expect(fixture->server, SCRIPT_REFUSE);
    scripted_server_add_body(fixture->server, 412, AMZ XML, ERROR_XML("PreconditionFailed", ""));
    put_large(fixture);
    assert_result(fixture, S3_WIRE_PRECONDITION, NULL);
    assert_requests(fixture, 1);
}

/* ---- Answers ---- */

static void get_tells_body_etag_size_and_time(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200,
                             "eTaG: \"e1\"\nlast-modified: Sat, 03 Feb 2024 04:05:06 GMT\n"
                             "x-amz-bucket-region: eu\n",
                             "hello");
    assert_get(fixture, S3_WIRE_OK, NULL);
    assert_int_equal(fixture->answer.status, 200);
    assert_int_equal(fixture->answer.body->size, 5);
    assert_string_equal(fixture->answer.body->data, "hello");
    assert_string_equal(fixture->answer.etag, "e1");
    assert_int_equal(fixture->answer.size, 5);
    assert_true(fixture->answer.modified_ns == INT64_C(1706933106000000000));
    assert_request_line(fixture, 0, "GET /bucket/key HTTP/1.1");
}

static void get_takes_an_empty_body(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n", "");
    assert_get(fixture, S3_WIRE_OK, NULL);
    assert_int_equal(fixture->answer.body->size, 0);
}

static void get_takes_a_body_in_chunks(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_KEEP,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nTransfer-Encoding: chunked\n\n"
                        "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    assert_get(fixture, S3_WIRE_OK, NULL);
    assert_string_equal(fixture->answer.body->data, "hello world");
    assert_int_equal(fixture->answer.size, 11);
}

static void head_tells_etag_size_and_time(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_KEEP,
                        "HTTP/1.1 200 OK\nETag: \"e1\"\nContent-Length: 12345\n"
                        "Last-Modified: Sat, 03 Feb 2024 04:05:06 GMT\n\n");
    assert_head(fixture, S3_WIRE_OK, NULL);
    assert_string_equal(fixture->answer.etag, "e1");
    assert_int_equal(fixture->answer.size, 12345);
    assert_true(fixture->answer.modified_ns == INT64_C(1706933106000000000));
    assert_request_line(fixture, 0, "HEAD /bucket/key HTTP/1.1");
}

static void connection_is_kept(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n", "hello");
    for (int i = 0; i < 5; i++)
        assert_get(fixture, S3_WIRE_OK, NULL);
    wire_put(fixture, "key", "x", S3_WIRE_ALWAYS, NULL);
    assert_result(fixture, S3_WIRE_OK, NULL);
    assert_int_equal(scripted_server_connections(fixture->server), 1);
}

static void connection_that_the_server_has_closed_is_replaced(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add(fixture->server, SCRIPT_CLOSE,
                        "HTTP/1.1 200 OK\nETag: \"e\"\nContent-Length: 1\n\nx");
    for (int i = 0; i < 3; i++)
        assert_get(fixture, S3_WIRE_OK, NULL);
    assert_int_equal(scripted_server_connections(fixture->server), 3);
}

/* The server may have carried it out, and refuse the repetition for that very reason. */
static void repetition_on_a_fresh_connection_is_told(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n", "");
    scripted_server_add(fixture->server, SCRIPT_RESET, "");
    scripted_server_add_body(fixture->server, 412, XML, ERROR_XML("PreconditionFailed", ""));
    wire_put(fixture, "key", "x", S3_WIRE_ALWAYS, NULL);
    assert_result(fixture, S3_WIRE_OK, NULL);
    assert_false(fixture->answer.repeated);
    wire_put(fixture, "key", "x", S3_WIRE_IF_NONE_MATCH_ANY, NULL);
    assert_result(fixture, S3_WIRE_PRECONDITION, NULL);
    assert_true(fixture->answer.repeated);
    assert_int_equal(scripted_server_requests(fixture->server), 3);
}

/* The server may have carried it out; that it is away since does not undo that. */
static void repetition_that_finds_no_server_leaves_it_unknown(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n", "");
    scripted_server_add(fixture->server, SCRIPT_DIE, "");
    wire_put(fixture, "key", "x", S3_WIRE_ALWAYS, NULL);
    wire_put(fixture, "key", "x", S3_WIRE_IF_NONE_MATCH_ANY, NULL);
    assert_result(fixture, S3_WIRE_LOST, NULL);
    assert_requests(fixture, 2);
    wire_put(fixture, "key", "x", S3_WIRE_IF_NONE_MATCH_ANY, NULL);
    assert_result(fixture, S3_WIRE_UNREACHABLE, NULL);
}

struct getter {
    struct wire_fixture *fixture;
    unsigned good;
};

static void *get_some(void *argument)
{
    struct getter *getter = argument;
    for (int i = 0; i < 20; i++) {
        struct s3_wire_answer answer;
        struct s3_wire_request request = {.method = S3_WIRE_GET,
                                          .key = "key",
                                          .timeout_ms = GENEROUS_MS,
                                          .credentials = &getter->fixture->credentials};
        s3_wire_perform(getter->fixture->wire, &request, &answer);
        getter->good += answer.result == S3_WIRE_OK && strcmp(answer.body->data, "hello") == 0;
        s3_wire_answer_clear(&answer);
    }
    return NULL;
}

static void many_threads_share_a_wire(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n", "hello");
    pthread_t threads[8];
    struct getter getters[G_N_ELEMENTS(threads)];
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
        getters[i] = (struct getter){.fixture = fixture};
        assert_int_equal(pthread_create(&threads[i], NULL, get_some, &getters[i]), 0);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(getters[i].good, 20);
    }
    assert_true(scripted_server_connections(fixture->server) <= G_N_ELEMENTS(threads));
}

/* ---- Making a wire ---- */

static void assert_ca_file(struct wire_fixture *fixture, const char *path, int expected,
                           const char *reason)
{
    struct s3_wire *wire = NULL;
    struct error err = {0};
    assert_int_equal(s3_wire_curl_new(&fixture->endpoint, path, &wire, &err), expected);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, reason));
    assert_null(wire);
}

static void bad_ca_file_is_told(void **state)
{
    struct wire_fixture *fixture = *state;
    assert_ca_file(fixture, "/nowhere/at/all.pem", ERR_NOT_FOUND, "does not exist");
    assert_ca_file(fixture, "/", ERR_INVALID, "is a directory");
    assert_ca_file(fixture, "/dev/null", ERR_INVALID, "no certificate");
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, wire_fixture_set_up_curl, wire_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wire_has_the_name_of_its_library),
        TEST(keys_are_sent_encoded_and_as_they_are),
        TEST(requests_are_signed_for_their_region),
        TEST(put_sends_the_body_at_once_with_its_hash),
        TEST(put_sends_its_condition_as_given),
        TEST(large_put_does_not_wait_for_leave),
        TEST(large_put_with_leave_is_complete),
        TEST(large_put_that_is_refused_at_once_is_understood),
        TEST(get_tells_body_etag_size_and_time),
        TEST(get_takes_an_empty_body),
        TEST(get_takes_a_body_in_chunks),
        TEST(head_tells_etag_size_and_time),
        TEST(connection_is_kept),
        TEST(connection_that_the_server_has_closed_is_replaced),
        TEST(repetition_on_a_fresh_connection_is_told),
        TEST(repetition_that_finds_no_server_leaves_it_unknown),
        TEST(many_threads_share_a_wire),
        TEST(bad_ca_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

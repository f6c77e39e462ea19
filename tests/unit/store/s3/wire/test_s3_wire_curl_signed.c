/*
 * Paths, queries and signatures that the libcurl wire sends: a server that reads them as they are
 * comes to the same signature.
 */
#include <string.h>
#include <time.h>

#include "store/s3/wire/s3_signature.h"
#include "unit/store/s3/wire/wire_fixture.h"

#define ODD_KEY "a b+c/../d//e%\xc3\xa4/%2e%2E/./~*'(x)?&=#;:@$,[]|\\\"/."
#define ODD_KEY_ENCODED                                                                            \
    "a%20b%2Bc/../d//e%25%C3%A4/%252e%252E/./~%2A%27%28x%29%3F%26%3D%23%3B%3A%40%24%2C%5B%5D%7C%"  \
    "5C%22/."
#define ODD_PREFIX_ENCODED                                                                         \
    "a%20b%2Bc%2F..%2Fd%2F%2Fe%25%C3%A4%2F%252e%252E%2F.%2F~%2A%27%28x%29%3F%26%3D%23%3B%3A%40%24" \
    "%2C%5B%5D%7C%5C%22%2F."

/* ---- What a server makes of a request ---- */

static time_t parse_time(const char *text)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, utc);
    assert_non_null(time);
    return (time_t)g_date_time_to_unix(time);
}

/* The part of the header "authorization" after "NAME=". g_free(). */
static char *part_of(const char *authorization, const char *name)
{
    g_autofree char *start = g_strconcat(name, "=", NULL);
    const char *found = strstr(authorization, start);
    assert_non_null(found);
    found += strlen(start);
    return g_strndup(found, strcspn(found, ","));
}

/* The headers that the request says to be signed, but for those that signing adds. */
static GArray *signed_headers(struct wire_fixture *fixture, unsigned index, char **names)
{
    GArray *headers = s3_headers_new();
    for (char **name = names; *name; name++) {
        g_autofree char *value = scripted_server_header(fixture->server, index, *name);
        assert_non_null(value);
        if (!g_str_has_prefix(*name, "x-amz-"))
            s3_headers_add(headers, *name, "%s", value);
    }
    return headers;
}

/* Signs what has arrived, with what has arrived. */
static void assert_signature(struct wire_fixture *fixture, unsigned index)
{
    g_autofree char *request = scripted_server_request(fixture->server, index);
    *strchr(request, '\r') = '\0';
    g_auto(GStrv) words = g_strsplit(request, " ", 3);
    g_auto(GStrv) target = g_strsplit(words[1], "?", 2);
    g_autofree char *got = scripted_server_header(fixture->server, index, "Authorization");
    assert_non_null(got);
    g_autofree char *list = part_of(got, "SignedHeaders");
    g_auto(GStrv) names = g_strsplit(list, ";", -1);
    g_autoptr(GArray) headers = signed_headers(fixture, index, names);
    g_autofree char *date = scripted_server_header(fixture->server, index, "x-amz-date");
    g_autofree char *hash = scripted_server_header(fixture->server, index, "x-amz-content-sha256");
    struct s3_signing signing = {.credentials = &fixture->credentials,
                                 .region = "eu-test-1",
                                 .now = parse_time(date),
                                 .method = words[0],
                                 .path = target[0],
                                 .query = target[1] ? target[1] : "",
                                 .payload_hash = hash};
    s3_sign(&signing, headers);
    for (guint i = 0; i < headers->len; i++) {
        const struct s3_header *header = &g_array_index(headers, struct s3_header, i);
        assert_header(fixture, index, header->name, header->value);
    }
}

static void assert_signs(struct wire_fixture *fixture, unsigned index, const char *name)
{
    g_autofree char *got = scripted_server_header(fixture->server, index, "Authorization");
    g_autofree char *list = part_of(got, "SignedHeaders");
    g_auto(GStrv) names = g_strsplit(list, ";", -1);
    assert_true(g_strv_contains((const char *const *)names, name));
}

/* ---- Tests ---- */

static void odd_keys_are_sent_and_signed_as_they_are(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n" AMZ, "");
    wire_get(fixture, ODD_KEY);
    wire_head(fixture, ODD_KEY);
    wire_put(fixture, ODD_KEY, "hello", S3_WIRE_ALWAYS, NULL);
    wire_delete(fixture, ODD_KEY);
    assert_request_line(fixture, 0, "GET /bucket/" ODD_KEY_ENCODED " HTTP/1.1");
    assert_request_line(fixture, 1, "HEAD /bucket/" ODD_KEY_ENCODED " HTTP/1.1");
    assert_request_line(fixture, 2, "PUT /bucket/" ODD_KEY_ENCODED " HTTP/1.1");
    assert_request_line(fixture, 3, "DELETE /bucket/" ODD_KEY_ENCODED " HTTP/1.1");
    for (unsigned i = 0; i < 4; i++)
        assert_signature(fixture, i);
}

static void odd_prefixes_are_sent_and_signed_as_they_are(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, XML AMZ, "");
    wire_perform(fixture, (struct s3_wire_request){.method = S3_WIRE_LIST,
                                                   .key = ODD_KEY,
                                                   .start_after = ODD_KEY,
                                                   .max_keys = 3});
    wire_list(fixture, "");
    assert_request_line(fixture, 0,
                        "GET /bucket?encoding-type=url&list-type=2&max-keys=3"
                        "&prefix=" ODD_PREFIX_ENCODED "&start-after=" ODD_PREFIX_ENCODED
                        " HTTP/1.1");
    assert_request_line(fixture, 1,
                        "GET /bucket?encoding-type=url&list-type=2&max-keys=1000&prefix= HTTP/1.1");
    assert_signature(fixture, 0);
    assert_signature(fixture, 1);
}

static void conditions_host_and_content_type_are_signed(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n" AMZ, "");
    wire_put(fixture, "key", "hello", S3_WIRE_IF_NONE_MATCH_ANY, NULL);
    wire_put(fixture, "key", "hello", S3_WIRE_IF_MATCH, "\"e\"");
    assert_signs(fixture, 0, "if-none-match");
    assert_signs(fixture, 1, "if-match");
    for (unsigned i = 0; i < 2; i++) {
        assert_signs(fixture, i, "host");
        assert_signs(fixture, i, "content-type");
        assert_signature(fixture, i);
    }
    assert_header(fixture, 0, "host", strstr(scripted_server_url(fixture->server), "://") + 3);
}

static void session_token_is_sent_and_signed(void **state)
{
    struct wire_fixture *fixture = *state;
    wire_use_token(fixture);
    scripted_server_add_body(fixture->server, 204, AMZ, "");
    wire_delete(fixture, "key");
    assert_header(fixture, 0, "x-amz-security-token", TOKEN);
    assert_signs(fixture, 0, "x-amz-security-token");
    assert_signature(fixture, 0);
}

/* A server's clock may differ by some minutes, not by more. */
static void time_of_a_signature_is_now(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 204, AMZ, "");
    time_t before = time(NULL);
    wire_delete(fixture, "key");
    time_t after = time(NULL);
    g_autofree char *date = scripted_server_header(fixture->server, 0, "x-amz-date");
    assert_in_range(parse_time(date), before, after);
}

/* Which libcurl makes by itself when the connection that it had kept is dead. */
static void repetition_is_signed_too(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n", "");
    scripted_server_add(fixture->server, SCRIPT_RESET, "");
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n", "");
    wire_put(fixture, "key", "hello", S3_WIRE_ALWAYS, NULL);
    wire_put(fixture, "key", "hello", S3_WIRE_ALWAYS, NULL);
    assert_true(fixture->answer.repeated);
    assert_requests(fixture, 3);
    assert_signature(fixture, 1);
    assert_signature(fixture, 2);
}

static void secret_is_never_sent(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 403, XML, ERROR_XML("AccessDenied", ""));
    wire_get(fixture, "key");
    wire_put(fixture, "key", "hello", S3_WIRE_ALWAYS, NULL);
    wire_list(fixture, "p");
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *request = scripted_server_request(fixture->server, i);
        assert_null(strstr(request, SECRET));
        assert_null(strstr(request, "Basic"));
        const char *line_end = strchr(request, '\r');
        assert_null(g_strstr_len(request, line_end - request, "ACCESS"));
    }
}

static void requests_without_credentials_are_not_signed(void **state)
{
    struct wire_fixture *fixture = *state;
    scripted_server_add_body(fixture->server, 200, "ETag: \"e\"\n" AMZ, "x");
    struct s3_wire_request request = {
        .method = S3_WIRE_GET, .key = "key", .timeout_ms = GENEROUS_MS, .credentials = NULL};
    s3_wire_perform(fixture->wire, &request, &fixture->answer);
    assert_result(fixture, S3_WIRE_OK, NULL);
    assert_header(fixture, 0, "Authorization", NULL);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, wire_fixture_set_up_curl, wire_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(odd_keys_are_sent_and_signed_as_they_are),
        TEST(odd_prefixes_are_sent_and_signed_as_they_are),
        TEST(conditions_host_and_content_type_are_signed),
        TEST(session_token_is_sent_and_signed),
        TEST(time_of_a_signature_is_now),
        TEST(repetition_is_signed_too),
        TEST(secret_is_never_sent),
        TEST(requests_without_credentials_are_not_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

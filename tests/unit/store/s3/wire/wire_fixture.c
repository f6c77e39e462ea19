#include "unit/store/s3/wire/wire_fixture.h"
#include "unit/store/s3/wire/wire_result_name.h"

int wire_fixture_set_up(void **state, wire_maker *make)
{
    static char access_key[] = "ACCESS";
    static char secret_key[] = SECRET;
    /* A proxy of the surroundings is not what is tested. */
    g_setenv("no_proxy", "127.0.0.1,localhost", TRUE);
    struct wire_fixture *fixture = g_new0(struct wire_fixture, 1);
    fixture->server = scripted_server_new();
    fixture->credentials =
        (struct s3_credentials){.access_key = access_key, .secret_key = secret_key};
    assert_int_equal(s3_endpoint_init(&fixture->endpoint, scripted_server_url(fixture->server),
                                      "eu-test-1", "bucket", true, NULL),
                     0);
    assert_int_equal(make(fixture), 0);
    *state = fixture;
    return 0;
}

static int make_curl(struct wire_fixture *fixture)
{
    return s3_wire_curl_new(&fixture->endpoint, NULL, &fixture->wire, NULL);
}

int wire_fixture_set_up_curl(void **state)
{
    return wire_fixture_set_up(state, make_curl);
}

int wire_fixture_tear_down(void **state)
{
    struct wire_fixture *fixture = *state;
    s3_wire_answer_clear(&fixture->answer);
    s3_wire_free(fixture->wire);
    s3_endpoint_clear(&fixture->endpoint);
    scripted_server_free(fixture->server);
    g_free(fixture);
    return 0;
}

void wire_use_token(struct wire_fixture *fixture)
{
    static char token[] = TOKEN;
    fixture->credentials.session_token = token;
}

void wire_perform(struct wire_fixture *fixture, struct s3_wire_request request)
{
    request.credentials = &fixture->credentials;
    if (!request.timeout_ms)
        request.timeout_ms = GENEROUS_MS;
    if (!request.max_keys)
        request.max_keys = 1000;
    s3_wire_answer_clear(&fixture->answer);
    s3_wire_perform(fixture->wire, &request, &fixture->answer);
    bool has_body = fixture->answer.result == S3_WIRE_OK && request.method == S3_WIRE_GET;
    bool has_rows = fixture->answer.result == S3_WIRE_OK && request.method == S3_WIRE_LIST;
    assert_int_equal(fixture->answer.body != NULL, has_body);
    assert_int_equal(fixture->answer.rows != NULL, has_rows);
}

void wire_get(struct wire_fixture *fixture, const char *key)
{
    wire_perform(fixture, (struct s3_wire_request){.method = S3_WIRE_GET, .key = key});
}

void wire_head(struct wire_fixture *fixture, const char *key)
{
    wire_perform(fixture, (struct s3_wire_request){.method = S3_WIRE_HEAD, .key = key});
}

void wire_delete(struct wire_fixture *fixture, const char *key)
{
    wire_perform(fixture, (struct s3_wire_request){.method = S3_WIRE_DELETE, .key = key});
}

void wire_list(struct wire_fixture *fixture, const char *prefix)
{
    wire_perform(fixture, (struct s3_wire_request){.method = S3_WIRE_LIST, .key = prefix});
}

void wire_put(struct wire_fixture *fixture, const char *key, const char *text,
              enum s3_wire_condition condition, const char *etag)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    wire_perform(
        fixture,
        (struct s3_wire_request){
            .method = S3_WIRE_PUT, .key = key, .body = body, .condition = condition, .etag = etag});
}

void assert_result(const struct wire_fixture *fixture, enum s3_wire_result result,
                   const char *message)
{
    const struct s3_wire_answer *answer = &fixture->answer;
    const char *text = answer->message ? answer->message : "";
    if (answer->result != result || (message && !strstr(text, message)))
        fail_msg("\"%s\" (%s) instead of \"%s\" (%s)", wire_result_name(answer->result), text,
                 wire_result_name(result), message ? message : "whatever");
}

void assert_get(struct wire_fixture *fixture, enum s3_wire_result result, const char *message)
{
    wire_get(fixture, "key");
    assert_result(fixture, result, message);
}

void assert_head(struct wire_fixture *fixture, enum s3_wire_result result, const char *message)
{
    wire_head(fixture, "key");
    assert_result(fixture, result, message);
}

void assert_requests(const struct wire_fixture *fixture, unsigned count)
{
    assert_int_equal(scripted_server_requests(fixture->server), count);
}

void assert_request_line(const struct wire_fixture *fixture, unsigned index, const char *line)
{
    g_autofree char *request = scripted_server_request(fixture->server, index);
    *strchr(request, '\r') = '\0';
    assert_string_equal(request, line);
}

void assert_header(const struct wire_fixture *fixture, unsigned index, const char *name,
                   const char *value)
{
    g_autofree char *got = scripted_server_header(fixture->server, index, name);
    if (value) {
        assert_non_null(got);
        assert_string_equal(got, value);
    } else {
        assert_null(got);
    }
}

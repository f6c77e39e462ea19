/*
 * What the wires have in common: what errors mean, and what is told of them.
 */
#include <string.h>

#include "store/s3/wire/s3_wire_private.h"
#include "unit/store/s3/wire/wire_result_name.h"
#include "unit/unit.h"

static void assert_meaning(int status, const char *s3_code, enum s3_wire_result expected)
{
    enum s3_wire_result result = s3_wire_classify(status, s3_code);
    if (result != expected)
        fail_msg("%d %s is \"%s\" instead of \"%s\"", status, s3_code ? s3_code : "without code",
                 wire_result_name(result), wire_result_name(expected));
}

static void status_tells_where_there_is_no_code(void **state)
{
    assert_meaning(301, NULL, S3_WIRE_REDIRECT);
    assert_meaning(307, NULL, S3_WIRE_REDIRECT);
    assert_meaning(308, NULL, S3_WIRE_REDIRECT);
    assert_meaning(400, NULL, S3_WIRE_REJECTED);
    assert_meaning(401, NULL, S3_WIRE_DENIED);
    assert_meaning(403, NULL, S3_WIRE_DENIED);
    assert_meaning(404, NULL, S3_WIRE_NOT_FOUND);
    assert_meaning(405, NULL, S3_WIRE_REJECTED);
    assert_meaning(409, NULL, S3_WIRE_CONFLICT);
    assert_meaning(412, NULL, S3_WIRE_PRECONDITION);
    assert_meaning(429, NULL, S3_WIRE_BUSY);
    assert_meaning(500, NULL, S3_WIRE_SERVER_ERROR);
    assert_meaning(501, NULL, S3_WIRE_REJECTED);
    assert_meaning(599, NULL, S3_WIRE_SERVER_ERROR);
}

static void only_a_code_says_that_503_was_not_executed(void **state)
{
    assert_meaning(503, NULL, S3_WIRE_SERVER_ERROR);
    assert_meaning(503, "ServiceUnavailable", S3_WIRE_SERVER_ERROR);
    assert_meaning(503, "SlowDown", S3_WIRE_BUSY);
    assert_meaning(503, "SlowDownWrite", S3_WIRE_BUSY);
}

static void absence_is_never_confused(void **state)
{
    assert_meaning(404, "NoSuchKey", S3_WIRE_NOT_FOUND);
    assert_meaning(404, "NoSuchBucket", S3_WIRE_NO_BUCKET);
    assert_meaning(404, "NoSuchUpload", S3_WIRE_REJECTED);
    assert_meaning(404, "SomethingElse", S3_WIRE_REJECTED);
    assert_meaning(410, NULL, S3_WIRE_REJECTED);
}

static void region_and_credentials_are_told_by_codes(void **state)
{
    assert_meaning(400, "AuthorizationHeaderMalformed", S3_WIRE_REDIRECT);
    assert_meaning(400, "IllegalLocationConstraintException", S3_WIRE_REDIRECT);
    assert_meaning(400, "IllegalLocationConstraint", S3_WIRE_REDIRECT);
    assert_meaning(301, "PermanentRedirect", S3_WIRE_REDIRECT);
    assert_meaning(400, "ExpiredToken", S3_WIRE_DENIED);
    assert_meaning(400, "InvalidToken", S3_WIRE_DENIED);
    assert_meaning(403, "RequestTimeTooSkewed", S3_WIRE_DENIED);
}

static void what_may_have_been_executed_is_not_called_rejected(void **state)
{
    assert_meaning(400, "RequestTimeout", S3_WIRE_LOST);
    assert_meaning(408, NULL, S3_WIRE_LOST);
    assert_meaning(400, "IncompleteBody", S3_WIRE_LOST);
    assert_meaning(409, "OperationAborted", S3_WIRE_CONFLICT);
    assert_meaning(409, "ConditionalRequestConflict", S3_WIRE_CONFLICT);
}

static void error_with_the_status_of_a_success_is_lost(void **state)
{
    assert_meaning(200, "InternalError", S3_WIRE_LOST);
    assert_meaning(200, "NoSuchKey", S3_WIRE_LOST);
    assert_meaning(0, NULL, S3_WIRE_LOST);
    assert_meaning(304, NULL, S3_WIRE_LOST);
}

static void assert_etag(const char *quoted, const char *expected)
{
    g_autofree char *etag = s3_wire_etag(quoted);
    if (expected)
        assert_string_equal(etag, expected);
    else
        assert_null(etag);
}

static void etags_lose_their_quotes(void **state)
{
    assert_etag("\"abc\"", "abc");
    assert_etag("abc", "abc");
    assert_etag("W/\"abc\"", "abc");
    assert_etag("\"abc-2\"", "abc-2");
    assert_etag("\"", "\"");
    assert_etag("\"\"", NULL);
    assert_etag("", NULL);
    assert_etag(NULL, NULL);
}

static char *conclusion(const char *text, const char *token)
{
    struct s3_credentials credentials = {.session_token = (char *)token};
    struct s3_wire_request request = {.method = S3_WIRE_GET, .credentials = &credentials};
    struct s3_wire_answer answer = {0};
    s3_wire_conclude(&request, &answer, S3_WIRE_DENIED, "%s", text);
    assert_int_equal(answer.result, S3_WIRE_DENIED);
    char *message = g_steal_pointer(&answer.message);
    s3_wire_answer_clear(&answer);
    return message;
}

static void messages_are_one_printable_line(void **state)
{
    g_autofree char *line = conclusion(" two\nlines\x1b[31m \xff. ", NULL);
    assert_string_equal(line, "two lines [31m \xef\xbf\xbd.");
    assert_null(conclusion("", NULL));
    assert_null(conclusion(" \n ", NULL));
}

static void messages_are_cut(void **state)
{
    for (size_t length = 290; length < 310; length++) {
        g_autofree char *text = g_strnfill(length, 'x');
        g_autofree char *line = conclusion(text, NULL);
        assert_true(strlen(line) <= 300);
        assert_int_equal(g_str_has_suffix(line, "..."), length > 300);
    }
    GString *umlauts = g_string_new("x");
    for (int i = 0; i < 200; i++)
        g_string_append(umlauts, "\xc3\xa4");
    g_autofree char *line = conclusion(umlauts->str, NULL);
    assert_true(g_utf8_validate(line, -1, NULL));
    assert_true(strlen(line) <= 300);
    g_string_free(umlauts, TRUE);
}

static void message_that_repeats_the_token_is_dropped(void **state)
{
    assert_null(conclusion("the token TOKEN123 is bad", "TOKEN123"));
    g_autofree char *line = conclusion("the token is bad", "TOKEN123");
    assert_string_equal(line, "the token is bad");
}

/* Those of STS are longer than a message may be. */
static void message_that_repeats_a_part_of_a_long_token_is_dropped(void **state)
{
    g_autofree char *token = g_strdup_printf("FwoGZXIvYXdzEJr%0900d", 7);
    g_autofree char *whole = g_strdup_printf("bad: %s", token);
    g_autofree char *cut = g_strndup(whole, 40);
    g_autofree char *filler = g_strnfill(280, 'x');
    g_autofree char *late = g_strdup_printf("%s %s", filler, token);
    assert_null(conclusion(whole, token));
    assert_null(conclusion(cut, token));
    assert_null(conclusion(late, token));
}

static void answer_can_be_cleared_twice(void **state)
{
    struct s3_wire_answer answer = {.s3_code = g_strdup("x"),
                                    .region = g_strdup("x"),
                                    .etag = g_strdup("x"),
                                    .next = g_strdup("x"),
                                    .body = bytes_new_text("x"),
                                    .rows = s3_wire_rows_new()};
    g_ptr_array_add(answer.rows, g_new0(struct s3_wire_row, 1));
    s3_wire_answer_clear(&answer);
    s3_wire_answer_clear(&answer);
    assert_null(answer.rows);
    s3_wire_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_tells_where_there_is_no_code),
        cmocka_unit_test(only_a_code_says_that_503_was_not_executed),
        cmocka_unit_test(absence_is_never_confused),
        cmocka_unit_test(region_and_credentials_are_told_by_codes),
        cmocka_unit_test(what_may_have_been_executed_is_not_called_rejected),
        cmocka_unit_test(error_with_the_status_of_a_success_is_lost),
        cmocka_unit_test(etags_lose_their_quotes),
        cmocka_unit_test(messages_are_one_printable_line),
        cmocka_unit_test(messages_are_cut),
        cmocka_unit_test(message_that_repeats_the_token_is_dropped),
        cmocka_unit_test(message_that_repeats_a_part_of_a_long_token_is_dropped),
        cmocka_unit_test(answer_can_be_cleared_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Reading the members of an object with json-c: what it would misread must not get through.
 */
#include <string.h>

#include "base/json_members.h"
#include "base/json_text.h"
#include "unit/unit.h"

static int parse(const char *text, struct json_object **ret, struct error *err)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    return members_of_document(body, ret, err);
}

static struct json_object *parsed(const char *text)
{
    struct json_object *object = NULL;
    struct error err = {0};
    if (parse(text, &object, &err))
        fail_msg("%s: %s", text, err.text);
    return object;
}

/* ---- Documents ---- */

static void what_the_strict_check_refuses_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "null",
        "7",
        "{",
        "{} {}",
        "{}x",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"a\":{\"b\":1,\"b\":1}}",
        "{\"a\":\"\xff\"}",
        "{\"\xc0\x80\":1}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":+1}",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\":TRUE}",
        "/* */{}",
        "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct json_object *object = NULL;
        if (parse(texts[i], &object, NULL) != ERR_CORRUPT)
            fail_msg("accepted: %s", texts[i]);
        assert_null(object);
    }
    struct json_object *object = NULL;
    auto_bytes struct bytes *with_nul = bytes_new("{}\0", 3);
    assert_int_equal(members_of_document(with_nul, &object, NULL), ERR_CORRUPT);
}

static char *nested(unsigned levels)
{
    GString *text = g_string_new(NULL);
    for (unsigned i = 0; i < levels; i++)
        g_string_append(text, i % 2 ? "[" : "{\"a\":");
    g_string_append(text, "1");
    for (unsigned i = levels; i > 0; i--)
        g_string_append(text, i % 2 ? "}" : "]");
    return g_string_free(text, FALSE);
}

static void as_many_levels_as_serde_takes_are_read(void **state)
{
    g_autofree char *deepest = nested(JSON_NESTING_LIMIT);
    g_autofree char *too_deep = nested(JSON_NESTING_LIMIT + 1);
    auto_json struct json_object *object = parsed(deepest);
    struct json_object *none = NULL;
    assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), deepest);
    assert_int_equal(parse(too_deep, &none, NULL), ERR_CORRUPT);
}

/* ---- Names ---- */

static void a_name_with_a_nul_is_no_other_name(void **state)
{
    auto_json struct json_object *object =
        parsed("{\"id\\u0000x\":1,\"\\u0000\":2,\"b\\\\u0000\":3,\"\\\\\\u0000\\\"\" : 4}");
    assert_false(members_has(object, "id"));
    assert_false(members_has(object, ""));
    assert_true(members_has(object, "b\\u0000"));
    assert_int_equal(json_object_object_length(object), 4);
    struct json_object_iter entry;
    unsigned with_nul = 0;
    json_object_object_foreachC(object, entry)
    {
        with_nul += strstr(entry.key, JSON_NUL_IN_NAME) != NULL;
    }
    assert_int_equal(with_nul, 3);
}

static void names_are_compared_decoded(void **state)
{
    auto_json struct json_object *object = parsed("{\"\\u0061\\n\":\"x\"}");
    const char *text = NULL;
    assert_int_equal(members_string(object, "a\n", &text, NULL), 0);
    assert_string_equal(text, "x");
}

/* ---- Numbers ---- */

static uint64_t number(const char *text, uint64_t max)
{
    g_autofree char *document = g_strdup_printf("{\"n\":%s}", text);
    auto_json struct json_object *object = parsed(document);
    uint64_t value = 0;
    struct error err = {0};
    if (members_unsigned(object, "n", max, &value, &err))
        fail_msg("%s: %s", text, err.text);
    return value;
}

static void unsigned_numbers_are_exact(void **state)
{
    assert_true(number("0", 0) == 0);
    assert_true(number("9007199254740993", UINT64_MAX) == 9007199254740993);
    assert_true(number("9223372036854775807", UINT64_MAX) == INT64_MAX);
    assert_true(number("9223372036854775808", UINT64_MAX) == (uint64_t)INT64_MAX + 1);
    assert_true(number("18446744073709551615", UINT64_MAX) == UINT64_MAX);
    assert_true(number("65535", UINT16_MAX) == 65535);
}

static void assert_no_number(const char *text, uint64_t max)
{
    g_autofree char *document = g_strdup_printf("{\"n\":%s}", text);
    auto_json struct json_object *object = parsed(document);
    uint64_t value = 7;
    struct error err = {0};
    if (members_unsigned(object, "n", max, &value, &err) != ERR_CORRUPT)
        fail_msg("accepted: %s", text);
    assert_true(value == 7);
    assert_non_null(strstr(err.text, "member \"n\" is not an unsigned integer of at most"));
}

static void other_numbers_are_none(void **state)
{
    static const char *const texts[] = {
        "-1",
        "-0",
        "1.0",
        "0.0",
        "1e3",
        "1E0",
        "-1.0e-5",
        "-9223372036854775809",
        "18446744073709551616",
        "100000000000000000000000000000",
        "\"1\"",
        "null",
        "true",
        "[1]",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_no_number(texts[i], UINT64_MAX);
    assert_no_number("65536", UINT16_MAX);
    assert_no_number("9223372036854775808", INT64_MAX);
    assert_no_number("18446744073709551615", INT64_MAX);
}

/* ---- Strings ---- */

static void a_string_is_decoded(void **state)
{
    auto_json struct json_object *object = parsed(
        "{\"s\":\"\\u00e4 \\ud83c\\udf33 \\\"\\\\\\/\\n -0 18446744073709551616 \\\\u0000\"}");
    const char *text = NULL;
    assert_int_equal(members_string(object, "s", &text, NULL), 0);
    assert_string_equal(text, "\xc3\xa4 \xf0\x9f\x8c\xb3 \"\\/\n -0 18446744073709551616 \\u0000");
}

static void assert_error(const char *document, int (*read)(struct json_object *, struct error *),
                         const char *text)
{
    auto_json struct json_object *object = parsed(document);
    struct error err = {0};
    assert_int_equal(read(object, &err), ERR_CORRUPT);
    assert_string_equal(err.text, text);
}

static int read_string(struct json_object *object, struct error *err)
{
    const char *text;
    return members_string(object, "s", &text, err);
}

static void what_is_no_string_is_told_by_name(void **state)
{
    assert_error("{}", read_string, "member \"s\" is missing");
    assert_error("{\"s\":null}", read_string, "member \"s\" is not a string");
    assert_error("{\"s\":7}", read_string, "member \"s\" is not a string");
    assert_error("{\"s\":\"a\\u0000b\"}", read_string, "member \"s\" holds the character U+0000");
    assert_error("{\"s\":\"\\u0000\"}", read_string, "member \"s\" holds the character U+0000");
}

static void an_optional_string_may_be_absent_or_null(void **state)
{
    auto_json struct json_object *object = parsed("{\"null\":null,\"s\":\"x\",\"n\":1}");
    const char *text = "";
    assert_int_equal(members_optional_string(object, "absent", &text, NULL), 0);
    assert_null(text);
    assert_int_equal(members_optional_string(object, "null", &text, NULL), 0);
    assert_null(text);
    assert_int_equal(members_optional_string(object, "s", &text, NULL), 0);
    assert_string_equal(text, "x");
    assert_int_equal(members_optional_string(object, "n", &text, NULL), ERR_CORRUPT);
    assert_true(members_has(object, "null"));
    assert_false(members_has(object, "absent"));
    assert_null(members_find(object, "null"));
}

static int read_strings(struct json_object *object, struct error *err)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new();
    return members_strings(object, "list", texts, err);
}

static void a_list_of_strings_holds_nothing_else(void **state)
{
    auto_json struct json_object *object = parsed("{\"list\":[\"a\",\"\"],\"none\":[]}");
    g_autoptr(GPtrArray) texts = g_ptr_array_new();
    assert_int_equal(members_strings(object, "list", texts, NULL), 0);
    assert_int_equal(members_strings(object, "none", texts, NULL), 0);
    assert_int_equal(texts->len, 2);
    assert_string_equal(g_ptr_array_index(texts, 0), "a");
    assert_string_equal(g_ptr_array_index(texts, 1), "");
    assert_error("{}", read_strings, "member \"list\" is missing");
    assert_error("{\"list\":{}}", read_strings, "member \"list\" is not an array");
    assert_error("{\"list\":[\"a\",1]}", read_strings,
                 "member \"list\": element 1 is not a string");
    assert_error("{\"list\":[\"\\u0000\"]}", read_strings,
                 "member \"list\": element 0 is not a string");
}

/* ---- Others ---- */

static int read_time(struct json_object *object, struct error *err)
{
    struct timespec time;
    return members_time(object, "t", &time, err);
}

static int read_ulid(struct json_object *object, struct error *err)
{
    struct ulid id;
    return members_ulid(object, "id", &id, err);
}

static int read_object(struct json_object *object, struct error *err)
{
    struct json_object *value;
    return members_object(object, "o", &value, err);
}

static void times_ids_and_objects_are_told_by_name(void **state)
{
    auto_json struct json_object *object =
        parsed("{\"t\":\"2026-08-01T12:34:55Z\",\"id\":\"01J00000000000000000000000\",\"o\":{}}");
    assert_int_equal(read_time(object, NULL), 0);
    assert_int_equal(read_ulid(object, NULL), 0);
    assert_int_equal(read_object(object, NULL), 0);
    assert_error("{\"t\":\"noon\"}", read_time, "member \"t\" is not an RFC 3339 time: noon");
    assert_error("{\"id\":\"x\"}", read_ulid, "member \"id\" is not a ULID: x");
    assert_error("{\"o\":[]}", read_object, "member \"o\" is not an object");
    assert_error("{\"o\":null}", read_object, "member \"o\" is not an object");
}

/* ---- Source text ---- */

static void members_of_source_read_like_those_of_a_document(void **state)
{
    static const char text[] = "{\"s\":\"\\u00e4\",\"nul\":\"a\\u0000\",\"n\":18446744073709551615,"
                               "\"big\":18446744073709551616,\"minus\":-0,\"double\":1.0,"
                               "\"none\":null,\"o\":{\"a\":1},\"list\":[1],\"x\\u0000\":1}";
    g_autoptr(GArray) members = json_split_members((struct json_span){text, strlen(text)});
    auto_json struct json_object *object = members_of_source(members);
    const char *string = NULL;
    uint64_t value = 0;
    struct json_object *container = NULL;
    assert_int_equal(members_string(object, "s", &string, NULL), 0);
    assert_string_equal(string, "\xc3\xa4");
    assert_int_equal(members_string(object, "nul", &string, NULL), ERR_CORRUPT);
    assert_int_equal(members_unsigned(object, "n", UINT64_MAX, &value, NULL), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(members_unsigned(object, "big", UINT64_MAX, &value, NULL), ERR_CORRUPT);
    assert_int_equal(members_unsigned(object, "minus", UINT64_MAX, &value, NULL), ERR_CORRUPT);
    assert_int_equal(members_unsigned(object, "double", UINT64_MAX, &value, NULL), ERR_CORRUPT);
    assert_true(members_has(object, "none"));
    assert_null(members_find(object, "none"));
    assert_int_equal(members_object(object, "o", &container, NULL), 0);
    assert_int_equal(members_array(object, "list", &container, NULL), 0);
    assert_false(members_has(object, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_strict_check_refuses_is_refused),
        cmocka_unit_test(as_many_levels_as_serde_takes_are_read),
        cmocka_unit_test(a_name_with_a_nul_is_no_other_name),
        cmocka_unit_test(names_are_compared_decoded),
        cmocka_unit_test(unsigned_numbers_are_exact),
        cmocka_unit_test(other_numbers_are_none),
        cmocka_unit_test(a_string_is_decoded),
        cmocka_unit_test(what_is_no_string_is_told_by_name),
        cmocka_unit_test(an_optional_string_may_be_absent_or_null),
        cmocka_unit_test(a_list_of_strings_holds_nothing_else),
        cmocka_unit_test(times_ids_and_objects_are_told_by_name),
        cmocka_unit_test(members_of_source_read_like_those_of_a_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <string.h>

#include "base/json_text.h"
#include "unit/unit.h"

static struct json_span span_of(const char *text)
{
    return (struct json_span){text, strlen(text)};
}

static bool accepts(const char *text)
{
    return json_check(text, strlen(text), NULL) == 0;
}

static void assert_all_accepted(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error err = {.text = ""};
        if (json_check(texts[i], strlen(texts[i]), &err) != 0)
            fail_msg("refused: %s (%s)", texts[i], err.text);
    }
}

static void assert_all_refused(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error err = {.text = ""};
        if (json_check(texts[i], strlen(texts[i]), &err) != ERR_CORRUPT)
            fail_msg("accepted: %s", texts[i]);
        assert_non_null(strstr(err.text, "line"));
    }
}

#define ACCEPTED(...)                                                                              \
    do {                                                                                           \
        const char *const texts_[] = {__VA_ARGS__};                                                \
        assert_all_accepted(texts_, G_N_ELEMENTS(texts_));                                         \
    } while (0)
#define REFUSED(...)                                                                               \
    do {                                                                                           \
        const char *const texts_[] = {__VA_ARGS__};                                                \
        assert_all_refused(texts_, G_N_ELEMENTS(texts_));                                          \
    } while (0)

static void check_accepts_documents_of_every_kind(void **state)
{
    ACCEPTED("{}", "[]", "\"\"", "0", "true", "false", "null", " \t\r\n{ } \n",
             "[1,[2,{\"a\":[]}]]", "{\"a\":1,\"b\":{\"a\":1}}", "[{\"a\":1},{\"a\":1}]", "{\"\":0}",
             "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"", "\"\x7f\xC3\xA4\xF0\x9F\x98\x80\"");
}

static void check_refuses_broken_structure(void **state)
{
    REFUSED("", " ", "{", "}", "[", "]", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}",
            "{\"a\":1,}", "{,}", "{a:1}", "{'a':1}", "{1:1}", "[1}", "{\"a\":1]", "[1]]", "{} {}",
            "1 2", "nul", "nulll", "True", "NaN", "Infinity", "-Infinity", "// x\n1", "/* x */1",
            "{}\v", "\f{}", "tru", "\"a", "\"a\\", "\"\\\"");
}

static void check_knows_the_grammar_of_numbers(void **state)
{
    ACCEPTED("-0", "0.0", "1e5", "1E+5", "1e-5", "-1.25e10", "123456789012345678901234567890",
             "1e400", "[0]");
    REFUSED("01", "-01", "+1", ".5", "1.", "1.e5", "1e", "1e+", "-", "--1", "0x10", "1_000", "00",
            "1a", "-a");
}

static void check_refuses_broken_strings(void **state)
{
    REFUSED("\"\n\"", "\"\t\"", "\"\x01\"", "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\U0041\"",
            "\"\\'\"", "\"\\\n\"");
}

static void check_refuses_lone_surrogates(void **state)
{
    ACCEPTED("\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"", "\"\\ud7ff\\ue000\"");
    REFUSED("\"\\ud83d\"", "\"\\ude00\"", "\"\\ude00\\ud83d\"", "\"\\ud83dx\"", "\"\\ud83d\\n\"",
            "\"\\ud83d\\ud83d\"", "\"\\ud83d\\u0041\"", "\"\\ud83d\\\"", "{\"\\ud83d\":1}");
}

static void check_refuses_invalid_utf8(void **state)
{
    REFUSED("\"\xFF\"", "\"\xC3\"", "\"\xC0\x80\"", "\"\xE0\x80\xAF\"", "\"\xED\xA0\x80\"",
            "\"\xF4\x90\x80\x80\"", "\"\x80\"", "\xEF\xBB\xBF{}", "\xC3\xA4");
}

static void check_refuses_nul_characters(void **state)
{
    assert_int_equal(json_check("{}\0", 3, NULL), ERR_CORRUPT);
    assert_int_equal(json_check("\"a\0b\"", 5, NULL), ERR_CORRUPT);
    assert_int_equal(json_check("\0", 1, NULL), ERR_CORRUPT);
}

static void check_reads_no_further_than_the_length(void **state)
{
    assert_int_equal(json_check("{}}}", 2, NULL), 0);
    assert_int_equal(json_check("true", 3, NULL), ERR_CORRUPT);
    assert_int_equal(json_check("\"abc\"", 4, NULL), ERR_CORRUPT);
    assert_int_equal(json_check("123", 2, NULL), 0);
    assert_int_equal(json_check("\"\\u0041\"", 6, NULL), ERR_CORRUPT);
    assert_int_equal(json_check(NULL, 0, NULL), ERR_CORRUPT);
}

static void check_finds_duplicates_by_decoded_name(void **state)
{
    REFUSED("{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1,\"\\u0061\":1}",
            "{\"\\u0061\":1,\"a\":1}", "{\"\\n\":1,\"\\u000a\":1}", "{\"\":1,\"\":1}",
            "[{\"x\":{\"a\":1,\"a\":2}}]", "{\"\\u0000\":1,\"\\u0000\":2}",
            "{\"\xF0\x9F\x98\x80\":1,\"\\ud83d\\ude00\":1}");
    ACCEPTED("{\"a\":1,\"A\":1}", "{\"a\\u0000\":1,\"a\":2,\"a\\u0000b\":3}",
             "{\"a\":1,\"aa\":2,\"aaa\":3}", "{\"\xC3\xA4\":1,\"a\xCC\x88\":1}");
}

/* {"k0":0,"k1":0,...}, with every third name escaped, and `extra` behind. */
static GString *large_object(unsigned members, const char *extra)
{
    GString *text = g_string_new("{");
    for (unsigned i = 0; i < members; i++)
        g_string_append_printf(text, "%s\"%s%u\": {\"x\": 0}", i ? "," : "",
                               i % 3 ? "k" : "\\u006b", i);
    g_string_append_printf(text, "%s}", extra);
    return text;
}

static void check_finds_duplicates_in_objects_of_every_size(void **state)
{
    for (unsigned members = 1; members < 300; members++) {
        for (unsigned twice = 0; twice < members; twice += 1 + members / 5) {
            g_autofree char *extra = g_strdup_printf(",\"k%u\":1", twice);
            GString *text = large_object(members, extra);
            assert_int_equal(json_check(text->str, text->len, NULL), ERR_CORRUPT);
            g_string_free(text, TRUE);
        }
        GString *text = large_object(members, "");
        assert_int_equal(json_check(text->str, text->len, NULL), 0);
        g_string_free(text, TRUE);
    }
}

static void check_masters_an_object_of_500000_members(void **state)
{
    GString *text = large_object(500000, "");
    assert_int_equal(json_check(text->str, text->len, NULL), 0);
    g_string_free(text, TRUE);
    text = large_object(500000, ",\"k250000\":1");
    assert_int_equal(json_check(text->str, text->len, NULL), ERR_CORRUPT);
    g_string_free(text, TRUE);
}

static char *nested(unsigned levels, const char *opening, const char *closing)
{
    GString *text = g_string_new(NULL);
    for (unsigned i = 0; i < levels; i++)
        g_string_append(text, opening);
    g_string_append(text, "1");
    for (unsigned i = 0; i < levels; i++)
        g_string_append(text, closing);
    return g_string_free(text, FALSE);
}

static void check_allows_127_levels(void **state)
{
    static const char *const brackets[][2] = {{"[", "]"}, {"{\"a\":", "}"}};
    for (size_t i = 0; i < G_N_ELEMENTS(brackets); i++) {
        g_autofree char *deepest = nested(127, brackets[i][0], brackets[i][1]);
        g_autofree char *too_deep = nested(128, brackets[i][0], brackets[i][1]);
        g_autofree char *far_too_deep = nested(1000000, brackets[i][0], brackets[i][1]);
        assert_true(accepts(deepest));
        assert_false(accepts(too_deep));
        assert_false(accepts(far_too_deep));
        struct json_object *object = NULL;
        assert_int_equal(json_parse(deepest, strlen(deepest), &object, NULL), 0);
        assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
                            deepest);
        json_object_put(object);
    }
}

static void check_counts_lines_and_columns_from_one(void **state)
{
    struct error err;
    json_check("{\n  \"a\": 1,\n  \"b\" 2\n}", 21, &err);
    assert_non_null(strstr(err.text, "line 3, column 7"));
    json_check("x", 1, &err);
    assert_non_null(strstr(err.text, "line 1, column 1"));
    json_check("[\n\"\xFF\"]", 6, &err);
    assert_non_null(strstr(err.text, "line 2, column 2"));
}

static void parse_gives_the_document(void **state)
{
    static const char text[] = "{\"a\": [1, -2.5, \"x\\u0000y\"], \"n\": null}";
    struct json_object *object = NULL, *array, *null;
    assert_int_equal(json_parse(text, strlen(text), &object, NULL), 0);
    assert_true(json_object_object_get_ex(object, "a", &array));
    assert_int_equal(json_object_array_length(array), 3);
    assert_int_equal(json_object_get_int(json_object_array_get_idx(array, 0)), 1);
    assert_int_equal(json_object_get_string_len(json_object_array_get_idx(array, 2)), 3);
    assert_true(json_object_object_get_ex(object, "n", &null));
    assert_null(null);
    json_object_put(object);
}

static void parse_takes_scalars_that_end_with_the_text(void **state)
{
    struct json_object *object = NULL;
    assert_int_equal(json_parse("12345", 2, &object, NULL), 0);
    assert_int_equal(json_object_get_int(object), 12);
    json_object_put(object);
    assert_int_equal(json_parse("null", 4, &object, NULL), 0);
    assert_null(object);
    assert_int_equal(json_parse("-1.5e1", 6, &object, NULL), 0);
    assert_true(json_object_get_double(object) == -15.0);
    json_object_put(object);
    assert_int_equal(json_parse("true", 4, &object, NULL), 0);
    assert_true(json_object_get_boolean(object));
    json_object_put(object);
}

static void parse_refuses_names_that_json_c_would_cut(void **state)
{
    struct json_object *object = NULL;
    static const char *const refused[] = {"{\"id\\u0000x\":1}", "{\"id\":1,\"id\\u0000\" : 2}",
                                          "[{\"\\\\\\u0000\\\"\"\n: 2}]"};
    static const char *const accepted[] = {"{\"a\":\"\\u0000\",\"b\":2}", "{\"\\\\u0000\":1}",
                                           "[\"\\u0000\\u0000\",{\"a\":1}]", "\"\\u0000\""};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
        assert_int_equal(json_parse(refused[i], strlen(refused[i]), &object, NULL), ERR_CORRUPT);
    for (size_t i = 0; i < G_N_ELEMENTS(accepted); i++) {
        assert_int_equal(json_parse(accepted[i], strlen(accepted[i]), &object, NULL), 0);
        json_object_put(object);
    }
}

static void parse_refuses_what_the_check_refuses(void **state)
{
    struct json_object *object = NULL;
    assert_int_equal(json_parse("{\"a\":1,\"a\":2}", 13, &object, NULL), ERR_CORRUPT);
    assert_int_equal(json_parse("NaN", 3, &object, NULL), ERR_CORRUPT);
    assert_int_equal(json_parse("", 0, &object, NULL), ERR_CORRUPT);
    assert_null(object);
}

static void assert_span(struct json_span span, const char *expected)
{
    g_autofree char *text = g_strndup(span.text, span.length);
    assert_string_equal(text, expected);
}

static void members_keep_order_and_source(void **state)
{
    GArray *members = json_split_members(span_of(
        " { \"b\\n\" : [1, {\"x\":\"}\"}] ,\"a\":1.50,\n\"\\u0000\": \"q\\\"\" , \"z\":{} } "));
    assert_int_equal(members->len, 4);
    const struct json_member *member = &g_array_index(members, struct json_member, 0);
    assert_string_equal(member[0].key, "b\n");
    assert_span(member[0].key_source, "\"b\\n\"");
    assert_span(member[0].value, "[1, {\"x\":\"}\"}]");
    assert_string_equal(member[1].key, "a");
    assert_span(member[1].value, "1.50");
    assert_null(member[2].key);
    assert_span(member[2].key_source, "\"\\u0000\"");
    assert_span(member[2].value, "\"q\\\"\"");
    assert_span(member[3].value, "{}");
    g_array_unref(members);
}

static void empty_containers_have_no_items(void **state)
{
    static const char *const objects[] = {"{}", " {\n} "};
    static const char *const arrays[] = {"[]", "[ ]\n"};
    for (size_t i = 0; i < 2; i++) {
        GArray *members = json_split_members(span_of(objects[i]));
        GArray *elements = json_elements(span_of(arrays[i]));
        assert_int_equal(members->len, 0);
        assert_int_equal(elements->len, 0);
        g_array_unref(members);
        g_array_unref(elements);
    }
}

static void elements_are_cut_without_blanks(void **state)
{
    GArray *elements = json_elements(span_of("[ 1 , \"a,]\" ,[[],[2]], {\"k\":[3]},null]"));
    static const char *const expected[] = {"1", "\"a,]\"", "[[],[2]]", "{\"k\":[3]}", "null"};
    assert_int_equal(elements->len, G_N_ELEMENTS(expected));
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
        assert_span(g_array_index(elements, struct json_span, i), expected[i]);
    g_array_unref(elements);
}

static void kinds_are_told_by_the_first_character(void **state)
{
    assert_int_equal(json_span_kind(span_of(" {}")), JSON_OBJECT);
    assert_int_equal(json_span_kind(span_of("[1]")), JSON_ARRAY);
    assert_int_equal(json_span_kind(span_of("\"a\"")), JSON_STRING);
    assert_int_equal(json_span_kind(span_of("-1")), JSON_NUMBER);
    assert_int_equal(json_span_kind(span_of("7")), JSON_NUMBER);
    assert_int_equal(json_span_kind(span_of("true")), JSON_TRUE);
    assert_int_equal(json_span_kind(span_of("false")), JSON_FALSE);
    assert_int_equal(json_span_kind(span_of("\n null ")), JSON_NULL);
}

static void strings_are_decoded(void **state)
{
    char *text = NULL;
    assert_true(
        json_span_string(span_of("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00\""), &text));
    assert_string_equal(text, "\"\\/\b\f\n\r\t\xC3\xA4\xF0\x9F\x98\x80");
    g_free(text);
    assert_true(json_span_string(span_of("\"\""), &text));
    assert_string_equal(text, "");
    g_free(text);
    text = NULL;
    assert_false(json_span_string(span_of("\"a\\u0000\""), &text));
    assert_false(json_span_string(span_of("12"), &text));
    assert_false(json_span_string(span_of("null"), &text));
    assert_null(text);
}

static void unsigned_integers_are_exact(void **state)
{
    uint64_t value = 0;
    assert_true(json_span_unsigned(span_of("0"), 0, &value));
    assert_true(value == 0);
    assert_true(json_span_unsigned(span_of("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_true(json_span_unsigned(span_of("9007199254740993"), UINT64_MAX, &value));
    assert_true(value == UINT64_C(9007199254740993));
    assert_true(json_span_unsigned(span_of("65535"), 65535, &value));
    static const char *const refused[] = {"18446744073709551616",
                                          "99999999999999999999999",
                                          "-0",
                                          "-1",
                                          "1.0",
                                          "1e2",
                                          "\"1\"",
                                          "null",
                                          "[1]"};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
        assert_false(json_span_unsigned(span_of(refused[i]), UINT64_MAX, &value));
    assert_false(json_span_unsigned(span_of("65536"), 65535, &value));
    assert_true(value == 65535);
}

static void assert_pretty(const char *source, unsigned level, const char *expected)
{
    GString *out = g_string_new(NULL);
    json_append_pretty(out, span_of(source), level);
    assert_string_equal(out->str, expected);
    g_string_free(out, TRUE);
}

static void pretty_form_is_that_of_serde_json(void **state)
{
    assert_pretty("{}", 0, "{}");
    assert_pretty(" [ ] ", 3, "[]");
    assert_pretty("{\"forks\":{ }}", 0, "{\n  \"forks\": {}\n}");
    assert_pretty("[1,[2,{\"a\":null,\"b\":[]}],\"x\"]", 0,
                  "[\n  1,\n  [\n    2,\n    {\n      \"a\": null,\n      \"b\": []\n    }\n  ],\n"
                  "  \"x\"\n]");
    assert_pretty("{\"a\":1,\"b\":[true]}", 2,
                  "{\n      \"a\": 1,\n      \"b\": [\n        true\n      ]\n    }");
}

static void pretty_form_copies_scalars_as_they_stand(void **state)
{
    assert_pretty("[1.50,1E5,\"\\u0041\\/ {,:} \",-0]", 0,
                  "[\n  1.50,\n  1E5,\n  \"\\u0041\\/ {,:} \",\n  -0\n]");
    assert_pretty(" 12 ", 5, "12");
    assert_pretty("\"\\\\\"", 0, "\"\\\\\"");
}

static void pretty_form_is_a_fixed_point(void **state)
{
    static const char source[] = "{\"a\":[{},[],[{\"b\":\"c\\\"d\"}]],\"e\":{\"f\":false}}";
    GString *once = g_string_new(NULL);
    json_append_pretty(once, span_of(source), 0);
    assert_pretty(once->str, 0, once->str);
    g_string_free(once, TRUE);
}

static void strings_are_written_with_the_escapes_of_serde_json(void **state)
{
    GString *out = g_string_new("x");
    json_append_string(out, "\"\\/\b\t\n\f\r\x01\x1f\x7f\xC3\xA4\xE2\x80\xA8");
    assert_string_equal(out->str,
                        "x\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\xC3\xA4\xE2\x80\xA8\"");
    g_string_truncate(out, 0);
    json_append_string(out, "");
    assert_string_equal(out->str, "\"\"");
    g_string_free(out, TRUE);
}

static void written_strings_read_back(void **state)
{
    char all[256];
    for (int i = 1; i < 128; i++)
        all[i - 1] = (char)i;
    all[127] = '\0';
    GString *out = g_string_new(NULL);
    json_append_string(out, all);
    assert_int_equal(json_check(out->str, out->len, NULL), 0);
    char *read = NULL;
    assert_true(json_span_string((struct json_span){out->str, out->len}, &read));
    assert_string_equal(read, all);
    g_free(read);
    g_string_free(out, TRUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_accepts_documents_of_every_kind),
        cmocka_unit_test(check_refuses_broken_structure),
        cmocka_unit_test(check_knows_the_grammar_of_numbers),
        cmocka_unit_test(check_refuses_broken_strings),
        cmocka_unit_test(check_refuses_lone_surrogates),
        cmocka_unit_test(check_refuses_invalid_utf8),
        cmocka_unit_test(check_refuses_nul_characters),
        cmocka_unit_test(check_reads_no_further_than_the_length),
        cmocka_unit_test(check_finds_duplicates_by_decoded_name),
        cmocka_unit_test(check_finds_duplicates_in_objects_of_every_size),
        cmocka_unit_test(check_masters_an_object_of_500000_members),
        cmocka_unit_test(check_allows_127_levels),
        cmocka_unit_test(check_counts_lines_and_columns_from_one),
        cmocka_unit_test(parse_gives_the_document),
        cmocka_unit_test(parse_takes_scalars_that_end_with_the_text),
        cmocka_unit_test(parse_refuses_names_that_json_c_would_cut),
        cmocka_unit_test(parse_refuses_what_the_check_refuses),
        cmocka_unit_test(members_keep_order_and_source),
        cmocka_unit_test(empty_containers_have_no_items),
        cmocka_unit_test(elements_are_cut_without_blanks),
        cmocka_unit_test(kinds_are_told_by_the_first_character),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(unsigned_integers_are_exact),
        cmocka_unit_test(pretty_form_is_that_of_serde_json),
        cmocka_unit_test(pretty_form_copies_scalars_as_they_stand),
        cmocka_unit_test(pretty_form_is_a_fixed_point),
        cmocka_unit_test(strings_are_written_with_the_escapes_of_serde_json),
        cmocka_unit_test(written_strings_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

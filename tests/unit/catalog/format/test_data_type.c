#include "unit/unit.h"

#include <string.h>

#include "base/json_members.h"
#include "base/json_text.h"
#include "catalog/format/overlay_document.h"

static void assert_takes(const char *text, int code)
{
    struct error err = {0};
    auto_json struct json_object *value = NULL;
    if (json_parse_any_names(text, strlen(text), &value, NULL))
        fail_msg("%s is no JSON", text);
    if (overlay_check_data_type(value, &err) != code)
        fail_msg("%s: %s", text, err.text);
}

static void the_simple_types_are_words(void **state)
{
    static const char *const words[] = {"String", "Int32",     "Int64", "Float32",    "Float64",
                                        "Bool",   "Timestamp", "Date",  "Time",       "DateTime",
                                        "Bytes",  "Duration",  "Btic",  "CypherValue"};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autofree char *text = g_strdup_printf("\"%s\"", words[i]);
        assert_takes(text, 0);
    }
}

static void tagged_types_have_their_contents(void **state)
{
    static const char *const types[] = {
        "{\"Point\": \"Geographic\"}",
        "{\"Point\": \"Cartesian3D\"}",
        "{\"Vector\": {\"dimensions\": 384}}",
        "{\"SparseVector\": {\"dimensions\": 1}}",
        "{\"BinaryVector\": {\"dimensions\": 18446744073709551615}}",
        "{\"Crdt\": \"VCRegister\"}",
        "{\"List\": \"Int64\"}",
        "{\"List\": {\"List\": {\"Map\": [\"String\", {\"Point\": \"Cartesian2D\"}]}}}",
        "{\"Map\": [\"String\", \"Bool\"]}",
        "\"\\u0053tring\"",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        assert_takes(types[i], 0);
}

static void everything_else_is_refused(void **state)
{
    static const char *const values[] = {
        "\"string\"",
        "\"\"",
        "\"Str\\u0000ing\"",
        "null",
        "7",
        "true",
        "[]",
        "[\"String\"]",
        "{}",
        "\"Point\"",
        "\"Vector\"",
        "{\"String\": null}",
        "{\"Point\": \"Polar\"}",
        "{\"Point\": null}",
        "{\"Vector\": 8}",
        "{\"Vector\": {}}",
        "{\"Vector\": {\"dimensions\": -1}}",
        "{\"Vector\": {\"dimensions\": 1.0}}",
        "{\"Vector\": {\"dimensions\": 18446744073709551616}}",
        "{\"Crdt\": \"Counter\"}",
        "{\"List\": \"Strings\"}",
        "{\"List\": [\"String\"]}",
        "{\"Map\": [\"String\"]}",
        "{\"Map\": [\"String\", \"Bool\", \"Bool\"]}",
        "{\"Map\": [\"String\", \"Boolean\"]}",
        "{\"Map\": {\"String\": \"Bool\"}}",
        "{\"List\": \"Int64\", \"Map\": [\"String\", \"Bool\"]}",
        "{\"Li\\u0000st\": \"Int64\"}",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        assert_takes(values[i], ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_simple_types_are_words),
        cmocka_unit_test(tagged_types_have_their_contents),
        cmocka_unit_test(everything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

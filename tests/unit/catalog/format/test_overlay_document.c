#include "unit/unit.h"

#include <string.h>

#include "catalog/format/documents.h"
#include "catalog/format/overlay_document.h"

static int check(const char *text, struct bytes **ret, struct error *err)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    return overlay_document_check(body, ret, err);
}

static void assert_valid(const char *text)
{
    auto_bytes struct bytes *pretty = NULL;
    struct error err = {0};
    if (check(text, &pretty, &err))
        fail_msg("%s: %s", text, err.text);
    assert_non_null(pretty);
}

/* The text names what is wrong where. */
static void assert_invalid(const char *text, const char *part)
{
    auto_bytes struct bytes *pretty = NULL;
    struct error err = {0};
    if (check(text, &pretty, &err) != ERR_INVALID)
        fail_msg("%s is taken", text);
    assert_null(pretty);
    if (!strstr(err.text, part))
        fail_msg("%s: '%s' does not say '%s'", text, err.text, part);
}

static void assert_label(const char *meta, const char *problem)
{
    g_autofree char *text = g_strdup_printf("{\"added_labels\": [[\"Draft\", %s]]}", meta);
    if (problem)
        assert_invalid(text, problem);
    else
        assert_valid(text);
}

static void assert_edge_type(const char *meta, const char *problem)
{
    g_autofree char *text = g_strdup_printf("{\"added_edge_types\": [[\"CITES\", %s]]}", meta);
    if (problem)
        assert_invalid(text, problem);
    else
        assert_valid(text);
}

static void assert_property(const char *property, const char *problem)
{
    g_autofree char *text = g_strdup_printf("{\"added_properties\": [%s]}", property);
    if (problem)
        assert_invalid(text, problem);
    else
        assert_valid(text);
}

static void an_empty_overlay_is_valid(void **state)
{
    auto_bytes struct bytes *empty = overlay_empty();
    assert_valid(empty->data);
    assert_valid("{}");
    assert_valid(" {\n} \n");
    assert_valid("{\"added_labels\": []}");
}

static void the_document_comes_out_pretty_with_members_that_nobody_knows(void **state)
{
    auto_bytes struct bytes *pretty = NULL;
    assert_int_equal(
        check("{\"x\":1e400,\"added_labels\":[[\"L\",{\"id\":7,\"y\":[ ]}]]}\n", &pretty, NULL), 0);
    assert_string_equal(pretty->data, "{\n  \"x\": 1e400,\n  \"added_labels\": [\n    [\n"
                                      "      \"L\",\n      {\n        \"id\": 7,\n"
                                      "        \"y\": []\n      }\n    ]\n  ]\n}");
}

static void what_is_no_json_object_is_refused(void **state)
{
    assert_invalid("", "not a valid overlay");
    assert_invalid("{", "not a valid overlay");
    assert_invalid("[]", "not a valid overlay");
    assert_invalid("null", "not a valid overlay");
    assert_invalid("{} {}", "not a valid overlay");
    assert_invalid("{\"added_labels\": [], \"added_labels\": []}", "not a valid overlay");
    assert_invalid("\xef\xbb\xbf{}", "not a valid overlay");
    assert_invalid("{\"added_labels\": NaN}", "not a valid overlay");
}

static void lists_are_arrays(void **state)
{
    assert_invalid("{\"added_labels\": {}}", "added_labels must be an array");
    assert_invalid("{\"added_edge_types\": null}", "added_edge_types must be an array");
    assert_invalid("{\"added_properties\": \"\"}", "added_properties must be an array");
}

static void labels_are_pairs_of_name_and_description(void **state)
{
    assert_label("{\"id\": 65535}", NULL);
    assert_label("{\"id\": 0, \"created_at\": \"2026-08-02T08:00:00.500Z\", \"state\": \"Active\", "
                 "\"description\": null}",
                 NULL);
    assert_label("{\"id\": 1, \"state\": {\"Hidden\": {\"since\": \"2026-08-02T08:00:00Z\", "
                 "\"last_active_snapshot\": \"x\"}}}",
                 NULL);
    assert_label("{\"id\": 1, \"state\": {\"Tombstone\": {\"since\": \"2026-08-02T08:00:00Z\"}}}",
                 NULL);
    assert_label("{}", "added_labels[0]: member \"id\"");
    assert_label("{\"id\": 65536}", "\"id\"");
    assert_label("{\"id\": -1}", "\"id\"");
    assert_label("{\"id\": \"1\"}", "\"id\"");
    assert_label("{\"id\": null}", "\"id\"");
    assert_label("{\"id\": 1, \"created_at\": null}", "\"created_at\"");
    assert_label("{\"id\": 1, \"created_at\": \"yesterday\"}", "\"created_at\"");
    assert_label("{\"id\": 1, \"state\": \"active\"}", "unknown state");
    assert_label("{\"id\": 1, \"state\": null}", "unknown state");
    assert_label("{\"id\": 1, \"state\": {\"Hidden\": {\"since\": \"2026-08-02T08:00:00Z\"}}}",
                 "last_active_snapshot");
    assert_label("{\"id\": 1, \"state\": {\"Hidden\": null}}", "Hidden");
    assert_label("{\"id\": 1, \"state\": {\"Tombstone\": {}}}", "since");
    assert_label("{\"id\": 1, \"state\": {\"Tombstone\": []}}", "Tombstone");
    assert_label("{\"id\": 1, \"state\": {}}", "unknown state");
    assert_label("{\"id\": 1, \"description\": 7}", "description");
    assert_label("null", "pair");
    assert_label("{\"id\": 1}, 1", "pair");
    assert_invalid("{\"added_labels\": [\"Draft\"]}", "added_labels[0]: must be a pair");
    assert_invalid("{\"added_labels\": [[7, {\"id\": 1}]]}", "pair");
}

static void names_follow_unis_rule(void **state)
{
    static const char *const bad[] = {"",       " ",        "a b",      "a\\tb",   "a/b",
                                      "a\\\\b", "a\\u0085", "a\\u2028", "\\u00a0", "\\u0001"};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *text =
            g_strdup_printf("{\"added_labels\": [[\"%s\", {\"id\": 1}]]}", bad[i]);
        assert_invalid(text, "name");
    }
    g_autofree char *longest = g_strnfill(255, 'x');
    g_autofree char *fits = g_strdup_printf("{\"added_labels\": [[\"%s\", {\"id\": 1}]]}", longest);
    g_autofree char *too_long =
        g_strdup_printf("{\"added_labels\": [[\"x%s\", {\"id\": 1}]]}", longest);
    assert_valid(fits);
    assert_invalid(too_long, "1 to 255 bytes");
    assert_valid("{\"added_labels\": [[\"Stra\xc3\x9f"
                 "e\", {\"id\": 1}]]}");
    assert_invalid("{\"added_labels\": [[\"a\\u0000b\", {\"id\": 1}]]}", "pair");
}

static void edge_types_have_ends(void **state)
{
    assert_edge_type("{\"id\": 4294967295, \"src_labels\": [], \"dst_labels\": [\"A\", \"B\"]}",
                     NULL);
    assert_edge_type("{\"id\": 4294967296, \"src_labels\": [], \"dst_labels\": []}", "\"id\"");
    assert_edge_type("{\"id\": 1, \"src_labels\": []}", "dst_labels");
    assert_edge_type("{\"id\": 1, \"dst_labels\": []}", "src_labels");
    assert_edge_type("{\"id\": 1, \"src_labels\": [1], \"dst_labels\": []}", "src_labels");
    assert_edge_type("{\"id\": 1, \"src_labels\": null, \"dst_labels\": []}", "src_labels");
    assert_edge_type("{\"id\": 1, \"src_labels\": [], \"dst_labels\": [], \"state\": 1}", "state");
}

static void properties_have_owner_and_type(void **state)
{
    assert_property("{\"owner\": \"Person\", \"owner_kind\": \"label\", \"property\": \"age\", "
                    "\"data_type\": \"Int64\", \"nullable\": true}",
                    NULL);
    assert_property("{\"owner\": \"KNOWS\", \"owner_kind\": \"edgetype\", \"property\": \"v\", "
                    "\"data_type\": {\"Vector\": {\"dimensions\": 8}}, \"nullable\": false}",
                    NULL);
    assert_property("{\"owner\": \"P\", \"owner_kind\": \"node\", \"property\": \"a\", "
                    "\"data_type\": \"Int64\", \"nullable\": true}",
                    "owner_kind");
    assert_property("{\"owner\": \"P\", \"owner_kind\": \"label\", \"property\": \"a\", "
                    "\"data_type\": \"Integer\", \"nullable\": true}",
                    "Integer");
    assert_property("{\"owner\": \"P\", \"owner_kind\": \"label\", \"property\": \"a\", "
                    "\"data_type\": \"Int64\", \"nullable\": 1}",
                    "nullable");
    assert_property("{\"owner\": \"P\", \"owner_kind\": \"label\", \"property\": \"a\", "
                    "\"data_type\": \"Int64\"}",
                    "nullable");
    assert_property("{\"owner\": \"P\", \"owner_kind\": \"label\", \"property\": \"a\", "
                    "\"nullable\": true}",
                    "data_type");
    assert_property("{\"owner_kind\": \"label\", \"property\": \"a\"}", "owner");
    assert_property("[]", "must be an object");
}

static void undeclared_edge_types_are_names(void **state)
{
    assert_valid("{\"added_schemaless_edge_types\": []}");
    assert_valid("{\"added_schemaless_edge_types\": [\"LIKES\", \"KNOWS\"]}");
    assert_invalid("{\"added_schemaless_edge_types\": null}",
                   "added_schemaless_edge_types must be an array");
    assert_invalid("{\"added_schemaless_edge_types\": [[\"LIKES\", {}]]}",
                   "added_schemaless_edge_types[0]: must be a name");
    assert_invalid("{\"added_schemaless_edge_types\": [\"A\", \"B C\"]}",
                   "added_schemaless_edge_types[1]: name 'B C' holds a blank");
    assert_invalid("{\"added_schemaless_edge_types\": [\"\"]}", "1 to 255 bytes");
    assert_invalid("{\"added_schemaless_edge_types\": [\"A\", \"A\"]}", "'A' is added twice");
}

#define PROPERTY(owner, name)                                                                      \
    "{\"owner\": \"" owner "\", \"owner_kind\": \"label\", \"property\": \"" name                  \
    "\", \"data_type\": \"Bool\", \"nullable\": true}"

static void nothing_is_added_twice(void **state)
{
    assert_invalid("{\"added_labels\": [[\"A\", {\"id\": 1}], [\"A\", {\"id\": 2}]]}",
                   "added_labels[1]: 'A' is added twice");
    assert_valid("{\"added_labels\": [[\"A\", {\"id\": 1}]], \"added_edge_types\": [[\"A\", "
                 "{\"id\": 1, \"src_labels\": [], \"dst_labels\": []}]]}");
    assert_property(PROPERTY("P", "a") ", " PROPERTY("P", "a"), "added_properties[1]");
    assert_property(PROPERTY("P", "a") ", " PROPERTY("P", "b") ", " PROPERTY("Q", "a"), NULL);
    assert_property(PROPERTY("P/a", "b") ", " PROPERTY("P", "a/b"), NULL);
    assert_property(PROPERTY("P a", "b") ", " PROPERTY("P", "a b"), NULL);
}

/* ---- Reading ---- */

static void assert_names(const char *text, int code, const char *expected)
{
    auto_bytes struct bytes *body = text ? bytes_new_text(text) : NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(names, g_strdup("KNOWS"));
    assert_int_equal(overlay_document_add_schemaless_types(body, names, NULL), code);
    g_ptr_array_add(names, NULL);
    g_autofree char *joined = g_strjoinv(" ", (char **)names->pdata);
    assert_string_equal(joined, expected);
}

static void undeclared_edge_types_are_added_once(void **state)
{
    assert_names(NULL, 0, "KNOWS");
    assert_names("{}", 0, "KNOWS");
    assert_names("{\"added_schemaless_edge_types\": []}", 0, "KNOWS");
    assert_names("{\"added_schemaless_edge_types\": [\"LIKES\", \"KNOWS\", \"SEES\"]}", 0,
                 "KNOWS LIKES SEES");
}

/* As many as there are in a hostile document: comparing each with each would not end. */
static void any_number_of_names_is_added(void **state)
{
    const guint count = 200000;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) added = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < count; i++)
        g_ptr_array_add(added, g_strdup_printf("a name like many others %u", i));
    overlay_document_add_names(names, added);
    overlay_document_add_names(names, added);
    assert_int_equal(names->len, count);
    assert_string_equal(names->pdata[count - 1], added->pdata[count - 1]);
    assert_ptr_not_equal(names->pdata[count - 1], added->pdata[count - 1]);
}

static void an_overlay_that_does_not_parse_is_corrupt(void **state)
{
    assert_names("{", ERR_CORRUPT, "KNOWS");
    assert_names("{\"added_schemaless_edge_types\": \"LIKES\"}", ERR_CORRUPT, "KNOWS");
    assert_names("{\"added_schemaless_edge_types\": [7]}", ERR_CORRUPT, "KNOWS");
}

static void assert_lists(const char *text, int code)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    struct error err = {0};
    assert_int_equal(overlay_document_check_lists(body, &err), code);
    assert_int_equal(err.code, code);
}

static void what_may_be_written_is_whole_when_it_is_read(void **state)
{
    static const char *const texts[] = {"{}", "{\"added_labels\": []}",
                                        "{\"later\": 1, \"a\\u0000b\": {\"\\u0000\": 2}}"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        assert_valid(texts[i]);
        assert_lists(texts[i], 0);
    }
    assert_lists("[]", ERR_CORRUPT);
    assert_lists("{", ERR_CORRUPT);
    assert_lists("{\"added_labels\": {}}", ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_overlay_is_valid),
        cmocka_unit_test(the_document_comes_out_pretty_with_members_that_nobody_knows),
        cmocka_unit_test(what_is_no_json_object_is_refused),
        cmocka_unit_test(lists_are_arrays),
        cmocka_unit_test(labels_are_pairs_of_name_and_description),
        cmocka_unit_test(names_follow_unis_rule),
        cmocka_unit_test(edge_types_have_ends),
        cmocka_unit_test(properties_have_owner_and_type),
        cmocka_unit_test(undeclared_edge_types_are_names),
        cmocka_unit_test(nothing_is_added_twice),
        cmocka_unit_test(undeclared_edge_types_are_added_once),
        cmocka_unit_test(any_number_of_names_is_added),
        cmocka_unit_test(an_overlay_that_does_not_parse_is_corrupt),
        cmocka_unit_test(what_may_be_written_is_whole_when_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

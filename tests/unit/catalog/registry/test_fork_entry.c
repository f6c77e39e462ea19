#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "base/timestamp.h"
#include "catalog/registry/fork_entry.h"

#define ID "01KYYN40FVQ2D7R9S4TAX6BCE3"
#define PARENT "01KYYN40FVQ2D7R9S4TAX6BCE4"

/* A whole entry; each member as a macro, so that tests can leave out or spoil one. */
#define M_ID "\"id\":\"" ID "\""
#define M_NAME "\"name\":\"audit\""
#define M_SNAPSHOT "\"parent_snapshot_id\":\"uninitialized\""
#define M_CREATED "\"created_at\":\"2026-08-01T12:34:56.5Z\""
#define M_SCHEMA "\"schema_version_at_creation\":4"
#define M_DATASETS "\"datasets\":{}"
#define M_STATUS "\"status\":\"active\""
#define REQUIRED                                                                                   \
    M_ID "," M_NAME "," M_SNAPSHOT "," M_CREATED "," M_SCHEMA "," M_DATASETS "," M_STATUS

static const char document_text[] =
    "{\n"
    "  \"id\": \"" ID "\",\n"
    "  \"name\": \"audit\",\n"
    "  \"parent_fork_id\": null,\n"
    "  \"parent_snapshot_id\": \"6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11\",\n"
    "  \"created_at\": \"2026-08-01T12:34:56.123456789Z\",\n"
    "  \"ttl_expires_at\": null,\n"
    "  \"schema_version_at_creation\": 4,\n"
    "  \"datasets\": {\n"
    "    \"vertices\": \"fork_" ID "_vertices\"\n"
    "  },\n"
    "  \"fork_point_version_hwm\": 42,\n"
    "  \"status\": \"active\"\n"
    "}";

static int try_parse(const char *text, struct fork_entry **ret, struct error *err)
{
    *ret = NULL;
    if (json_check(text, strlen(text), err))
        fail_msg("the test's document is not JSON: %s", text);
    return fork_entry_parse(NULL, (struct json_span){text, strlen(text)}, ret, err);
}

static struct fork_entry *parse(const char *text)
{
    struct fork_entry *entry;
    struct error error = {0};
    if (try_parse(text, &entry, &error))
        fail_msg("%s", error.text);
    return entry;
}

static void assert_corrupt(const char *text, const char *reason)
{
    struct fork_entry *entry;
    struct error error = {0};
    if (try_parse(text, &entry, &error) != ERR_CORRUPT)
        fail_msg("accepted: %s", text);
    if (!strstr(error.text, reason))
        fail_msg("'%s' does not mention '%s'", error.text, reason);
    assert_int_equal(try_parse(text, &entry, NULL), ERR_CORRUPT);
    assert_null(entry);
}

static void assert_document(const struct fork_entry *entry, const char *expected)
{
    auto_bytes struct bytes *document = fork_entry_document(entry);
    assert_string_equal(document->data, expected);
    assert_int_equal(document->size, strlen(expected));
}

/* ---- Parsing ---- */

static void a_tombstone_gives_all_fields(void **state)
{
    struct fork_entry *entry = parse(document_text);
    assert_string_equal(entry->key, "audit");
    assert_string_equal(entry->key_source, "\"audit\"");
    assert_string_equal(entry->name, "audit");
    assert_string_equal(entry->id.text, ID);
    assert_false(entry->has_parent);
    assert_string_equal(entry->parent_snapshot_id, "6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11");
    assert_int_equal(entry->created_at.tv_sec, 1785587696);
    assert_int_equal(entry->created_at.tv_nsec, 123456789);
    assert_int_equal(entry->changed_at.tv_sec, entry->created_at.tv_sec);
    assert_false(entry->has_expiry);
    assert_int_equal(entry->schema_version, 4);
    assert_int_equal(entry->version_mark, 42);
    assert_int_equal(entry->status, FORK_ACTIVE);
    assert_false(entry->has_foreign_branch);
    assert_int_equal(entry->datasets->len, 1);
    assert_string_equal(fork_entry_branch(entry, "vertices"), "fork_" ID "_vertices");
    assert_null(fork_entry_branch(entry, "edges"));
    assert_document(entry, document_text);
    fork_entry_unref(entry);
}

static void options_may_be_absent_and_versions_default_to_zero(void **state)
{
    struct fork_entry *entry = parse("{" REQUIRED "}");
    assert_false(entry->has_parent);
    assert_false(entry->has_expiry);
    assert_int_equal(entry->version_mark, 0);
    fork_entry_unref(entry);
}

static void parent_and_expiry_are_read(void **state)
{
    struct fork_entry *entry = parse("{" REQUIRED ",\"parent_fork_id\":\"" PARENT "\","
                                     "\"ttl_expires_at\":\"2026-08-01 14:34:56+02:00\"}");
    assert_true(entry->has_parent);
    assert_string_equal(entry->parent_id.text, PARENT);
    assert_true(entry->has_expiry);
    assert_int_equal(entry->expires_at.tv_sec, 1785587696);
    fork_entry_unref(entry);
}

static void ids_in_lower_case_are_normalised_but_kept_as_written(void **state)
{
    static const char lower[] = "01kyyn40fvq2d7r9s4tax6bce3";
    g_autofree char *text = g_strdup_printf("{\"id\":\"%s\"," M_NAME "," M_SNAPSHOT "," M_CREATED
                                            "," M_SCHEMA "," M_DATASETS "," M_STATUS "}",
                                            lower);
    struct fork_entry *entry = parse(text);
    assert_string_equal(entry->id.text, ID);
    assert_non_null(strstr(entry->text, lower));
    fork_entry_unref(entry);
}

static void every_status_is_known(void **state)
{
    static const enum fork_status statuses[] = {FORK_PENDING, FORK_ACTIVE, FORK_TOMBSTONED};
    static const char *const names[] = {"pending", "active", "tombstoned"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *text = g_strdup_printf("{" M_ID "," M_NAME "," M_SNAPSHOT "," M_CREATED
                                                "," M_SCHEMA "," M_DATASETS ",\"status\":\"%s\"}",
                                                names[i]);
        struct fork_entry *entry = parse(text);
        assert_int_equal(entry->status, statuses[i]);
        assert_string_equal(fork_status_name(statuses[i]), names[i]);
        fork_entry_unref(entry);
    }
}

static void missing_members_are_corrupt(void **state)
{
    assert_corrupt("{" M_NAME "," M_SNAPSHOT "," M_CREATED "," M_SCHEMA "," M_DATASETS "," M_STATUS
                   "}",
                   "fork \"audit\": member \"id\"");
    assert_corrupt("{" M_ID "," M_SNAPSHOT "," M_CREATED "," M_SCHEMA "," M_DATASETS "," M_STATUS
                   "}",
                   "member \"name\"");
    assert_corrupt("{" M_ID "," M_NAME "," M_CREATED "," M_SCHEMA "," M_DATASETS "," M_STATUS "}",
                   "member \"parent_snapshot_id\"");
    assert_corrupt("{" M_ID "," M_NAME "," M_SNAPSHOT "," M_SCHEMA "," M_DATASETS "," M_STATUS "}",
                   "member \"created_at\"");
    assert_corrupt("{" M_ID "," M_NAME "," M_SNAPSHOT "," M_CREATED "," M_DATASETS "," M_STATUS "}",
                   "member \"schema_version_at_creation\"");
    assert_corrupt("{" M_ID "," M_NAME "," M_SNAPSHOT "," M_CREATED "," M_SCHEMA "," M_STATUS "}",
                   "member \"datasets\"");
    assert_corrupt("{" M_ID "," M_NAME "," M_SNAPSHOT "," M_CREATED "," M_SCHEMA "," M_DATASETS "}",
                   "member \"status\"");
}

/* Replaces the first occurrence of `from` in a sound entry. */
static char *spoiled(const char *from, const char *to)
{
    static const char sound[] = "{" REQUIRED ",\"parent_fork_id\":null,\"ttl_expires_at\":null,"
                                "\"fork_point_version_hwm\":1}";
    const char *at = strstr(sound, from);
    assert_non_null(at);
    return g_strdup_printf("%.*s%s%s", (int)(at - sound), sound, to, at + strlen(from));
}

static void wrong_types_and_ranges_are_corrupt(void **state)
{
    static const struct {
        const char *from;
        const char *to;
        const char *reason;
    } cases[] = {
        {M_ID, "\"id\":null", "\"id\""},
        {M_ID, "\"id\":\"01KYYN40FVQ2D7R9S4TAX6BCE\"", "\"id\""},
        {M_ID, "\"id\":\"01KYYN40FVQ2D7R9S4TAX6BCEI\"", "\"id\""},
        {M_ID, "\"id\":\"81KYYN40FVQ2D7R9S4TAX6BCE3\"", "\"id\""},
        {M_NAME, "\"name\":null", "\"name\""},
        {M_NAME, "\"name\":1", "\"name\""},
        {M_SNAPSHOT, "\"parent_snapshot_id\":null", "\"parent_snapshot_id\""},
        {M_SNAPSHOT, "\"parent_snapshot_id\":\"a\\u0000b\"", "\"parent_snapshot_id\""},
        {M_CREATED, "\"created_at\":null", "\"created_at\""},
        {M_CREATED, "\"created_at\":1", "\"created_at\""},
        {M_CREATED, "\"created_at\":\"2026-08-01T12:34:56\"", "\"created_at\""},
        {M_CREATED, "\"created_at\":\"2026-13-01T12:34:56Z\"", "\"created_at\""},
        {"\"ttl_expires_at\":null", "\"ttl_expires_at\":\"soon\"", "\"ttl_expires_at\""},
        {"\"parent_fork_id\":null", "\"parent_fork_id\":\"\"", "\"parent_fork_id\""},
        {"\"parent_fork_id\":null", "\"parent_fork_id\":7", "\"parent_fork_id\""},
        {M_SCHEMA, "\"schema_version_at_creation\":null", "\"schema_version_at_creation\""},
        {M_SCHEMA, "\"schema_version_at_creation\":1.0", "\"schema_version_at_creation\""},
        {M_SCHEMA, "\"schema_version_at_creation\":1e2", "\"schema_version_at_creation\""},
        {M_SCHEMA, "\"schema_version_at_creation\":-1", "\"schema_version_at_creation\""},
        {M_SCHEMA, "\"schema_version_at_creation\":4294967296", "4294967295"},
        {"hwm\":1", "hwm\":null", "\"fork_point_version_hwm\""},
        {"hwm\":1", "hwm\":18446744073709551616", "\"fork_point_version_hwm\""},
        {M_DATASETS, "\"datasets\":null", "\"datasets\""},
        {M_DATASETS, "\"datasets\":[]", "\"datasets\""},
        {M_DATASETS, "\"datasets\":{\"vertices\":null}", "\"vertices\""},
        {M_DATASETS, "\"datasets\":{\"vertices\":\"\\u0000\"}", "\"vertices\""},
        {M_DATASETS, "\"datasets\":{\"a\\u0000\":\"b\"}", "\"datasets\""},
        {M_STATUS, "\"status\":null", "\"status\""},
        {M_STATUS, "\"status\":\"Active\"", "Active"},
        {M_STATUS, "\"status\":\"\"", "\"status\""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = spoiled(cases[i].from, cases[i].to);
        assert_corrupt(text, cases[i].reason);
    }
    assert_corrupt("[]", "not an object");
    assert_corrupt("null", "not an object");
}

static void the_largest_versions_are_read(void **state)
{
    g_autofree char *with_schema = spoiled(M_SCHEMA, "\"schema_version_at_creation\":4294967295");
    struct fork_entry *entry = parse(with_schema);
    assert_int_equal(entry->schema_version, UINT32_MAX);
    fork_entry_unref(entry);
    g_autofree char *with_mark = spoiled("hwm\":1", "hwm\":18446744073709551615");
    entry = parse(with_mark);
    assert_true(entry->version_mark == UINT64_MAX);
    fork_entry_unref(entry);
}

static void the_key_counts_not_the_name(void **state)
{
    static const char text[] = "{" REQUIRED "}";
    char decoded[] = "other";
    const struct json_member key = {decoded, {"\"\\u006fther\"", 12}, {NULL, 0}};
    struct fork_entry *entry = NULL;
    assert_int_equal(
        fork_entry_parse(&key, (struct json_span){text, sizeof(text) - 1}, &entry, NULL), 0);
    assert_string_equal(entry->key, "other");
    assert_string_equal(entry->key_source, "\"\\u006fther\"");
    assert_string_equal(entry->name, "audit");
    fork_entry_unref(entry);
}

static void a_name_that_holds_nul_gives_no_name(void **state)
{
    g_autofree char *text = spoiled(M_NAME, "\"name\":\"a\\u0000b\"");
    struct fork_entry *entry = parse(text);
    assert_null(entry->name);
    assert_null(entry->key);
    assert_string_equal(entry->key_source, "\"a\\u0000b\"");
    struct fork_entry *changed = fork_entry_with_status(entry, FORK_TOMBSTONED);
    assert_null(changed->key);
    assert_string_equal(changed->key_source, "\"a\\u0000b\"");
    fork_entry_unref(changed);
    fork_entry_unref(entry);
}

static void datasets_are_sorted_for_lookup_but_not_in_the_text(void **state)
{
    g_autofree char *text =
        spoiled(M_DATASETS, "\"datasets\":{\"z\":\"fork_" ID "_z\",\"B\":\"b\",\"a\":\"x\"}");
    struct fork_entry *entry = parse(text);
    assert_string_equal(((struct dataset_branch *)entry->datasets->pdata[0])->dataset, "B");
    assert_string_equal(fork_entry_branch(entry, "a"), "x");
    assert_string_equal(fork_entry_branch(entry, "B"), "b");
    assert_string_equal(fork_entry_branch(entry, "z"), "fork_" ID "_z");
    assert_null(fork_entry_branch(entry, "b"));
    assert_true(entry->has_foreign_branch);
    assert_true(strstr(entry->text, "\"z\"") < strstr(entry->text, "\"B\""));
    fork_entry_unref(entry);
}

/* ---- New entries ---- */

static struct fork_description description(GPtrArray *datasets)
{
    return (struct fork_description){.name = "what \"if\"\n\xc3\xa9/",
                                     .id = {ID},
                                     .parent_snapshot_id = "uninitialized",
                                     .created_at = {1785587696, 120000000},
                                     .schema_version = 4294967295,
                                     .version_mark = UINT64_MAX,
                                     .datasets = datasets};
}

static void a_new_entry_is_written_as_serde_would(void **state)
{
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    g_ptr_array_add(datasets, dataset_branch_new("vertices", "fork_" ID "_vertices"));
    g_ptr_array_add(datasets, dataset_branch_new("Edges", "fork_" ID "_Edges"));
    g_ptr_array_add(datasets, dataset_branch_new("edges", "fork_" ID "_edges"));
    struct fork_description what = description(datasets);
    struct fork_entry *entry = fork_entry_new(&what);

    static const char expected[] = "{\n"
                                   "      \"id\": \"" ID "\",\n"
                                   "      \"name\": \"what \\\"if\\\"\\n\xc3\xa9/\",\n"
                                   "      \"parent_fork_id\": null,\n"
                                   "      \"parent_snapshot_id\": \"uninitialized\",\n"
                                   "      \"created_at\": \"2026-08-01T12:34:56.120Z\",\n"
                                   "      \"ttl_expires_at\": null,\n"
                                   "      \"schema_version_at_creation\": 4294967295,\n"
                                   "      \"datasets\": {\n"
                                   "        \"Edges\": \"fork_" ID "_Edges\",\n"
                                   "        \"edges\": \"fork_" ID "_edges\",\n"
                                   "        \"vertices\": \"fork_" ID "_vertices\"\n"
                                   "      },\n"
                                   "      \"fork_point_version_hwm\": 18446744073709551615,\n"
                                   "      \"status\": \"pending\"\n"
                                   "    }";
    assert_string_equal(entry->text, expected);
    assert_int_equal(entry->text_length, sizeof(expected) - 1);
    assert_string_equal(entry->key, what.name);
    assert_string_equal(entry->key_source, "\"what \\\"if\\\"\\n\xc3\xa9/\"");
    assert_int_equal(entry->status, FORK_PENDING);
    assert_int_equal(entry->datasets->len, 3);
    assert_false(entry->has_foreign_branch);
    assert_int_equal(entry->changed_at.tv_sec, 1785587696);
    fork_entry_unref(entry);
}

static void a_new_nested_entry_has_parent_and_expiry(void **state)
{
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    struct fork_description what = description(datasets);
    what.has_parent = true;
    what.parent_id = (struct ulid){PARENT};
    what.has_expiry = true;
    what.expires_at = (struct timespec){1785587697, 0};
    struct fork_entry *entry = fork_entry_new(&what);
    assert_non_null(strstr(entry->text, "\"parent_fork_id\": \"" PARENT "\",\n"));
    assert_non_null(strstr(entry->text, "\"ttl_expires_at\": \"2026-08-01T12:34:57Z\",\n"));
    assert_non_null(strstr(entry->text, "\"datasets\": {},\n"));
    assert_true(entry->has_parent && entry->has_expiry);
    assert_string_equal(entry->parent_id.text, PARENT);
    assert_int_equal(entry->expires_at.tv_sec, 1785587697);
    fork_entry_unref(entry);
}

/* ---- Changing ---- */

static const char strange_text[] = "{\n"
                                   "  \"future\": {\n"
                                   "    \"big\": 123456789012345678901234567890,\n"
                                   "    \"tiny\": 1E400,\n"
                                   "    \"zero\": -0.0e-7,\n"
                                   "    \"list\": [\n"
                                   "      [],\n"
                                   "      {},\n"
                                   "      null\n"
                                   "    ]\n"
                                   "  },\n"
                                   "  \"st\\u0061tus\": \"\\u0061ctive\",\n"
                                   "  \"id\": \"" ID "\",\n"
                                   "  \"name\": \"\\u0061udit\",\n"
                                   "  \"parent_snapshot_id\": \"\\/x\",\n"
                                   "  \"created_at\": \"2026-08-01T12:34:56.500+00:00\",\n"
                                   "  \"schema_version_at_creation\": 4,\n"
                                   "  \"nul\\u0000\": \"\\ud83c\\udf33\",\n"
                                   "  \"datasets\": {},\n"
                                   "  \"last\": true\n"
                                   "}";

static char *replaced(const char *text, const char *from, const char *to)
{
    g_auto(GStrv) parts = g_strsplit(text, from, -1);
    assert_int_equal(g_strv_length(parts), 2);
    return g_strjoinv(to, parts);
}

static void a_change_of_status_keeps_all_else_as_written(void **state)
{
    struct fork_entry *entry = parse(strange_text);
    assert_document(entry, strange_text);
    struct fork_entry *changed = fork_entry_with_status(entry, FORK_TOMBSTONED);
    g_autofree char *expected = replaced(strange_text, "\"\\u0061ctive\"", "\"tombstoned\"");
    assert_document(changed, expected);
    assert_int_equal(changed->status, FORK_TOMBSTONED);
    assert_int_equal(entry->status, FORK_ACTIVE);
    assert_true(changed->changed_at.tv_sec >= timestamp_now().tv_sec - 60);
    assert_string_equal(changed->key, entry->key);
    fork_entry_unref(changed);
    fork_entry_unref(entry);
}

static void a_change_of_datasets_keeps_all_else_as_written(void **state)
{
    struct fork_entry *entry = parse(strange_text);
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    g_ptr_array_add(datasets, dataset_branch_new("b\"", "2"));
    g_ptr_array_add(datasets, dataset_branch_new("a", "1"));
    struct fork_entry *changed = fork_entry_with_datasets(entry, datasets);
    g_autofree char *expected =
        replaced(strange_text, "\"datasets\": {}",
                 "\"datasets\": {\n    \"a\": \"1\",\n    \"b\\\"\": \"2\"\n  }");
    assert_document(changed, expected);
    assert_string_equal(fork_entry_branch(changed, "b\""), "2");
    assert_string_equal(((struct dataset_branch *)datasets->pdata[0])->dataset, "b\"");
    fork_entry_unref(changed);
    fork_entry_unref(entry);
}

static void an_absent_expiry_is_added_in_its_declared_place(void **state)
{
    struct fork_entry *entry = parse(strange_text);
    const struct timespec expiry = {1785587696, 1000};
    struct fork_entry *changed = fork_entry_with_expiry(entry, &expiry);
    g_autofree char *expected =
        replaced(strange_text, "+00:00\",\n",
                 "+00:00\",\n  \"ttl_expires_at\": \"2026-08-01T12:34:56.000001Z\",\n");
    assert_document(changed, expected);
    assert_true(changed->has_expiry);

    struct fork_entry *back = fork_entry_with_expiry(changed, NULL);
    g_autofree char *expected_null =
        replaced(strange_text, "+00:00\",\n", "+00:00\",\n  \"ttl_expires_at\": null,\n");
    assert_document(back, expected_null);
    assert_false(back->has_expiry);
    fork_entry_unref(back);
    fork_entry_unref(changed);
    fork_entry_unref(entry);
}

static void an_absent_expiry_is_added_at_the_end_behind_all_declared_before(void **state)
{
    struct fork_entry *entry = parse("{" M_STATUS "," M_DATASETS "," M_SCHEMA "," M_ID "," M_NAME
                                     "," M_SNAPSHOT "," M_CREATED "}");
    struct fork_entry *changed = fork_entry_with_expiry(entry, NULL);
    assert_true(g_str_has_suffix(changed->text, "56.5Z\",\n      \"ttl_expires_at\": null\n    }"));
    fork_entry_unref(changed);
    fork_entry_unref(entry);
}

static void references_keep_an_entry_alive(void **state)
{
    struct fork_entry *entry = parse(document_text);
    assert_ptr_equal(fork_entry_ref(entry), entry);
    fork_entry_unref(entry);
    assert_string_equal(entry->name, "audit");
    fork_entry_unref(entry);
    fork_entry_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tombstone_gives_all_fields),
        cmocka_unit_test(options_may_be_absent_and_versions_default_to_zero),
        cmocka_unit_test(parent_and_expiry_are_read),
        cmocka_unit_test(ids_in_lower_case_are_normalised_but_kept_as_written),
        cmocka_unit_test(every_status_is_known),
        cmocka_unit_test(missing_members_are_corrupt),
        cmocka_unit_test(wrong_types_and_ranges_are_corrupt),
        cmocka_unit_test(the_largest_versions_are_read),
        cmocka_unit_test(the_key_counts_not_the_name),
        cmocka_unit_test(a_name_that_holds_nul_gives_no_name),
        cmocka_unit_test(datasets_are_sorted_for_lookup_but_not_in_the_text),
        cmocka_unit_test(a_new_entry_is_written_as_serde_would),
        cmocka_unit_test(a_new_nested_entry_has_parent_and_expiry),
        cmocka_unit_test(a_change_of_status_keeps_all_else_as_written),
        cmocka_unit_test(a_change_of_datasets_keeps_all_else_as_written),
        cmocka_unit_test(an_absent_expiry_is_added_in_its_declared_place),
        cmocka_unit_test(an_absent_expiry_is_added_at_the_end_behind_all_declared_before),
        cmocka_unit_test(references_keep_an_entry_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

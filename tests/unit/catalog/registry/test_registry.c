#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "base/timestamp.h"
#include "catalog/registry/registry.h"

#define ID "01KYYN40FVQ2D7R9S4TAX6BCE3"
#define OTHER "01KYYN40FVQ2D7R9S4TAX6BCE4"
#define THIRD "01KYYN40FVQ2D7R9S4TAX6BCE5"
#define FOURTH "01KYYN40FVQ2D7R9S4TAX6BCE6"

static const char example[] =
    "{\n"
    "  \"forks\": {\n"
    "    \"audit\": {\n"
    "      \"id\": \"01KYYN40FVQ2D7R9S4TAX6BCE3\",\n"
    "      \"name\": \"audit\",\n"
    "      \"parent_fork_id\": null,\n"
    "      \"parent_snapshot_id\": \"6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11\",\n"
    "      \"created_at\": \"2026-08-01T12:34:56.123456789Z\",\n"
    "      \"ttl_expires_at\": \"2026-08-08T12:34:56.124Z\",\n"
    "      \"schema_version_at_creation\": 4,\n"
    "      \"datasets\": {\n"
    "        \"edges\": \"fork_01KYYN40FVQ2D7R9S4TAX6BCE3_edges\",\n"
    "        \"vertices\": \"fork_01KYYN40FVQ2D7R9S4TAX6BCE3_vertices\",\n"
    "        \"vertices_Person\": \"fork_01KYYN40FVQ2D7R9S4TAX6BCE3_vertices_Person\"\n"
    "      },\n"
    "      \"fork_point_version_hwm\": 42,\n"
    "      \"status\": \"active\"\n"
    "    }\n"
    "  }\n"
    "}";

static int try_parse(const char *text, const struct registry *previous, struct registry **ret,
                     struct error *err)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    *ret = NULL;
    return registry_parse(body, "etag-1", 77, previous, ret, err);
}

static struct registry *parse_after(const char *text, const struct registry *previous)
{
    struct registry *registry;
    struct error error = {0};
    if (try_parse(text, previous, &registry, &error))
        fail_msg("%s", error.text);
    return registry;
}

static struct registry *parse(const char *text)
{
    return parse_after(text, NULL);
}

/* A compact entry; `more` is text with further members, or "". */
static char *entry_text(const char *key, const char *id, const char *parent, const char *datasets,
                        const char *more)
{
    g_autofree char *parent_value = parent ? g_strdup_printf("\"%s\"", parent) : g_strdup("null");
    return g_strdup_printf("\"%s\":{\"id\":\"%s\",\"name\":\"%s\",\"parent_fork_id\":%s,"
                           "\"parent_snapshot_id\":\"uninitialized\","
                           "\"created_at\":\"2026-08-01T12:34:56Z\","
                           "\"schema_version_at_creation\":1,\"datasets\":{%s},"
                           "\"status\":\"active\"%s}",
                           key, id, key, parent_value, datasets, more);
}

/* ---- Text ---- */

static void an_absent_registry_is_empty(void **state)
{
    auto_registry struct registry *registry = NULL;
    assert_int_equal(registry_parse(NULL, NULL, 0, NULL, &registry, NULL), 0);
    assert_string_equal(registry->text->data, "{\n  \"forks\": {}\n}");
    assert_int_equal(registry->text->size, strlen(registry->text->data));
    assert_int_equal(registry->entries->len, 0);
    assert_null(registry->etag);
    assert_null(registry_find(registry, "audit"));
}

static void a_canonical_registry_is_taken_as_it_is(void **state)
{
    auto_bytes struct bytes *body = bytes_new_text(example);
    auto_registry struct registry *registry = NULL;
    assert_int_equal(registry_parse(body, "e", 5, NULL, &registry, NULL), 0);
    assert_ptr_equal(registry->text, body);
    assert_string_equal(registry->etag, "e");
    assert_int_equal(registry->modified_ns, 5);
    struct fork_entry *entry = registry_find(registry, "audit");
    assert_non_null(entry);
    assert_int_equal(entry->datasets->len, 3);
    assert_int_equal(entry->version_mark, 42);
}

static void only_white_space_is_normalised(void **state)
{
    g_autofree char *entry =
        entry_text("\\u0061udit", ID, NULL, "", ",\"x\":[1e400,{\"y\":-0}],\"z\":\"\\/\"");
    g_autofree char *text = g_strdup_printf(" \n{ \"forks\" :\t{%s}}\r\n", entry);
    auto_registry struct registry *registry = parse(text);
    assert_string_equal(registry->text->data, "{\n"
                                              "  \"forks\": {\n"
                                              "    \"\\u0061udit\": {\n"
                                              "      \"id\": \"" ID "\",\n"
                                              "      \"name\": \"\\u0061udit\",\n"
                                              "      \"parent_fork_id\": null,\n"
                                              "      \"parent_snapshot_id\": \"uninitialized\",\n"
                                              "      \"created_at\": \"2026-08-01T12:34:56Z\",\n"
                                              "      \"schema_version_at_creation\": 1,\n"
                                              "      \"datasets\": {},\n"
                                              "      \"status\": \"active\",\n"
                                              "      \"x\": [\n"
                                              "        1e400,\n"
                                              "        {\n"
                                              "          \"y\": -0\n"
                                              "        }\n"
                                              "      ],\n"
                                              "      \"z\": \"\\/\"\n"
                                              "    }\n"
                                              "  }\n"
                                              "}");
    assert_non_null(registry_find(registry, "audit"));
}

static void assert_text(const char *source, const char *expected)
{
    auto_registry struct registry *registry = parse(source);
    assert_string_equal(registry->text->data, expected);
    assert_int_equal(registry->text->size, strlen(expected));
    auto_registry struct registry *again = parse(expected);
    assert_string_equal(again->text->data, expected);
}

static void members_of_the_root_keep_their_places(void **state)
{
    assert_text("{}", "{\n  \"forks\": {}\n}");
    assert_text("{\"a\":{\"b\":[1.50]},\"forks\":{},\"c\":123456789012345678901,\"d\\u0000\":{}}",
                "{\n"
                "  \"a\": {\n"
                "    \"b\": [\n"
                "      1.50\n"
                "    ]\n"
                "  },\n"
                "  \"forks\": {},\n"
                "  \"c\": 123456789012345678901,\n"
                "  \"d\\u0000\": {}\n"
                "}");
    assert_text("{\"a\":1,\"b\":2,\"\\u0066orks\":{}}",
                "{\n  \"a\": 1,\n  \"b\": 2,\n  \"\\u0066orks\": {}\n}");
    assert_text("{\"forks\":{},\"a\":1}", "{\n  \"forks\": {},\n  \"a\": 1\n}");
    assert_text("{\"a\":1}", "{\n  \"forks\": {},\n  \"a\": 1\n}");
}

/* ---- Refusals ---- */

static void assert_corrupt(const char *text, const char *reason)
{
    struct registry *registry;
    struct error error = {0};
    assert_int_equal(try_parse(text, NULL, &registry, &error), ERR_CORRUPT);
    if (!strstr(error.text, reason))
        fail_msg("'%s' does not mention '%s'", error.text, reason);
    assert_null(registry);
    assert_int_equal(try_parse(text, NULL, &registry, NULL), ERR_CORRUPT);
}

static void broken_documents_are_corrupt(void **state)
{
    assert_corrupt("", "fork registry");
    assert_corrupt("\xef\xbb\xbf{\"forks\":{}}", "fork registry");
    assert_corrupt("{\"forks\":{}}x", "fork registry");
    assert_corrupt("{\"forks\":{},\"forks\":{}}", "fork registry");
    assert_corrupt("{\"forks\":{},\"f\\u006frks\":{}}", "fork registry");
    assert_corrupt("null", "not an object");
    assert_corrupt("[{}]", "not an object");
    assert_corrupt("{\"forks\":null}", "forks");
    assert_corrupt("{\"forks\":[]}", "forks");
    assert_corrupt("{\"forks\":{\"a\":null}}", "fork \"a\"");
}

static void one_bad_entry_fails_the_whole_registry(void **state)
{
    g_autofree char *good = entry_text("good", ID, NULL, "", "");
    g_autofree char *bad = entry_text("bad", "x", NULL, "", "");
    g_autofree char *text = g_strdup_printf("{\"forks\":{%s,%s}}", good, bad);
    assert_corrupt(text, "fork \"bad\": member \"id\"");
}

static void the_same_key_twice_is_refused(void **state)
{
    g_autofree char *first = entry_text("a", ID, NULL, "", "");
    g_autofree char *second = entry_text("\\u0061", OTHER, NULL, "", "");
    g_autofree char *text = g_strdup_printf("{\"forks\":{%s,%s}}", first, second);
    assert_corrupt(text, "fork registry");
}

/* ---- Lookups ---- */

static struct registry *family(void)
{
    g_autofree char *root = entry_text("root", ID, NULL, "", "");
    g_autofree char *b = entry_text("b", OTHER, ID, "", "");
    g_autofree char *a = entry_text("a", THIRD, ID, "", "");
    g_autofree char *nul = entry_text("a\\u0000", OTHER, THIRD, "", "");
    g_autofree char *text = g_strdup_printf("{\"forks\":{%s,%s,%s,%s}}", nul, root, b, a);
    return parse(text);
}

static const char *key_at(const GPtrArray *entries, size_t index)
{
    return ((struct fork_entry *)entries->pdata[index])->key;
}

static void entries_are_sorted_and_found_by_key(void **state)
{
    auto_registry struct registry *registry = family();
    assert_int_equal(registry->entries->len, 4);
    assert_string_equal(key_at(registry->entries, 0), "a");
    assert_string_equal(key_at(registry->entries, 1), "b");
    assert_string_equal(key_at(registry->entries, 2), "root");
    assert_null(key_at(registry->entries, 3));
    assert_string_equal(registry_find(registry, "b")->id.text, OTHER);
    assert_null(registry_find(registry, ""));
    assert_null(registry_find(registry, "c"));
    assert_null(registry_find(registry, "zzz"));
}

static void entries_are_found_by_id(void **state)
{
    auto_registry struct registry *registry = family();
    const struct ulid unknown = {"01KYYN40FVQ2D7R9S4TAX6BCE6"};
    assert_string_equal(registry_find_id(registry, &(struct ulid){ID})->key, "root");
    assert_string_equal(registry_find_id(registry, &(struct ulid){OTHER})->key, "b");
    assert_null(registry_find_id(registry, &unknown));
    assert_false(registry_id_is_ambiguous(registry, &(struct ulid){ID}));
    assert_true(registry_id_is_ambiguous(registry, &(struct ulid){OTHER}));
    assert_false(registry_id_is_ambiguous(registry, &unknown));
}

static void children_are_a_range_sorted_by_key(void **state)
{
    auto_registry struct registry *registry = family();
    size_t first = 99;
    assert_int_equal(registry_children(registry, &(struct ulid){ID}, &first), 2);
    assert_string_equal(key_at(registry->by_parent, first), "a");
    assert_string_equal(key_at(registry->by_parent, first + 1), "b");
    assert_int_equal(registry_children(registry, &(struct ulid){THIRD}, &first), 1);
    assert_null(key_at(registry->by_parent, first));
    assert_int_equal(registry_children(registry, &(struct ulid){OTHER}, &first), 0);
}

static void cycles_of_parents_are_accepted(void **state)
{
    g_autofree char *a = entry_text("a", ID, OTHER, "", "");
    g_autofree char *b = entry_text("b", OTHER, ID, "", "");
    g_autofree char *self = entry_text("self", THIRD, THIRD, "", "");
    g_autofree char *text = g_strdup_printf("{\"forks\":{%s,%s,%s}}", a, b, self);
    auto_registry struct registry *registry = parse(text);
    size_t first;
    assert_int_equal(registry_children(registry, &(struct ulid){THIRD}, &first), 1);
    assert_string_equal(key_at(registry->by_parent, first), "self");
}

static void entries_that_descend_from_themselves_are_told(void **state)
{
    g_autofree char *a = entry_text("a", ID, OTHER, "", "");
    g_autofree char *b = entry_text("b", OTHER, ID, "", "");
    g_autofree char *self = entry_text("self", THIRD, THIRD, "", "");
    g_autofree char *below = entry_text("below", FOURTH, OTHER, "", "");
    g_autofree char *text = g_strdup_printf("{\"forks\":{%s,%s,%s,%s}}", a, b, self, below);
    auto_registry struct registry *registry = parse(text);
    g_autoptr(GHashTable) circular = registry_circular_entries(registry);
    assert_int_equal(g_hash_table_size(circular), 3);
    assert_false(g_hash_table_contains(circular, registry_find(registry, "below")));
    auto_registry struct registry *sound = family();
    g_autoptr(GHashTable) none = registry_circular_entries(sound);
    assert_int_equal(g_hash_table_size(none), 0);
}

static void ancestors_are_told_also_where_a_lineage_has_no_end(void **state)
{
    g_autofree char *a = entry_text("a", ID, OTHER, "", "");
    g_autofree char *b = entry_text("b", OTHER, ID, "", "");
    g_autofree char *below = entry_text("below", THIRD, ID, "", "");
    g_autofree char *text = g_strdup_printf("{\"forks\":{%s,%s,%s}}", a, b, below);
    auto_registry struct registry *registry = parse(text);
    const struct fork_entry *entry = registry_find(registry, "below");
    assert_true(registry_is_ancestor(registry, &(struct ulid){ID}, entry));
    assert_true(registry_is_ancestor(registry, &(struct ulid){OTHER}, entry));
    assert_false(registry_is_ancestor(registry, &(struct ulid){THIRD}, entry));
    assert_false(registry_is_ancestor(registry, &(struct ulid){FOURTH}, entry));
    /* One that has no entry any more is one. */
    g_autofree char *orphan = entry_text("orphan", THIRD, FOURTH, "", "");
    g_autofree char *alone = g_strdup_printf("{\"forks\":{%s}}", orphan);
    auto_registry struct registry *other = parse(alone);
    entry = registry_find(other, "orphan");
    assert_true(registry_is_ancestor(other, &(struct ulid){FOURTH}, entry));
    assert_false(registry_is_ancestor(other, &(struct ulid){ID}, entry));
}

/* ---- Sharing with the previous image ---- */

static void a_parent_that_has_changed_is_remembered(void **state)
{
    g_autofree char *before = entry_text("a", ID, OTHER, "", "");
    g_autofree char *changed = entry_text("renamed", ID, NULL, "", "");
    g_autofree char *later = entry_text("renamed", ID, NULL, "", ",\"x\":1");
    const char *const entries[] = {before, changed, later};
    struct registry *images[3];
    for (size_t i = 0; i < 3; i++) {
        g_autofree char *text = g_strdup_printf("{\"forks\":{%s}}", entries[i]);
        images[i] = parse_after(text, i > 0 ? images[i - 1] : NULL);
    }
    assert_false(registry_find(images[0], "a")->had_other_parent);
    assert_true(registry_find(images[1], "renamed")->had_other_parent);
    assert_true(registry_find(images[2], "renamed")->had_other_parent);
    for (size_t i = 0; i < 3; i++)
        registry_unref(images[i]);
}

static void unchanged_entries_are_shared_with_the_previous_image(void **state)
{
    g_autofree char *a = entry_text("a", ID, NULL, "", "");
    g_autofree char *b = entry_text("b", OTHER, NULL, "", "");
    g_autofree char *b_changed = entry_text("b", OTHER, NULL, "", ",\"x\":1");
    g_autofree char *c = entry_text("c", THIRD, NULL, "", "");
    g_autofree char *before = g_strdup_printf("{\"forks\":{%s,%s}}", a, b);
    g_autofree char *after = g_strdup_printf("{\"forks\":{%s,%s,%s}}", a, b_changed, c);
    auto_registry struct registry *old = parse(before);
    auto_registry struct registry *canonical = parse_after(old->text->data, old);
    auto_registry struct registry *new = parse_after(after, old);

    assert_ptr_equal(registry_find(canonical, "a"), registry_find(old, "a"));
    assert_ptr_equal(registry_find(canonical, "b"), registry_find(old, "b"));
    assert_ptr_equal(registry_find(new, "a"), registry_find(old, "a"));
    assert_ptr_not_equal(registry_find(new, "b"), registry_find(old, "b"));

    const struct fork_entry *unchanged = registry_find(old, "b");
    assert_int_equal(unchanged->changed_at.tv_sec, unchanged->created_at.tv_sec);
    const time_t recently = timestamp_now().tv_sec - 60;
    assert_true(registry_find(new, "b")->changed_at.tv_sec >= recently);
    assert_true(registry_find(new, "c")->changed_at.tv_sec >= recently);
}

static void a_key_written_differently_is_not_shared(void **state)
{
    g_autofree char *plain = entry_text("a", ID, NULL, "", "");
    g_autofree char *before = g_strdup_printf("{\"forks\":{%s}}", plain);
    g_autofree char *after =
        g_strdup_printf("{\"forks\":{\"\\u0061\"%s}}", plain + strlen("\"a\""));
    auto_registry struct registry *old = parse(before);
    auto_registry struct registry *new = parse_after(after, old);
    assert_non_null(strstr(new->text->data, "    \"\\u0061\": {"));
}

static void a_stored_copy_shares_all_but_etag_and_time(void **state)
{
    struct registry *image = parse(example);
    struct registry *stored = registry_stored(image, "new", 123);
    auto_registry struct registry *again = registry_stored(stored, "newer", 124);
    assert_string_equal(image->etag, "etag-1");
    assert_string_equal(stored->etag, "new");
    assert_int_equal(stored->modified_ns, 123);
    assert_ptr_equal(stored->text, image->text);
    registry_unref(image);
    registry_unref(stored);
    assert_string_equal(again->etag, "newer");
    assert_non_null(registry_find(again, "audit"));
    assert_string_equal(again->text->data, example);
    registry_unref(NULL);
}

/* ---- Protected branches ---- */

static void a_branch_of_its_own_is_not_protected(void **state)
{
    auto_registry struct registry *registry = family();
    const struct ulid own = {ID};
    const struct ulid unknown = {"01KYYN40FVQ2D7R9S4TAX6BCE6"};
    assert_false(registry_protects_branch(registry, &own, "fork_" ID "_vertices"));
    assert_false(
        registry_protects_branch(registry, &unknown, "fork_01KYYN40FVQ2D7R9S4TAX6BCE6_vertices"));
    assert_false(registry_protects_branch(registry, &own, "experiment"));
    assert_false(registry_protects_branch(registry, &own, ""));
    assert_false(registry_protects_branch(registry, &own, "fork_"));
}

static void a_branch_with_the_mark_of_any_other_id_is_protected(void **state)
{
    auto_registry struct registry *registry = family();
    const struct ulid own = {ID};
    assert_true(registry_protects_branch(registry, &own, "fork_" OTHER "_vertices"));
    assert_true(
        registry_protects_branch(registry, &own, "fork_01AAAAAAAAAAAAAAAAAAAAAAAA_vertices"));
    assert_false(registry_protects_branch(registry, &own, "fork_01AAAAAAAAAAAAAAAAAAAAAAAA"));
    assert_false(
        registry_protects_branch(registry, &own, "fork_" ID "_01AAAAAAAAAAAAAAAAAAAAAAAA"));
}

static void a_branch_with_a_known_id_anywhere_is_protected(void **state)
{
    auto_registry struct registry *registry = family();
    const struct ulid own = {ID};
    assert_true(registry_protects_branch(registry, &own, "fork_" ID "_vertices_" THIRD));
    assert_true(registry_protects_branch(registry, &own, "fork_" ID "_verticesX9" THIRD "9X"));
    assert_true(registry_protects_branch(registry, &own, THIRD));
    assert_true(registry_protects_branch(registry, &own, "x01kyyn40fvq2d7r9s4tax6bce5"));
    assert_false(registry_protects_branch(registry, &own, "fork_" ID "_" ID));
}

static void a_branch_that_another_entry_names_is_protected(void **state)
{
    g_autofree char *mine =
        entry_text("mine", ID, NULL, "\"v\":\"fork_" ID "_v\",\"e\":\"odd\",\"x\":\"own\"", "");
    g_autofree char *thief =
        entry_text("thief", OTHER, NULL, "\"v\":\"fork_" ID "_v\",\"e\":\"odd\"", "");
    g_autofree char *text = g_strdup_printf("{\"forks\":{%s,%s}}", mine, thief);
    auto_registry struct registry *registry = parse(text);
    const struct ulid own = {ID};
    assert_true(registry_protects_branch(registry, &own, "fork_" ID "_v"));
    assert_true(registry_protects_branch(registry, &own, "odd"));
    assert_false(registry_protects_branch(registry, &own, "own"));
    assert_true(registry_protects_branch(registry, &(struct ulid){THIRD}, "own"));
}

static void an_ambiguous_id_protects_everything(void **state)
{
    auto_registry struct registry *registry = family();
    const struct ulid own = {OTHER};
    assert_true(registry_protects_branch(registry, &own, "fork_" OTHER "_vertices"));
    assert_true(registry_protects_branch(registry, &own, "experiment"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_registry_is_empty),
        cmocka_unit_test(a_canonical_registry_is_taken_as_it_is),
        cmocka_unit_test(only_white_space_is_normalised),
        cmocka_unit_test(members_of_the_root_keep_their_places),
        cmocka_unit_test(broken_documents_are_corrupt),
        cmocka_unit_test(one_bad_entry_fails_the_whole_registry),
        cmocka_unit_test(the_same_key_twice_is_refused),
        cmocka_unit_test(entries_are_sorted_and_found_by_key),
        cmocka_unit_test(entries_are_found_by_id),
        cmocka_unit_test(children_are_a_range_sorted_by_key),
        cmocka_unit_test(cycles_of_parents_are_accepted),
        cmocka_unit_test(entries_that_descend_from_themselves_are_told),
        cmocka_unit_test(ancestors_are_told_also_where_a_lineage_has_no_end),
        cmocka_unit_test(a_parent_that_has_changed_is_remembered),
        cmocka_unit_test(unchanged_entries_are_shared_with_the_previous_image),
        cmocka_unit_test(a_key_written_differently_is_not_shared),
        cmocka_unit_test(a_stored_copy_shares_all_but_etag_and_time),
        cmocka_unit_test(a_branch_of_its_own_is_not_protected),
        cmocka_unit_test(a_branch_with_the_mark_of_any_other_id_is_protected),
        cmocka_unit_test(a_branch_with_a_known_id_anywhere_is_protected),
        cmocka_unit_test(a_branch_that_another_entry_names_is_protected),
        cmocka_unit_test(an_ambiguous_id_protects_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit/unit.h"

#include <string.h>

#include "catalog/fork/tombstones.h"
#include "unit/catalog/database_fixture.h"

#define PREFIX "catalog/fork_tombstones/"
#define FIRST "01KYYN40FVQ2D7R9S4TAX6BCE3"
#define SECOND "01KYYN40FVQ2D7R9S4TAX6BCE4"

struct fixture {
    struct store *memory;
    struct store *faults;
    struct layout *layout;
    struct tombstones *tombstones;
    struct registry *registry;
    struct kept_forks *kept;
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->memory = memory_store_new(1);
    fixture->faults = fault_store_new(fixture->memory, false);
    assert_int_equal(layout_new("", "storage/", "/db/storage", &fixture->layout, NULL), 0);
    fixture->tombstones = tombstones_new();
    fixture->kept = kept_forks_new();
    assert_int_equal(registry_parse(NULL, NULL, 0, NULL, &fixture->registry, NULL), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    registry_unref(fixture->registry);
    kept_forks_free(fixture->kept);
    tombstones_free(fixture->tombstones);
    layout_free(fixture->layout);
    store_free(fixture->faults);
    store_free(fixture->memory);
    g_free(fixture);
    return 0;
}

static struct bytes *document(const char *id, const char *name)
{
    g_autofree char *text = g_strdup_printf(
        "{\"id\":\"%s\",\"name\":\"%s\",\"parent_snapshot_id\":\"x\",\"created_at\":"
        "\"2026-08-01T12:34:56Z\",\"schema_version_at_creation\":4,\"datasets\":{},"
        "\"status\":\"active\"}",
        id, name);
    return bytes_new_text(text);
}

static void put(struct fixture *fixture, const char *key, const char *id, const char *name)
{
    auto_bytes struct bytes *body = document(id, name);
    fixture_put(fixture->memory, key, body->data);
}

static void load(struct fixture *fixture)
{
    struct error err = {0};
    if (tombstones_load(fixture->tombstones, fixture->faults, fixture->layout, NULL, &err))
        fail_msg("%s", err.text);
}

static struct bytes *render(struct fixture *fixture)
{
    return tombstones_render(fixture->tombstones, fixture->registry, fixture->kept);
}

static void assert_rendered(struct fixture *fixture, const char *expected)
{
    auto_bytes struct bytes *text = render(fixture);
    assert_string_equal(text->data, expected);
}

static void without_tombstones_the_array_is_empty(void **state)
{
    struct fixture *fixture = *state;
    assert_rendered(fixture, "[]");
    load(fixture);
    assert_rendered(fixture, "[]");
}

static void loading_replaces_the_table_by_what_is_on_the_store(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, PREFIX SECOND ".json", SECOND, "second");
    put(fixture, PREFIX FIRST ".json", FIRST, "first");
    put(fixture, PREFIX FIRST ".json#12", FIRST, "temporary");
    load(fixture);
    g_autoptr(GPtrArray) list = tombstones_list(fixture->tombstones);
    assert_int_equal(list->len, 2);
    const struct tombstone *first = g_ptr_array_index(list, 0);
    assert_string_equal(first->key, PREFIX FIRST ".json");
    assert_string_equal(first->entry->name, "first");
    fixture_delete(fixture->memory, PREFIX FIRST ".json");
    load(fixture);
    g_autoptr(GPtrArray) fewer = tombstones_list(fixture->tombstones);
    assert_int_equal(fewer->len, 1);
    assert_string_equal(first->entry->name, "first"); /* the list is a copy */
}

static void what_does_not_parse_is_kept_with_its_problem(void **state)
{
    struct fixture *fixture = *state;
    fixture_put(fixture->memory, PREFIX "a/odd\".txt", "{");
    fixture_put(fixture->memory, PREFIX "empty", "");
    load(fixture);
    g_autoptr(GPtrArray) list = tombstones_list(fixture->tombstones);
    assert_int_equal(list->len, 2);
    const struct tombstone *odd = g_ptr_array_index(list, 0);
    assert_null(odd->entry);
    assert_int_equal(odd->problem.code, ERR_CORRUPT);
    assert_non_null(strstr(odd->problem.text, "odd"));
    auto_bytes struct bytes *text = render(fixture);
    assert_true(g_str_has_prefix(text->data, "[\n  {\n    \"file\": \"" PREFIX
                                             "a/odd\\\".txt\",\n    \"error\": \""));
    assert_int_equal(json_check(text->data, text->size, NULL), 0);
}

static void a_tombstone_that_vanishes_meanwhile_is_skipped(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, PREFIX FIRST ".json", FIRST, "first");
    put(fixture, PREFIX SECOND ".json", SECOND, "second");
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_GET, 1, false, ERR_NOT_FOUND);
    load(fixture);
    assert_false(tombstones_name_is_taken(fixture->tombstones, "first"));
    assert_true(tombstones_name_is_taken(fixture->tombstones, "second"));
}

static void a_failing_store_leaves_the_table_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, PREFIX FIRST ".json", FIRST, "first");
    load(fixture);
    for (unsigned n = 1; n <= 2; n++) {
        put(fixture, PREFIX SECOND ".json", SECOND, "second"); /* to be read, each time */
        fault_store_arm(fixture->faults, FAULT_FAIL, FAULT_READS, n, false, ERR_ACCESS);
        assert_int_equal(
            tombstones_load(fixture->tombstones, fixture->faults, fixture->layout, NULL, NULL),
            ERR_ACCESS);
        assert_true(tombstones_name_is_taken(fixture->tombstones, "first"));
        assert_false(tombstones_name_is_taken(fixture->tombstones, "second"));
    }
}

static void what_is_known_at_its_etag_is_not_read_again(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, PREFIX FIRST ".json", FIRST, "first");
    load(fixture);
    unsigned before = fault_store_total(fixture->faults, STORE_GET);
    load(fixture);
    assert_int_equal(fault_store_total(fixture->faults, STORE_GET), before);
    assert_true(tombstones_name_is_taken(fixture->tombstones, "first"));
    put(fixture, PREFIX FIRST ".json", FIRST, "renamed");
    load(fixture);
    assert_int_equal(fault_store_total(fixture->faults, STORE_GET), before + 1);
    assert_true(tombstones_name_is_taken(fixture->tombstones, "renamed"));
}

static void what_this_mount_does_is_noted(void **state)
{
    struct fixture *fixture = *state;
    auto_bytes struct bytes *body = document(FIRST, "first");
    tombstones_note_put(fixture->tombstones, PREFIX FIRST ".json", NULL, body);
    tombstones_note_put(fixture->tombstones, PREFIX FIRST ".json", NULL, body);
    assert_true(tombstones_name_is_taken(fixture->tombstones, "first"));
    assert_false(tombstones_name_is_taken(fixture->tombstones, "firs"));
    assert_rendered(fixture, "[\n  {\n    \"id\": \"" FIRST "\",\n    \"name\": \"first\",\n"
                             "    \"parent_snapshot_id\": \"x\",\n"
                             "    \"created_at\": \"2026-08-01T12:34:56Z\",\n"
                             "    \"schema_version_at_creation\": 4,\n    \"datasets\": {},\n"
                             "    \"status\": \"active\"\n  }\n]");
    tombstones_note_deleted(fixture->tombstones, PREFIX FIRST ".json");
    tombstones_note_deleted(fixture->tombstones, PREFIX FIRST ".json");
    assert_rendered(fixture, "[]");
}

static void the_reason_takes_the_place_of_a_member_of_its_name(void **state)
{
    struct fixture *fixture = *state;
    struct ulid id;
    struct error reason = {0};
    auto_bytes struct bytes *body =
        bytes_new_text("{\"kept_by\":[1],\"id\":\"" FIRST
                       "\",\"name\":\"a\",\"parent_snapshot_id\":\"x\",\"created_at\":"
                       "\"2026-08-01T12:34:56Z\",\"schema_version_at_creation\":4,\"datasets\":{},"
                       "\"status\":\"active\", \"later\": 1.50}");
    assert_true(ulid_parse(FIRST, ULID_LENGTH, &id));
    error_set(&reason, ERR_NOT_EMPTY, "a tag");
    kept_forks_put(fixture->kept, &id, &reason);
    tombstones_note_put(fixture->tombstones, PREFIX FIRST ".json", NULL, body);
    assert_rendered(fixture, "[\n  {\n    \"id\": \"" FIRST "\",\n    \"name\": \"a\",\n"
                             "    \"parent_snapshot_id\": \"x\",\n"
                             "    \"created_at\": \"2026-08-01T12:34:56Z\",\n"
                             "    \"schema_version_at_creation\": 4,\n    \"datasets\": {},\n"
                             "    \"status\": \"active\",\n    \"later\": 1.50,\n"
                             "    \"kept_by\": \"a tag\"\n  }\n]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_tombstones_the_array_is_empty),
        TEST(loading_replaces_the_table_by_what_is_on_the_store),
        TEST(what_does_not_parse_is_kept_with_its_problem),
        TEST(a_tombstone_that_vanishes_meanwhile_is_skipped),
        TEST(a_failing_store_leaves_the_table_as_it_was),
        TEST(what_is_known_at_its_etag_is_not_read_again),
        TEST(what_this_mount_does_is_noted),
        TEST(the_reason_takes_the_place_of_a_member_of_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

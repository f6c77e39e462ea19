#include <string.h>

#include "fs/content/render.h"
#include "unit/catalog/database_fixture.h"
#include "unit/unit.h"

/* A catalog with the active fork "what_if". */
struct place {
    struct store *store;
    struct catalog *catalog;
    struct store *faults; /* around the store, belongs to the catalog */
    struct registry *registry;
    struct fork_entry *entry;
    struct failures *failures;
    struct events *events;
    struct operation_counts *operations;
    struct render_sources sources;
};

static void reopen(struct place *place)
{
    registry_unref(place->registry);
    catalog_free(place->catalog);
    place->catalog = fixture_open(place->store, &place->faults);
    place->registry = catalog_registry(place->catalog);
    place->entry = registry_find(place->registry, "what_if");
    place->sources = (struct render_sources){
        .registry = place->registry,
        .catalog = place->catalog,
        .failures = place->failures,
        .events = place->events,
        .operations = place->operations,
        .mounted_at = {1700000000, 5},
    };
}

static int set_up(void **state)
{
    struct place *place = g_new0(struct place, 1);
    struct error err = {0};
    place->store = fixture_database();
    place->failures = failures_new();
    place->events = events_new();
    place->operations = operation_counts_new();
    place->catalog = fixture_open(place->store, &place->faults);
    if (catalog_create(place->catalog, "what_if", NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
    reopen(place);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    registry_unref(place->registry);
    catalog_free(place->catalog);
    store_free(place->store);
    failures_free(place->failures);
    events_free(place->events);
    operation_counts_free(place->operations);
    g_free(place);
    return 0;
}

static char *text_of(const struct document *document)
{
    return g_strdup_printf("%.*s%s", (int)document->body->size, document->body->data,
                           document->newline ? "\n" : "");
}

static void render_entry(const struct place *place, enum node_kind kind, struct fork_entry *entry,
                         struct document *document)
{
    struct tree_child child = {.kind = kind, .entry = entry};
    render_file(&child, &place->sources, document);
}

static char *render(const struct place *place, enum node_kind kind)
{
    auto_document struct document document = {0};
    render_entry(place, kind, place->entry, &document);
    assert_non_null(document.body);
    char *text = text_of(&document);
    assert_int_equal(document_size(&document), strlen(text));
    return text;
}

static void status_is_one_word(void **state)
{
    g_autofree char *text = render(*state, NODE_STATUS);
    assert_string_equal(text, "active\n");
}

static void datasets_are_an_object_of_branches(void **state)
{
    const struct place *place = *state;
    const char *id = place->entry->id.text;
    g_autofree char *expected =
        g_strdup_printf("{\n  \"edges\": \"fork_%s_edges\",\n"
                        "  \"vertices\": \"fork_%s_vertices\",\n"
                        "  \"vertices_Person\": \"fork_%s_vertices_Person\"\n}\n",
                        id, id, id);
    g_autofree char *text = render(place, NODE_DATASETS);
    assert_string_equal(text, expected);
}

static void a_fork_without_datasets_has_an_empty_object(void **state)
{
    const struct place *place = *state;
    g_autoptr(GPtrArray) none = dataset_branches_new();
    struct fork_entry *entry = fork_entry_with_datasets(place->entry, none);
    auto_document struct document document = {0};
    render_entry(place, NODE_DATASETS, entry, &document);
    g_autofree char *text = text_of(&document);
    assert_string_equal(text, "{}\n");
    fork_entry_unref(entry);
}

static void info_is_the_entry_as_a_document(void **state)
{
    const struct place *place = *state;
    g_autofree char *text = render(place, NODE_INFO_JSON);
    auto_bytes struct bytes *document = fork_entry_document(place->entry);
    assert_int_equal(strncmp(text, document->data, document->size), 0);
    assert_true(g_str_has_suffix(text, "\n}\n"));
}

static void the_registry_is_shown_without_a_copy(void **state)
{
    const struct place *place = *state;
    auto_document struct document document = {0};
    render_entry(place, NODE_REGISTRY_JSON, NULL, &document);
    assert_ptr_equal(document.body, place->registry->text);
    assert_true(document.newline);
}

static void holders_are_those_of_the_fork(void **state)
{
    const struct place *place = *state;
    g_autofree char *nobody = render(place, NODE_HOLDERS);
    assert_string_equal(nobody, "");
    struct hold *hold = NULL;
    assert_int_equal(catalog_hold(place->catalog, &place->entry->id, true, 12, "jq", &hold, NULL),
                     0);
    g_autofree char *somebody = render(place, NODE_HOLDERS);
    assert_string_equal(somebody, "12 jq\n");
    holders_release(catalog_holders(place->catalog), hold);
}

static void tombstones_and_errors_are_empty_at_first(void **state)
{
    g_autofree char *tombstones = render(*state, NODE_TOMBSTONES);
    g_autofree char *errors = render(*state, NODE_ERRORS);
    assert_string_equal(tombstones, "[]\n");
    assert_string_equal(errors, "");
}

static void an_overlay_is_shown_when_it_was_read(void **state)
{
    struct place *place = *state;
    auto_document struct document document = {0};
    struct overlay *overlay = NULL;
    render_entry(place, NODE_SCHEMA_JSON, place->entry, &document);
    assert_null(document.body);
    assert_int_equal(catalog_overlay(place->catalog, &place->entry->id, NULL, &overlay, NULL), 0);
    place->sources.overlay = overlay;
    g_autofree char *read = render(place, NODE_SCHEMA_JSON);
    place->sources.overlay = NULL;
    g_autofree char *cached = render(place, NODE_SCHEMA_JSON);
    render_entry(place, NODE_SCHEMA_JSON, place->entry, &document);
    assert_true(g_str_has_prefix(read, "{\n  \"added_labels\": []"));
    assert_string_equal(cached, read);
    assert_string_equal(document.version, overlay->version);
    overlay_free(overlay);
}

static void nothing_touches_the_store(void **state)
{
    const struct place *place = *state;
    unsigned before = fault_store_waves(place->faults);
    for (enum node_kind kind = 0; kind < NODE_KINDS; kind++) {
        auto_document struct document document = {0};
        if (node_kind_is_file(kind))
            render_entry(place, kind, place->entry, &document);
    }
    assert_int_equal(fault_store_waves(place->faults), before);
}

static void the_versions_of_a_tag_are_an_object(void **state)
{
    const struct place *place = *state;
    struct tag_version versions[] = {{(char *)"edges", 3}, {(char *)"a\"b", UINT64_MAX}};
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    struct fork_tag tag = {(char *)"t", list};
    struct tree_child child = {.kind = NODE_VERSIONS, .entry = place->entry, .tag = &tag};
    auto_document struct document none = {0};
    auto_document struct document two = {0};
    render_file(&child, &place->sources, &none);
    g_ptr_array_add(list, &versions[0]);
    g_ptr_array_add(list, &versions[1]);
    render_file(&child, &place->sources, &two);
    g_autofree char *empty = text_of(&none);
    g_autofree char *text = text_of(&two);
    assert_string_equal(empty, "{}\n");
    assert_string_equal(text, "{\n  \"edges\": 3,\n  \"a\\\"b\": 18446744073709551615\n}\n");
}

static void overlays_of_forks_that_are_not_active_are_not_fetched(void **state)
{
    const struct place *place = *state;
    struct fork_entry *entry = fork_entry_with_status(place->entry, FORK_TOMBSTONED);
    auto_document struct document document = {0};
    render_entry(place, NODE_SCHEMA_JSON, entry, &document);
    assert_int_equal(document_size(&document), 0);
    assert_non_null(document.body);
    fork_entry_unref(entry);
}

static void unknown_times_are_that_of_the_mount(void **state)
{
    const struct timespec mounted_at = {1700000000, 5};
    assert_int_equal(render_time(0, mounted_at).tv_sec, 1700000000);
    assert_int_equal(render_time(-7, mounted_at).tv_nsec, 5);
    struct timespec known = render_time(INT64_C(1234567890123456789), mounted_at);
    assert_int_equal(known.tv_sec, 1234567890);
    assert_int_equal(known.tv_nsec, 123456789);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(status_is_one_word),
        TEST(datasets_are_an_object_of_branches),
        TEST(a_fork_without_datasets_has_an_empty_object),
        TEST(info_is_the_entry_as_a_document),
        TEST(the_registry_is_shown_without_a_copy),
        TEST(holders_are_those_of_the_fork),
        TEST(tombstones_and_errors_are_empty_at_first),
        TEST(an_overlay_is_shown_when_it_was_read),
        TEST(nothing_touches_the_store),
        TEST(the_versions_of_a_tag_are_an_object),
        TEST(overlays_of_forks_that_are_not_active_are_not_fetched),
        cmocka_unit_test(unknown_times_are_that_of_the_mount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

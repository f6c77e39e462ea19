#include "fs/state/handles.h"
#include "unit/fs/fs_fixture.h"
#include "unit/unit.h"

struct place {
    struct holders *holders;
    struct handles *handles;
};

static int set_up(void **state)
{
    struct place *place = g_new0(struct place, 1);
    place->holders = holders_new();
    place->handles = handles_new();
    handles_set_holders(place->handles, place->holders);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    handles_free(place->handles);
    struct ulid id = fixture_id(ID_A);
    assert_int_equal(holders_count(place->holders, &id), 0);
    holders_free(place->holders);
    g_free(place);
    return 0;
}

static struct handle *open_file_of(struct place *place, uint64_t node_id, pid_t process, off_t size)
{
    struct ulid id = fixture_id(ID_A);
    struct hold *hold = NULL;
    struct document document = {.body = bytes_new_text("text")};
    struct stat attributes = {.st_size = size};
    assert_int_equal(holders_hold(place->holders, &id, 1, "test", &hold, NULL), 0);
    return handles_open_file(place->handles, node_id, &attributes, process, &document, NULL, hold);
}

static struct handle *open_file(struct place *place, uint64_t node_id)
{
    return open_file_of(place, node_id, 0, 4);
}

static void closing_a_file_gives_its_hold_back(void **state)
{
    struct place *place = *state;
    struct ulid id = fixture_id(ID_A);
    struct handle *first = open_file(place, 5);
    struct handle *second = open_file(place, 5);
    assert_int_equal(holders_count(place->holders, &id), 2);
    handles_close(place->handles, first);
    assert_int_equal(holders_count(place->holders, &id), 1);
    assert_string_equal(second->document.body->data, "text");
    handles_close(place->handles, second);
    assert_int_equal(holders_count(place->holders, &id), 0);
}

static void what_is_left_open_is_closed_at_the_end(void **state)
{
    auto_registry struct registry *registry = fixture_registry(NULL, 0);
    struct place *place = *state;
    open_file(place, 5);
    handles_open_directory(place->handles, registry);
}

static void attributes_are_known_while_a_handle_is_open(void **state)
{
    struct place *place = *state;
    struct stat attributes;
    struct handle *handle = open_file(place, 5);
    assert_true(handles_find_attributes(place->handles, 5, &attributes));
    assert_int_equal(attributes.st_size, 4);
    assert_false(handles_find_attributes(place->handles, 6, &attributes));
    handles_close(place->handles, handle);
    assert_false(handles_find_attributes(place->handles, 5, &attributes));
}

static void a_process_finds_the_newest_of_its_own_handles(void **state)
{
    struct place *place = *state;
    struct stat attributes;
    open_file_of(place, 5, 10, 1);
    struct handle *newest = open_file_of(place, 5, 10, 2);
    open_file_of(place, 5, 11, 3);
    open_file_of(place, 6, 10, 4);
    open_file_of(place, 5, 0, 5);
    assert_true(handles_find_own_attributes(place->handles, 5, 10, &attributes));
    assert_int_equal(attributes.st_size, 2);
    handles_close(place->handles, newest);
    assert_true(handles_find_own_attributes(place->handles, 5, 10, &attributes));
    assert_int_equal(attributes.st_size, 1);
    assert_false(handles_find_own_attributes(place->handles, 5, 12, &attributes));
    assert_false(handles_find_own_attributes(place->handles, 5, 0, &attributes));
}

static struct registry *snapshot(struct handle *handle, struct registry *current, bool rewind)
{
    g_autoptr(GPtrArray) tags = NULL;
    return handle_snapshot(handle, current, NULL, rewind, &tags);
}

static void a_directory_lists_one_image_until_it_is_rewound(void **state)
{
    struct place *place = *state;
    auto_registry struct registry *before = fixture_registry(NULL, 0);
    auto_registry struct registry *after = fixture_registry(NULL, 0);
    struct handle *handle = handles_open_directory(place->handles, before);
    auto_registry struct registry *going_on = snapshot(handle, after, false);
    assert_ptr_equal(going_on, before);
    auto_registry struct registry *anew = snapshot(handle, after, true);
    assert_ptr_equal(anew, after);
    auto_registry struct registry *later = snapshot(handle, before, false);
    assert_ptr_equal(later, after);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(closing_a_file_gives_its_hold_back),
        TEST(what_is_left_open_is_closed_at_the_end),
        TEST(attributes_are_known_while_a_handle_is_open),
        TEST(a_process_finds_the_newest_of_its_own_handles),
        TEST(a_directory_lists_one_image_until_it_is_rewound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

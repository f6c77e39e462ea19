/*
 * What readers see of the registry, and who is told of it.
 */
#include "unit/unit.h"

#include "catalog/registry/registry_image.h"

struct fixture {
    struct registry_image image;
    unsigned told;
    const struct registry *before, *after;
};

static struct registry *version(const char *etag)
{
    struct registry *registry = NULL;
    assert_int_equal(registry_parse(NULL, etag, 0, NULL, &registry, NULL), 0);
    return registry;
}

static void observe(void *argument, const struct registry *before, const struct registry *after)
{
    struct fixture *fixture = argument;
    fixture->told++;
    fixture->before = before;
    fixture->after = after;
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    registry_image_init(&fixture->image, version("one"), observe, fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    registry_image_destroy(&fixture->image);
    g_free(fixture);
    return 0;
}

static void assert_seen(struct fixture *fixture, const char *etag)
{
    auto_registry struct registry *seen = registry_image_get(&fixture->image);
    assert_string_equal(seen->etag, etag);
}

static void another_version_is_seen_and_told(void **state)
{
    struct fixture *fixture = *state;
    auto_registry struct registry *first = registry_image_get(&fixture->image);
    struct registry *second = version("two");
    registry_image_publish(&fixture->image, second, 0);
    assert_seen(fixture, "two");
    assert_int_equal(fixture->told, 1);
    assert_ptr_equal(fixture->before, first);
    assert_ptr_equal(fixture->after, second);
}

static void the_same_version_is_no_news(void **state)
{
    struct fixture *fixture = *state;
    auto_registry struct registry *first = registry_image_get(&fixture->image);
    registry_image_publish(&fixture->image, version("one"), 0);
    auto_registry struct registry *seen = registry_image_get(&fixture->image);
    assert_ptr_equal(seen, first);
    assert_int_equal(fixture->told, 0);
}

static void a_reader_keeps_what_it_has_got(void **state)
{
    struct fixture *fixture = *state;
    auto_registry struct registry *first = registry_image_get(&fixture->image);
    registry_image_publish(&fixture->image, version("two"), 0);
    assert_string_equal(first->etag, "one");
}

static void only_puts_are_counted(void **state)
{
    struct fixture *fixture = *state;
    registry_image_publish(&fixture->image, version("two"), 0);
    assert_int_equal(fixture->image.puts, 0);
    registry_image_publish(&fixture->image, version("three"), 3);
    registry_image_publish(&fixture->image, version("four"), 1);
    assert_int_equal(fixture->image.puts, 2);
    assert_int_equal(fixture->image.requests, 4);
}

/* The version that an abandoned put was conditional on is still there: it may yet arrive. */
static void what_is_there_ends_doubt_but_not_the_watch(void **state)
{
    struct fixture *fixture = *state;
    fixture->image.is_doubted = true;
    fixture->image.watch_until_ns = INT64_MAX;
    registry_image_publish(&fixture->image, version("one"), 0);
    assert_false(fixture->image.is_doubted);
    assert_int_equal(fixture->image.watch_until_ns, INT64_MAX);
    registry_image_publish(&fixture->image, version("two"), 0);
    assert_int_equal(fixture->image.watch_until_ns, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_version_is_seen_and_told),
        TEST(the_same_version_is_no_news),
        TEST(a_reader_keeps_what_it_has_got),
        TEST(only_puts_are_counted),
        TEST(what_is_there_ends_doubt_but_not_the_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Listings of a large directory that leave most of it out: it is read no more than must be, and
 * what others put into it is seen all the same.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/local/local_store.h"
#include "unit/store/local/directory_reads.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"

#define MANY 300

static int set_up(void **state)
{
    local_bench_set_up(state);
    struct local_bench *fixture = *state;
    for (int i = 0; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("d/n%d", i);
        scratch_write(fixture->root, name, "x");
    }
    return 0;
}

static bool begins_so(const char *directory, const char *name, const void *argument)
{
    (void)directory;
    return g_str_has_prefix(name, argument);
}

/* The rows that are left, by a blank, of a listing that leaves out names which begin so. */
static char *list_without(struct local_bench *fixture, const char *prefix, const char *beginning,
                          int64_t age)
{
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *listing = store_set_list(set, prefix, NULL, 0);
    store_request_leave_out(listing, begins_so, g_strdup(beginning), g_free, age);
    assert_int_equal(store_run_all(fixture->store, set, 0, NULL, NULL), 0);
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing->answer.objects, i);
        g_string_append_printf(names, "%s ", row->key);
    }
    return g_string_free(g_steal_pointer(&names), FALSE);
}

static void assert_lists(struct local_bench *fixture, const char *beginning, int64_t age,
                         const char *expected)
{
    g_autofree char *names = list_without(fixture, "d/", beginning, age);
    assert_string_equal(names, expected);
}

/* The first look shows that it is large, the second remembers it. */
static void look_twice(struct local_bench *fixture)
{
    assert_lists(fixture, "n", 1, "");
    assert_lists(fixture, "n", 1, "");
    directory_reads_take();
}

static void a_large_directory_is_not_read_again(void **state)
{
    struct local_bench *fixture = *state;
    look_twice(fixture);
    for (int i = 0; i < 5; i++)
        assert_lists(fixture, "n", 1, "");
    assert_int_equal(directory_reads_take().directories, 0);
}

static void what_comes_is_seen_until_it_goes(void **state)
{
    struct local_bench *fixture = *state;
    look_twice(fixture);
    scratch_write(fixture->root, "d/written", "1");
    scratch_write(fixture->root, "d/n1000", "1");
    scratch_write(fixture->root, "elsewhere", "1");
    g_autofree char *from = g_build_filename(fixture->root, "elsewhere", NULL);
    g_autofree char *to = g_build_filename(fixture->root, "d/moved", NULL);
    g_autofree char *linked = g_build_filename(fixture->root, "d/linked", NULL);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(link(to, linked), 0);
    assert_lists(fixture, "n", 1, "d/linked d/moved d/written ");
    assert_lists(fixture, "n", 1, "d/linked d/moved d/written ");
    assert_int_equal(unlink(linked), 0);
    assert_int_equal(unlink(to), 0);
    assert_lists(fixture, "n", 1, "d/written ");
    assert_int_equal(directory_reads_take().directories, 0);
}

static void what_is_in_a_directory_that_comes_is_seen(void **state)
{
    struct local_bench *fixture = *state;
    look_twice(fixture);
    scratch_write(fixture->root, "d/below/other", "1");
    assert_lists(fixture, "n", 1, "d/below/other ");
    scratch_write(fixture->root, "d/below/more", "1");
    assert_lists(fixture, "n", 1, "d/below/more d/below/other ");
}

static void a_choice_of_another_age_has_it_read(void **state)
{
    struct local_bench *fixture = *state;
    look_twice(fixture);
    assert_lists(fixture, "n2", 1, "");
    g_autofree char *names = list_without(fixture, "d/", "n2", 2);
    assert_true(g_str_has_prefix(names, "d/n0 d/n1 d/n10 "));
    assert_true(directory_reads_take().directories > 0);
}

static void another_directory_in_its_place_is_read(void **state)
{
    struct local_bench *fixture = *state;
    look_twice(fixture);
    g_autofree char *place = g_build_filename(fixture->root, "d", NULL);
    g_autofree char *aside = g_build_filename(fixture->root, "aside", NULL);
    assert_int_equal(rename(place, aside), 0);
    scratch_write(fixture->root, "d/other", "1");
    assert_lists(fixture, "n", 1, "d/other ");
    scratch_write(fixture->root, "aside/more", "1");
    g_autofree char *other = g_build_filename(fixture->root, "d/other", NULL);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(rmdir(place), 0);
    assert_int_equal(rename(aside, place), 0);
    assert_lists(fixture, "n", 1, "d/more ");
}

static void more_than_the_kernel_keeps_for_us_is_seen(void **state)
{
    struct local_bench *fixture = *state;
    look_twice(fixture);
    g_autofree char *limit = NULL;
    if (!g_file_get_contents("/proc/sys/fs/inotify/max_queued_events", &limit, NULL, NULL))
        skip();
    g_autofree char *name = g_build_filename(fixture->root, "d/n", NULL);
    g_autofree char *other = g_build_filename(fixture->root, "d/m", NULL);
    scratch_write(fixture->root, "d/n", "1");
    for (long i = 0; i <= atol(limit); i += 2) {
        assert_int_equal(rename(name, other), 0);
        assert_int_equal(rename(other, name), 0);
    }
    scratch_write(fixture->root, "d/other", "1");
    assert_lists(fixture, "n", 1, "d/other ");
    scratch_write(fixture->root, "d/more", "1");
    assert_lists(fixture, "n", 1, "d/more d/other ");
}

static void two_keys_of_one_directory_see_the_same(void **state)
{
    struct local_bench *fixture = *state;
    g_autofree char *link = g_build_filename(fixture->root, "e", NULL);
    assert_int_equal(symlink("d", link), 0);
    for (int i = 0; i < 3; i++) {
        g_autofree char *of_link = list_without(fixture, "e/", "n", 1);
        assert_string_equal(of_link, "");
        assert_lists(fixture, "n", 1, "");
    }
    scratch_write(fixture->root, "d/other", "1");
    assert_lists(fixture, "n", 1, "d/other ");
    g_autofree char *of_link = list_without(fixture, "e/", "n", 1);
    assert_string_equal(of_link, "e/other ");
}

int main(void)
{
#define LOCAL(test) cmocka_unit_test_setup_teardown(test, set_up, local_bench_tear_down)
    const struct CMUnitTest tests[] = {
        LOCAL(a_large_directory_is_not_read_again),
        LOCAL(what_comes_is_seen_until_it_goes),
        LOCAL(what_is_in_a_directory_that_comes_is_seen),
        LOCAL(a_choice_of_another_age_has_it_read),
        LOCAL(another_directory_in_its_place_is_read),
        LOCAL(more_than_the_kernel_keeps_for_us_is_seen),
        LOCAL(two_keys_of_one_directory_see_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

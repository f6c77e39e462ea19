/*
 * Pruning keys without reading their directories again and again; and listings that read no more
 * than is wanted of them.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store/local/local_store.h"
#include "unit/store/local/directory_reads.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"

#define NEIGHBOURS 50

static bool keep_files; /* unlink fails */

int __wrap_unlinkat(int fd, const char *name, int flags);
int __real_unlinkat(int fd, const char *name, int flags);

int __wrap_unlinkat(int fd, const char *name, int flags)
{
    if (!__atomic_load_n(&keep_files, __ATOMIC_RELAXED))
        return __real_unlinkat(fd, name, flags);
    errno = EIO;
    return -1;
}

static int set_up(void **state)
{
    local_bench_set_up(state);
    struct local_bench *fixture = *state;
    for (int i = 0; i < NEIGHBOURS; i++) {
        g_autofree char *name = g_strdup_printf("d/n%d", i);
        scratch_write(fixture->root, name, "x");
    }
    directory_reads_take();
    return 0;
}

/* In one wave. */
static void prune_neighbours(struct local_bench *fixture)
{
    auto_store_set struct store_set *set = store_set_new();
    for (int i = 0; i < NEIGHBOURS; i++) {
        g_autofree char *key = g_strdup_printf("d/n%d", i);
        store_set_prune(set, key);
    }
    assert_int_equal(store_run_all(fixture->store, set, 0, NULL, NULL), 0);
}

static unsigned directories_read(void)
{
    return directory_reads_take().directories;
}

static void keys_are_pruned_with_one_look_at_their_directory(void **state)
{
    struct local_bench *fixture = *state;
    scratch_write(fixture->root, "d/n7#1", "half");
    scratch_write(fixture->root, "d/n8#1", "half");
    scratch_write(fixture->root, "d/other#1", "half");
    prune_neighbours(fixture);
    assert_int_equal(directories_read(), 1);
    assert_false(scratch_exists(fixture->root, "d/n7#1"));
    assert_false(scratch_exists(fixture->root, "d/n8#1"));
    assert_true(scratch_exists(fixture->root, "d/other#1"));
    prune_neighbours(fixture);
    assert_int_equal(prune_prefix(fixture->store, "d/other"), 0);
    assert_int_equal(directories_read(), 0);
    assert_false(scratch_exists(fixture->root, "d/other#1"));
}

static void a_directory_that_was_pruned_whole_is_not_looked_at(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(prune_prefix(fixture->store, "d/"), 0);
    assert_int_equal(prune_prefix(fixture->store, "absent/"), 0);
    directories_read();
    prune_neighbours(fixture);
    assert_int_equal(put_text(fixture->store, "absent/k", "x"), 0);
    assert_int_equal(prune_prefix(fixture->store, "absent/k"), 0);
    assert_int_equal(directories_read(), 0);
}

static void what_this_store_could_not_remove_is_pruned(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(prune_prefix(fixture->store, "d/"), 0);
    __atomic_store_n(&keep_files, true, __ATOMIC_RELAXED);
    assert_int_equal(put_if(fixture->store, "d/n1", "y", STORE_IF_ABSENT, NULL), ERR_PRECONDITION);
    assert_int_equal(put_if(fixture->store, "d/new", "y", STORE_IF_ABSENT, NULL), 0);
    __atomic_store_n(&keep_files, false, __ATOMIC_RELAXED);
    g_autofree char *before = scratch_names(fixture->root, "d");
    assert_non_null(strstr(before, "n1#"));
    assert_non_null(strstr(before, "new#"));
    directories_read();
    assert_int_equal(prune_prefix(fixture->store, "d/n1"), 0);
    assert_int_equal(prune_prefix(fixture->store, "d/new"), 0);
    assert_int_equal(directories_read(), 0);
    g_autofree char *after = scratch_names(fixture->root, "d");
    assert_null(strchr(after, '#'));
}

static void what_a_listing_meets_is_pruned(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(prune_prefix(fixture->store, "d/"), 0);
    scratch_write(fixture->root, "d/n1#5", "half");
    g_autofree char *listed = list_keys(fixture->store, "d/n1", NULL, 1);
    assert_string_equal(listed, "d/n1 ...");
    directories_read();
    assert_int_equal(prune_prefix(fixture->store, "d/n1"), 0);
    assert_int_equal(directories_read(), 0);
    assert_false(scratch_exists(fixture->root, "d/n1#5"));
}

static bool is_numbered(const char *directory, const char *name, const void *argument)
{
    assert_string_equal(directory, "d/");
    return g_str_has_prefix(name, argument);
}

static void what_is_left_out_of_a_listing_costs_no_look_at_it(void **state)
{
    struct local_bench *fixture = *state;
    scratch_write(fixture->root, "d/other", "12345");
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *listing = store_set_list(set, "d/", NULL, 0);
    store_request_leave_out(listing, is_numbered, g_strdup("n"), g_free, 0);
    assert_int_equal(store_run_all(fixture->store, set, 0, NULL, NULL), 0);
    assert_int_equal(directory_reads_take().files, 1);
    const GPtrArray *rows = listing->answer.objects;
    assert_int_equal(rows->len, 1);
    const struct store_object *whole = g_ptr_array_index(rows, 0);
    assert_string_equal(whole->key, "d/other");
    assert_non_null(whole->etag);
    assert_int_equal(whole->size, 5);
}

int main(void)
{
#define LOCAL(test) cmocka_unit_test_setup_teardown(test, set_up, local_bench_tear_down)
    const struct CMUnitTest tests[] = {
        LOCAL(keys_are_pruned_with_one_look_at_their_directory),
        LOCAL(a_directory_that_was_pruned_whole_is_not_looked_at),
        LOCAL(what_this_store_could_not_remove_is_pruned),
        LOCAL(what_a_listing_meets_is_pruned),
        LOCAL(what_is_left_out_of_a_listing_costs_no_look_at_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

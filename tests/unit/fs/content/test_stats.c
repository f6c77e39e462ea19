#include <string.h>

#include "fs/content/stats.h"
#include "unit/catalog/database_fixture.h"
#include "unit/unit.h"

struct place {
    struct store *store;
    struct catalog *catalog;
    struct operation_counts *operations;
};

static int set_up(void **state)
{
    struct place *place = g_new0(struct place, 1);
    place->store = fixture_database();
    place->catalog = fixture_open(place->store, NULL);
    place->operations = operation_counts_new();
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    operation_counts_free(place->operations);
    catalog_free(place->catalog);
    store_free(place->store);
    g_free(place);
    return 0;
}

static unsigned count_lines(const struct place *place, const char *line)
{
    auto_registry struct registry *registry = catalog_registry(place->catalog);
    auto_bytes struct bytes *text = stats_render(place->catalog, registry, place->operations);
    g_auto(GStrv) lines = g_strsplit(text->data, "\n", -1);
    unsigned count = 0;
    for (char **at = lines; *at; at++)
        count += strcmp(*at, line) == 0;
    return count;
}

static void assert_line(const struct place *place, const char *line)
{
    if (count_lines(place, line) != 1)
        fail_msg("not exactly one line '%s'", line);
}

static void forks_are_counted_by_status(void **state)
{
    const struct place *place = *state;
    assert_line(place, "forkfs_forks{status=\"active\"} 0");
    assert_int_equal(catalog_create(place->catalog, "a", NULL, NULL, NULL, NULL), 0);
    assert_line(place, "forkfs_forks{status=\"active\"} 1");
    assert_line(place, "forkfs_forks{status=\"pending\"} 0");
    assert_line(place, "forkfs_forks{status=\"tombstoned\"} 0");
    assert_line(place, "forkfs_commits_total 2");
    assert_line(place, "forkfs_commit_requests_total 2");
}

static void requests_to_the_store_are_counted(void **state)
{
    const struct place *place = *state;
    uint64_t before = call_metrics_outcome(catalog_store_metrics(place->catalog, STORE_PUT), 0);
    assert_int_equal(catalog_create(place->catalog, "a", NULL, NULL, NULL, NULL), 0);
    const struct call_metrics *puts = catalog_store_metrics(place->catalog, STORE_PUT);
    assert_true(call_metrics_outcome(puts, 0) >= before + 2 + 2 * FIXTURE_DATASETS);
    assert_int_equal(call_metrics_timed(puts), call_metrics_outcome(puts, 0));
    g_autofree char *line = g_strdup_printf(
        "forkfs_store_requests_total{method=\"put\",outcome=\"ok\"} %" G_GUINT64_FORMAT,
        call_metrics_outcome(puts, 0));
    assert_line(place, line);
}

static void operations_are_counted_by_outcome(void **state)
{
    const struct place *place = *state;
    struct call_metrics *mkdir = operation_counts_of(place->operations, "mkdir");
    call_metrics_count(mkdir, 0);
    call_metrics_time(mkdir, 1000000);
    call_metrics_count(mkdir, ERR_EXISTS);
    call_metrics_count(mkdir, ERR_IO);
    assert_line(place, "forkfs_operations_total{operation=\"mkdir\",outcome=\"ok\"} 1");
    assert_line(place, "forkfs_operations_total{operation=\"mkdir\",outcome=\"EEXIST\"} 1");
    assert_line(place, "forkfs_operations_total{operation=\"mkdir\",outcome=\"EIO\"} 1");
    assert_line(place, "forkfs_operation_seconds_count{operation=\"mkdir\"} 1");
    assert_line(place, "forkfs_operation_seconds_bucket{operation=\"mkdir\",le=\"0.001\"} 1");
}

static void codes_with_one_errno_are_one_outcome(void **state)
{
    const struct place *place = *state;
    struct call_metrics *rmdir = operation_counts_of(place->operations, "rmdir");
    call_metrics_count(rmdir, ERR_HELD);
    call_metrics_count(rmdir, ERR_UNCLEAN);
    call_metrics_count(rmdir, ERR_UNCLEAN);
    assert_line(place, "forkfs_operations_total{operation=\"rmdir\",outcome=\"EBUSY\"} 3");
}

static void operations_that_are_not_timed_have_no_histogram(void **state)
{
    const struct place *place = *state;
    call_metrics_count(operation_counts_of(place->operations, "unlink"), ERR_NOT_PERMITTED);
    assert_line(place, "forkfs_operations_total{operation=\"unlink\",outcome=\"EPERM\"} 1");
    assert_int_equal(count_lines(place, "forkfs_operation_seconds_count{operation=\"unlink\"} 0"),
                     0);
}

static void names_are_sorted_and_listed_once(void **state)
{
    const struct place *place = *state;
    operation_counts_of(place->operations, "rmdir");
    operation_counts_of(place->operations, "mkdir");
    assert_ptr_equal(operation_counts_of(place->operations, "mkdir"),
                     operation_counts_of(place->operations, "mkdir"));
    g_autoptr(GPtrArray) names = operation_counts_names(place->operations);
    assert_int_equal(names->len, 2);
    assert_string_equal(names->pdata[0], "mkdir");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(forks_are_counted_by_status),
        TEST(requests_to_the_store_are_counted),
        TEST(operations_are_counted_by_outcome),
        TEST(codes_with_one_errno_are_one_outcome),
        TEST(operations_that_are_not_timed_have_no_histogram),
        TEST(names_are_sorted_and_listed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

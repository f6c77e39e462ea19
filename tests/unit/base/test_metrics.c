#include "unit/unit.h"

#include <pthread.h>

#include "base/error.h"
#include "base/metrics.h"

static void outcomes_are_counted_apart(void **state)
{
    struct call_metrics metrics = {0};
    call_metrics_count(&metrics, 0);
    call_metrics_count(&metrics, ERR_HELD);
    call_metrics_count(&metrics, ERR_HELD);
    assert_int_equal(call_metrics_outcome(&metrics, 0), 1);
    assert_int_equal(call_metrics_outcome(&metrics, ERR_HELD), 2);
    assert_int_equal(call_metrics_outcome(&metrics, ERR_EXISTS), 0);
}

static void unknown_outcomes_count_as_io_errors(void **state)
{
    struct call_metrics metrics = {0};
    call_metrics_count(&metrics, -1000);
    call_metrics_count(&metrics, 7);
    assert_int_equal(call_metrics_outcome(&metrics, ERR_IO), 2);
}

static void a_header_names_type_and_purpose(void **state)
{
    g_autoptr(GString) out = g_string_new(NULL);
    metrics_append_header(out, "x_total", "counter", "What x is.");
    assert_string_equal(out->str, "# HELP x_total What x is.\n# TYPE x_total counter\n");
}

static void labels_are_separated_and_escaped(void **state)
{
    g_autoptr(GString) labels = g_string_new(NULL);
    metrics_append_label(labels, "a", "plain");
    metrics_append_label(labels, "b", "quote\" back\\slash new\nline");
    assert_string_equal(labels->str, "a=\"plain\",b=\"quote\\\" back\\\\slash new\\nline\"");
}

static void a_sample_without_labels_has_no_braces(void **state)
{
    g_autoptr(GString) out = g_string_new(NULL);
    metrics_append_sample(out, "x", "", 18446744073709551615U);
    metrics_append_sample(out, "y", "a=\"b\"", 0);
    assert_string_equal(out->str, "x 18446744073709551615\ny{a=\"b\"} 0\n");
}

static void assert_has_line(const GString *out, const char *line)
{
    g_auto(GStrv) lines = g_strsplit(out->str, "\n", -1);
    if (!g_strv_contains((const char *const *)lines, line))
        fail_msg("no line '%s' in:\n%s", line, out->str);
}

static void a_histogram_is_cumulative(void **state)
{
    struct call_metrics metrics = {0};
    call_metrics_time(&metrics, 50000);                /* just within 50 us */
    call_metrics_time(&metrics, 50001);                /* the next bucket */
    call_metrics_time(&metrics, INT64_C(40000000000)); /* beyond all limits */
    g_autoptr(GString) out = g_string_new(NULL);
    metrics_append_histogram(out, "t", "m=\"put\"", &metrics);
    assert_has_line(out, "t_bucket{m=\"put\",le=\"0.00005\"} 1");
    assert_has_line(out, "t_bucket{m=\"put\",le=\"0.0001\"} 2");
    assert_has_line(out, "t_bucket{m=\"put\",le=\"30\"} 2");
    assert_has_line(out, "t_bucket{m=\"put\",le=\"+Inf\"} 3");
    assert_has_line(out, "t_sum{m=\"put\"} 40.000100001");
    assert_has_line(out, "t_count{m=\"put\"} 3");
}

static void a_histogram_without_calls_is_zero(void **state)
{
    struct call_metrics metrics = {0};
    g_autoptr(GString) out = g_string_new(NULL);
    metrics_append_histogram(out, "t", "", &metrics);
    assert_has_line(out, "t_bucket{le=\"+Inf\"} 0");
    assert_has_line(out, "t_sum 0");
    assert_has_line(out, "t_count 0");
}

static void a_clock_that_goes_backwards_adds_nothing(void **state)
{
    struct call_metrics metrics = {0};
    call_metrics_time(&metrics, -5);
    assert_int_equal(metrics.duration_ns, 0);
    assert_int_equal(metrics.buckets[0], 1);
}

#define CALLS 10000

static void *call_often(void *argument)
{
    for (int i = 0; i < CALLS; i++) {
        call_metrics_count(argument, 0);
        call_metrics_time(argument, 1);
    }
    return NULL;
}

static void threads_lose_no_calls(void **state)
{
    struct call_metrics metrics = {0};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &metrics), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(call_metrics_outcome(&metrics, 0), 4 * CALLS);
    assert_int_equal(metrics.duration_ns, 4 * CALLS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_are_counted_apart),
        cmocka_unit_test(unknown_outcomes_count_as_io_errors),
        cmocka_unit_test(a_header_names_type_and_purpose),
        cmocka_unit_test(labels_are_separated_and_escaped),
        cmocka_unit_test(a_sample_without_labels_has_no_braces),
        cmocka_unit_test(a_histogram_is_cumulative),
        cmocka_unit_test(a_histogram_without_calls_is_zero),
        cmocka_unit_test(a_clock_that_goes_backwards_adds_nothing),
        cmocka_unit_test(threads_lose_no_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/metrics.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/timestamp.h"

/* Limits of the buckets in microseconds. What a local disk does takes milliseconds; the longest
 * operation that is allowed takes a minute. */
static const uint64_t limits_us[METRICS_BUCKETS] = {
    50,    100,   250,    500,    1000,   2500,    5000,    10000,
    25000, 50000, 100000, 250000, 500000, 1000000, 5000000, 30000000,
};

static void add_atomically(uint64_t *number, uint64_t value)
{
    __atomic_fetch_add(number, value, __ATOMIC_RELAXED);
}

static uint64_t get_atomically(const uint64_t *number)
{
    return __atomic_load_n(number, __ATOMIC_RELAXED);
}

static size_t outcome_index(int code)
{
    return code <= 0 && code > -METRICS_OUTCOMES ? (size_t)-code : (size_t)-ERR_IO;
}

void call_metrics_count(struct call_metrics *metrics, int code)
{
    add_atomically(&metrics->outcomes[outcome_index(code)], 1);
}

void call_metrics_time(struct call_metrics *metrics, int64_t duration_ns)
{
    uint64_t duration = duration_ns > 0 ? (uint64_t)duration_ns : 0;
    size_t bucket = 0;
    while (bucket < METRICS_BUCKETS && duration > limits_us[bucket] * 1000)
        bucket++;
    add_atomically(&metrics->buckets[bucket], 1);
    add_atomically(&metrics->duration_ns, duration);
}

uint64_t call_metrics_timed(const struct call_metrics *metrics)
{
    uint64_t count = 0;
    for (size_t bucket = 0; bucket <= METRICS_BUCKETS; bucket++)
        count += get_atomically(&metrics->buckets[bucket]);
    return count;
}

uint64_t call_metrics_outcome(const struct call_metrics *metrics, int code)
{
    return get_atomically(&metrics->outcomes[outcome_index(code)]);
}

void metrics_append_header(GString *out, const char *name, const char *type, const char *help)
{
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_append_label(GString *labels, const char *name, const char *value)
{
    g_string_append_printf(labels, "%s%s=\"", labels->len > 0 ? "," : "", name);
    for (; *value; value++) {
        if (*value == '\n')
            g_string_append(labels, "\\n");
        else if (*value == '"' || *value == '\\')
            g_string_append_printf(labels, "\\%c", *value);
        else
            g_string_append_c(labels, *value);
    }
    g_string_append_c(labels, '"');
}

static void append_name(GString *out, const char *name, const char *suffix, const char *labels)
{
    g_string_append_printf(out, "%s%s", name, suffix);
    if (labels[0])
        g_string_append_printf(out, "{%s}", labels);
}

void metrics_append_sample(GString *out, const char *name, const char *labels, uint64_t value)
{
    append_name(out, name, "", labels);
    g_string_append_printf(out, " %" PRIu64 "\n", value);
}

/* A number of units as a decimal fraction of seconds, whatever the locale. */
static void append_seconds(GString *out, uint64_t units, uint64_t units_per_second, int digits)
{
    g_string_append_printf(out, "%" PRIu64, units / units_per_second);
    if (units % units_per_second == 0)
        return;
    g_string_append_printf(out, ".%0*" PRIu64, digits, units % units_per_second);
    while (out->str[out->len - 1] == '0')
        g_string_truncate(out, out->len - 1);
}

static void append_bucket(GString *out, const char *name, const char *labels, size_t bucket,
                          uint64_t count)
{
    g_autoptr(GString) limit = g_string_new(NULL);
    g_autoptr(GString) all = g_string_new(labels);
    if (bucket < METRICS_BUCKETS)
        append_seconds(limit, limits_us[bucket], 1000000, 6);
    else
        g_string_append(limit, "+Inf");
    metrics_append_label(all, "le", limit->str);
    append_name(out, name, "_bucket", all->str);
    g_string_append_printf(out, " %" PRIu64 "\n", count);
}

void metrics_append_histogram(GString *out, const char *name, const char *labels,
                              const struct call_metrics *metrics)
{
    uint64_t count = 0;
    for (size_t bucket = 0; bucket <= METRICS_BUCKETS; bucket++) {
        count += get_atomically(&metrics->buckets[bucket]);
        append_bucket(out, name, labels, bucket, count);
    }
    append_name(out, name, "_sum", labels);
    g_string_append_c(out, ' ');
    append_seconds(out, get_atomically(&metrics->duration_ns), NS_PER_SECOND, 9);
    g_string_append_c(out, '\n');
    append_name(out, name, "_count", labels);
    g_string_append_printf(out, " %" PRIu64 "\n", count);
}

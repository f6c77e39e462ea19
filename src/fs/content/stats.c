#include "fs/content/stats.h"

#include <string.h>

#include "config.h"
#include "fs/errno_map.h"

/* One label with its value, as metrics_append_sample() wants it. */
static char *label(const char *name, const char *value)
{
    g_autoptr(GString) text = g_string_new(NULL);
    metrics_append_label(text, name, value);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void append_number(GString *out, const char *name, const char *type, const char *help,
                          uint64_t value)
{
    metrics_append_header(out, name, type, help);
    metrics_append_sample(out, name, "", value);
}

/* ---- Operations ---- */

static const char *outcome_name(int code)
{
    return code == 0 ? "ok" : errno_name(errno_of(code));
}

/* Several codes can have one errno; they are one outcome, told with the first of them. */
static uint64_t outcome_count(const struct call_metrics *metrics, int code)
{
    uint64_t count = 0;
    const char *name = outcome_name(code);
    for (int other = 0; other > -METRICS_OUTCOMES; other--) {
        if (strcmp(outcome_name(other), name) != 0)
            continue;
        if (other > code)
            return 0;
        count += call_metrics_outcome(metrics, other);
    }
    return count;
}

static void append_outcomes(GString *out, const char *operation, const struct call_metrics *metrics)
{
    for (int code = 0; code > -METRICS_OUTCOMES; code--) {
        uint64_t count = outcome_count(metrics, code);
        if (count == 0 && code != 0)
            continue;
        g_autoptr(GString) labels = g_string_new(NULL);
        metrics_append_label(labels, "operation", operation);
        metrics_append_label(labels, "outcome", outcome_name(code));
        metrics_append_sample(out, "forkfs_operations_total", labels->str, count);
    }
}

static void append_operations(GString *out, struct operation_counts *operations)
{
    g_autoptr(GPtrArray) names = operation_counts_names(operations);
    metrics_append_header(out, "forkfs_operations_total", "counter",
                          "Operations of users, by outcome: ok or the name of an errno.");
    for (guint i = 0; i < names->len; i++)
        append_outcomes(out, names->pdata[i], operation_counts_of(operations, names->pdata[i]));
    metrics_append_header(out, "forkfs_operation_seconds", "histogram",
                          "How long operations of users took.");
    for (guint i = 0; i < names->len; i++) {
        const struct call_metrics *metrics = operation_counts_of(operations, names->pdata[i]);
        g_autofree char *operation = label("operation", names->pdata[i]);
        if (call_metrics_timed(metrics) > 0)
            metrics_append_histogram(out, "forkfs_operation_seconds", operation, metrics);
    }
}

/* ---- The store ---- */

static void append_store_outcomes(GString *out, enum store_method method,
                                  const struct call_metrics *metrics)
{
    for (int code = 0; code > -METRICS_OUTCOMES; code--) {
        uint64_t count = call_metrics_outcome(metrics, code);
        if (count == 0 && code != 0)
            continue;
        g_autofree char *outcome =
            code == 0 ? g_strdup("ok") : g_ascii_strdown(error_code_name(code), -1);
        g_autoptr(GString) labels = g_string_new(NULL);
        metrics_append_label(labels, "method", store_method_name(method));
        metrics_append_label(labels, "outcome", outcome);
        metrics_append_sample(out, "forkfs_store_requests_total", labels->str, count);
    }
}

static void append_store(GString *out, const struct catalog *catalog)
{
    metrics_append_header(out, "forkfs_store_requests_total", "counter",
                          "Requests to the object store, by outcome.");
    for (enum store_method method = 0; method < STORE_METHODS; method++)
        append_store_outcomes(out, method, catalog_store_metrics(catalog, method));
    metrics_append_header(out, "forkfs_store_request_seconds", "histogram",
                          "How long requests to the object store took.");
    for (enum store_method method = 0; method < STORE_METHODS; method++) {
        g_autofree char *name = label("method", store_method_name(method));
        metrics_append_histogram(out, "forkfs_store_request_seconds", name,
                                 catalog_store_metrics(catalog, method));
    }
}

/* ---- The catalog ---- */

static void append_forks(GString *out, const struct registry *registry)
{
    uint64_t counts[FORK_TOMBSTONED + 1] = {0};
    for (guint i = 0; i < registry->entries->len; i++)
        counts[((const struct fork_entry *)registry->entries->pdata[i])->status]++;
    metrics_append_header(out, "forkfs_forks", "gauge", "Forks in the registry, by status.");
    for (enum fork_status status = 0; status <= FORK_TOMBSTONED; status++) {
        g_autofree char *name = label("status", fork_status_name(status));
        metrics_append_sample(out, "forkfs_forks", name, counts[status]);
    }
}

static void append_recovered(GString *out, const struct catalog_counts *counts)
{
    static const char name[] = "forkfs_recovered_total";
    g_autofree char *rolled_back = label("kind", "rolled_back");
    g_autofree char *finished = label("kind", "finished");
    g_autofree char *orphans = label("kind", "orphan");
    metrics_append_header(out, name, "counter",
                          "What recovery has removed: half-made forks (rolled_back), half-dropped "
                          "ones (finished), objects without a fork (orphan).");
    metrics_append_sample(out, name, rolled_back, counts->recovered_rolled_back);
    metrics_append_sample(out, name, finished, counts->recovered_finished);
    metrics_append_sample(out, name, orphans, counts->recovered_orphans);
}

static void append_catalog(GString *out, struct catalog *catalog)
{
    struct catalog_counts counts;
    catalog_counts(catalog, &counts);
    append_number(out, "forkfs_holders", "gauge", "Open handles that hold a fork.", counts.holders);
    append_number(out, "forkfs_commits_total", "counter", "Writes of the registry.",
                  counts.commits);
    append_number(out, "forkfs_commit_requests_total", "counter",
                  "Changes that writes of the registry carried.", counts.committed_requests);
    append_number(out, "forkfs_swept_total", "counter", "Expired forks that were dropped.",
                  counts.swept);
    append_recovered(out, &counts);
}

static void append_s3(GString *out, const struct store_connection *connection)
{
    g_autofree char *clients = label("client", connection->clients);
    metrics_append_header(out, "forkfs_s3_info", "gauge", "The S3 clients in use; always 1.");
    metrics_append_sample(out, "forkfs_s3_info", clients, 1);
    append_number(out, "forkfs_s3_repeats_total", "counter",
                  "Requests to the S3 server that were made again.", connection->repeats);
    append_number(out, "forkfs_s3_breaker_opened_total", "counter",
                  "How often the circuit breaker has opened.", connection->breaker_opened);
    append_number(out, "forkfs_s3_breaker_open", "gauge",
                  "1 while requests fail at once, because the S3 server does not answer.",
                  connection->breaker_open);
}

struct bytes *stats_render(struct catalog *catalog, const struct registry *registry,
                           struct operation_counts *operations)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *version = label("version", PACKAGE_VERSION);
    metrics_append_header(out, "forkfs_build_info", "gauge", "The version of forkfs; always 1.");
    metrics_append_sample(out, "forkfs_build_info", version, 1);
    append_forks(out, registry);
    append_catalog(out, catalog);
    append_operations(out, operations);
    append_store(out, catalog);
    struct store_connection connection;
    if (catalog_store_connection(catalog, &connection))
        append_s3(out, &connection);
    return bytes_new(out->str, out->len);
}

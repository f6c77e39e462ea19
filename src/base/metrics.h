/*
 * Numbers for `stats`: how often something was done, with which outcome, and how long it took; and
 * Prometheus' text format, in which they are shown.
 *
 * A struct call_metrics is plain data, zero at first, that any number of threads may add to and
 * read without a lock. The format functions append to the caller's string.
 */
#ifndef FORKFS_BASE_METRICS_H
#define FORKFS_BASE_METRICS_H

#include <glib.h>
#include <stdint.h>

#define METRICS_OUTCOMES 32 /* more than there are error codes */
#define METRICS_BUCKETS 16  /* of a latency histogram, without the one up to infinity */

/* All members of it are atomic. */
struct call_metrics {
    uint64_t outcomes[METRICS_OUTCOMES];   /* by negated error code; 0: success */
    uint64_t buckets[METRICS_BUCKETS + 1]; /* calls that took at most the bucket's limit, and more
                                              than that of the bucket before */
    uint64_t duration_ns;                  /* of all calls in the buckets together */
};

/* Counts a call that ended with `code`, 0 or an enum error_code. */
void call_metrics_count(struct call_metrics *metrics, int code);
/* Adds a call's duration to the histogram. */
void call_metrics_time(struct call_metrics *metrics, int64_t duration_ns);
/* How many calls were timed. */
uint64_t call_metrics_timed(const struct call_metrics *metrics);
/* How many calls ended with `code`. */
uint64_t call_metrics_outcome(const struct call_metrics *metrics, int code);

/* ---- Prometheus' text format ---- */

/* The lines that come before a metric's samples. `type`: "counter", "gauge" or "histogram". */
void metrics_append_header(GString *out, const char *name, const char *type, const char *help);

/* Appends name="value", with a comma before it unless `labels` is empty. */
void metrics_append_label(GString *labels, const char *name, const char *value);

/* One sample; `labels` as metrics_append_label() makes them, "" for none. */
void metrics_append_sample(GString *out, const char *name, const char *labels, uint64_t value);

/* The samples of a latency histogram in seconds: name_bucket, name_sum, name_count. */
void metrics_append_histogram(GString *out, const char *name, const char *labels,
                              const struct call_metrics *metrics);

#endif

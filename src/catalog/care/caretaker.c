#include "catalog/care/caretaker.h"

#include "base/thread.h"
#include "base/timestamp.h"
#include "catalog/care/change_watcher.h"

struct caretaker {
    struct caretaker_settings settings;
    struct change_watcher *watcher;
    struct thread thread;

    /* The thread's own. All times are CLOCK_MONOTONIC; INT64_MAX: never. */
    int64_t sweep_due_ns;
    GHashTable *unswept; /* key of a fork to code of the failure reported last */
    GHashTable *still;   /* the same, of the sweep under way */
    int64_t recovery_due_ns;
    GHashTable
        *left_alone; /* set of texts of problems that recovery has reported and that are left */
    int unrecovered; /* code of its failure; 0: it went well */
    bool is_behind;  /* the recovery at the start has not gone well yet */
};

/* ---- Sweeps ---- */

static void report_failure(struct caretaker *caretaker, const char *fork,
                           const struct error *failure)
{
    if (!thread_is_ending(&caretaker->thread))
        caretaker->settings.failed(caretaker->settings.argument, fork, failure);
}

static void sweep_failed(void *argument, const char *key, const struct error *failure)
{
    struct caretaker *caretaker = argument;
    if (GPOINTER_TO_INT(g_hash_table_lookup(caretaker->unswept, key)) != failure->code &&
        GPOINTER_TO_INT(g_hash_table_lookup(caretaker->still, key)) != failure->code)
        report_failure(caretaker, key, failure);
    g_hash_table_replace(caretaker->still, g_strdup(key), GINT_TO_POINTER(failure->code));
}

static GHashTable *key_table_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void sweep_expired(struct caretaker *caretaker)
{
    const struct caretaker_settings *settings = &caretaker->settings;
    struct operation operation;
    caretaker->still = key_table_new();
    if (thread_begin_operation(&caretaker->thread, &operation, settings->operation_timeout_ms)) {
        settings->sweeping(settings->argument, true);
        catalog_sweep(settings->catalog, &operation, sweep_failed, caretaker);
        settings->sweeping(settings->argument, false);
    }
    thread_end_operation(&caretaker->thread, &operation);
    g_hash_table_unref(caretaker->unswept);
    caretaker->unswept = caretaker->still;
    caretaker->still = NULL;
    caretaker->sweep_due_ns = monotonic_now_ns() + settings->sweep_interval_ms * NS_PER_MS;
}

/* ---- Recovery ---- */

/* Takes out of the report what earlier ones said, too. What was not looked at is as it was. */
static void keep_news(struct caretaker *caretaker, struct recovery_report *report)
{
    GHashTable *now = key_table_new();
    for (guint i = report->problems->len; i > 0; i--) {
        const struct error *problem = g_ptr_array_index(report->problems, i - 1);
        g_hash_table_add(now, g_strdup(problem->text));
        if (g_hash_table_contains(caretaker->left_alone, problem->text))
            g_ptr_array_remove_index(report->problems, i - 1);
    }
    GHashTableIter iterator;
    void *text;
    g_hash_table_iter_init(&iterator, caretaker->left_alone);
    while (!report->whole && g_hash_table_iter_next(&iterator, &text, NULL))
        g_hash_table_add(now, g_strdup(text));
    g_hash_table_unref(caretaker->left_alone);
    caretaker->left_alone = now;
}

static void tell_recovery(struct caretaker *caretaker, struct recovery_report *report,
                          const struct error *failure)
{
    const struct caretaker_settings *settings = &caretaker->settings;
    bool news = failure->code != 0 && failure->code != caretaker->unrecovered;
    caretaker->unrecovered = failure->code;
    if (failure->code == 0)
        keep_news(caretaker, report);
    if (news || report->problems->len + report->rolled_back + report->finished + report->orphans)
        settings->recovered(settings->argument, report, news ? failure : NULL);
}

typedef int recovery(struct catalog *catalog, struct operation *operation,
                     struct recovery_report *report, struct error *err);

static void run_recovery(struct caretaker *caretaker, recovery *recover)
{
    const struct caretaker_settings *settings = &caretaker->settings;
    struct operation operation;
    if (thread_begin_operation(&caretaker->thread, &operation, settings->operation_timeout_ms)) {
        struct recovery_report report;
        struct error failure = {0};
        recover(settings->catalog, &operation, &report, &failure);
        if (!thread_is_ending(&caretaker->thread))
            tell_recovery(caretaker, &report, &failure);
        recovery_report_clear(&report);
    }
    thread_end_operation(&caretaker->thread, &operation);
}

/* Not in step with the other mounts, which may have the same to do. */
static int64_t next_recovery_ns(const struct caretaker *caretaker)
{
    int64_t pause_ns = caretaker->settings.recovery_interval_ms * NS_PER_MS;
    return monotonic_now_ns() + (int64_t)((double)pause_ns * g_random_double_range(0.75, 1.25));
}

#define RETRY_NS (10 * NS_PER_SECOND)

/* When to recover next what others have left, or all, as long as that has not gone well. */
static int64_t recovery_due_ns(const struct caretaker *caretaker)
{
    if (caretaker->is_behind)
        return monotonic_now_ns() + RETRY_NS;
    return caretaker->settings.recovery_interval_ms > 0 ? next_recovery_ns(caretaker) : INT64_MAX;
}

/* What other mounts have left, too. */
static void recover_due(struct caretaker *caretaker)
{
    run_recovery(caretaker, caretaker->is_behind ? catalog_recover : catalog_recover_due);
    caretaker->is_behind = caretaker->is_behind && caretaker->unrecovered != 0;
    caretaker->recovery_due_ns = recovery_due_ns(caretaker);
}

/* ---- The thread ---- */

static void run_caretaker(void *argument)
{
    struct caretaker *caretaker = argument;
    struct catalog *catalog = caretaker->settings.catalog;
    while (!thread_is_ending(&caretaker->thread)) {
        int64_t left_due_ns = catalog_left_due_ns(catalog);
        int64_t due_ns = MIN(caretaker->sweep_due_ns, caretaker->recovery_due_ns);
        thread_wait(&caretaker->thread, catalog_left_fd(catalog), MIN(due_ns, left_due_ns));
        if (monotonic_now_ns() >= catalog_left_due_ns(catalog))
            run_recovery(caretaker, catalog_recover_left);
        if (monotonic_now_ns() >= caretaker->recovery_due_ns)
            recover_due(caretaker);
        if (monotonic_now_ns() >= caretaker->sweep_due_ns)
            sweep_expired(caretaker);
    }
}

int caretaker_start(const struct caretaker_settings *settings, struct caretaker **ret,
                    struct error *err)
{
    struct caretaker *caretaker = g_new0(struct caretaker, 1);
    bool sweeps = settings->sweep_interval_ms > 0 && !catalog_is_read_only(settings->catalog);
    caretaker->settings = *settings;
    caretaker->unrecovered = settings->unrecovered;
    caretaker->is_behind = settings->unrecovered != 0;
    caretaker->sweep_due_ns = sweeps ? 0 : INT64_MAX;
    caretaker->recovery_due_ns = recovery_due_ns(caretaker);
    caretaker->left_alone = key_table_new();
    caretaker->unswept = key_table_new();
    int code = change_watcher_start(settings, &caretaker->watcher, err);
    if (code == 0 && !catalog_is_read_only(settings->catalog))
        code = thread_start(&caretaker->thread, "caretaker", run_caretaker, caretaker, err);
    if (code)
        caretaker_stop(caretaker);
    else
        *ret = caretaker;
    return code;
}

void caretaker_stop(struct caretaker *caretaker)
{
    if (!caretaker)
        return;
    change_watcher_stop(caretaker->watcher);
    thread_stop(&caretaker->thread);
    g_hash_table_unref(caretaker->unswept);
    g_hash_table_unref(caretaker->left_alone);
    g_free(caretaker);
}

#include "catalog/caretaker.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

#define MILLISECOND INT64_C(1000000)
/* Changes come in bursts: how long it has to be quiet, and the longest wait for that. */
#define QUIET_NS (10 * MILLISECOND)
#define BURST_LONGEST_NS (100 * MILLISECOND)
/* How soon to read again what could not be read; doubles up to the longest time. */
#define RETRY_SHORTEST_NS (100 * MILLISECOND)
#define RETRY_LONGEST_NS (10000 * MILLISECOND)

struct caretaker {
    struct caretaker_settings settings;
    pthread_t thread;
    int wake; /* eventfd, readable when it is time to end */
    pthread_mutex_t lock;
    bool ending;                /* guarded by lock */
    struct operation *underway; /* guarded by lock; may be NULL */

    /* The thread's own. All times are CLOCK_MONOTONIC; INT64_MAX: never. */
    int64_t sweep_due_ns;
    GHashTable *unswept;    /* key of a fork to code of the failure reported last */
    GHashTable *still;      /* the same, of the sweep under way */
    GHashTable *changed;    /* keys to be read again */
    int64_t burst_began_ns; /* when the first of them changed */
    int64_t refresh_due_ns;
    int64_t retry_pause_ns;
    GHashTable *unread; /* key of an object to code of the failure reported last */
};

/* ---- What can be interrupted ---- */

/* False when it is time to end. */
static bool begin_operation(struct caretaker *caretaker, struct operation *operation)
{
    operation_init(operation, caretaker->settings.operation_timeout_ms);
    LOCK_SCOPE(&caretaker->lock);
    caretaker->underway = operation;
    return !caretaker->ending;
}

static void end_operation(struct caretaker *caretaker, struct operation *operation)
{
    {
        LOCK_SCOPE(&caretaker->lock);
        caretaker->underway = NULL;
    }
    operation_destroy(operation);
}

static bool is_ending(struct caretaker *caretaker)
{
    LOCK_SCOPE(&caretaker->lock);
    return caretaker->ending;
}

/* ---- Sweeps ---- */

static bool was_reported(GHashTable *reported, const char *key, int code)
{
    gpointer before;
    return g_hash_table_lookup_extended(reported, key, NULL, &before) &&
           GPOINTER_TO_INT(before) == code;
}

static void report(struct caretaker *caretaker, const char *fork, const struct error *failure)
{
    if (!is_ending(caretaker))
        caretaker->settings.failed(caretaker->settings.argument, fork, failure);
}

static void sweep_failed(void *argument, const char *key, const struct error *failure)
{
    struct caretaker *caretaker = argument;
    if (!was_reported(caretaker->unswept, key, failure->code) &&
        !was_reported(caretaker->still, key, failure->code))
        report(caretaker, key, failure);
    g_hash_table_replace(caretaker->still, g_strdup(key), GINT_TO_POINTER(failure->code));
}

static GHashTable *key_table_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void sweep(struct caretaker *caretaker)
{
    const struct caretaker_settings *settings = &caretaker->settings;
    struct operation operation;
    caretaker->still = key_table_new();
    if (begin_operation(caretaker, &operation)) {
        settings->sweeping(settings->argument, true);
        catalog_sweep(settings->catalog, &operation, sweep_failed, caretaker);
        settings->sweeping(settings->argument, false);
    }
    end_operation(caretaker, &operation);
    g_hash_table_unref(caretaker->unswept);
    caretaker->unswept = caretaker->still;
    caretaker->still = NULL;
    caretaker->sweep_due_ns = monotonic_now_ns() + settings->sweep_interval_ms * MILLISECOND;
}

/* ---- Changes by others ---- */

static void note_changes(struct caretaker *caretaker)
{
    int64_t now_ns = monotonic_now_ns();
    bool first = g_hash_table_size(caretaker->changed) == 0;
    local_watch_take(caretaker->settings.watch, caretaker->changed);
    if (g_hash_table_size(caretaker->changed) == 0)
        return;
    if (first)
        caretaker->burst_began_ns = now_ns;
    caretaker->refresh_due_ns =
        MIN(now_ns + QUIET_NS, caretaker->burst_began_ns + BURST_LONGEST_NS);
}

/* True when it is done, or need not be. */
static bool refresh(struct caretaker *caretaker, const char *key)
{
    const struct caretaker_settings *settings = &caretaker->settings;
    struct operation operation;
    struct refreshed_overlay overlay = {0};
    struct error failure = {0};
    int code = 0;
    bool go_on = begin_operation(caretaker, &operation);
    if (go_on)
        code = catalog_refresh(settings->catalog, key, &operation, &overlay, &failure);
    end_operation(caretaker, &operation);
    if (!go_on)
        return true;
    if (code != 0) {
        if (!was_reported(caretaker->unread, key, code))
            report(caretaker, NULL, &failure);
        g_hash_table_replace(caretaker->unread, g_strdup(key), GINT_TO_POINTER(code));
        return false;
    }
    g_hash_table_remove(caretaker->unread, key);
    if (overlay.changed)
        settings->overlay_changed(settings->argument, &overlay.fork);
    return true;
}

static void refresh_all(struct caretaker *caretaker)
{
    GHashTableIter iterator;
    gpointer key;
    g_hash_table_iter_init(&iterator, caretaker->changed);
    while (g_hash_table_iter_next(&iterator, &key, NULL))
        if (refresh(caretaker, key))
            g_hash_table_iter_remove(&iterator);
    bool all = g_hash_table_size(caretaker->changed) == 0;
    int64_t now_ns = monotonic_now_ns();
    caretaker->burst_began_ns = now_ns;
    caretaker->refresh_due_ns = all ? INT64_MAX : now_ns + caretaker->retry_pause_ns;
    caretaker->retry_pause_ns =
        all ? RETRY_SHORTEST_NS : MIN(2 * caretaker->retry_pause_ns, RETRY_LONGEST_NS);
}

/* ---- The thread ---- */

static int poll_timeout_ms(const struct caretaker *caretaker)
{
    int64_t due_ns = MIN(caretaker->sweep_due_ns, caretaker->refresh_due_ns);
    if (due_ns == INT64_MAX)
        return -1;
    int64_t left_ms = (due_ns - monotonic_now_ns() + MILLISECOND - 1) / MILLISECOND;
    return (int)CLAMP(left_ms, 0, INT32_MAX);
}

static void *run(void *argument)
{
    struct caretaker *caretaker = argument;
    struct local_watch *watch = caretaker->settings.watch;
    struct pollfd waits[] = {
        {.fd = caretaker->wake, .events = POLLIN},
        {.fd = watch ? local_watch_fd(watch) : -1, .events = POLLIN},
    };
    pthread_setname_np(pthread_self(), "caretaker");
    while (!is_ending(caretaker)) {
        if (poll(waits, G_N_ELEMENTS(waits), poll_timeout_ms(caretaker)) > 0 && waits[1].revents)
            note_changes(caretaker);
        if (monotonic_now_ns() >= caretaker->refresh_due_ns)
            refresh_all(caretaker);
        if (monotonic_now_ns() >= caretaker->sweep_due_ns)
            sweep(caretaker);
    }
    return NULL;
}

static void release(struct caretaker *caretaker)
{
    if (caretaker->wake >= 0)
        close(caretaker->wake);
    local_watch_free(caretaker->settings.watch);
    g_hash_table_unref(caretaker->unswept);
    g_hash_table_unref(caretaker->changed);
    g_hash_table_unref(caretaker->unread);
    pthread_mutex_destroy(&caretaker->lock);
    g_free(caretaker);
}

static int start_thread(struct caretaker *caretaker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&caretaker->thread, NULL, run, caretaker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

int caretaker_start(const struct caretaker_settings *settings, struct caretaker **ret,
                    struct error *err)
{
    struct caretaker *caretaker = g_new0(struct caretaker, 1);
    bool sweeps = settings->sweep_interval_ms > 0 && !catalog_is_read_only(settings->catalog);
    caretaker->settings = *settings;
    pthread_mutex_init(&caretaker->lock, NULL);
    caretaker->sweep_due_ns = sweeps ? 0 : INT64_MAX;
    caretaker->refresh_due_ns = INT64_MAX;
    caretaker->retry_pause_ns = RETRY_SHORTEST_NS;
    caretaker->unswept = key_table_new();
    caretaker->changed = key_table_new();
    caretaker->unread = key_table_new();
    caretaker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failure = caretaker->wake < 0 ? errno : start_thread(caretaker);
    if (failure != 0) {
        release(caretaker);
        return error_set_errno(err, failure, "starting the caretaker's thread");
    }
    *ret = caretaker;
    return 0;
}

void caretaker_stop(struct caretaker *caretaker)
{
    if (!caretaker)
        return;
    {
        LOCK_SCOPE(&caretaker->lock);
        caretaker->ending = true;
        if (caretaker->underway)
            operation_cancel(caretaker->underway);
    }
    eventfd_write(caretaker->wake, 1);
    pthread_join(caretaker->thread, NULL);
    release(caretaker);
}

#include "catalog/care/change_watcher.h"

#include "base/thread.h"
#include "base/timestamp.h"

/* Changes come in bursts: how long it has to be quiet, and the longest wait for that. */
#define QUIET_NS (10 * NS_PER_MS)
#define BURST_LONGEST_NS (100 * NS_PER_MS)
/* How soon to read again what could not be read; doubles up to the longest time. */
#define RETRY_SHORTEST_NS (100 * NS_PER_MS)
#define RETRY_LONGEST_NS (10000 * NS_PER_MS)

/* How often to look while the watch is blind, unless the settings say how often in any case. */
#define BLIND_LOOK_MS 1000

struct change_watcher {
    struct caretaker_settings settings;
    struct thread thread;

    /* The thread's own. All times are CLOCK_MONOTONIC; INT64_MAX: never. */
    GHashTable *changed;    /* keys to be read again */
    int64_t burst_began_ns; /* when the first of them changed */
    int64_t refresh_due_ns;
    int64_t retry_pause_ns;
    GHashTable *unread; /* key of an object to code of the failure reported last */
    int64_t poll_due_ns;
    bool blind;   /* the watch is, and it was reported */
    int unpolled; /* code of the failure reported last; 0: it went well */
};

static void report_failure(struct change_watcher *watcher, const struct error *failure)
{
    if (!thread_is_ending(&watcher->thread))
        watcher->settings.failed(watcher->settings.argument, NULL, failure);
}

/* ---- What a watch tells ---- */

static void note_blindness(struct change_watcher *watcher)
{
    struct error reason;
    bool blind = local_watch_is_blind(watcher->settings.watch, &reason);
    if (blind && !watcher->blind) {
        watcher->poll_due_ns = MIN(watcher->poll_due_ns, monotonic_now_ns());
        error_prefix(&reason, reason.code, "changes by others are only looked for, every second");
        report_failure(watcher, &reason);
    }
    watcher->blind = blind;
}

static void note_changes(struct change_watcher *watcher)
{
    int64_t now_ns = monotonic_now_ns();
    bool first = g_hash_table_size(watcher->changed) == 0;
    g_autoptr(GHashTable) told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iterator;
    gpointer key;
    local_watch_take(watcher->settings.watch, told);
    g_hash_table_iter_init(&iterator, told);
    while (g_hash_table_iter_next(&iterator, &key, NULL))
        g_hash_table_add(watcher->changed, catalog_refresh_key(watcher->settings.catalog, key));
    note_blindness(watcher);
    if (g_hash_table_size(watcher->changed) == 0)
        return;
    if (first)
        watcher->burst_began_ns = now_ns;
    watcher->refresh_due_ns = MIN(now_ns + QUIET_NS, watcher->burst_began_ns + BURST_LONGEST_NS);
}

/* True when it is done, or need not be. */
static bool refresh_key(struct change_watcher *watcher, const char *key)
{
    const struct caretaker_settings *settings = &watcher->settings;
    struct operation operation;
    struct refreshed_overlay overlay = {0};
    struct error failure = {0};
    int code = 0;
    bool go_on =
        thread_begin_operation(&watcher->thread, &operation, settings->operation_timeout_ms);
    if (go_on)
        code = catalog_refresh(settings->catalog, key, &operation, &overlay, &failure);
    thread_end_operation(&watcher->thread, &operation);
    if (!go_on)
        return true;
    if (code != 0) {
        if (GPOINTER_TO_INT(g_hash_table_lookup(watcher->unread, key)) != code)
            report_failure(watcher, &failure);
        g_hash_table_replace(watcher->unread, g_strdup(key), GINT_TO_POINTER(code));
        return false;
    }
    g_hash_table_remove(watcher->unread, key);
    if (overlay.changed)
        settings->overlay_changed(settings->argument, &overlay.fork);
    return !overlay.again;
}

static void refresh_all(struct change_watcher *watcher)
{
    GHashTableIter iterator;
    gpointer key;
    g_hash_table_iter_init(&iterator, watcher->changed);
    while (g_hash_table_iter_next(&iterator, &key, NULL))
        if (refresh_key(watcher, key))
            g_hash_table_iter_remove(&iterator);
    bool all = g_hash_table_size(watcher->changed) == 0;
    int64_t now_ns = monotonic_now_ns();
    watcher->burst_began_ns = now_ns;
    watcher->refresh_due_ns = all ? INT64_MAX : now_ns + watcher->retry_pause_ns;
    watcher->retry_pause_ns =
        all ? RETRY_SHORTEST_NS : MIN(2 * watcher->retry_pause_ns, RETRY_LONGEST_NS);
}

/* ---- Looking ---- */

static int64_t next_look_ns(const struct change_watcher *watcher, int64_t began_ns)
{
    int64_t every_ms = watcher->settings.refresh_ms;
    if (watcher->blind && every_ms == 0)
        every_ms = BLIND_LOOK_MS;
    return every_ms > 0 ? began_ns + every_ms * NS_PER_MS : INT64_MAX;
}

static void poll_store(struct change_watcher *watcher)
{
    const struct caretaker_settings *settings = &watcher->settings;
    struct operation operation;
    struct error failure = {0};
    int64_t began_ns = monotonic_now_ns();
    if (thread_begin_operation(&watcher->thread, &operation, settings->operation_timeout_ms))
        catalog_poll(settings->catalog, &operation, settings->overlay_changed, settings->argument,
                     &failure);
    thread_end_operation(&watcher->thread, &operation);
    if (failure.code != 0 && failure.code != watcher->unpolled)
        report_failure(watcher, &failure);
    watcher->unpolled = failure.code;
    /* From the beginning, so that a slow store does not make it more seldom. */
    watcher->poll_due_ns = next_look_ns(watcher, began_ns);
}

/* ---- The thread ---- */

static void run_watcher(void *argument)
{
    struct change_watcher *watcher = argument;
    struct local_watch *watch = watcher->settings.watch;
    if (watch)
        note_blindness(watcher);
    while (!thread_is_ending(&watcher->thread)) {
        int64_t due_ns = MIN(watcher->refresh_due_ns, watcher->poll_due_ns);
        int fd = watch ? local_watch_fd(watch) : -1;
        if (thread_wait(&watcher->thread, fd, due_ns) || watcher->blind)
            note_changes(watcher);
        if (monotonic_now_ns() >= watcher->refresh_due_ns)
            refresh_all(watcher);
        if (monotonic_now_ns() >= watcher->poll_due_ns)
            poll_store(watcher);
    }
}

static void release_watcher(struct change_watcher *watcher)
{
    local_watch_free(watcher->settings.watch);
    g_hash_table_unref(watcher->changed);
    g_hash_table_unref(watcher->unread);
    g_free(watcher);
}

int change_watcher_start(const struct caretaker_settings *settings, struct change_watcher **ret,
                         struct error *err)
{
    int64_t refresh_ms = catalog_refresh_interval_ms(settings->catalog, settings->refresh_ms);
    *ret = NULL;
    if (!settings->watch && refresh_ms == 0)
        return 0;
    struct change_watcher *watcher = g_new0(struct change_watcher, 1);
    watcher->settings = *settings;
    watcher->settings.refresh_ms = refresh_ms;
    watcher->refresh_due_ns = INT64_MAX;
    watcher->retry_pause_ns = RETRY_SHORTEST_NS;
    watcher->poll_due_ns = refresh_ms > 0 ? 0 : INT64_MAX;
    watcher->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    watcher->unread = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    int code = thread_start(&watcher->thread, "watcher", run_watcher, watcher, err);
    if (code)
        release_watcher(watcher);
    else
        *ret = watcher;
    return code;
}

void change_watcher_stop(struct change_watcher *watcher)
{
    if (!watcher)
        return;
    thread_stop(&watcher->thread);
    release_watcher(watcher);
}

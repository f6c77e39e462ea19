#include "catalog/sharing/lease_keeper.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "base/timestamp.h"
#include "catalog/format/lease.h"

/* Changes are stored at most so often, and what could not be stored is tried again so soon. */
#define PAUSE_LONGEST_NS (200 * NS_PER_MS)
/* How often the lease is renewed in its life. One attempt has as much time, so that one which is
 * stuck leaves time for others. */
#define RENEWALS 5
/* How long the delete at the end may take. */
#define DELETE_TIMEOUT_MS 3000
/* How often our own put may turn out to be in its own way. */
#define CONFLICTS_MAX 4

struct lease_keeper {
    struct lease_keeper_settings settings;
    struct committer *committer;
    struct thread thread;
    int noted; /* eventfd, readable when something may have to be stored */

    pthread_mutex_t lock; /* guards `refused` */
    pthread_cond_t changed;
    GHashTable *refused; /* set of id texts: closed, or not safely open again */

    /* What follows is the thread's own. */
    struct lease *stored; /* as put last, or maybe put */
    char *key;
    char *etag;        /* of it; NULL: not stored yet */
    bool is_certain;   /* the store has it, all of it */
    bool must_read;    /* the registry is to be read before this lease is good for anything */
    int64_t stored_ns; /* when the last successful put began; see clock_ns() */
    char host[256];
};

/* Unlike CLOCK_MONOTONIC it goes on while the machine is suspended, as do the clocks of those who
 * watch our lease. */
static int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return timespec_ns(now);
}

static int64_t lease_ns(const struct lease_keeper *keeper)
{
    return keeper->settings.lease_ms * NS_PER_MS;
}

/* Until the next renewal; negative when it is overdue. */
static int64_t wait_ns(const struct lease_keeper *keeper)
{
    return keeper->stored_ns + (lease_ns(keeper) / RENEWALS) - clock_ns();
}

/* ---- Storing ---- */

/* Takes a new lease: nothing of it is on the store yet. */
static void renew_id(struct lease_keeper *keeper)
{
    struct ulid id = ulid_new();
    lease_free(keeper->stored);
    g_free(keeper->key);
    g_clear_pointer(&keeper->etag, g_free);
    keeper->stored = lease_new(&id, keeper->host, (uint64_t)getpid());
    keeper->key = layout_lease_key(keeper->settings.layout, &id);
    leases_set_own(keeper->settings.leases, &id);
}

/* Nobody else writes this object, so what is in the way is a put of our own whose answer was lost.
 * ERR_NOT_FOUND: it was deleted. */
static int adopt_etag(struct lease_keeper *keeper, struct operation *operation, struct error *err)
{
    auto_bytes struct bytes *body = NULL;
    g_autofree char *etag = NULL;
    int code = store_get(keeper->settings.store, keeper->key, operation, &body, &etag, err);
    if (code)
        return code;
    g_free(keeper->etag);
    keeper->etag = g_steal_pointer(&etag);
    return 0;
}

/* Puts keeper->stored, as its next version. */
static int put_lease(struct lease_keeper *keeper, struct operation *operation, struct error *err)
{
    int64_t began_ns = clock_ns();
    int code = 0;
    keeper->is_certain = false;
    for (unsigned i = 0; i < CONFLICTS_MAX; i++) {
        g_autofree char *etag = NULL;
        keeper->stored->sequence++;
        auto_bytes struct bytes *body = lease_render(keeper->stored);
        code = store_put(keeper->settings.store, keeper->key, body,
                         keeper->etag ? STORE_IF_MATCH : STORE_IF_ABSENT, keeper->etag, operation,
                         &etag, err);
        if (code == 0 && etag) {
            g_free(keeper->etag);
            keeper->etag = g_steal_pointer(&etag);
            keeper->is_certain = true;
            keeper->stored_ns = began_ns;
            return 0;
        }
        if (code != 0 && code != ERR_PRECONDITION && code != ERR_OUTCOME_UNKNOWN)
            return code;
        code = adopt_etag(keeper, operation, err);
        if (code && (code != ERR_NOT_FOUND || keeper->etag))
            return code;
    }
    return error_set(err, ERR_CONTENDED, "somebody else writes %s", keeper->key);
}

/* ---- What to store ---- */

static void add_closed(const struct registry *registry, GHashTable *closed)
{
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (entry->status == FORK_TOMBSTONED)
            g_hash_table_add(closed, g_strdup(entry->id.text));
    }
}

/* What the lease should say. With `refuse`, the forks that it closes take no holds from before the
 * moment at which the holds are looked at. */
static struct lease *compose_lease(struct lease_keeper *keeper, bool refuse)
{
    auto_registry struct registry *registry = committer_registry(keeper->committer);
    struct lease *lease = lease_new(&keeper->stored->id, keeper->host, keeper->stored->pid);
    lease->sequence = keeper->stored->sequence;
    add_closed(registry, lease->closed);
    if (refuse) {
        LOCK_SCOPE(&keeper->lock);
        GHashTableIter iterator;
        void *id;
        g_hash_table_iter_init(&iterator, lease->closed);
        while (g_hash_table_iter_next(&iterator, &id, NULL))
            g_hash_table_add(keeper->refused, g_strdup(id));
    }
    g_hash_table_unref(lease->held);
    lease->held = holders_snapshot(keeper->settings.holders);
    return lease;
}

/* The forks that are refused although the lease just stored does not close them. Those that are
 * gone never come back, and are forgotten. */
static GPtrArray *list_reopening(struct lease_keeper *keeper)
{
    GPtrArray *reopening = g_ptr_array_new_with_free_func(g_free);
    auto_registry struct registry *registry = committer_registry(keeper->committer);
    GHashTableIter iterator;
    void *id;
    LOCK_SCOPE(&keeper->lock);
    g_hash_table_iter_init(&iterator, keeper->refused);
    while (g_hash_table_iter_next(&iterator, &id, NULL)) {
        struct ulid fork;
        if (g_hash_table_contains(keeper->stored->closed, id))
            continue;
        if (ulid_parse(id, ULID_LENGTH, &fork) && registry_find_id(registry, &fork))
            g_ptr_array_add(reopening, g_strdup(id));
        else
            g_hash_table_iter_remove(&iterator);
    }
    return reopening;
}

/* Opens those that a registry which was read after the lease had been stored does not show as
 * tombstoned. */
static int reopen_forks(struct lease_keeper *keeper, struct operation *operation, struct error *err)
{
    g_autoptr(GPtrArray) reopening = list_reopening(keeper);
    if (reopening->len == 0)
        return 0;
    int code = committer_reload(keeper->committer, operation, err);
    if (code)
        return code;
    g_autoptr(GHashTable) closed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    auto_registry struct registry *registry = committer_registry(keeper->committer);
    add_closed(registry, closed);
    LOCK_SCOPE(&keeper->lock);
    for (guint i = 0; i < reopening->len; i++)
        if (!g_hash_table_contains(closed, g_ptr_array_index(reopening, i)))
            g_hash_table_remove(keeper->refused, g_ptr_array_index(reopening, i));
    pthread_cond_broadcast(&keeper->changed);
    return 0;
}

/* ---- One step ---- */

static bool is_due(const struct lease_keeper *keeper)
{
    return !keeper->is_certain || wait_ns(keeper) <= 0;
}

/* Forks that the stored lease closes take no holds until it is replaced. */
static bool closes_active_forks(struct lease_keeper *keeper)
{
    auto_registry struct registry *registry = committer_registry(keeper->committer);
    GHashTableIter iterator;
    void *id;
    g_hash_table_iter_init(&iterator, keeper->stored->closed);
    while (g_hash_table_iter_next(&iterator, &id, NULL)) {
        struct ulid fork;
        const struct fork_entry *entry =
            ulid_parse(id, ULID_LENGTH, &fork) ? registry_find_id(registry, &fork) : NULL;
        if (entry && entry->status == FORK_ACTIVE)
            return true;
    }
    return false;
}

static bool is_news(struct lease_keeper *keeper)
{
    if (leases_others(keeper->settings.leases) == 0)
        return closes_active_forks(keeper);
    struct lease *now = compose_lease(keeper, false);
    bool news = !lease_says_the_same(now, keeper->stored);
    lease_free(now);
    return news;
}

static int store_lease(struct lease_keeper *keeper, struct operation *operation, struct error *err)
{
    struct lease *lease = compose_lease(keeper, true);
    lease_free(keeper->stored);
    keeper->stored = lease;
    return put_lease(keeper, operation, err);
}

/* The others may have gone on without us: begins anew. The old lease is left to them if it cannot
 * be deleted. */
static int begin_anew(struct lease_keeper *keeper, struct operation *operation, struct error *err)
{
    g_autofree char *old_key = keeper->etag ? g_strdup(keeper->key) : NULL;
    if (old_key) /* else the new one could not be stored yet */
        renew_id(keeper);
    int code = store_lease(keeper, operation, err);
    if (code == 0)
        keeper->must_read = true;
    if (code == 0 && old_key)
        store_delete(keeper->settings.store, old_key, operation, NULL);
    return code;
}

static bool has_lapsed(const struct lease_keeper *keeper, int64_t stored_ns)
{
    return clock_ns() - stored_ns > lease_ns(keeper);
}

/* Does what there is to do; false: something is left, to be tried again. */
static bool keep_lease(struct lease_keeper *keeper, struct operation *operation)
{
    int64_t stored_ns = keeper->stored_ns;
    int code = 0;
    if (!has_lapsed(keeper, stored_ns) && (is_due(keeper) || is_news(keeper)))
        code = store_lease(keeper, operation, NULL);
    /* So, too, when storing the lease took too long, or somebody has deleted it. */
    if (has_lapsed(keeper, stored_ns) || code == ERR_NOT_FOUND)
        code = begin_anew(keeper, operation, NULL);
    if (code == 0 && keeper->must_read) {
        code = committer_reload(keeper->committer, operation, NULL);
        keeper->must_read = code != 0;
    }
    if (code == 0)
        code = reopen_forks(keeper, operation, NULL);
    return code == 0;
}

/* ---- The thread ---- */

static void run_keeper(void *argument)
{
    struct lease_keeper *keeper = argument;
    int64_t pause_ns = MIN(PAUSE_LONGEST_NS, lease_ns(keeper) / 20);
    while (!thread_is_ending(&keeper->thread)) {
        struct operation operation;
        eventfd_t notes;
        bool done = true;
        eventfd_read(keeper->noted, &notes);
        if (thread_begin_operation(&keeper->thread, &operation,
                                   MAX(keeper->settings.lease_ms / RENEWALS, 1)))
            done = keep_lease(keeper, &operation);
        thread_end_operation(&keeper->thread, &operation);
        thread_wait(&keeper->thread, -1, monotonic_now_ns() + pause_ns);
        if (done)
            thread_wait(&keeper->thread, keeper->noted, monotonic_now_ns() + wait_ns(keeper));
    }
}

/* ---- For others ---- */

void lease_keeper_note(struct lease_keeper *keeper)
{
    eventfd_write(keeper->noted, 1);
}

int lease_keeper_check(struct lease_keeper *keeper, const struct ulid *fork, struct error *err)
{
    LOCK_SCOPE(&keeper->lock);
    return g_hash_table_contains(keeper->refused, fork->text)
               ? error_set(err, ERR_STALE, "fork %s is being dropped, or was until now", fork->text)
               : 0;
}

static void wait_for_open(struct lease_keeper *keeper, const struct ulid *fork,
                          struct operation *operation)
{
    LOCK_SCOPE(&keeper->lock);
    while (g_hash_table_contains(keeper->refused, fork->text) &&
           operation_check(operation, "waiting for the lease", NULL) == 0)
        monotonic_cond_wait(&keeper->changed, &keeper->lock, operation->deadline_ns);
}

void lease_keeper_await_open(struct lease_keeper *keeper, const struct ulid *fork,
                             struct operation *operation)
{
    operation_watch(operation, &keeper->changed, &keeper->lock);
    wait_for_open(keeper, fork, operation);
    operation_unwatch(operation);
}

/* ---- Start and end ---- */

static void release_keeper(struct lease_keeper *keeper)
{
    lease_free(keeper->stored);
    g_free(keeper->key);
    g_free(keeper->etag);
    g_hash_table_unref(keeper->refused);
    if (keeper->noted >= 0)
        close(keeper->noted);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
    g_free(keeper);
}

int lease_keeper_new(const struct lease_keeper_settings *settings, struct operation *operation,
                     struct lease_keeper **ret, struct error *err)
{
    struct lease_keeper *keeper = g_new0(struct lease_keeper, 1);
    keeper->settings = *settings;
    pthread_mutex_init(&keeper->lock, NULL);
    monotonic_cond_init(&keeper->changed);
    keeper->refused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (gethostname(keeper->host, sizeof keeper->host - 1) != 0)
        strcpy(keeper->host, "?");
    renew_id(keeper);
    keeper->noted = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = keeper->noted < 0 ? error_set_errno(err, errno, "making an eventfd")
                                 : put_lease(keeper, operation, err);
    if (code) {
        release_keeper(keeper);
        return error_prefix(err, code, "writing the lease of this mount");
    }
    *ret = keeper;
    return 0;
}

int lease_keeper_start(struct lease_keeper *keeper, struct committer *committer, struct error *err)
{
    keeper->committer = committer;
    return thread_start(&keeper->thread, "lease-keeper", run_keeper, keeper, err);
}

void lease_keeper_stop(struct lease_keeper *keeper)
{
    if (keeper)
        thread_stop(&keeper->thread);
}

void lease_keeper_free(struct lease_keeper *keeper)
{
    if (!keeper)
        return;
    auto_operation struct operation operation;
    lease_keeper_stop(keeper);
    operation_init(&operation, DELETE_TIMEOUT_MS);
    store_delete(keeper->settings.store, keeper->key, &operation, NULL);
    release_keeper(keeper);
}

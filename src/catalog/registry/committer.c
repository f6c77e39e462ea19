#include "catalog/registry/committer.h"

#include "base/cleanup.h"
#include "base/thread.h"
#include "base/timestamp.h"
#include "catalog/registry/committer_private.h"
#include "catalog/registry/registry_load.h"

/* While nobody waits: how often to look at what the store holds when that is not certain, and the
 * longest time for one look: a request that is stuck is not interrupted, and the committer's end
 * waits for it. */
#define UNCERTAIN_RETRY_NS NS_PER_SECOND
#define UNASKED_LONGEST_MS 5000

/* ---- Readers ---- */

struct registry *committer_registry(struct committer *committer)
{
    return registry_image_get(&committer->image);
}

int committer_check_reserve(struct committer *committer, struct error *err)
{
    LOCK_SCOPE(&committer->lock);
    return committer->unreserved.code ? error_copy(err, &committer->unreserved) : 0;
}

void committer_counts(struct committer *committer, uint64_t *puts, uint64_t *requests)
{
    LOCK_SCOPE(&committer->image.lock);
    *puts = committer->image.puts;
    *requests = committer->image.requests;
}

/* ---- The thread ---- */

/* When to look at the store although nobody asks; CLOCK_MONOTONIC. */
static int64_t next_look_ns(const struct committer *committer)
{
    int64_t now_ns = monotonic_now_ns();
    bool is_certain = !committer->image.is_doubted && now_ns >= committer->image.watch_until_ns;
    return is_certain ? INT64_MAX : now_ns + UNCERTAIN_RETRY_NS;
}

static void note_unasked(struct committer *committer, struct operation *attempt)
{
    LOCK_SCOPE(&committer->lock);
    committer->unasked = attempt;
    if (attempt && committer->ending)
        operation_cancel(attempt);
}

/* Looks at what the store holds although nobody waits for it; committer_free() ends it. */
static void reread_unasked(struct committer *committer)
{
    auto_registry struct registry *current = committer_registry(committer);
    struct registry *found = NULL;
    struct operation attempt;
    operation_init(&attempt, UNASKED_LONGEST_MS);
    note_unasked(committer, &attempt);
    int code = registry_load(committer->store, committer->key, current, &attempt, &found, NULL);
    note_unasked(committer, NULL);
    operation_destroy(&attempt);
    if (code == 0)
        registry_image_publish(&committer->image, found, 0);
}

static void *run_committer(void *argument)
{
    struct committer *committer = argument;
    for (;;) {
        g_autoptr(GPtrArray) commits = g_ptr_array_new();
        g_autoptr(GPtrArray) reloads = g_ptr_array_new();
        if (!commit_queue_take(committer->queue, next_look_ns(committer), commits, reloads))
            return NULL;
        if (commits->len == 0 && reloads->len == 0)
            reread_unasked(committer);
        if (reloads->len > 0)
            commit_group_reload(committer, reloads);
        if (commits->len > 0)
            commit_group_run(committer, commits, reloads);
        if (reloads->len > 0)
            commit_group_reload(committer, reloads);
    }
}

/* ---- Callers ---- */

void committer_commit_all(struct committer *committer, struct commit_request *requests,
                          size_t count, struct operation *operation)
{
    commit_queue_wait(committer->queue, requests, count, operation);
}

int committer_reload(struct committer *committer, struct operation *operation, struct error *err)
{
    struct error failure = {0};
    struct commit_request reload = {.err = &failure};
    commit_queue_wait(committer->queue, &reload, 1, operation);
    return failure.code ? error_copy(err, &failure) : 0;
}

static int change_nothing(struct registry_edit *edit, void *argument, struct error *err)
{
    return 0;
}

static bool is_there(const struct registry *registry, void *argument)
{
    return true;
}

int committer_settle(struct committer *committer, struct operation *operation, struct error *err)
{
    struct error failure = {0};
    struct commit_request nothing = {
        .apply = change_nothing, .landed = is_there, .makes_room = true, .err = &failure};
    commit_queue_wait(committer->queue, &nothing, 1, operation);
    return failure.code ? error_copy(err, &failure) : 0;
}

/* ---- Start and end ---- */

static void committer_release(struct committer *committer)
{
    registry_image_destroy(&committer->image);
    commit_queue_free(committer->queue);
    pthread_mutex_destroy(&committer->lock);
    g_free(committer->key);
    g_free(committer->reserve);
    g_free(committer);
}

int committer_new(const struct committer_settings *settings, struct operation *operation,
                  struct committer **ret, struct error *err)
{
    struct registry *registry = NULL;
    int code = registry_load(settings->store, settings->key, NULL, operation, &registry, err);
    if (code)
        return code;
    struct committer *committer = g_new0(struct committer, 1);
    committer->store = settings->store;
    committer->key = g_strdup(settings->key);
    committer->reserve = g_strdup(settings->reserve);
    committer->shared = settings->shared;
    registry_image_init(&committer->image, registry, settings->observer,
                        settings->observer_argument);
    committer->queue = commit_queue_new();
    pthread_mutex_init(&committer->lock, NULL);
    int failed = thread_create(&committer->thread, "committer", run_committer, committer);
    if (failed) {
        committer_release(committer);
        return error_set_errno(err, failed, "starting the committer's thread");
    }
    *ret = committer;
    return 0;
}

void committer_free(struct committer *committer)
{
    if (!committer)
        return;
    commit_queue_end(committer->queue);
    {
        LOCK_SCOPE(&committer->lock);
        committer->ending = true;
        if (committer->unasked)
            operation_cancel(committer->unasked);
    }
    pthread_join(committer->thread, NULL);
    committer_release(committer);
}

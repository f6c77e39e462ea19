#include "fs/state/delete_guard.h"

#include <glib.h>
#include <pthread.h>

#include "base/cleanup.h"
#include "fs/state/caller.h"

struct refusal {
    pid_t process;
    struct ulid id;
    int64_t at_ns;
};

struct delete_guard {
    pthread_mutex_t lock;
    GArray *refusals; /* struct refusal, one for each process and fork */
};

struct delete_guard *delete_guard_new(void)
{
    struct delete_guard *guard = g_new0(struct delete_guard, 1);
    pthread_mutex_init(&guard->lock, NULL);
    guard->refusals = g_array_new(FALSE, FALSE, sizeof(struct refusal));
    return guard;
}

void delete_guard_free(struct delete_guard *guard)
{
    if (!guard)
        return;
    g_array_unref(guard->refusals);
    pthread_mutex_destroy(&guard->lock);
    g_free(guard);
}

static void remove_expired(GArray *refusals, int64_t now_ns)
{
    for (guint i = refusals->len; i-- > 0;)
        if (now_ns - g_array_index(refusals, struct refusal, i).at_ns > DELETE_GUARD_NS)
            g_array_remove_index_fast(refusals, i);
}

static struct refusal *find_refusal(GArray *refusals, pid_t process, const struct ulid *id)
{
    for (guint i = 0; i < refusals->len; i++) {
        struct refusal *refusal = &g_array_index(refusals, struct refusal, i);
        if (refusal->process == process && ulid_equal(&refusal->id, id))
            return refusal;
    }
    return NULL;
}

void delete_guard_note(struct delete_guard *guard, pid_t process, const struct ulid *id,
                       int64_t now_ns)
{
    LOCK_SCOPE(&guard->lock);
    remove_expired(guard->refusals, now_ns);
    struct refusal *known = find_refusal(guard->refusals, process, id);
    if (known) {
        known->at_ns = now_ns;
        return;
    }
    struct refusal refusal = {process, *id, now_ns};
    g_array_append_val(guard->refusals, refusal);
}

bool delete_guard_refuses(struct delete_guard *guard, pid_t process, const struct ulid *id,
                          int64_t now_ns)
{
    LOCK_SCOPE(&guard->lock);
    remove_expired(guard->refusals, now_ns);
    return find_refusal(guard->refusals, process, id) != NULL;
}

void delete_guard_note_path(struct delete_guard *guard, pid_t thread, const struct node *directory)
{
    struct caller caller = caller_of_thread(thread);
    for (const struct node *node = directory; node; node = node->parent)
        if (node->kind == NODE_FORK)
            delete_guard_note(guard, caller.process, &node->fork_id, monotonic_now_ns());
}

int delete_guard_check(struct delete_guard *guard, pid_t thread, const struct ulid *id,
                       struct error *err)
{
    struct caller caller = caller_of_thread(thread);
    if (!delete_guard_refuses(guard, caller.process, id, monotonic_now_ns()))
        return 0;
    return error_set(err, ERR_NOT_PERMITTED,
                     "process %d (%s) has just tried to delete things inside; a recursive delete "
                     "does not drop forks or tags, rmdir alone does",
                     (int)caller.process, caller.command);
}

#include "fs/state/delete_guard.h"

#include <glib.h>
#include <pthread.h>

#include "base/cleanup.h"
#include "fs/state/caller.h"

enum scope {
    IN_FORK,    /* of the fork itself: by every path */
    BELOW_FORK, /* of what is reached through its directory */
    EVERYWHERE
};

struct refusal {
    pid_t process;
    enum scope scope;
    struct ulid id; /* empty: EVERYWHERE */
    int64_t at_ns;
};

struct delete_guard {
    pthread_mutex_t lock;
    GArray *refusals; /* struct refusal, one for each process, scope and fork */
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

static struct refusal *find_refusal(const struct delete_guard *guard, pid_t process,
                                    enum scope scope, const struct ulid *id)
{
    for (guint i = 0; i < guard->refusals->len; i++) {
        struct refusal *refusal = &g_array_index(guard->refusals, struct refusal, i);
        if (refusal->process == process && refusal->scope == scope && ulid_equal(&refusal->id, id))
            return refusal;
    }
    return NULL;
}

/* The caller holds the lock. */
static void note(struct delete_guard *guard, pid_t process, enum scope scope, const struct ulid *id,
                 int64_t now_ns)
{
    struct refusal *known = find_refusal(guard, process, scope, id);
    if (known) {
        known->at_ns = now_ns;
        return;
    }
    struct refusal refusal = {process, scope, *id, now_ns};
    g_array_append_val(guard->refusals, refusal);
}

static const struct ulid no_fork = {""};

void delete_guard_note(struct delete_guard *guard, pid_t process, const struct ulid *id,
                       int64_t now_ns)
{
    LOCK_SCOPE(&guard->lock);
    remove_expired(guard->refusals, now_ns);
    note(guard, process, IN_FORK, id, now_ns);
}

void delete_guard_note_tree(struct delete_guard *guard, pid_t process, const struct ulid *id,
                            int64_t now_ns)
{
    LOCK_SCOPE(&guard->lock);
    remove_expired(guard->refusals, now_ns);
    note(guard, process, id ? BELOW_FORK : EVERYWHERE, id ? id : &no_fork, now_ns);
}

/* Whether the process was refused a directory above. These begin anew. */
static bool renew_trees(struct delete_guard *guard, pid_t process, const struct node *directory,
                        int64_t now_ns)
{
    struct refusal *refusal = find_refusal(guard, process, EVERYWHERE, &no_fork);
    bool found = refusal;
    if (refusal)
        refusal->at_ns = now_ns;
    for (; directory; directory = directory->parent) {
        if (directory->kind != NODE_FORK)
            continue;
        refusal = find_refusal(guard, process, BELOW_FORK, &directory->fork_id);
        if (refusal)
            refusal->at_ns = now_ns;
        found = found || refusal;
    }
    return found;
}

bool delete_guard_refuses(struct delete_guard *guard, pid_t process, const struct node *directory,
                          const struct ulid *id, int64_t now_ns)
{
    LOCK_SCOPE(&guard->lock);
    remove_expired(guard->refusals, now_ns);
    if (find_refusal(guard, process, IN_FORK, id))
        return true;
    if (!renew_trees(guard, process, directory, now_ns))
        return false;
    note(guard, process, IN_FORK, id, now_ns);
    return true;
}

bool delete_guard_covers(struct delete_guard *guard, pid_t thread, const struct node *directory)
{
    struct caller caller = caller_of_thread(thread);
    int64_t now_ns = monotonic_now_ns();
    LOCK_SCOPE(&guard->lock);
    remove_expired(guard->refusals, now_ns);
    return renew_trees(guard, caller.process, directory, now_ns);
}

static void note_path(struct delete_guard *guard, pid_t process, const struct node *directory)
{
    for (const struct node *node = directory; node; node = node->parent)
        if (node->kind == NODE_FORK)
            delete_guard_note(guard, process, &node->fork_id, monotonic_now_ns());
}

void delete_guard_file_refused(struct delete_guard *guard, pid_t thread,
                               const struct node *directory)
{
    note_path(guard, caller_of_thread(thread).process, directory);
}

void delete_guard_directory_refused(struct delete_guard *guard, pid_t thread,
                                    const struct node *directory, const struct ulid *id)
{
    struct caller caller = caller_of_thread(thread);
    if (!id)
        note_path(guard, caller.process, directory);
    if (!id && directory->has_fork)
        id = &directory->fork_id;
    delete_guard_note_tree(guard, caller.process, id, monotonic_now_ns());
}

int delete_guard_check(struct delete_guard *guard, pid_t thread, const struct node *directory,
                       const struct ulid *id, struct error *err)
{
    struct caller caller = caller_of_thread(thread);
    if (!delete_guard_refuses(guard, caller.process, directory, id, monotonic_now_ns()))
        return 0;
    return error_set(err, ERR_NOT_PERMITTED,
                     "process %d (%s) has just tried to delete things inside or above; a recursive "
                     "delete does not drop forks or tags, rmdir alone does",
                     (int)caller.process, caller.command);
}

#include "catalog/sharing/name_locks.h"

#include <glib.h>

#include "base/cleanup.h"

struct name_locks {
    pthread_mutex_t lock;
    pthread_cond_t released;
    GHashTable *names; /* set of char *, those locked */
};

struct name_locks *name_locks_new(void)
{
    struct name_locks *locks = g_new0(struct name_locks, 1);
    pthread_mutex_init(&locks->lock, NULL);
    monotonic_cond_init(&locks->released);
    locks->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return locks;
}

void name_locks_free(struct name_locks *locks)
{
    if (!locks)
        return;
    g_hash_table_unref(locks->names);
    pthread_cond_destroy(&locks->released);
    pthread_mutex_destroy(&locks->lock);
    g_free(locks);
}

static int wait_for_name(struct name_locks *locks, const char *name, struct operation *operation,
                         struct error *err)
{
    int64_t deadline_ns = operation ? operation->deadline_ns : INT64_MAX;
    LOCK_SCOPE(&locks->lock);
    while (g_hash_table_contains(locks->names, name)) {
        int code = operation_check(operation, "waiting for another operation on the fork", err);
        if (code)
            return code;
        monotonic_cond_wait(&locks->released, &locks->lock, deadline_ns);
    }
    g_hash_table_add(locks->names, g_strdup(name));
    return 0;
}

int name_locks_acquire(struct name_locks *locks, const char *name, struct operation *operation,
                       struct error *err)
{
    operation_watch(operation, &locks->released, &locks->lock);
    int code = wait_for_name(locks, name, operation, err);
    operation_unwatch(operation);
    return code;
}

bool name_locks_try(struct name_locks *locks, const char *name)
{
    LOCK_SCOPE(&locks->lock);
    return !g_hash_table_contains(locks->names, name) &&
           g_hash_table_add(locks->names, g_strdup(name));
}

void name_locks_release(struct name_locks *locks, const char *name)
{
    LOCK_SCOPE(&locks->lock);
    g_hash_table_remove(locks->names, name);
    pthread_cond_broadcast(&locks->released);
}

#include "catalog/fork/late_forks.h"

#include <string.h>

#include "base/cleanup.h"
#include "catalog/registry/fork_entry.h"
#include "store/store.h"

struct late_forks {
    pthread_mutex_t lock;
    GHashTable *by_id; /* id text -> struct late_fork */
};

static void late_fork_free(void *pointer)
{
    struct late_fork *fork = pointer;
    g_ptr_array_unref(fork->branches);
    g_free(fork);
}

static struct late_fork *late_fork_new(const struct ulid *id)
{
    struct late_fork *fork = g_new0(struct late_fork, 1);
    fork->id = *id;
    fork->branches = dataset_branches_new();
    return fork;
}

struct late_forks *late_forks_new(void)
{
    struct late_forks *late = g_new0(struct late_forks, 1);
    pthread_mutex_init(&late->lock, NULL);
    late->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, late_fork_free);
    return late;
}

void late_forks_free(struct late_forks *late)
{
    if (!late)
        return;
    g_hash_table_unref(late->by_id);
    pthread_mutex_destroy(&late->lock);
    g_free(late);
}

static void add_branches(struct late_fork *fork, const GPtrArray *branches)
{
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        dataset_branches_add(fork->branches, pair->dataset, pair->branch);
    }
}

void late_forks_add(struct late_forks *late, const struct ulid *id, const GPtrArray *branches,
                    int64_t now_ns)
{
    LOCK_SCOPE(&late->lock);
    struct late_fork *fork = g_hash_table_lookup(late->by_id, id->text);
    if (!fork) {
        fork = late_fork_new(id);
        g_hash_table_insert(late->by_id, g_strdup(id->text), fork);
    }
    fork->due_ns = MAX(fork->due_ns, now_ns + STORE_LATE_NS);
    add_branches(fork, branches);
}

GPtrArray *late_forks_due(struct late_forks *late, int64_t now_ns)
{
    GPtrArray *due = g_ptr_array_new_with_free_func(late_fork_free);
    GHashTableIter iterator;
    void *value;
    LOCK_SCOPE(&late->lock);
    g_hash_table_iter_init(&iterator, late->by_id);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        const struct late_fork *fork = value;
        if (now_ns < fork->due_ns)
            continue;
        struct late_fork *copy = late_fork_new(&fork->id);
        copy->due_ns = fork->due_ns;
        add_branches(copy, fork->branches);
        g_ptr_array_add(due, copy);
    }
    return due;
}

void late_forks_forget(struct late_forks *late, const struct late_fork *fork)
{
    LOCK_SCOPE(&late->lock);
    const struct late_fork *known = g_hash_table_lookup(late->by_id, fork->id.text);
    if (known && known->due_ns == fork->due_ns)
        g_hash_table_remove(late->by_id, fork->id.text);
}

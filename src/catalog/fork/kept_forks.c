#include "catalog/fork/kept_forks.h"

#include <glib.h>

#include "base/cleanup.h"

struct kept_fork {
    char *reason;
    bool rests;
};

struct kept_forks {
    pthread_mutex_t lock;
    GHashTable *by_id; /* id text -> struct kept_fork */
};

static void kept_fork_free(void *pointer)
{
    struct kept_fork *fork = pointer;
    g_free(fork->reason);
    g_free(fork);
}

struct kept_forks *kept_forks_new(void)
{
    struct kept_forks *kept = g_new0(struct kept_forks, 1);
    pthread_mutex_init(&kept->lock, NULL);
    kept->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, kept_fork_free);
    return kept;
}

void kept_forks_free(struct kept_forks *kept)
{
    if (!kept)
        return;
    g_hash_table_unref(kept->by_id);
    pthread_mutex_destroy(&kept->lock);
    g_free(kept);
}

static struct kept_fork *kept_fork_new(const char *reason, bool rests)
{
    struct kept_fork *fork = g_new0(struct kept_fork, 1);
    fork->reason = g_strdup(reason);
    fork->rests = rests;
    return fork;
}

void kept_forks_put(struct kept_forks *kept, const struct ulid *id, const struct error *reason)
{
    bool rests = reason->code == ERR_NOT_EMPTY || reason->code == ERR_CORRUPT ||
                 reason->code == ERR_UNSUPPORTED;
    LOCK_SCOPE(&kept->lock);
    g_hash_table_replace(kept->by_id, g_strdup(id->text), kept_fork_new(reason->text, rests));
}

void kept_forks_note_untagged(struct kept_forks *kept, const struct ulid *id, const char *tag)
{
    g_autofree char *reason =
        g_strdup_printf("its tag tags/%s has been removed; rmdir of the fork goes on", tag);
    LOCK_SCOPE(&kept->lock);
    if (g_hash_table_contains(kept->by_id, id->text))
        g_hash_table_replace(kept->by_id, g_strdup(id->text), kept_fork_new(reason, false));
}

void kept_forks_remove(struct kept_forks *kept, const struct ulid *id)
{
    LOCK_SCOPE(&kept->lock);
    g_hash_table_remove(kept->by_id, id->text);
}

char *kept_forks_reason(struct kept_forks *kept, const struct ulid *id)
{
    LOCK_SCOPE(&kept->lock);
    const struct kept_fork *fork = g_hash_table_lookup(kept->by_id, id->text);
    return fork ? g_strdup(fork->reason) : NULL;
}

bool kept_forks_rests(struct kept_forks *kept, const struct ulid *id)
{
    LOCK_SCOPE(&kept->lock);
    const struct kept_fork *fork = g_hash_table_lookup(kept->by_id, id->text);
    return fork && fork->rests;
}

#include "catalog/claims.h"

#include <glib.h>
#include <pthread.h>

#include "base/cleanup.h"

struct claims {
    pthread_mutex_t lock;
    GHashTable *forks; /* set of id texts */
};

struct claims *claims_new(void)
{
    struct claims *claims = g_new0(struct claims, 1);
    pthread_mutex_init(&claims->lock, NULL);
    claims->forks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return claims;
}

void claims_free(struct claims *claims)
{
    if (!claims)
        return;
    g_hash_table_unref(claims->forks);
    pthread_mutex_destroy(&claims->lock);
    g_free(claims);
}

void claims_add(struct claims *claims, const struct ulid *fork)
{
    LOCK_SCOPE(&claims->lock);
    g_hash_table_add(claims->forks, g_strdup(fork->text));
}

void claims_remove(struct claims *claims, const struct ulid *fork)
{
    LOCK_SCOPE(&claims->lock);
    g_hash_table_remove(claims->forks, fork->text);
}

bool claims_has(struct claims *claims, const struct ulid *fork)
{
    LOCK_SCOPE(&claims->lock);
    return g_hash_table_contains(claims->forks, fork->text);
}

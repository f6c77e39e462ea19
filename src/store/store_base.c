/*
 * What a store is made of: its base, its pool, the store that it wraps.
 */
#include "store/store.h"

#include "store/abandoned_runs.h"
#include "store/store_private.h"

struct store *store_settling(struct store *store)
{
    while (store && !store->operations->settle)
        store = store->wrapped;
    return store;
}

static const struct store *innermost(const struct store *store)
{
    while (store->wrapped)
        store = store->wrapped;
    return store;
}

struct worker_pool *store_pool(const struct store *store)
{
    return innermost(store)->pool;
}

struct abandoned_runs *store_abandoned(const struct store *store)
{
    return innermost(store)->abandoned;
}

bool store_await_abandoned(struct store *store, int64_t timeout_ms)
{
    return !innermost(store)->operations->outlives_calls &&
           abandoned_runs_await(store_abandoned(store), timeout_ms);
}

bool store_code_has_effect(int code)
{
    return code == ERR_OUTCOME_UNKNOWN || code == ERR_NOT_DURABLE;
}

bool store_has_to_settle(struct store *store)
{
    return store_settling(store) != NULL;
}

void store_initialize(struct store *store, const struct store_operations *operations, unsigned jobs)
{
    store->operations = operations;
    store->pool = worker_pool_new("store", jobs);
    store->abandoned = abandoned_runs_new();
}

void store_initialize_wrapper(struct store *store, const struct store_operations *operations,
                              struct store *inner)
{
    store->operations = operations;
    store->wrapped = inner;
}

const struct call_metrics *store_metrics(const struct store *store, enum store_method method)
{
    return &store->metrics[method];
}

bool store_connection(struct store *store, struct store_connection *ret)
{
    if (store->operations->connection)
        return store->operations->connection(store, ret);
    return store->wrapped && store_connection(store->wrapped, ret);
}

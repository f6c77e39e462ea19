#include "unit/stores/latency_store.h"

#include "base/cleanup.h"

struct latency_store {
    struct store base;
    bool owns_inner;
    unsigned jobs;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    unsigned announced; /* of sets that have begun, not yet in a round that has ended */
    unsigned held;      /* of these, waiting for their round to end */
    struct latency_cost cost;
};

static struct latency_store *latency_of(struct store *base)
{
    return (struct latency_store *)base;
}

static bool takes_time(const struct store_request *request)
{
    return request->method != STORE_PRUNE && request->method != STORE_RESERVE;
}

/* With the lock held: lets the round go when all are there that can be. */
static void end_round_if_full(struct latency_store *store)
{
    if (store->held == 0 || store->held < MIN(store->announced, store->jobs))
        return;
    store->announced -= store->held;
    store->held = 0;
    store->cost.rounds++;
    pthread_cond_broadcast(&store->changed);
}

/* Until the round has ended that the request is in, or the operation's time is over. */
static void take_part(struct latency_store *store, const struct operation *operation)
{
    LOCK_SCOPE(&store->lock);
    unsigned round = store->cost.rounds;
    store->held++;
    pthread_cond_broadcast(&store->changed);
    end_round_if_full(store);
    while (store->cost.rounds == round)
        if (!monotonic_cond_wait(&store->changed, &store->lock, operation->deadline_ns))
            break;
    if (store->cost.rounds > round)
        return;
    store->held--;
    store->announced--;
    end_round_if_full(store);
}

static void count(struct latency_store *store, const struct store_request *request)
{
    LOCK_SCOPE(&store->lock);
    store->cost.requests[request->method]++;
}

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    struct latency_store *store = latency_of(base);
    count(store, request);
    if (takes_time(request))
        take_part(store, operation);
    base->wrapped->operations->perform(base->wrapped, request, operation, answer);
}

static void announce(struct latency_store *store, struct store_set *set)
{
    LOCK_SCOPE(&store->lock);
    for (size_t i = 0; i < store_set_size(set); i++) {
        const struct store_request *request = store_set_at(set, i);
        if (takes_time(request) && store_request_check(request, NULL) == 0)
            store->announced++;
    }
}

static void begin(struct store *base, const struct store_set *set)
{
    struct latency_store *store = latency_of(base);
    announce(store, (struct store_set *)set);
}

static void destroy(struct store *base)
{
    struct latency_store *store = latency_of(base);
    if (store->owns_inner)
        store_free(base->wrapped);
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
}

struct store *latency_store_new(struct store *inner, bool owns_inner, unsigned jobs)
{
    static const struct store_operations operations = {
        .begin = begin, .perform = perform, .destroy = destroy};
    struct latency_store *store = g_new0(struct latency_store, 1);
    store_initialize_wrapper(&store->base, &operations, inner);
    store->owns_inner = owns_inner;
    store->jobs = jobs;
    pthread_mutex_init(&store->lock, NULL);
    monotonic_cond_init(&store->changed);
    return &store->base;
}

struct latency_cost latency_store_cost(struct store *base)
{
    struct latency_store *store = latency_of(base);
    LOCK_SCOPE(&store->lock);
    return store->cost;
}

struct latency_cost latency_cost_since(const struct latency_cost *before,
                                       const struct latency_cost *now)
{
    struct latency_cost cost = {.rounds = now->rounds - before->rounds};
    for (int method = 0; method < STORE_METHODS; method++)
        cost.requests[method] = now->requests[method] - before->requests[method];
    return cost;
}

unsigned latency_cost_requests(const struct latency_cost *cost)
{
    unsigned total = 0;
    for (int method = 0; method < STORE_METHODS; method++)
        if (method != STORE_PRUNE && method != STORE_RESERVE)
            total += cost->requests[method];
    return total;
}

void latency_store_wait_held(struct store *base, unsigned wanted)
{
    struct latency_store *store = latency_of(base);
    LOCK_SCOPE(&store->lock);
    while (store->held < wanted)
        pthread_cond_wait(&store->changed, &store->lock);
}

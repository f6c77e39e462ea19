/*
 * A wrapper that measures what an operation costs on a store that is far away: how many requests,
 * and how many rounds of them, one after the other.
 *
 * Requests run in lockstep, as if all took the same time. One that arrives is held up until as many
 * are there as can be in flight: all requests of the sets that have begun, or as many of them as
 * the store takes at a time (`jobs`). Then all of them are carried out and answered, and that is
 * one round. So a round is one latency of the store, without a clock: the time of an operation on a
 * store far away is its rounds times the latency. A set of n requests takes n / jobs rounds,
 * rounded up; sets that are under way at the same time share their rounds.
 *
 * Pruning and reserving are carried out at once and are no part of a round: a store far away has no
 * directories, and room enough.
 *
 * For one operation at a time the number of rounds does not depend on timing. Of several, two sets
 * that do not happen to be under way together do not share a round. A set that is interrupted does
 * not bring all its requests; the others then wait until the time of their own operations is over.
 */
#ifndef FORKFS_UNIT_STORES_LATENCY_STORE_H
#define FORKFS_UNIT_STORES_LATENCY_STORE_H

#include "store/store.h"

/* Wraps `inner`, which it frees at the end when `owns_inner`. jobs: how many requests `inner` takes
 * at a time, as it was made; with fewer threads than that nothing would go on. */
struct store *latency_store_new(struct store *inner, bool owns_inner, unsigned jobs);

/* What it has cost so far. */
struct latency_cost {
    unsigned rounds;                  /* the depth of dependent requests */
    unsigned requests[STORE_METHODS]; /* by method */
};
struct latency_cost latency_store_cost(struct store *store);
/* The difference: what happened between two looks. */
struct latency_cost latency_cost_since(const struct latency_cost *before,
                                       const struct latency_cost *now);
/* Of all methods that are requests to a store far away: all but PRUNE and RESERVE. */
unsigned latency_cost_requests(const struct latency_cost *cost);

/* Waits until so many requests are held up. */
void latency_store_wait_held(struct store *store, unsigned count);

#endif

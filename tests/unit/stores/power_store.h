/*
 * A wrapper from which the power can go: what no set has settled may be lost then.
 *
 * It remembers of each object that a running set has changed what was there before. When the power
 * goes, each such object is given one of the states that it has had since it was last settled,
 * chosen by a seed, independently of the others; puts are atomic, so that there is nothing between
 * two of them. From then on every request fails without effect, and what was answered well but not
 * settled is ERR_NOT_DURABLE.
 *
 * So it makes of a store in which everything that can be read is durable (memory) one that has to
 * settle, as a directory. Thread-safe; requests run one after the other.
 */
#ifndef FORKFS_UNIT_STORES_POWER_STORE_H
#define FORKFS_UNIT_STORES_POWER_STORE_H

#include "store/store.h"

/* The seed with which everything is lost that can be. */
#define POWER_LOSE_ALL 0

/* Wraps `inner`, which it frees at the end when `owns_inner`. */
struct store *power_store_new(struct store *inner, bool owns_inner, uint32_t seed);

/* The power goes, if it has not gone yet. The wrapped store then holds what has survived. */
void power_store_cut(struct store *store);

#endif

/*
 * What a fork was made of that lost its entry, as far as that can be known: the parent's snapshot
 * of that time, by the time in the fork's id and those in the snapshots.
 *
 * One thread.
 */
#ifndef FORKFS_CATALOG_REPAIR_ORIGIN_H
#define FORKFS_CATALOG_REPAIR_ORIGIN_H

#include "base/operation.h"
#include "catalog/format/layout.h"
#include "catalog/registry/fork_entry.h"
#include "store/store.h"

struct origins;

/* Both must outlive them. */
struct origins *origins_new(struct store *store, const struct layout *layout);
void origins_free(struct origins *origins); /* NULL: nothing */

/* Fills snapshot, schema version and version mark of a fork whose id, and parent, if it has one,
 * are set. `parent`: the entry of that; NULL: the primary graph. The text lives as long as the
 * origins. Errors of the store. */
int origins_describe(struct origins *origins, const struct fork_entry *parent,
                     struct fork_description *description, struct operation *operation,
                     struct error *err);

#endif

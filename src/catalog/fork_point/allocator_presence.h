/*
 * Whether the allocator that seeds a new fork may be absent.
 *
 * Uni makes it before it gives out the first id, so only a graph without rows has none. A fork of a
 * graph with rows that started at 0 would give out ids again that its rows have. The primary's is
 * absent in the bucket of a hybrid database: it is in a directory of the machine that runs Uni. The
 * allocators of forks are in the bucket in any case.
 *
 * Pure; any thread. Facts: docs/formats.md ("Layout").
 */
#ifndef FORKFS_CATALOG_FORK_POINT_ALLOCATOR_PRESENCE_H
#define FORKFS_CATALOG_FORK_POINT_ALLOCATOR_PRESENCE_H

#include <glib.h>

#include "catalog/format/layout.h"
#include "store/store.h"

/* `allocator`: the answered get. origins: struct branch_origin, with their manifests; all that the
 * fork is made of. 0 when the allocator is there, or none of these has a row. ERR_UNSUPPORTED for
 * the primary graph in a bucket: hybrid, and the layout knows no directory, or a wrong one.
 * ERR_CORRUPT otherwise, also when a manifest does not parse. `of_fork`: it is that of a parent
 * fork. */
int allocator_presence_check(const struct layout *layout, const struct store_request *allocator,
                             bool of_fork, const GPtrArray *origins, struct error *err);

#endif

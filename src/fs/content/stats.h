/*
 * The file `stats`: numbers for monitoring, in Prometheus' text format.
 *
 * Thread-safe.
 */
#ifndef FORKFS_FS_CONTENT_STATS_H
#define FORKFS_FS_CONTENT_STATS_H

#include "catalog/catalog.h"
#include "fs/content/operation_counts.h"

struct bytes *stats_render(struct catalog *catalog, const struct registry *registry,
                           struct operation_counts *operations);

#endif

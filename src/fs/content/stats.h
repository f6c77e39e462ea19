/*
 * The file `stats`: numbers for monitoring, in Prometheus' text format.
 *
 * Thread-safe.
 */
#ifndef FORKFS_FS_CONTENT_STATS_H
#define FORKFS_FS_CONTENT_STATS_H

#include "catalog/catalog.h"
#include "fs/content/operation_counts.h"

/* s3_store: see s3_store.h; NULL when the catalog is not on S3. */
struct bytes *stats_render(struct catalog *catalog, const struct registry *registry,
                           struct operation_counts *operations, struct store *s3_store);

#endif

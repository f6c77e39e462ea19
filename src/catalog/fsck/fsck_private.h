/*
 * The parts of the catalog check, which fsck.c puts together. One thread.
 */
#ifndef FORKFS_CATALOG_FSCK_FSCK_PRIVATE_H
#define FORKFS_CATALOG_FSCK_FSCK_PRIVATE_H

#include "catalog/fsck/fsck_findings.h"

/* The registry's entries in themselves: status, names, ids, parents. No store. */
void fsck_check_entries(struct fsck *fsck);

/* Overlay and allocator of every active fork: there, and parsing. */
int fsck_check_fork_documents(struct fsck *fsck, struct error *err);

/* What a listing of overlays, tombstones, allocators and snapshots, or fork WALs shows. */
void fsck_check_overlays(struct fsck *fsck, const GPtrArray *rows);
int fsck_check_tombstones(struct fsck *fsck, const GPtrArray *rows, struct error *err);
void fsck_check_fork_files(struct fsck *fsck, const char *prefix, const GPtrArray *rows);

/* What keeps the forks that are not active, and those of which only a tombstone is left: tags,
 * branches of others, refs that cannot be read; `storage` is the shallow listing of the storage
 * prefix. */
int fsck_check_kept(struct fsck *fsck, const struct store_request *storage, struct error *err);

/* After all datasets: reports what fsck_note_base_paths() has noted, once for each fork and place.
 */
void fsck_report_places(struct fsck *fsck);

/* Branches of all datasets; `rows` is the shallow listing of the storage prefix. */
int fsck_check_branches(struct fsck *fsck, const GPtrArray *rows, struct error *err);

#endif

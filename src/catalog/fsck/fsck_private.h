/*
 * One run of the catalog check, shared by the files that implement fsck.h. Belongs to one thread.
 */
#ifndef FORKFS_CATALOG_FSCK_FSCK_PRIVATE_H
#define FORKFS_CATALOG_FSCK_FSCK_PRIVATE_H

#include <glib.h>

#include "base/operation.h"
#include "catalog/format/layout.h"
#include "catalog/registry/registry.h"
#include "store/store.h"

struct fsck {
    struct store *store;
    const struct layout *layout;
    struct operation *operation;
    struct registry *registry;
    GPtrArray *findings; /* char *, owned */
    GPtrArray *lost;     /* struct fork_entry: of tombstones whose forks have no entry */
};

/* Adds a finding; control characters come out as \xNN. */
void fsck_find(struct fsck *fsck, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Runs a set of reads of which every one must be answered; ERR_NOT_FOUND counts as an answer. */
int fsck_run(struct fsck *fsck, struct store_set *set, const char *stage, struct error *err);

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

/* Reports each row that is a temporary file. */
void fsck_check_temporary(struct fsck *fsck, const GPtrArray *rows);

/* Branches of all datasets; `rows` is the shallow listing of the storage prefix. */
int fsck_check_branches(struct fsck *fsck, const GPtrArray *rows, struct error *err);

#endif

/*
 * Whether a write-ahead log of Uni holds anything that is not flushed: one log, looked at in the
 * waves of a fork point.
 *
 * Segments never change, so what was read is remembered. The newest ones are read first, and the
 * first that says no ends it. Belongs to one thread. Facts: docs/formats.md ("Write-ahead log").
 */
#ifndef FORKFS_CATALOG_UNI_WAL_CHECK_H
#define FORKFS_CATALOG_UNI_WAL_CHECK_H

#include <glib.h>

#include "catalog/uni/wal_segment_cache.h"
#include "store/store.h"

/* All zero: no log to look at; every function takes that. */
struct wal_check {
    struct wal_segment_cache *cache;
    const char *fork;    /* whose log it is, for the advice; NULL: the primary graph's */
    GPtrArray *segments; /* struct wal_look, the newest first */
};

/* After the wave with the listing of the log: asks in `set` for the newest segments that are not
 * known. ERR_UNCLEAN. `fork` may be NULL and must outlive the check. */
int wal_check_begin(struct wal_check *check, const struct store_request *listing,
                    struct wal_segment_cache *cache, const char *fork, struct store_set *set,
                    struct error *err);

/* After that wave: asks for the others. `mark`: the snapshot's WAL mark; NULL: not known yet.
 * ERR_UNCLEAN, ERR_CONTENDED (a segment went away: Uni is at work). */
int wal_check_go_on(struct wal_check *check, const uint64_t *mark, struct store_set *set,
                    struct error *err);

/* Whether it depends on the mark, as far as segments are known. */
bool wal_check_needs_mark(const struct wal_check *check);

/* After the last wave: the verdict. 0: nothing is unflushed. ERR_UNCLEAN, ERR_CONTENDED. */
int wal_check_end(struct wal_check *check, uint64_t mark, struct error *err);

void wal_check_clear(struct wal_check *check);

#endif

/*
 * One segment of Uni's write-ahead log: its number, and whether it holds anything.
 *
 * A segment is an object NUMBER_UUID.wal, NUMBER of 20 digits, which is written once. Uni 5 leaves
 * one without mutations, a seal, at each close after a commit. Facts: docs/formats.md ("Write-ahead
 * log"). Pure, thread-safe.
 */
#ifndef FORKFS_CATALOG_UNI_WAL_SEGMENT_H
#define FORKFS_CATALOG_UNI_WAL_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

enum wal_segment_content {
    WAL_SEGMENT_EMPTY,
    /* Mutations, of a Uni whose numbers never come again (5 and later): flushed when the snapshot's
     * mark has reached the number. */
    WAL_SEGMENT_NUMBERED,
    /* Mutations, of an older Uni. Its numbers begin again after the log was emptied, so that they
     * say nothing. */
    WAL_SEGMENT_UNNUMBERED,
    WAL_SEGMENT_UNREADABLE
};

/* Whether the key is that of a segment at all, whatever its number. */
bool wal_segment_is_one(const char *key);

/* The number in the segment's name. False: not a name that Uni gives. */
bool wal_segment_number(const char *key, uint64_t *ret);

/* Never WAL_SEGMENT_UNREADABLE without a reason in *err, which may be NULL: torn, a wrong checksum,
 * no segment, another number than in its name. */
enum wal_segment_content wal_segment_read(const struct bytes *body, uint64_t number,
                                          struct error *err);

#endif

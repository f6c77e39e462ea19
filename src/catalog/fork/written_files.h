/*
 * Whether somebody has written to a fork after it was made, so far as its own files tell: a segment
 * in its log, a snapshot, an overlay that is not as a create puts it. What was written may be
 * wanted back, also when no entry knows the fork any more. (What was written to its branches shows
 * there.)
 *
 * Thread-safe; no state.
 */
#ifndef FORKFS_CATALOG_FORK_WRITTEN_FILES_H
#define FORKFS_CATALOG_FORK_WRITTEN_FILES_H

#include "base/ulid.h"
#include "catalog/format/layout.h"
#include "store/store.h"

/* Requests of a set, which owns them. */
struct written_files {
    const struct store_request *log, *files, *overlay;
};

/* Adds the requests for one fork to a set. */
struct written_files written_files_request(struct store_set *set, const struct layout *layout,
                                           const struct ulid *id);

/* Reads the answers of the set that was run. *ret: the key of what somebody has written, owned by
 * the set; NULL: nothing. Links, and whatever else is no file, are no data of a fork. Errors of the
 * store. */
int written_files_find(const struct written_files *written, const struct layout *layout,
                       const struct ulid *id, const char **ret, struct error *err);

#endif

/*
 * The contents of each file.
 *
 * Everything comes from memory.
 *
 * Thread-safe.
 */
#ifndef FORKFS_FS_CONTENT_RENDER_H
#define FORKFS_FS_CONTENT_RENDER_H

#include "catalog/catalog.h"
#include "fs/content/document.h"
#include "fs/content/events.h"
#include "fs/content/failures.h"
#include "fs/content/operation_counts.h"
#include "fs/tree/tree.h"

/* Where contents come from. */
struct render_sources {
    const struct registry *registry;
    struct catalog *catalog;
    struct failures *failures;
    struct events *events;
    struct operation_counts *operations;
    struct timespec mounted_at;    /* stands for a time that is unknown */
    const struct overlay *overlay; /* of the fork, just read; NULL: from memory, if it is there */
};

/* Renders the file `child`. ret->body is NULL when the store has to be asked first: for the fork's
 * overlay, or for its tags. */
void render_file(const struct tree_child *child, const struct render_sources *sources,
                 struct document *ret);

/* modified_ns since 1970; `unknown` when that is not after 1970. */
struct timespec render_time(int64_t modified_ns, struct timespec unknown);

#endif

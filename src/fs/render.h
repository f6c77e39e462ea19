/*
 * The contents of each file.
 *
 * Everything comes from memory, but an overlay that has not been read yet. Files without a fork are
 * rendered with `entry` NULL.
 *
 * Thread-safe.
 */
#ifndef FORKFS_FS_RENDER_H
#define FORKFS_FS_RENDER_H

#include "base/operation.h"
#include "catalog/catalog.h"
#include "fs/document.h"
#include "fs/failures.h"
#include "fs/node_kind.h"

/* Where contents come from. */
struct render_sources {
    const struct registry *registry;
    struct catalog *catalog;
    struct failures *failures;
    struct timespec mounted_at; /* stands for a time that is unknown */
};

/* Renders the file `kind` of the fork `entry`, from memory. ret->body is NULL when the store has to
 * be asked first; then render_waiting() is what to call. Never fails otherwise. */
void render_file(enum node_kind kind, const struct render_sources *sources,
                 const struct fork_entry *entry, struct document *ret);

/* The same, but waits for the store if need be. Errors of catalog_overlay(). */
int render_waiting(enum node_kind kind, const struct render_sources *sources,
                   const struct fork_entry *entry, struct operation *operation,
                   struct document *ret, struct error *err);

/* modified_ns since 1970; `unknown` when that is not after 1970. */
struct timespec render_time(int64_t modified_ns, struct timespec unknown);

#endif

/*
 * The text of the file `ttl`: the seconds until a fork expires, or "none".
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_FS_CONTENT_TTL_H
#define FORKFS_FS_CONTENT_TTL_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"
#include "base/error.h"
#include "catalog/registry/fork_entry.h"

/* Seconds are rounded up, so that 0 means expired. With a newline at the end. */
struct bytes *ttl_render(const struct fork_entry *entry, struct timespec now);

/* Reads what was written: decimal digits or "none", and nothing else but blanks and newlines behind
 * it. *ret_has_ttl is false for "none". ERR_INVALID. */
int ttl_parse(const struct bytes *text, bool *ret_has_ttl, uint64_t *ret_seconds,
              struct error *err);

#endif

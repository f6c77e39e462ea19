/*
 * BLAKE3's hash of a text in memory, 256 bits, as Uni writes it before the segments of its log.
 *
 * Own code because neither GLib nor the oldest Debian that is supported has a library for it. Made
 * for texts of some kilobytes: no vector instructions. Pure, thread-safe.
 */
#ifndef FORKFS_BASE_BLAKE3_H
#define FORKFS_BASE_BLAKE3_H

#include <stddef.h>

#define BLAKE3_HEX_LENGTH 64

/* Writes 64 hex digits in lower case and a NUL. data may be NULL when size is 0. */
void blake3_hex(const void *data, size_t size, char ret[BLAKE3_HEX_LENGTH + 1]);

#endif

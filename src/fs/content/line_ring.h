/*
 * The last so many lines of something, newest last.
 *
 * Thread-safe; the lock inside is a leaf.
 */
#ifndef FORKFS_FS_CONTENT_LINE_RING_H
#define FORKFS_FS_CONTENT_LINE_RING_H

#include <stdint.h>
#include <time.h>

#include "base/bytes.h"

struct line_ring;

struct line_ring *line_ring_new(unsigned kept);
void line_ring_free(struct line_ring *ring); /* NULL: nothing */

/* Adds a line, without its newline; takes it over (g_free). */
void line_ring_add(struct line_ring *ring, struct timespec time, char *line);

/* How many lines there ever were. */
uint64_t line_ring_count(struct line_ring *ring);

/* All lines that are kept. *ret_last (may be NULL): the time of the newest; untouched when there is
 * none. *ret_count (may be NULL): line_ring_count() as of these lines. */
struct bytes *line_ring_render(struct line_ring *ring, struct timespec *ret_last,
                               uint64_t *ret_count);

#endif

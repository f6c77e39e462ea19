/*
 * The file `events`: what has happened to the forks, one line each, newest last.
 *
 *   TIME KIND NAME ULID [detail]
 *
 * TIME is RFC 3339. NAME is that of the fork's directory, with blanks as %20, as `batch` takes it.
 * KIND is one of
 *
 *   pending, active, tombstoned   the fork was made, or got this status
 *   dropped                       it is gone
 *   expired                       it is gone, dropped by the sweeper
 *   changed                       its entry in the registry has changed otherwise
 *   overlay                       its schema overlay has changed
 *   sweep-failed                  it has expired and could not be dropped; detail: ERRNO reason
 *
 * Who has changed something, this mount or another program, makes no difference: the lines come
 * from comparing the registry's images.
 *
 * Thread-safe; the locks inside are leaves.
 */
#ifndef FORKFS_FS_CONTENT_EVENTS_H
#define FORKFS_FS_CONTENT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "catalog/registry/registry.h"

#define EVENTS_KEPT 1000

struct events;

struct events *events_new(void);
void events_free(struct events *events); /* NULL: nothing */

/* Adds a line for each difference of two images. `sweeping`: the sweeper is at work, so expired
 * forks and their descendants may be going on its account. False when there is none. */
bool events_compare(struct events *events, struct timespec time, const struct registry *before,
                    const struct registry *after, bool sweeping);

void events_add_overlay(struct events *events, struct timespec time,
                        const struct fork_entry *entry);
void events_add_sweep_failure(struct events *events, struct timespec time,
                              const struct fork_entry *entry, const struct error *failure);

/* How many lines there ever were: a handle has news when this is more than what it has rendered. */
uint64_t events_count(struct events *events);
/* Renders the events, as line_ring_render() does. */
struct bytes *events_render(struct events *events, struct timespec *ret_last, uint64_t *ret_count);

#endif

/*
 * Who holds which fork: the open file handles of this mount, and the door that a drop closes.
 *
 * A drop asks for the door to be closed. That happens in the critical section that sees zero
 * holders; from then on new holds get ERR_STALE, until the door is opened again (the drop failed)
 * or the fork is forgotten (it is gone). Until then holds succeed.
 *
 * Thread-safe; the one lock inside is a leaf, held over no call out.
 */
#ifndef FORKFS_CATALOG_SHARING_HOLDERS_H
#define FORKFS_CATALOG_SHARING_HOLDERS_H

#include <glib.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/operation.h"
#include "base/ulid.h"

struct holders;
struct hold; /* one open handle */

struct holders *holders_new(void);
void holders_free(struct holders *holders); /* no hold may be left; NULL: nothing */

/* Who is told, without a lock held, that a fork has got its first hold or lost its last one. Set
 * before the first hold. */
typedef void holders_observer(void *argument);
void holders_observe(struct holders *holders, holders_observer *observer, void *argument);

/* pid: the process (not thread) that opened; 0 when unknown. command: its name, copied; control
 * characters are replaced. ERR_STALE when the fork's door is closed. */
int holders_hold(struct holders *holders, const struct ulid *id, pid_t pid, const char *command,
                 struct hold **ret, struct error *err);
/* Never blocks for long; frees the hold. NULL: nothing. */
void holders_release(struct holders *holders, struct hold *hold);

/* Closes the door as soon as there is no hold, waiting at most drain_ms (0: not at all) and no
 * longer than `operation` allows. 0 also when the door is closed already. ERR_HELD names the first
 * holders; ERR_INTERRUPTED, ERR_DEADLINE. */
int holders_close_door(struct holders *holders, const struct ulid *id, int64_t drain_ms,
                       struct operation *operation, struct error *err);
void holders_open_door(struct holders *holders, const struct ulid *id);

/* The forks that are held: id text (owned) -> GUINT_TO_POINTER(number of holds);
 * g_hash_table_unref(). */
GHashTable *holders_snapshot(struct holders *holders);
size_t holders_count(struct holders *holders, const struct ulid *id);
/* The holds on all forks together. */
size_t holders_total(struct holders *holders);
/* "pid command" of each hold, one per line, oldest first; empty without holds. */
struct bytes *holders_render(struct holders *holders, const struct ulid *id);

#endif

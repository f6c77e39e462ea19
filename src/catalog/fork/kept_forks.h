/*
 * The forks whose drop this mount could not finish, and why: what recovery and `rmdir` found last.
 * In memory only. For users, who see it in `tombstones`, and for recovery, which need not look
 * again and again at a fork that a tag or a foreign branch keeps.
 *
 * Thread-safe; the lock is a leaf.
 *
 * Kept, descendant: in the words of docs/architecture.md.
 */
#ifndef FORKFS_CATALOG_FORK_KEPT_FORKS_H
#define FORKFS_CATALOG_FORK_KEPT_FORKS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/ulid.h"

struct kept_forks;

struct kept_forks *kept_forks_new(void);
void kept_forks_free(struct kept_forks *kept); /* NULL: nothing */

/* The fork is kept for that reason, whatever was known before. */
void kept_forks_put(struct kept_forks *kept, const struct ulid *id, const struct error *reason);
/* A tag that may have kept it is gone; whether something else keeps it has not been looked at. */
void kept_forks_note_untagged(struct kept_forks *kept, const struct ulid *id, const char *tag);
/* Forgets a fork that is gone, or lives. */
void kept_forks_remove(struct kept_forks *kept, const struct ulid *id);

/* The reason as it was put; NULL: none is known. g_free(). */
char *kept_forks_reason(struct kept_forks *kept, const struct ulid *id);
/* Whether something hangs on it that does not go away by itself. */
bool kept_forks_rests(struct kept_forks *kept, const struct ulid *id);

#endif

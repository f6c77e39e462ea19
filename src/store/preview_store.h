/*
 * A store that shows what changes would make of another one, without making them: it reads from
 * that one, keeps what is put and deleted in memory, and shows both together. For a dry run, which
 * is then the real thing in all but its effect.
 *
 * Directories that a prune would remove are not shown any more. Preconditions are checked as the
 * store below would check them; nothing fails for want of room or permission.
 */
#ifndef FORKFS_STORE_PREVIEW_STORE_H
#define FORKFS_STORE_PREVIEW_STORE_H

#include "store/store.h"

/* Takes over `inner`, which is only read from then on. Never NULL; store_free(). */
struct store *preview_store_new(struct store *inner);

#endif

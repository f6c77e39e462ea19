/*
 * Who waits in poll(2) for news: the latest poll handle of each open file.
 *
 * Thread-safe; the lock inside is a leaf. Poll handles are woken by the notifier only, since that
 * can wait for the kernel.
 */
#ifndef FORKFS_FS_STATE_POLLERS_H
#define FORKFS_FS_STATE_POLLERS_H

#include "fs/state/notifier.h"

struct pollers;
struct fuse_pollhandle;

struct pollers *pollers_new(void);
void pollers_free(struct pollers *pollers); /* NULL: nothing */

/* `file` (any pointer that stands for an open file) waits; its earlier poll handle is dropped.
 * Takes over `poll`. Ask whether there is news only after this, or some could be missed. */
void pollers_add(struct pollers *pollers, const void *file, struct fuse_pollhandle *poll);

/* Forgets a file that is closed. */
void pollers_remove(struct pollers *pollers, const void *file);

/* Wakes all who wait; they have to ask again for more. */
void pollers_wake(struct pollers *pollers, struct notifier *notifier);

#endif

/*
 * Watches directories of a local store for changes, also by other programs, with inotify.
 *
 * What is watched are the objects directly below some prefixes. Directories that do not exist yet,
 * or go away and come back, are watched as soon as they are there: so the directories above them
 * are watched, too. One that is there but cannot be watched makes the watch blind, until a later
 * local_watch_take() finds that it can. Temporary files ("name#digits") do not count. Changes made
 * over a network file system by another machine are not seen.
 *
 * One thread at a time.
 */
#ifndef FORKFS_STORE_LOCAL_LOCAL_WATCH_H
#define FORKFS_STORE_LOCAL_LOCAL_WATCH_H

#include <glib.h>
#include <stdbool.h>

#include "base/error.h"

struct local_watch;

/* root: path of the store's root. prefixes: NULL-terminated, each "" or ending in '/'. It is blind
 * when the system has no inotify instance or watch left. local_watch_free(). */
struct local_watch *local_watch_new(const char *root, const char *const *prefixes);
void local_watch_free(struct local_watch *watch); /* NULL: nothing */

/* A descriptor that polls as readable when there is something to take; -1 while there is none, as
 * only local_watch_take() can change. */
int local_watch_fd(const struct local_watch *watch);

/* Whether a directory that is there is not watched, with the reason (may be NULL): changes are then
 * to be looked for. */
bool local_watch_is_blind(const struct local_watch *watch, struct error *reason);

/* Takes what has happened so far, without waiting: adds the keys that may have changed to `keys`
 * (a set of char *, which frees them). A key that ends in '/' is one of the prefixes, and means
 * that everything below may have changed: events were lost, or the directory has appeared or gone.
 */
void local_watch_take(struct local_watch *watch, GHashTable *keys);

#endif

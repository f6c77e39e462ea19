/*
 * Names that an earlier change of this mount has left taken (leftovers.h): whoever wants to create
 * a fork of such a name need not wait for the caretaker, what is left goes first.
 *
 * Thread-safe.
 */
#ifndef FORKFS_CATALOG_CHANGE_LEFT_NAMES_H
#define FORKFS_CATALOG_CHANGE_LEFT_NAMES_H

#include "catalog/catalog_private.h"

/* Finishes the forks that have the names of these creates (struct change; drops do not matter), if
 * this mount has left them so and nothing hangs on them. A create whose name could not be freed has
 * failed by then, with the reason. No requests where no such name is wanted. */
void left_names_finish(struct catalog *catalog, const GPtrArray *changes,
                       struct operation *operation);

#endif

/*
 * One lock per fork name: a create or drop owns the name from its first look to its last commit.
 *
 * Thread-safe. An entry exists only while a name is locked or waited for.
 */
#ifndef FORKFS_CATALOG_SHARING_NAME_LOCKS_H
#define FORKFS_CATALOG_SHARING_NAME_LOCKS_H

#include <stdbool.h>

#include "base/operation.h"

struct name_locks;

struct name_locks *name_locks_new(void);
void name_locks_free(struct name_locks *locks); /* no name may be locked; NULL: nothing */

/* Waits for the name as long as `operation` allows: ERR_INTERRUPTED, ERR_DEADLINE. */
int name_locks_acquire(struct name_locks *locks, const char *name, struct operation *operation,
                       struct error *err);
/* Takes the name if nobody has it. */
bool name_locks_try(struct name_locks *locks, const char *name);
void name_locks_release(struct name_locks *locks, const char *name);

#endif

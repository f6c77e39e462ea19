/*
 * Claims: the forks that this mount itself is making or dropping, or has left half made or half
 * dropped. On a shared catalog it goes on with these only; with what others have begun it must not
 * interfere, for they may still take it back, and recovery takes it over when they are dead.
 *
 * Thread-safe; the lock inside is a leaf.
 */
#ifndef FORKFS_CATALOG_CLAIMS_H
#define FORKFS_CATALOG_CLAIMS_H

#include <stdbool.h>

#include "base/ulid.h"

struct claims;

struct claims *claims_new(void);
void claims_free(struct claims *claims); /* NULL: nothing */

void claims_add(struct claims *claims, const struct ulid *fork);
void claims_remove(struct claims *claims, const struct ulid *fork);
bool claims_has(struct claims *claims, const struct ulid *fork);

#endif

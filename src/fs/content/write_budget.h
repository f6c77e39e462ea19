/*
 * How much all open handles together may keep of what was written and is not stored yet.
 *
 * One for a session; each buffer takes from it what it grows by and gives back what it lets go.
 * Counted are the lengths of texts; while one is being stored there is a copy of it besides.
 *
 * Thread-safe, without a lock.
 */
#ifndef FORKFS_FS_CONTENT_WRITE_BUDGET_H
#define FORKFS_FS_CONTENT_WRITE_BUDGET_H

#include <stddef.h>

#include "base/error.h"

struct write_budget;

struct write_budget *write_budget_new(size_t limit); /* bytes */
void write_budget_free(struct write_budget *budget); /* after all buffers; NULL: nothing */

/* In all of these a budget of NULL has no limit.
 * ERR_NO_SPACE, and then nothing is taken. */
int write_budget_take(struct write_budget *budget, size_t size, struct error *err);
/* Takes more than there is, if need be: for what cannot be refused any more. */
void write_budget_overdraw(struct write_budget *budget, size_t size);
void write_budget_give_back(struct write_budget *budget, size_t size);

#endif

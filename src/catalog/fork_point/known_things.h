/*
 * What was there once in a database, so that its absence is not taken for "there never was any": a
 * schema, a snapshot pointer, and datasets do not go in the life of a database that is whole.
 *
 * Learnt when a database is opened, when it is read, and from the registry: a dataset in which a
 * fork has a branch exists, or has existed. Nothing is forgotten; a mount that begins anew knows
 * what it finds.
 *
 * Thread-safe; the lock is a leaf.
 */
#ifndef FORKFS_CATALOG_FORK_POINT_KNOWN_THINGS_H
#define FORKFS_CATALOG_FORK_POINT_KNOWN_THINGS_H

#include <stdbool.h>

#include "base/error.h"
#include "catalog/registry/fork_entry.h"

struct known_things;

struct known_things *known_things_new(void);
void known_things_free(struct known_things *known); /* NULL: nothing */

/* An object that was read. */
void known_things_add_object(struct known_things *known, const char *key);
/* A dataset that was listed; with_version: one that has a version, and not just a directory. */
void known_things_add_dataset(struct known_things *known, const char *dataset, bool with_version);
/* The datasets of an entry of the registry. */
void known_things_add_entry(struct known_things *known, const struct fork_entry *entry);

bool known_things_has_datasets(struct known_things *known); /* any */

/* What was asked for and is absent. 0 when it is not known to have been there; ERR_AWAY says that
 * it was, and what to do. `key`: of the object, or of the dataset's root. */
int known_things_check_object(struct known_things *known, const char *key, struct error *err);
int known_things_check_dataset(struct known_things *known, const char *dataset, const char *key,
                               struct error *err);
/* For a dataset that is listed, but has no version. */
int known_things_check_version(struct known_things *known, const char *dataset, const char *key,
                               struct error *err);

/* For who finishes what somebody has begun to delete, and so does not take the registry's word for
 * that a dataset is there: ERR_AWAY when it was listed. */
int known_things_check_listed(struct known_things *known, const char *dataset, const char *key,
                              struct error *err);

/* ERR_AWAY for a storage prefix below which there were datasets. */
int known_things_refuse_storage(const char *prefix, struct error *err);
/* ERR_AWAY for a dataset in which a fork has a branch, as its entry says, and that is absent. */
int known_things_refuse_branchless(const char *key, const char *branch, struct error *err);

#endif

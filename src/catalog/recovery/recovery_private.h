/*
 * The parts of recovery (recovery.c puts them together). Each finishes what this mount may finish
 * (takeover.h) and notes the rest, so that it is watched; what cannot be judged or removed is left
 * alone and reported. Errors of the store end it.
 */
#ifndef FORKFS_CATALOG_RECOVERY_RECOVERY_PRIVATE_H
#define FORKFS_CATALOG_RECOVERY_RECOVERY_PRIVATE_H

#include "catalog/catalog_private.h"

/* From memory: whether there is an entry that may be finished. */
bool recovery_has_entries(struct catalog *catalog);
int recovery_of_entries(struct catalog *catalog, struct operation *operation,
                        struct recovery_report *report, struct error *err);

/* The same for the entries of these ids (struct ulid) only. */
int recovery_of_some_entries(struct catalog *catalog, const GPtrArray *ids,
                             struct operation *operation, struct recovery_report *report,
                             struct error *err);

/* What changes of this mount have left (leftovers.h), as far as it is due. */
int recovery_of_leftovers(struct catalog *catalog, struct operation *operation,
                          struct recovery_report *report, struct error *err);

/* From memory: whether there are tombstones whose forks are active or gone; and finishing these. */
bool recovery_has_tombstones(struct catalog *catalog);
int recovery_of_tombstones(struct catalog *catalog, struct operation *operation,
                           struct recovery_report *report, struct error *err);

/* Strikes from a set of ids (its keys are texts) those that an entry or a tombstone has. */
void recovery_forget_known(struct catalog *catalog, GHashTable *ids);

/* Whether a branch is named after a fork that no entry knows, and no entry has it either; the id.
 */
bool recovery_is_of_unknown_fork(const struct registry *registry, const char *branch,
                                 struct ulid *ret);

/* Removes temporary files of crashed writers and, where there are directories, those of branches
 * that are named after forks of which no entry is left, if they hold no object. Costs a listing of
 * each dataset there, and nothing on an object store. */
int recovery_prune(struct catalog *catalog, struct operation *operation,
                   struct recovery_report *report, struct error *err);

#endif

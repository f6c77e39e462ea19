/*
 * What hangs on the branches of a fork and so keeps it from being deleted, in words for its user:
 * what it is, and what to do about it. All give ERR_NOT_EMPTY, but for kept_by_doubt().
 *
 * `fork`: its entry; NULL: nothing knows the fork any more but a tombstone. `branch`: its branch of
 * `dataset`. Pure, thread-safe.
 */
#ifndef FORKFS_CATALOG_FORK_KEPT_REASON_H
#define FORKFS_CATALOG_FORK_KEPT_REASON_H

#include "catalog/registry/fork_entry.h"

/* The tag whose ref is `key` points at the branch. */
int kept_by_tag(const struct fork_entry *fork, const char *dataset, const char *branch,
                const char *key, struct error *err);

/* The branch `foreign`, which is no fork's, descends from the branch. */
int kept_by_branch(const struct fork_entry *fork, const char *dataset, const char *branch,
                   const char *foreign, struct error *err);

/* The same of a branch of `child`, which by the registry has another parent. */
int kept_by_fork(const struct fork_entry *fork, const char *dataset, const char *branch,
                 const struct fork_entry *child, struct error *err);

/* The same of one that is named after a fork of which no entry is left. `recovers`: recovery
 * removes such branches. */
int kept_by_remnant(const struct fork_entry *fork, const char *dataset, const char *branch,
                    const char *remnant, bool recovers, struct error *err);

/* A ref of the dataset cannot be read, so that nobody can tell what hangs on the branch: the code
 * and text of `problem`, and what to do. */
int kept_by_doubt(const struct fork_entry *fork, const struct error *problem, struct error *err);

/* The name of a Lance tag by the key of its ref. g_free(). */
char *kept_reason_lance_tag(const char *key);

#endif

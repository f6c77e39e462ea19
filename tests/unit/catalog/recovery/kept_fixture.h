/*
 * Forks whose drop somebody else has decided, or that somebody has left half made, and on which a
 * tag or a foreign branch hangs: nothing of them is deleted, users are told, and the drop is
 * finished once nothing hangs on them any more.
 */
#ifndef FORKFS_UNIT_CATALOG_RECOVERY_KEPT_FIXTURE_H
#define FORKFS_UNIT_CATALOG_RECOVERY_KEPT_FIXTURE_H

#include "unit/catalog/fork_fixture.h"

#define OTHER_DATASET "storage/edges.lance"

/* ---- What hangs on a fork ---- */

/* A Lance tag of a version of the branch. */
void put_tag(struct fork_fixture *fixture, const char *dataset, const char *name,
             const char *branch);
void delete_tag(struct fork_fixture *fixture, const char *dataset, const char *name);
/* The ref of a branch of FORK_DATASET. parent NULL: of main. */
void put_foreign_branch(struct fork_fixture *fixture, const char *name, const char *parent);

/* Somebody else has decided to drop "audit". */
void tombstone(struct fork_fixture *fixture);

/* ---- What is expected ---- */

/* Recovers; exactly one thing is left alone, for a reason that holds `part`. */
void assert_kept_with(struct catalog *catalog, const char *part);
/* The same, and nothing on the store changes. */
void assert_kept(struct fork_fixture *fixture, const char *part);
/* Recovers; of "audit" nothing is left. */
void assert_finished(struct fork_fixture *fixture);
/* The file `tombstones` is JSON that holds `part`; NULL: it is empty. */
void assert_shown(struct fork_fixture *fixture, const char *part);

#endif

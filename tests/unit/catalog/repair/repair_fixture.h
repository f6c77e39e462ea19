/*
 * Repairs of the database of fork_fixture.h, each tried out first: what the dry run says must be
 * what is done then, and after that there is nothing to do any more.
 */
#ifndef FORKFS_UNIT_CATALOG_REPAIR_REPAIR_FIXTURE_H
#define FORKFS_UNIT_CATALOG_REPAIR_REPAIR_FIXTURE_H

#include "catalog/fsck/fsck.h"
#include "catalog/repair/repair.h"
#include "unit/catalog/fork_fixture.h"

#define UNKNOWN "01ARZ3NDEKTSV4RRFFQ69G5FAV" /* the id of no fork */

/* cmocka's setup, in memory and in a directory; fork_tear_down() ends both. The catalog of the
 * fixture is closed by the first repair; open it again with fork_fixture_reopen(). */

/* Repairs; the actions contain the parts, one each in that order, ended by NULL, and `left`
 * findings remain. */
void assert_repairs_of(struct fork_fixture *fixture, enum repair_orphans orphans, guint left,
                       const char *const *parts);
#define assert_repairs(fixture, orphans, left, ...)                                                \
    assert_repairs_of(fixture, orphans, left, (const char *const[]){__VA_ARGS__, NULL})

/* Repairs, killed at each request, until one run comes to its end: nothing is wrong any more then.
 */
void assert_repairs_killed(struct fork_fixture *fixture, enum repair_orphans orphans);

/* One run, on a store that is not the caller's to free. The code. */
int run_repair(struct store *store, enum repair_orphans orphans, struct repair_report *report,
               struct error *err);

/* The entry of a fork on the store; NULL: none. fork_entry_unref(). */
struct fork_entry *stored_entry(struct fork_fixture *fixture, const char *name);

/* Copies the fork's branch of vertices_Person to one of another id, with data of its own or not;
 * returns its name, g_free(). */
char *put_orphan_branch(struct fork_fixture *fixture, const char *id, bool with_data);

#endif

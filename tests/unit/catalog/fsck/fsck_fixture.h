/*
 * A small catalog for the check to look at, what tests break in it, and what the check shall find.
 */
#ifndef FORKFS_UNIT_CATALOG_FSCK_FSCK_FIXTURE_H
#define FORKFS_UNIT_CATALOG_FSCK_FSCK_FIXTURE_H

#include <glib.h>

#include "catalog/catalog.h"
#include "catalog/fsck/fsck.h"
#include "unit/stores/fault_store.h"

#define UNKNOWN "01ARZ3NDEKTSV4RRFFQ69G5FAV" /* the id of no fork */

/* A database in memory with two datasets and the fork "audit", made by the catalog itself. */
struct fsck_fixture {
    struct store *store; /* a fault store around the memory store */
    struct layout *layout;
    struct catalog *catalog;
    struct ulid id;
    char *branch; /* of dataset vertices */
};

/* cmocka's setup and teardown; *state is the fixture. */
int fsck_set_up(void **state);
int fsck_tear_down(void **state);

void put_text(struct fsck_fixture *fixture, const char *key, const char *text);
char *read_text(struct fsck_fixture *fixture, const char *key); /* g_free() */
void delete_key(struct fsck_fixture *fixture, const char *key);
/* Replaces every `from` in the registry; fails the test when there is none. */
void edit_registry(struct fsck_fixture *fixture, const char *from, const char *to);

/* What the check finds: struct fsck_finding, owned by the array; unref. */
GPtrArray *findings_of(struct fsck_fixture *fixture);
const struct fsck_finding *finding_at(const GPtrArray *findings, guint i);
/* Exactly these findings, each given by a part of its text, in any order; ended by NULL. */
void assert_findings_of(struct fsck_fixture *fixture, const char *const *parts);
#define assert_findings(fixture, ...)                                                              \
    assert_findings_of(fixture, (const char *const[]){__VA_ARGS__, NULL})

#endif

/*
 * A catalog with the fork "audit" on a store of its own, for tests of drop and recovery.
 */
#ifndef FORKFS_UNIT_CATALOG_FORK_FIXTURE_H
#define FORKFS_UNIT_CATALOG_FORK_FIXTURE_H

#include "unit/catalog/database_fixture.h"

#define FORK_DATASET "storage/vertices_Person.lance"

struct fork_fixture {
    struct store *store;
    struct store *faults; /* around `store`, what the catalog uses */
    struct catalog *catalog;
    struct ulid id;
    char *branch; /* of vertices_Person */
};

/* cmocka's setup and teardown; *state is the fixture. */
int fork_set_up(void **state);
int fork_set_up_on_disk(void **state);
int fork_set_up_on(void **state, struct store *store); /* takes over the store */
int fork_tear_down(void **state);

/* Another mount, after the store was changed by hand. */
void fork_fixture_reopen(struct fork_fixture *fixture);
/* Changes the status of the entry with that id on the store, and reopens. */
void fork_fixture_set_status(struct fork_fixture *fixture, const struct ulid *id,
                             const char *status);
/* Takes the datasets out of the entry of "audit", as Uni enters it, and reopens. */
void fork_fixture_forget_datasets(struct fork_fixture *fixture);

/* Drops "audit"; the code. */
int drop(struct fork_fixture *fixture);
/* Drops it; nothing may be left. */
void assert_drops(struct fork_fixture *fixture);
/* Dropping it fails with the code and a text that holds `part`, and writes nothing. */
void assert_refused(struct fork_fixture *fixture, int code, const char *part);

#endif

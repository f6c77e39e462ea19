/*
 * Several catalogs on one store in memory: what mounts on different machines are. They have no
 * leases, which would have to be renewed; see bucket_fixture.h for those that do.
 */
#ifndef FORKFS_UNIT_CATALOG_SHARED_FIXTURE_H
#define FORKFS_UNIT_CATALOG_SHARED_FIXTURE_H

#include "unit/catalog/database_fixture.h"

#define SHARED_MOUNTS 4
/* Long enough that nothing is taken over by chance. */
#define SHARED_TAKEOVER_MS 3600000

struct shared_fixture {
    struct store *store;
    struct store *faults[SHARED_MOUNTS]; /* around `store`; what each catalog uses */
    struct catalog *catalogs[SHARED_MOUNTS];
};

/* cmocka's setup and teardown; *state is the fixture, with all catalogs open. */
int shared_set_up(void **state);
int shared_tear_down(void **state);

/* A catalog on the store as a further mount opens it. */
struct catalog *shared_open(struct store *store, int64_t takeover_ms, struct store **ret_faults);

/* Looks for changes; fails the test on an error. Returns the number of overlays told of. */
unsigned shared_poll(struct catalog *catalog);

/* What recovery does that runs from time to time: the number of things done; fails the test on an
 * error, or when something is left alone. */
unsigned shared_recover(struct catalog *catalog);

/* The status of a fork as the catalog's memory has it; -1: it has no entry. */
int shared_status(struct catalog *catalog, const char *name);

#endif

/*
 * A small Uni database on a store, for tests of the catalog: three datasets with manifests that the
 * engine wrote, schema, snapshot, allocator. And what tests look at afterwards.
 */
#ifndef FORKFS_UNIT_CATALOG_DATABASE_FIXTURE_H
#define FORKFS_UNIT_CATALOG_DATABASE_FIXTURE_H

#include "catalog/catalog.h"
#include "unit/stores/fault_store.h"
#include "unit/stores/memory_store.h"

#define FIXTURE_SNAPSHOT "6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11"
#define FIXTURE_REGISTRY "catalog/fork_registry.json"
#define FIXTURE_DATASETS 3 /* edges, vertices, vertices_Person */

/* A memory store with one job that holds the database. store_free(). */
struct store *fixture_database(void);
/* With more jobs a request that is held up does not hold up the others. */
struct store *fixture_database_with_jobs(unsigned jobs);
/* The same as a local store in a directory of its own, which store_free() removes. */
struct store *fixture_database_on_disk(void);
/* That directory; NULL: the store is in memory. */
const char *fixture_path_on_disk(struct store *store);

/* Opens the catalog on a fault store around `inner`, which stays the caller's; *ret_faults (may be
 * NULL) belongs to the catalog. Fails the test if it cannot be opened. */
struct catalog *fixture_open(struct store *inner, struct store **ret_faults);
struct catalog *fixture_open_with(struct store *inner, const struct catalog_settings *settings,
                                  struct store **ret_faults);
/* Opens it on this store, which belongs to it from then on. */
struct catalog *fixture_open_on(struct store *store, const struct catalog_settings *settings);
struct catalog *fixture_open_read_only(struct store *inner);

/* Recovers, fails the test on an error, and returns the number of things done; problems are counted
 * in *ret_problems (may be NULL). */
unsigned fixture_recover(struct catalog *catalog, unsigned *ret_problems);
/* The same for the recovery that runs from time to time. *ret_problem: the first thing left alone,
 * code 0 when nothing was. */
unsigned fixture_recover_due(struct catalog *catalog, struct error *ret_problem);

void fixture_put(struct store *store, const char *key, const char *text);
bool fixture_exists(struct store *store, const char *key);
char *fixture_read(struct store *store, const char *key); /* NULL: absent; g_free() */
/* Every object, key and content, in order; but for keys that contain `except` (NULL: none). */
char *fixture_dump(struct store *store, const char *except);
/* How many objects mention `text` in key or content; on disk also directories and temporary files,
 * by name. */
unsigned fixture_mentions(struct store *store, const char *text);

/* The invariants of a store at rest: the registry parses; every active fork has all its branches
 * (manifest and ref) and its overlay. */
void fixture_assert_whole(struct store *store);
/* The catalog check finds nothing to complain about; _at(): in a database with that base URI. */
void fixture_assert_clean(struct store *store);
void fixture_assert_clean_at(struct store *store, const char *base_uri);

/* Makes a fork (parent NULL: of the primary graph); fails the test if it cannot. */
struct ulid fixture_create(struct catalog *catalog, const char *name, const char *parent);
/* Puts a dataset of main: its manifest is one of the samples, "plain" of version 2 or "indexed" of
 * version 4. */
void fixture_put_dataset(struct store *store, const char *dataset, const char *sample,
                         uint64_t version);
/* A fork's own snapshot, as its flush leaves it: manifest and pointer. */
void fixture_put_fork_snapshot(struct store *store, const struct ulid *id, const char *snapshot_id,
                               uint64_t version_mark, uint64_t wal_mark);
/* Puts a WAL segment below `prefix`, with Uni's checksum: `mutations` is the array's text, `rest`
 * further members, each behind a comma. Returns the key, g_free(). */
char *fixture_put_segment(struct store *store, const char *prefix, uint64_t number,
                          const char *mutations, const char *rest);
/* The same as Uni 5 writes it: a commit, or the seal that it leaves at a close. */
char *fixture_put_commit(struct store *store, const char *prefix, uint64_t number);
char *fixture_put_seal(struct store *store, const char *prefix, uint64_t number);
void fixture_delete(struct store *store, const char *key);
/* Replaces every `from` in the text of an object; fails the test when there is none. */
void fixture_replace(struct store *store, const char *key, const char *from, const char *to);

/* The status of a fork on the store: -1 when it has no entry. */
int fixture_status(struct store *store, const char *name);

#endif

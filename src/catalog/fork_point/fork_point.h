/*
 * The fork point: everything at rest that decides a new fork, read and checked before anything is
 * written, and the branch manifests and ref files that follow from it.
 *
 * Reads in waves: (1) listings of the WALs, staging tables, bulk-load intent, schema, snapshot
 * pointer, allocator, and the tips of the datasets known from last time; (2) tips of the others,
 * manifests and WAL segments not in the cache, the snapshot manifest, parents' refs; (3) what
 * turned out to be needed besides, a parent's other snapshots among it. With a warm cache one wave.
 *
 * A reader remembers what was there (known_things.h): what it knows and needs, and what is absent,
 * is ERR_AWAY, and never taken for what a database may be without.
 *
 * Threading: a reader may be used by several threads at once; its lock is a leaf, not held over
 * store calls. Facts on what is read: docs/formats.md ("Deriving a fork point").
 */
#ifndef FORKFS_CATALOG_FORK_POINT_FORK_POINT_H
#define FORKFS_CATALOG_FORK_POINT_FORK_POINT_H

#include <glib.h>

#include "base/operation.h"
#include "catalog/fork_point/branch_plan.h"
#include "catalog/format/documents.h"
#include "catalog/format/layout.h"
#include "catalog/registry/fork_entry.h"
#include "store/store.h"

struct fork_point_reader;

struct fork_point {
    char *snapshot_id;     /* of the parent, or "uninitialized" */
    uint64_t version_mark; /* bounds every inherited row */
    uint32_t schema_version;
    struct allocator allocator;  /* the parent's, which seeds the fork's */
    GPtrArray *origins;          /* struct branch_origin: what is to be branched */
    GPtrArray *schemaless_types; /* char *: edge types without declaration that a fork inherits */
    bool has_overlay;            /* the parent, if it is a fork */
};
void fork_point_free(struct fork_point *point); /* NULL: nothing */

/* A fork point to be read. */
struct fork_point_query {
    const struct fork_entry *parent; /* of the forks to be made; NULL: the primary graph */
    /* Names (char *) of datasets to be read although the schema does not know them, if they exist;
     * for the primary graph only. May be NULL. */
    const GPtrArray *besides;
    struct fork_point *point; /* the answer; NULL after a failure. fork_point_free() */
    struct error error;
};

/* store and layout must outlive the reader. */
struct fork_point_reader *fork_point_reader_new(struct store *store, const struct layout *layout);
void fork_point_reader_free(struct fork_point_reader *reader); /* NULL: nothing */

/* Reads many, in as many waves as one; each succeeds or fails on its own. ERR_UNCLEAN (unflushed
 * WAL, staging table, interrupted bulk load, manifests without pointer), ERR_CORRUPT, ERR_AWAY,
 * ERR_UNSUPPORTED, allocator_presence_check()'s, ERR_CONTENDED (a dataset changed while it was
 * read), errors of the store. Writes nothing. */
void fork_point_read_all(struct fork_point_reader *reader, struct fork_point_query *queries,
                         size_t count, struct operation *operation);

/* Reads one fork point. */
int fork_point_read(struct fork_point_reader *reader, const struct fork_entry *parent,
                    const GPtrArray *besides, struct operation *operation, struct fork_point **ret,
                    struct error *err);

/* The branches of one fork `id` made of that point: struct branch_plan, owned by the array. Pure.
 * ERR_CORRUPT, ERR_UNSUPPORTED. */
int fork_point_plan(const struct fork_point *point, const struct layout *layout,
                    const struct ulid *id, GPtrArray **ret, struct error *err);

/* Reads schema and snapshot pointer into the cache, at mount, by running `set`, in which there may
 * be requests of the caller's already; a failure of one of these is a failure. ERR_NOT_FOUND of
 * database_state_check_present(), ERR_CORRUPT for a schema that does not parse. */
int fork_point_warm(struct fork_point_reader *reader, struct store_set *set,
                    struct operation *operation, bool *ret_has_datasets, struct error *err);

/* The datasets of an entry of the registry are known from now on. */
void fork_point_learn(struct fork_point_reader *reader, const struct fork_entry *entry);
/* ERR_AWAY when a dataset that is absent has been seen by this reader. */
int fork_point_check_seen(const struct fork_point_reader *reader, const char *dataset,
                          struct error *err);
/* Whether it is known that there was any dataset. */
bool fork_point_knows_datasets(const struct fork_point_reader *reader);
/* Whether it is known that there was a snapshot of the primary graph. */
bool fork_point_knows_snapshot(const struct fork_point_reader *reader);

/* From memory: how many datasets a fork of the primary graph had when one was planned last, or the
 * catalog was opened. */
size_t fork_point_datasets_known(struct fork_point_reader *reader);

/* The names of all datasets that exist on the store, candidates or not (char *, owned), from one
 * shallow listing; for recovery. */
int fork_point_datasets(struct fork_point_reader *reader, struct operation *operation,
                        GPtrArray **ret, struct error *err);

#endif

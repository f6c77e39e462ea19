/*
 * The state of the database that a fork is made of: was it cleanly closed, which schema, which
 * snapshot, which allocator. All of it is one part of one wave of reads.
 *
 * The requests belong to the caller's set; a state is valid as long as that set. One thread.
 * Facts: docs/formats.md ("Deriving a fork point").
 */
#ifndef FORKFS_CATALOG_FORK_POINT_DATABASE_STATE_H
#define FORKFS_CATALOG_FORK_POINT_DATABASE_STATE_H

#include "catalog/format/documents.h"
#include "catalog/format/layout.h"
#include "store/store.h"

struct database_state {
    struct store_request *wal;
    struct store_request *fork_wal; /* NULL for the primary graph */
    struct store_request *intent;
    struct store_request *storage; /* shallow listing: datasets, staging tables */
    struct store_request *schema;
    struct store_request *legacy_schema; /* counts when there is no other */
    struct store_request *pointer;
    struct store_request *allocator;
    struct store_request *overlay; /* the parent fork's; NULL for the primary graph */
};

/* Adds the requests. `parent`: id of the fork whose snapshot pointer, WAL, allocator and overlay
 * count; NULL: the primary graph's. */
void database_state_request(struct database_state *state, struct store_set *set,
                            const struct layout *layout, const struct ulid *parent);

/* The requests in two parts: what is the same for all parents, and for one that has it already
 * (copied from there), what is not. */
void database_state_request_common(struct database_state *state, struct store_set *set,
                                   const struct layout *layout);
void database_state_request_own(struct database_state *state, struct store_set *set,
                                const struct layout *layout, const struct ulid *parent);

/* After the run. ERR_UNCLEAN: interrupted bulk load or table swap. What the listed logs hold is for
 * uni/wal_check.h. */
int database_state_check_clean(const struct database_state *state, struct error *err);

/* The schema; absent is the default one. ERR_CORRUPT. *ret: schema_free(). */
int database_state_schema(const struct database_state *state, struct schema **ret,
                          struct error *err);

/* Whether there is any dataset, candidate or not. */
bool database_state_has_datasets(const struct database_state *state);

/* Where there is a snapshot but no dataset, asks for its manifest, which tells whether there should
 * be any: Uni also publishes one of an empty graph. NULL: there is nothing to ask. */
struct store_request *database_state_request_snapshot(const struct database_state *state,
                                                      struct store_set *set,
                                                      const struct layout *layout);

/* The request that the schema counts as answered by: absent where there is none. */
const struct store_request *database_state_schema_request(const struct database_state *state);

/* ERR_NOT_FOUND when there is neither schema nor snapshot nor any dataset: no Uni database; or when
 * there are datasets, but no schema, which Uni writes before it: a wrong prefix; or when there is
 * an allocator, but nothing that it has given ids to; or a snapshot of what should have datasets,
 * but none is there: a wrong prefix. `snapshot`: what database_state_request_snapshot() returned,
 * after its run. */
int database_state_check_present(const struct database_state *state,
                                 const struct store_request *snapshot, struct error *err);

#endif

/*
 * One reading of a fork point, shared by the files that implement fork_point.h. Belongs to one
 * thread.
 */
#ifndef FORKFS_CATALOG_FORK_POINT_FORK_POINT_PRIVATE_H
#define FORKFS_CATALOG_FORK_POINT_FORK_POINT_PRIVATE_H

#include "catalog/fork_point/database_state.h"
#include "catalog/fork_point/fork_point.h"
#include "catalog/fork_point/fork_point_cache.h"
#include "catalog/fork_point/known_things.h"
#include "catalog/uni/wal_check.h"

struct fork_point_reader {
    struct store *store;
    const struct layout *layout;
    struct fork_point_cache *cache;
    struct known_things *known;
    struct wal_segment_cache *segments;
};

/* One reading in progress, for one query. */
struct reading {
    struct fork_point_reader *reader;
    const struct fork_entry *parent;
    const GPtrArray *besides;
    struct store_set *set; /* the wave being built, which others share */
    size_t first;          /* its own requests in there: first to end - 1 */
    size_t end;
    struct fork_point *point; /* what it is about */
    struct error *err;        /* of the query */

    struct database_state state;
    struct store_request *snapshot_files; /* the manifest, or a listing of all manifests */

    GPtrArray *sources; /* struct source: the datasets that are going to be branched */
    char *snapshot_id;
    struct snapshot *snapshot;
    char *left_out; /* a table that has rows and that no branch can be of: right for Uni before 5 */
    struct snapshot *older_snapshot; /* the one before it, for a cross-check; or: */
    struct store_request *older_requested;
    struct schema *schema;

    uint64_t highest_mark; /* of the versions, in all snapshots of the parent */
    char *newest_manifest;
    struct store_request *manifests; /* their listing; NULL: nothing is missing */
    guint manifests_seen;            /* so many of its rows */
    GPtrArray *manifests_asked;      /* struct store_request, in the wave being built */

    struct wal_check main_log;
    struct wal_check fork_log;                  /* of the parent */
    struct store_request *main_pointer;         /* with a parent: main's mark, if it is needed */
    struct store_request *main_snapshot_needed; /* its manifest */
    char *main_snapshot_id;
    struct snapshot *main_snapshot;
};

/* ---- fork_point_sources.c: where the branches come from ---- */

/* An empty array for reading->sources. */
GPtrArray *sources_new(void);

/* First wave: asks for the tips of the parent's datasets, or of those known from last time.
 * ERR_CORRUPT, ERR_UNSUPPORTED for names that cannot be used. */
int sources_request_first(struct reading *reading, struct error *err);

/* With schema and listing at hand: drops known ones that are no candidates (any more), and asks for
 * those that were not known. ERR_UNSUPPORTED. */
int sources_settle(struct reading *reading, struct error *err);
/* With the snapshot at hand: ERR_UNSUPPORTED when Uni 5 has flushed and a table was left out. */
int sources_check_left_out(const struct reading *reading, struct error *err);

/* Reads the tips that have been answered; those with V1 names are asked for again, whole. */
int sources_read_tips(struct reading *reading, struct error *err);

/* Asks for the manifests that are not in the cache, and for parents' refs, of those whose tips are
 * known by now; for each once. */
void sources_request_contents(struct reading *reading);

/* The origins (struct branch_origin) of the branches to be made of all sources that exist. */
int sources_collect(struct reading *reading, GPtrArray *origins, struct error *err);

/* ---- fork_point_away.c: what was there and is not ---- */

/* After the first wave: ERR_AWAY when schema, pointer, or all datasets have gone. What is there is
 * known from then on. */
int away_check_state(struct reading *reading, struct error *err);
/* ERR_AWAY when one of the datasets that the fork needs has gone. `present`: the set of those that
 * were listed. */
int away_check_datasets(struct reading *reading, GHashTable *present, struct error *err);
/* With the snapshot at hand: ERR_AWAY when a dataset is not there in which it has rows. */
int away_check_rows(const struct reading *reading, struct error *err);
/* For a dataset that is listed, but has no version: ERR_AWAY when it had one, or that snapshot has
 * rows in it. */
int away_check_version(const struct reading *reading, const char *dataset, struct error *err);
/* Whether the storage's listing has a dataset. */
bool away_is_listed(const struct reading *reading, const char *dataset);
/* What is there of a database when it is opened. */
void away_learn_state(struct known_things *known, const struct database_state *state);

/* ---- fork_point_snapshot.c: which state of the database it is ---- */

/* Asks for the manifest that the pointer names; without a pointer, whether there is any manifest.
 */
void snapshot_request(struct reading *reading);
/* Takes the answer to snapshot_request(); ERR_UNCLEAN, ERR_CORRUPT. */
int snapshot_read(struct reading *reading, struct error *err);
/* The manifest of snapshot `id`, which the pointer names, as answered; goes into the cache. *ret:
 * snapshot_free(). ERR_CORRUPT. */
int snapshot_take(struct reading *reading, const struct store_request *get, const char *id,
                  const char *pointer_key, struct snapshot **ret, struct error *err);
/* Then: asks for the manifest of the snapshot before it, and compares the two. */
void snapshot_request_older(struct reading *reading);
int snapshot_check_older(struct reading *reading, struct error *err);

/* ---- fork_point_marks.c: the highest version of a parent fork ---- */

/* With the snapshot's id at hand: asks for the listing of the parent's manifests, unless the
 * highest mark is known. */
void marks_request(struct reading *reading);
/* After each further wave: takes the manifests, and asks for the next of those that are not known.
 * ERR_CORRUPT, ERR_CONTENDED (one went away). */
int marks_go_on(struct reading *reading, struct error *err);
/* Whether there has to be another wave. */
bool marks_are_missing(const struct reading *reading);
void marks_clear(struct reading *reading);

/* ---- fork_point_logs.c: whether the logs hold what is not flushed ---- */

/* After the wave with the listings; ERR_UNCLEAN. */
int logs_request(struct reading *reading, struct error *err);
/* After the next one, with the snapshot at hand; ERR_UNCLEAN, ERR_CONTENDED, ERR_CORRUPT. */
int logs_request_rest(struct reading *reading, struct error *err);
/* The verdict after the third wave. Errors as of logs_request_rest(). */
int logs_check(struct reading *reading, struct error *err);
void logs_clear(struct reading *reading);

#endif

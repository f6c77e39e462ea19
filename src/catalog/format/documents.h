/*
 * The small documents of a database that decide a fork: schema, allocator, snapshot manifest.
 *
 * Reading only what forkfs needs; strict as serde is. Facts: docs/formats.md. Pure, thread-safe.
 */
#ifndef FORKFS_CATALOG_FORMAT_DOCUMENTS_H
#define FORKFS_CATALOG_FORMAT_DOCUMENTS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

struct schema {
    uint32_t version;
    GPtrArray *labels;     /* char *, sorted bytewise */
    GPtrArray *edge_types; /* char *, sorted bytewise */
    /* Edge types that were never declared, of schemaless_registry; likewise. Some may have been
     * declared since. */
    GPtrArray *schemaless_types;
    bool
        branches_all; /* the database is of a Uni (5) that branches the tables of these, or fails */
};
/* body NULL: the file is absent, version 1 without labels. ERR_CORRUPT. */
int schema_parse(const struct bytes *body, struct schema **ret, struct error *err);
void schema_free(struct schema *schema); /* NULL: nothing */
/* Names of all datasets that the database may have: vertices, edges, vertices_<label>,
 * deltas_<type>_{fwd,bwd}, adjacency_<type>_{fwd,bwd} of each edge type, declared or not; sorted,
 * unique. Without branches_all those of undeclared types are left out whose names no branch can
 * have: that Uni forks the database without them. char *, owned. */
GPtrArray *schema_candidates(const struct schema *schema);
/* The tables that those of undeclared types may have (char *, owned), also those that no branch can
 * be of. */
GPtrArray *schema_undeclared_tables(const struct schema *schema);

struct allocator {
    uint64_t next_vid_batch;
    uint64_t next_eid_batch;
};
/* body NULL: there is no allocator, both counts are 0. ERR_CORRUPT. */
int allocator_parse(const struct bytes *body, struct allocator *ret, struct error *err);
struct bytes *allocator_render(const struct allocator *allocator);

struct snapshot {
    char *id;
    char *parent_id;        /* NULL: none */
    uint64_t version_mark;  /* version_high_water_mark */
    uint64_t wal_mark;      /* wal_high_water_mark */
    bool has_tables;        /* it names a label or an edge type that has rows */
    bool branches_all;      /* as that of struct schema: which Uni has flushed last */
    GHashTable *labels;     /* set of names: those of which it has rows; never changed */
    GHashTable *edge_types; /* the same */
};
int snapshot_parse(const struct bytes *body, struct snapshot **ret, struct error *err);
/* Whether rows of the snapshot lie in that dataset, for sure: Uni writes each to the common one and
 * to its label's, or its type's deltas, which may have been compacted to its adjacency since. */
bool snapshot_has_rows_in(const struct snapshot *snapshot, const char *dataset);
void snapshot_free(struct snapshot *snapshot); /* NULL: nothing */
/* The id in a pointer file: trimmed text; NULL when blank or absent (body NULL). ERR_CORRUPT in
 * *ret's stead when the text cannot be a file name. g_free(). */
int snapshot_pointer_parse(const struct bytes *body, char **ret, struct error *err);

/* The overlay of a fork that has added nothing: three empty lists, serde's form. The fourth, which
 * came with Uni 5, is empty when it is absent; older versions would lose it. */
struct bytes *overlay_empty(void);
/* The overlay of a new fork, which names (char *) the edge types without declaration that it
 * inherits, as Uni 5 has it. Without any it is overlay_empty(). */
struct bytes *overlay_of_new_fork(const GPtrArray *schemaless_types);

/* A whole array of documents as one JSON array, pretty; elements: struct bytes, checked JSON. */
struct bytes *documents_array(GPtrArray *documents);

#endif

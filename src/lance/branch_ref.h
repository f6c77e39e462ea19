/*
 * Ref files of branches and tags (_refs/branches/B.json, _refs/tags/T.json): reading and writing.
 *
 * The lineage ("identifier.version_mapping") is what protects a branch's files from the engine's
 * cleanup, so a ref written here always has one. Facts: docs/formats.md. Pure, thread-safe.
 */
#ifndef FORKFS_LANCE_BRANCH_REF_H
#define FORKFS_LANCE_BRANCH_REF_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"
#include "base/error.h"

struct lineage_step {
    uint64_t version; /* of the ancestor that was branched */
    char id[33];      /* 32 hex digits, terminated */
};

struct branch_ref {
    char *parent_branch; /* NULL: main */
    uint64_t parent_version;
    int64_t created_at;     /* seconds since 1970 */
    uint64_t manifest_size; /* bytes of the parent's manifest file */
    bool has_lineage;       /* false in refs of engines before 7 */
    GArray *lineage;        /* struct lineage_step; never NULL */
};

void branch_ref_free(struct branch_ref *ref); /* NULL: nothing */

/* ERR_CORRUPT; ERR_UNSUPPORTED for a ref with a "storage" member (newer layout). */
int branch_ref_parse(const struct bytes *body, struct branch_ref **ret, struct error *err);

/* A ref for a new branch: the parent's lineage (parent NULL: main, empty) plus one random step.
 * A parent without lineage is refused with ERR_UNSUPPORTED: a child of it would not be protected.
 */
int branch_ref_derive(const struct branch_ref *parent, const char *parent_branch,
                      uint64_t parent_version, int64_t created_at, uint64_t manifest_size,
                      struct branch_ref **ret, struct error *err);

struct bytes *branch_ref_render(const struct branch_ref *ref);

/* Whether `descendant` comes from `ancestor`: its lineage starts with the ancestor's whole one
 * and is longer. False when either has none. */
bool branch_ref_descends(const struct branch_ref *descendant, const struct branch_ref *ancestor);

struct tag_ref {
    char *branch; /* NULL: main */
    uint64_t version;
    uint64_t manifest_size; /* bytes */
};
void tag_ref_free(struct tag_ref *tag);
int tag_ref_parse(const struct bytes *body, struct tag_ref **ret, struct error *err);
/* `now`: for createdAt and updatedAt. */
struct bytes *tag_ref_render(const struct tag_ref *tag, struct timespec now);

#endif

/*
 * One branch that is going to be made: its manifest and its ref file, derived from its parent's.
 *
 * Pure; any thread.
 */
#ifndef FORKFS_CATALOG_FORK_POINT_BRANCH_PLAN_H
#define FORKFS_CATALOG_FORK_POINT_BRANCH_PLAN_H

#include "base/bytes.h"
#include "catalog/format/layout.h"
#include "lance/branch_ref.h"

/* Where a branch comes from; the same for all forks made of one fork point. */
struct branch_origin {
    char *dataset;
    char *parent_branch;           /* NULL: main */
    uint64_t version;              /* of the parent's tip */
    struct bytes *manifest;        /* the parent's, of that version */
    struct branch_ref *parent_ref; /* NULL for main */
};
void branch_origin_free(struct branch_origin *origin); /* NULL: nothing */

struct branch_plan {
    char *dataset;
    char *branch;
    uint64_t version;
    struct bytes *manifest;
    struct bytes *ref;
};

/* Plans the branch of fork `id`. ERR_CORRUPT, ERR_UNSUPPORTED: see manifest_branch() and
 * branch_ref_derive(). */
int branch_plan_make(const struct layout *layout, const struct ulid *id,
                     const struct branch_origin *origin, struct timespec now,
                     struct branch_plan **ret, struct error *err);
void branch_plan_free(struct branch_plan *plan); /* NULL: nothing */

#endif

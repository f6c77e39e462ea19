/*
 * From which fork another one was made, by the refs of its branches: each names the branch that it
 * was made from. An entry may say anything, the refs are what protects the files.
 *
 * No state.
 */
#ifndef FORKFS_CATALOG_REPAIR_LINEAGE_H
#define FORKFS_CATALOG_REPAIR_LINEAGE_H

#include <glib.h>

#include "base/operation.h"
#include "base/ulid.h"
#include "catalog/format/layout.h"
#include "store/store.h"

enum lineage_kind {
    LINEAGE_UNKNOWN, /* no ref tells, or they contradict each other */
    LINEAGE_MAIN,    /* of the primary graph */
    LINEAGE_FORK,
};

struct lineage {
    struct ulid id;            /* in: of the fork */
    const GPtrArray *branches; /* in: its branches, struct dataset_branch, names checked */
    enum lineage_kind kind;
    struct ulid parent; /* with LINEAGE_FORK */
};

/* Reads `count` of them in one wave. A fork that has branches of another fork is made from that,
 * whatever others it has of main: those of datasets that its parent has not. One without branches
 * is of main, as far as anybody can tell. Errors of the store; a ref that is absent or does not
 * parse is none. */
int lineage_read(struct store *store, const struct layout *layout, struct lineage *list,
                 size_t count, struct operation *operation, struct error *err);

#endif

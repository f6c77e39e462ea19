/*
 * One run of the catalog check: what it works on, and what it has found. For the files that
 * implement fsck.h. Belongs to one thread.
 */
#ifndef FORKFS_CATALOG_FSCK_FSCK_FINDINGS_H
#define FORKFS_CATALOG_FSCK_FSCK_FINDINGS_H

#include <glib.h>

#include "base/operation.h"
#include "catalog/format/layout.h"
#include "catalog/fsck/fsck.h"
#include "catalog/registry/registry.h"
#include "store/store.h"

struct fsck {
    struct store *store;
    const struct layout *layout;
    struct operation *operation;
    struct registry *registry;
    GPtrArray *findings; /* struct fsck_finding, owned */
    GPtrArray *lost;     /* struct fork_entry: of tombstones whose forks have no entry */
    GPtrArray *places;   /* of fsck_places.c; NULL until there is one */
};

/* Adds a finding; control characters come out as \xNN. */
void fsck_find(struct fsck *fsck, enum fsck_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports each row that is a temporary file. */
void fsck_check_temporary(struct fsck *fsck, const GPtrArray *rows);

/* Runs a set of reads of which every one must be answered; ERR_NOT_FOUND counts as an answer. */
int fsck_run(struct fsck *fsck, struct store_set *set, const char *stage, struct error *err);

/* The same for documents of which each is judged on its own: that one of them cannot be read (a
 * directory in its place, a link that leads nowhere) is a finding, and its answer ERR_NOT_FOUND. */
int fsck_read(struct fsck *fsck, struct store_set *set, const char *stage, struct error *err);

/* Whether a branch is named like a fork's that the registry does not know. */
bool fsck_is_orphan(const struct fsck *fsck, const char *branch);

#endif

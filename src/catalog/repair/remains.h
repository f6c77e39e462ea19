/*
 * What the store holds under the ids of forks, whether anybody knows them or not: branches, and
 * files of their own. A survey reads listings only, one dataset after the other.
 *
 * One thread.
 */
#ifndef FORKFS_CATALOG_REPAIR_REMAINS_H
#define FORKFS_CATALOG_REPAIR_REMAINS_H

#include <glib.h>
#include <stdbool.h>

#include "base/operation.h"
#include "base/ulid.h"
#include "catalog/format/layout.h"
#include "catalog/registry/registry.h"
#include "store/store.h"

struct remains_branch {
    char *dataset, *branch;
    bool has_ref;
    bool has_data;      /* files that a new branch has not */
    unsigned manifests; /* a new branch has one */
};

struct remains {
    struct ulid id;
    GPtrArray *branches; /* struct remains_branch, sorted by dataset */
    bool has_overlay, has_allocator;
    bool has_log, has_snapshots; /* of its own: it was opened and written to */
    bool has_written_overlay;    /* remains_read_overlays() */
    bool is_claimed;             /* a tombstone or an intent names it: recovery's */
};

/* All ids that occur: text of the id -> struct remains. *ret: g_hash_table_unref(). `registry` may
 * be NULL. Errors of the store; ERR_AWAY when the refs of a dataset are not there in which active
 * forks have branches. */
int remains_survey(struct store *store, const struct layout *layout,
                   const struct registry *registry, struct operation *operation, GHashTable **ret,
                   struct error *err);
/* Reads the overlays of those of the list (struct remains) that have any. Errors of the store. */
int remains_read_overlays(struct store *store, const struct layout *layout, const GPtrArray *list,
                          struct operation *operation, struct error *err);
/* Takes out of the list those without any branch here of which another database of the bucket has
 * one: their files are its. Errors of the store. */
int remains_leave_foreign(struct store *store, const struct layout *layout, GPtrArray *list,
                          struct operation *operation, struct error *err);
/* The remains of a survey, sorted by id (borrowed). */
GPtrArray *remains_sorted(GHashTable *survey);

/* Whether a branch can be opened: it has a ref and a manifest. */
bool remains_branch_is_whole(const struct remains_branch *branch);
/* Whether it may be a fork that was made and has been lost: its allocator is there, which each fork
 * has, and all of its branches are whole, one at least. */
bool remains_are_whole(const struct remains *remains);
/* Whether something was written to it after it was made, so far as files tell; to its overlay only
 * if that was read. */
bool remains_have_data(const struct remains *remains);

/* The branches as struct dataset_branch; `whole_only`: those of them. */
GPtrArray *remains_branches(const struct remains *remains, bool whole_only);

#endif

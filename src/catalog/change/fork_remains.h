/*
 * Removing what forks have on the store, once their entries say that they are going: branches with
 * all that is under their tree/, ref files, allocator, snapshots, fork WAL, overlay, registration
 * under way. Not the tombstone and not the registry entry, which are what makes the removal
 * repeatable.
 *
 * Several forks share the same waves. No state; any thread.
 */
#ifndef FORKFS_CATALOG_CHANGE_FORK_REMAINS_H
#define FORKFS_CATALOG_CHANGE_FORK_REMAINS_H

#include <glib.h>

#include "base/log.h"
#include "base/operation.h"
#include "catalog/format/layout.h"
#include "catalog/registry/registry.h"
#include "store/store.h"

struct fork_remains {
    const struct ulid *id;
    const GPtrArray *branches; /* struct dataset_branch, names checked */
    /* Those of them (struct dataset_branch) whose datasets were just seen to have no catalog of
     * refs (lance/ref_catalog.h); for the others it is looked. NULL: none. */
    const GPtrArray *looked_at;
    bool branches_only; /* the fork lives on */
    bool keep_intents;  /* other mounts may be at work by them; recovery takes them over */
    int code;           /* the answer; same as error.code */
    struct error error;
};

/* Whether every dataset and branch of a document can be used in keys. ERR_CORRUPT names the first
 * that cannot: a hostile or damaged document, on whose word nothing is deleted. */
int fork_remains_check_names(const GPtrArray *branches, struct error *err);

/* A deletion under way, whose first and last wave a caller shares with other requests; all is that
 * caller's thread. A fork of the list with a code is left alone from then on, also when the caller
 * set it. */
struct remains_deletion;

/* Branches that the registry protects (registry_protects_branch) are left alone, with a line in the
 * log (may be NULL). A fork that has files in a dataset with a catalog of refs is left alone as a
 * whole: ERR_UNSUPPORTED. The list and what it points at
 * must outlive the deletion; its answers are cleared. */
struct remains_deletion *remains_deletion_new(struct store *store, const struct layout *layout,
                                              struct log *log, const struct registry *registry,
                                              struct fork_remains *list, size_t count);
void remains_deletion_free(struct remains_deletion *deletion); /* NULL: nothing */

/* First: asks what there is. The set must outlive remains_deletion_run(), which reads the answers;
 * run_code: what store_run() returned for the set. */
void remains_deletion_add_listings(struct remains_deletion *deletion, struct store_set *set);
void remains_deletion_take_listings(struct remains_deletion *deletion, struct store_set *set,
                                    int run_code);
/* Then: deletes all of it in one wave, durably where the answer is 0. */
void remains_deletion_run(struct remains_deletion *deletion, struct operation *operation);
/* Last: the prunes, which must not share a wave with the deletes. */
void remains_deletion_add_prunes(struct remains_deletion *deletion, struct store_set *set);
void remains_deletion_take_prunes(struct remains_deletion *deletion, struct store_set *set,
                                  int run_code);

/* All of that for each fork of the list: three waves for all of them (the last costs nothing on a
 * store without directories). Repeatable. Errors of the store. */
void fork_remains_delete(struct store *store, const struct layout *layout, struct log *log,
                         const struct registry *registry, struct fork_remains *list, size_t count,
                         struct operation *operation);

#endif

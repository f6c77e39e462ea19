/*
 * Deleting what forks have on the store: branches with all that is under their tree/, ref files,
 * allocator, snapshots, fork WAL, overlay, intents, and last their tombstones. Never the registry's
 * entry, which is the caller's: as long as that says that the fork is going, its deletion can be
 * repeated. Which branches these are fork/deletion_branches.h says.
 *
 * Several forks share the same waves. Any thread, one at a time.
 */
#ifndef FORKFS_CATALOG_CHANGE_DELETION_H
#define FORKFS_CATALOG_CHANGE_DELETION_H

#include "catalog/catalog_private.h"
#include "catalog/fork/deletion_branches.h"

enum deletion_extent {
    DELETION_OF_FORK,    /* all it has, the tombstone included */
    DELETION_OF_FILES,   /* all but the tombstone: it has none */
    DELETION_OF_BRANCHES /* these branches only: the fork lives on */
};

struct deletion {
    enum deletion_extent extent;
    const struct ulid *id;
    const GPtrArray *branches; /* struct dataset_branch, names checked */
    /* Those of them (struct dataset_branch) whose datasets were just seen to have no catalog of
     * refs (lance/ref_catalog.h); for the others it is looked. NULL: none. */
    const GPtrArray *looked_at;
    /* Those of them (struct dataset_branch) of which something was written, so that their
     * directories have to be there; of a DELETION_OF_FORK all have. NULL: none. */
    const GPtrArray *written;
    struct error *err; /* the caller's: takes a failure. A fork that has one, whoever set it, is
                          left alone from then on */
};

/* Deletions under way. What is added is copied; what it points at must outlive them. Branches that
 * the registry protects (registry_protects_branch) are left alone, with a line in the log. A fork
 * that has files in a dataset with a catalog of refs is left alone as a whole: ERR_UNSUPPORTED.
 * Where the catalog is shared, intents stay: other mounts may be at work by them; recovery takes
 * them over. */
struct deletions;
struct deletions *deletions_new(struct catalog *catalog);
void deletions_add(struct deletions *deletions, const struct deletion *deletion);
void deletions_free(struct deletions *deletions); /* NULL: nothing */

/* First: asks what there is to delete, in a wave that the caller may share with other requests. The
 * set must outlive the deletions; run_code: what store_run() returned for it. */
void deletions_add_listings(struct deletions *deletions, struct store_set *set);
void deletions_take_listings(struct deletions *deletions, struct store_set *set, int run_code);
/* Then: deletes it, durably, and in a second wave the tombstones and what is left of directories.
 * Only for forks that have an entry, by which all of this can be repeated. */
void deletions_carry_out(struct deletions *deletions, struct operation *operation);

/* All of that for forks with an entry or without: tombstones go last, in a wave of their own. Three
 * waves, four where there are tombstones. Repeatable. Errors of the store. */
void deletions_run(struct deletions *deletions, struct operation *operation);

/* Runs one deletion; its own `err` is not used. */
int deletion_run(struct catalog *catalog, struct deletion deletion, struct operation *operation,
                 struct error *err);

/* Deletes the tombstone object `key` and its leftovers, durably, and forgets it. */
int deletion_of_tombstone(struct catalog *catalog, const char *key, struct operation *operation,
                          struct error *err);

#endif

/*
 * Datasets on a store: finding tips, making branches, deleting them. Works in waves: functions
 * named *_request add requests to the caller's set, so that many datasets share one wave, and the
 * matching *_answer reads the result after store_run().
 *
 * The lance layer knows no registry: what may be deleted is the caller's decision.
 *
 * Threading: no state of its own. Ownership: tips are plain values released with
 * lance_tip_clear().
 */
#ifndef FORKFS_LANCE_DATASET_H
#define FORKFS_LANCE_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/operation.h"
#include "lance/branch_ref.h"
#include "store/store.h"

/* The newest version of main or of a branch. */
struct lance_tip {
    bool exists; /* false: no manifest at all */
    uint64_t version;
    char *manifest_key; /* as found: V1 or V2 name */
    char *etag;
    uint64_t size; /* bytes of the manifest file */
};
void lance_tip_clear(struct lance_tip *tip);

/* Lists the newest manifests. branch NULL: main. The request's index in the set is how the answer
 * is found: keep the returned pointer. */
struct store_request *lance_tip_request(struct store_set *set, const char *dataset,
                                        const char *branch);
/* Reads the answer. A table with V1 names needs a whole listing: *ret_again is then set to true and
 * the caller adds lance_tip_request_all() to its next wave (with the same answer function).
 * Errors: the request's own. */
int lance_tip_answer(const struct store_request *request, struct lance_tip *ret, bool *ret_again,
                     struct error *err);
struct store_request *lance_tip_request_all(struct store_set *set, const char *dataset,
                                            const char *branch);

/* Adds the puts of a new branch, manifest and ref file, both STORE_IF_ABSENT. The bodies come
 * from manifest_branch() and branch_ref_render(). */
#define LANCE_BRANCH_PUTS 2
void lance_branch_put_requests(struct store_set *set, const char *dataset, const char *branch,
                               uint64_t version, struct bytes *manifest, struct bytes *ref);

/* The request expects the directories of branches and of their refs (store_request_expect()),
 * unless that of the dataset is empty, as of one that is gone for good. */
void lance_expect_branches(struct store_request *request, const char *dataset, bool is_sure);

/* Deleting a branch takes two waves. First: a listing of tree/BRANCH/. From "tree/" on nothing
 * leads out of it (store_request_keep_within()). */
struct store_request *lance_branch_tree_request(struct store_set *set, const char *dataset,
                                                const char *branch);
/* Second: deletes the ref file and what the listing found, manifests first, but never anything of a
 * branch nested in its directory (docs/formats.md). `listing` is what lance_branch_tree_request()
 * returned, after its run. Returns the request for the ref file. */
struct store_request *lance_branch_delete_requests(struct store_set *set, const char *dataset,
                                                   const char *branch,
                                                   const struct store_request *listing);
/* Deletes a file of a branch, by its key: a manifest, a ref. */
struct store_request *lance_branch_file_delete_request(struct store_set *set, const char *dataset,
                                                       const char *key);
/* Last, after the deletes: temporary files and empty directories below and including tree/BRANCH/,
 * and temporary files of the ref. "tree/" and "_refs/branches/" stay even when empty: other
 * branches may be under way in them. The requests live as the set does. */
struct lance_branch_prunes {
    struct store_request *tree;
    struct store_request *ref;
};
struct lance_branch_prunes lance_branch_prune_requests(struct store_set *set, const char *dataset,
                                                       const char *branch);
/* Adds deletes for what the prunes, which have been run, found to be still there and the branch's.
 * Returns their number; after them, it is pruned again. 0: nothing of the branch is left. */
size_t lance_branch_rest_requests(struct store_set *set, const char *dataset, const char *branch,
                                  const struct lance_branch_prunes *prunes);

/* See store_request_expect(): the directory of the dataset's tags. */
void lance_expect_tags(struct store_request *request, const char *dataset);

/* One listing each of the dataset's branch refs and tag refs. */
struct store_request *lance_branch_refs_request(struct store_set *set, const char *dataset);
struct store_request *lance_tag_refs_request(struct store_set *set, const char *dataset);
/* One of all below "_refs/": of both, and of a catalog (ref_catalog.h). */
struct store_request *lance_refs_request(struct store_set *set, const char *dataset);

#endif

/*
 * What would lose its ground if a fork's branches went: branches that others made from them with
 * the Lance engine, and tags that point at them, whoever made those. (Child forks come from the
 * registry, not from here.)
 *
 * One listing of refs per dataset, whatever the number of forks; only refs that are not a known
 * fork's (known_forks.h), and tags, are fetched, and kept by etag.
 *
 * Thread-safe; no lock of its own.
 */
#ifndef FORKFS_CATALOG_FORK_DESCENDANTS_H
#define FORKFS_CATALOG_FORK_DESCENDANTS_H

#include "base/operation.h"
#include "catalog/fork/ref_cache.h"
#include "catalog/format/layout.h"
#include "catalog/registry/registry.h"
#include "store/store.h"

struct descendants;

/* Store, layout and cache must outlive the descendants. */
struct descendants *descendants_new(struct store *store, const struct layout *layout,
                                    struct ref_cache *cache);
void descendants_free(struct descendants *descendants); /* NULL: nothing */

/* One fork to be looked at. */
struct descendants_query {
    const struct fork_entry *entry; /* NULL: it has none, there is but a tombstone */
    const GPtrArray *branches;      /* struct dataset_branch: those that go */
    bool tags_only;    /* foreign branches, and a catalog of refs, are not looked for */
    bool has_refs;     /* answer: whether any of the branches that go has a ref; not of tags_only */
    struct error *err; /* the caller's, code 0: takes the answer */
};

/* Leaves the error 0 where nothing foreign depends on the branches (but for those that the registry
 * protects, which do not go: registry_protects_branch()); ERR_NOT_EMPTY says what does and what to
 * do about it (kept_reason.h); ERR_CORRUPT, ERR_UNSUPPORTED the same for a ref file that cannot be
 * read, so that nobody can tell; ERR_UNSUPPORTED for a catalog of refs (lance/ref_catalog.h), of
 * active forks only: whoever deletes the others looks for one where they have files
 * (change/deletion.h). Errors of the store. Two waves for all of the list. `first` (NULL: none): a
 * set with requests of the caller's that share the first wave; afterwards it has been run. Returns
 * what store_run() returned for the first wave. */
int descendants_check(struct descendants *descendants, const struct registry *registry,
                      struct descendants_query *list, size_t count, struct store_set *first,
                      struct operation *operation);

/* Whether a check since the last call has met a branch that is named after a fork which no entry
 * knows. */
bool descendants_take_remnants(struct descendants *descendants);

#endif

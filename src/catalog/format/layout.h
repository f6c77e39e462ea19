/*
 * Where everything of a catalog lies: keys on the store, derived from two prefixes.
 *
 * "metadata" holds registry, overlays, tombstones, schema, the primary WAL and allocator;
 * "storage" holds snapshots and per-fork files, and below a prefix of their own, "datasets", the
 * datasets. Locally these are "", "storage/" and "storage/"; on S3 "", "" (the bucket's root) and
 * "PREFIX/". Facts: docs/formats.md ("Layout").
 *
 * A database in a bucket may be hybrid: the primary's WAL and allocator are then in a directory of
 * one machine. Their keys stay the same; the store takes them from there (routed_store.h).
 *
 * Immutable once it is in use, thread-safe. Strings returned are freed with g_free().
 */
#ifndef FORKFS_CATALOG_FORMAT_LAYOUT_H
#define FORKFS_CATALOG_FORMAT_LAYOUT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/ulid.h"

struct store_request;

struct layout;

/* metadata, storage: "" or a key prefix that ends in '/'; the datasets lie in the storage.
 * base_uri: how the Lance engine names the datasets' prefix (absolute path or s3:// URI, without
 * trailing slash); it is written into branch manifests. ERR_INVALID for a prefix that is no valid
 * key, or a URI that is not UTF-8. */
int layout_new(const char *metadata, const char *storage, const char *base_uri, struct layout **ret,
               struct error *err);
/* A layout with the datasets somewhere else than the rest of the storage. */
int layout_new_apart(const char *metadata, const char *storage, const char *datasets,
                     const char *base_uri, struct layout **ret, struct error *err);
void layout_free(struct layout *layout); /* NULL: nothing */

/* Notes that the store takes the primary's WAL and allocator from that directory. Right after the
 * creation, or never. */
void layout_set_local_metadata(struct layout *layout, const char *directory);
const char *layout_local_metadata(const struct layout *layout); /* NULL: it does not */
/* Whether the storage is known by a URI (it is in a bucket), not by a path. */
bool layout_is_remote(const struct layout *layout);

char *layout_registry_key(const struct layout *layout);
/* forkfs's own: room that is kept for the registry in a directory.
 * "catalog/forkfs/registry.reserve"
 */
char *layout_registry_reserve_key(const struct layout *layout);
char *layout_schema_key(const struct layout *layout);
char *layout_legacy_schema_key(const struct layout *layout); /* before catalog/ existed */
char *layout_allocator_key(const struct layout *layout);
char *layout_wal_prefix(const struct layout *layout);

char *layout_overlays_prefix(const struct layout *layout);
char *layout_overlay_key(const struct layout *layout, const struct ulid *id);
char *layout_tombstones_prefix(const struct layout *layout);
char *layout_tombstone_key(const struct layout *layout, const struct ulid *id);

char *layout_datasets_prefix(const struct layout *layout);     /* "storage/" */
char *layout_compaction_lock_key(const struct layout *layout); /* Uni's, of a local database */
char *layout_snapshot_pointer_key(const struct layout *layout);
char *layout_snapshots_prefix(const struct layout *layout);
char *layout_snapshot_key(const struct layout *layout, const char *snapshot_id);
char *layout_bulk_load_intent_key(const struct layout *layout);

char *layout_forks_prefix(const struct layout *layout); /* "storage/catalog/forks/" */
char *layout_fork_prefix(const struct layout *layout, const struct ulid *id);
char *layout_fork_allocator_key(const struct layout *layout, const struct ulid *id);
char *layout_fork_pointer_key(const struct layout *layout, const struct ulid *id);
char *layout_fork_snapshots_prefix(const struct layout *layout, const struct ulid *id);
char *layout_fork_snapshot_key(const struct layout *layout, const struct ulid *id,
                               const char *snapshot_id);
/* forkfs's own: what the registration of datasets is about to make. "storage/catalog/
 * fork_registrations/" */
char *layout_registrations_prefix(const struct layout *layout);
char *layout_registration_key(const struct layout *layout, const struct ulid *id);
/* forkfs's own: which tag of a fork is being made or removed. "storage/catalog/fork_taggings/" */
char *layout_taggings_prefix(const struct layout *layout);
char *layout_tagging_key(const struct layout *layout, const struct ulid *id);
/* forkfs's own: keys on which it tries out conditional puts. "storage/catalog/fork_probes/" */
char *layout_probes_prefix(const struct layout *layout);
/* forkfs's own: one lease of each writable mount (lease.h). "storage/catalog/fork_leases/" */
char *layout_leases_prefix(const struct layout *layout);
char *layout_lease_key(const struct layout *layout, const struct ulid *id);
char *layout_fork_wals_prefix(const struct layout *layout); /* "storage/wal_forks/" */
char *layout_fork_wal_prefix(const struct layout *layout, const struct ulid *id);

/* Key and URI of a dataset's root, without trailing slash; `dataset` must be safe. */
char *layout_dataset_key(const struct layout *layout, const char *dataset);
char *layout_dataset_uri(const struct layout *layout, const char *dataset);

/* "fork_<ULID>_<dataset>", Uni's name for a fork's branch. */
char *layout_branch_name(const struct ulid *id, const char *dataset);
/* Whether a dataset's name can be part of a branch's: Uni allows labels and edge types that Lance
 * does not allow there. ERR_UNSUPPORTED. */
int layout_check_branchable(const char *dataset, struct error *err);
/* Where the 26 characters are that are an id, perhaps, in a name that begins "fork_<ULID>_"; else
 * NULL. */
const char *layout_id_in_branch(const char *branch);
/* The id in a name that begins with "fork_<ULID>_"; false if there is none. */
bool layout_id_of_branch(const char *branch, struct ulid *ret);
/* Whether a name begins with "fork_<id>_", the id written as forkfs and Uni write it. */
bool layout_branch_is_of(const char *branch, const struct ulid *id);

/* The id in a key "<prefix><ULID><suffix>", e.g. of an overlay, or of a directory of a shallow
 * listing. False if there is none, or one in lower case: that is not a name that forks' files have.
 */
bool layout_id_of_key(const char *key, const char *prefix, const char *suffix, struct ulid *ret);
/* The same in a key "<prefix><ULID>/...". */
bool layout_id_of_file(const char *key, const char *prefix, struct ulid *ret);

/* Whether a dataset name read from a document can be used in a key: valid UTF-8, not empty, not "."
 * or "..", no '/', no '\\', no control character, at most 240 bytes. */
bool layout_dataset_name_is_safe(const char *dataset);

/* Whether the metadata prefix may be the `catalog/` of a database, where the schema lies as it did
 * at the top in early versions of Uni: then two keys, of which either is there if it is; g_free().
 */
bool layout_may_be_catalog(const struct layout *layout, char **ret_registry, char **ret_allocator);

/* The request expects the directories in which each fork has files of its own, allocator and
 * overlay, once there are any (store_request_expect()). */
void layout_expect_files_of_forks(const struct layout *layout, struct store_request *request);
/* The same of the directory in which forks have their logs, for changes. */
void layout_expect_logs_of_forks(const struct layout *layout, struct store_request *request);

#endif

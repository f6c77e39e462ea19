/*
 * One entry of the registry (Uni's ForkInfo): immutable, reference-counted, thread-safe.
 *
 * An entry keeps its source text member by member, so that members which we do not know survive
 * every change, numbers as they were written; only white space is normalised, to serde_json's
 * pretty form. Changing an entry makes a new one with one member's text replaced. Facts on the
 * members: docs/formats.md ("Fork registry").
 */
#ifndef FORKFS_CATALOG_REGISTRY_FORK_ENTRY_H
#define FORKFS_CATALOG_REGISTRY_FORK_ENTRY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"
#include "base/json_text.h"
#include "base/ulid.h"

enum fork_status { FORK_PENDING, FORK_ACTIVE, FORK_TOMBSTONED };

struct dataset_branch {
    char *dataset;
    char *branch;
};

struct fork_entry {
    unsigned references; /* atomic; fork_entry_ref, fork_entry_unref */
    char *key;        /* key in the registry, decoded; what lookups use. NULL when it holds NUL */
    char *key_source; /* the same as JSON string, with quotes */
    char *name;       /* member "name"; equals `key` in a well-formed registry; NULL when it holds
                         NUL */
    struct ulid id;
    bool has_parent;
    struct ulid parent_id;
    char *parent_snapshot_id;
    struct timespec created_at;
    bool has_expiry;
    struct timespec expires_at;
    uint32_t schema_version;
    uint64_t version_mark; /* fork_point_version_hwm */
    enum fork_status status;
    GPtrArray *datasets;        /* struct dataset_branch, sorted by dataset, bytewise */
    bool has_foreign_branch;    /* a dataset's branch is not named "fork_<id>_..." */
    bool had_other_parent;      /* this process has seen another parent: somebody has changed it */
    struct timespec changed_at; /* when this process saw the entry change; else created_at */
    char *text;                 /* the value, pretty, as at level 2 of the registry */
    size_t text_length;
};

/* A fork to be made. All strings are copied; they are valid UTF-8. Times: years 0 to 9999, or the
 * registry could not be parsed any more. */
struct fork_description {
    const char *name;
    struct ulid id;
    bool has_parent;
    struct ulid parent_id;
    const char *parent_snapshot_id;
    struct timespec created_at;
    bool has_expiry;
    struct timespec expires_at;
    uint32_t schema_version;
    uint64_t version_mark;
    GPtrArray *datasets; /* struct dataset_branch, any order */
};

/* A pending entry. */
struct fork_entry *fork_entry_new(const struct fork_description *description);

/* Parses a ForkInfo object. `key`: its key in the registry (decoded and as source); for a bare
 * document NULL: the entry's own name is then taken. `value` must be checked JSON.
 * Every rule of serde: required members, types, ranges, unknown status. And one more: no U+0000 in
 * parent_snapshot_id, datasets and branches, for they become keys. ERR_CORRUPT. */
int fork_entry_parse(const struct json_member *key, struct json_span value, struct fork_entry **ret,
                     struct error *err);

/* A document of its own, which is checked first: what tombstones hold. ERR_CORRUPT. */
int fork_entry_parse_document(const struct bytes *body, struct fork_entry **ret, struct error *err);

/* The same entry with one thing changed; all else, unknown members included, is kept. A member that
 * was absent is added after those that are declared before it. changed_at is now. Never NULL. */
struct fork_entry *fork_entry_with_status(const struct fork_entry *entry, enum fork_status status);
struct fork_entry *fork_entry_with_datasets(const struct fork_entry *entry, GPtrArray *datasets);
struct fork_entry *fork_entry_with_expiry(const struct fork_entry *entry,
                                          const struct timespec *expires_at); /* NULL: none;
                                                                                else as above */
struct fork_entry *fork_entry_with_parent(const struct fork_entry *entry,
                                          const struct ulid *parent); /* NULL: none */

struct fork_entry *fork_entry_ref(struct fork_entry *entry);
void fork_entry_unref(struct fork_entry *entry); /* NULL: nothing */
/* Usage: auto_entry struct fork_entry *entry = NULL; */
#define auto_entry __attribute__((cleanup(cleanup_entry)))
static inline void cleanup_entry(struct fork_entry **entry)
{
    fork_entry_unref(*entry);
}

/* The entry as a document of its own (level 0), without trailing newline. */
struct bytes *fork_entry_document(const struct fork_entry *entry);

/* What people know it by, and what is locked for it: its key, or its id when that is no C string.
 */
const char *fork_entry_name(const struct fork_entry *entry);

/* The branch of a dataset, or NULL. */
const char *fork_entry_branch(const struct fork_entry *entry, const char *dataset);

bool fork_entry_same_parent(const struct fork_entry *a, const struct fork_entry *b);
bool fork_entry_same_text(const struct fork_entry *a, const struct fork_entry *b);
/* Whether both map the same datasets to the same branches. */
bool fork_entry_same_datasets(const struct fork_entry *a, const struct fork_entry *b);

/* When a fork expires that gets a ttl at `from`. ERR_INVALID: no time that can be written. */
int fork_entry_expiry(struct timespec from, uint64_t ttl_seconds, struct timespec *ret,
                      struct error *err);
/* Whether it has an expiry and that has come, whatever its status. */
bool fork_entry_time_is_over(const struct fork_entry *entry, struct timespec now);
/* Whether it is active and its time is over. */
bool fork_entry_is_expired(const struct fork_entry *entry, struct timespec now);

const char *fork_status_name(enum fork_status status); /* "pending", ... */

struct dataset_branch *dataset_branch_new(const char *dataset, const char *branch);
GPtrArray *dataset_branches_new(void); /* empty, frees its elements */
/* Adds a branch to such a list, unless it is in it. */
void dataset_branches_add(GPtrArray *branches, const char *dataset, const char *branch);

#endif

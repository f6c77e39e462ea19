/*
 * The registry: an immutable, reference-counted image of catalog/fork_registry.json, and the making
 * of the next one.
 *
 * Readers take a reference and use the image as long as they like, on any thread. A registry_edit
 * belongs to one thread. Unknown members of the root survive; so do those of the entries.
 */
#ifndef FORKFS_CATALOG_REGISTRY_REGISTRY_H
#define FORKFS_CATALOG_REGISTRY_REGISTRY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "catalog/registry/fork_entry.h"

struct registry {
    unsigned references;    /* atomic */
    GPtrArray *entries;     /* struct fork_entry, sorted by key (bytewise) */
    GPtrArray *by_id;       /* the same, sorted by id, then key */
    GPtrArray *by_parent;   /* those with a parent, sorted by parent id, then key */
    GPtrArray *by_foreign;  /* those with branches of other names, sorted by id, then key */
    struct bytes *text;     /* the whole document in serde_json's pretty form */
    char *etag;             /* of the object on the store; NULL: absent */
    int64_t modified_ns;    /* of the object on the store; 0 when unknown */
    int64_t since_ns;       /* monotonic; see below */
    struct bytes *head;     /* private: the document up to the value of "forks" */
    struct bytes *tail;     /* private: and what follows that value */
    struct registry *owner; /* private: whose arrays and texts these are; NULL: its own */
};

/* Images of one since_ns were made by edits from one that was read, and edits that take a fork out
 * of the registry are made when it has no refs any more. So refs of forks that one of them knows
 * are of forks that the later ones know, or gone. Where an entry has branches of another fork's
 * name this does not follow; each edit of such an image has a since_ns of its own. */

/* Parses a registry. `body` NULL: the object is definitely absent, an empty registry. `previous`
 * (may be NULL): entries whose text did not change are shared with it, others get changed_at now.
 * ERR_CORRUPT (an empty body included) names what is wrong and where. */
int registry_parse(struct bytes *body, const char *etag, int64_t modified_ns,
                   const struct registry *previous, struct registry **ret, struct error *err);

struct registry *registry_ref(struct registry *registry);
void registry_unref(struct registry *registry); /* NULL: nothing */

/* NULL when there is none; the pointer lives as long as the registry. Logarithmic. */
struct fork_entry *registry_find(const struct registry *registry, const char *key);
/* The first entry with that id (a hostile registry may have several). */
struct fork_entry *registry_find_id(const struct registry *registry, const struct ulid *id);
/* Whether more than one entry carries that id. */
bool registry_id_is_ambiguous(const struct registry *registry, const struct ulid *id);

/* The entry of the parent; NULL: it has none, or there is no such entry. */
struct fork_entry *registry_parent(const struct registry *registry, const struct fork_entry *entry);
/* Whether the fork `id` is among those that the entry descends from. */
bool registry_is_ancestor(const struct registry *registry, const struct ulid *id,
                          const struct fork_entry *entry);
/* The set of entries (borrowed) that descend from themselves, as no fork can. Linear. */
GHashTable *registry_circular_entries(const struct registry *registry);

/* Direct children, whatever their status: *first is the index in by_parent, the result their
 * number. */
size_t registry_children(const struct registry *registry, const struct ulid *id, size_t *first);

/* How many ancestors the parent of a new fork may have. */
#define FORK_ANCESTORS_MAX 64
/* Whether `entry` has at most so many. In a hostile registry a lineage may have no end. */
bool registry_allows_children(const struct registry *registry, const struct fork_entry *entry);

/* Whether the document named by `own` must keep its hands off a branch: another entry names it,
 * or its name carries the id of another fork ("fork_<other ULID>_", or any other id of the
 * registry anywhere in the name). When several entries carry the id `own`, every branch is
 * protected: which of them is meant cannot be told. */
bool registry_protects_branch(const struct registry *registry, const struct ulid *own,
                              const char *branch);

/* An entry that two images do not share: `was` NULL: it is new; `is` NULL: it is gone. Both may say
 * the same and differ in changed_at. */
typedef void registry_difference(const struct fork_entry *was, const struct fork_entry *is,
                                 void *argument);
/* Calls `tell` for each of them, in the order of by_id. Linear. */
void registry_compare(const struct registry *before, const struct registry *after,
                      registry_difference *tell, void *argument);

/* Told of every change of what readers see, after the change; both stay valid during the call. */
typedef void registry_observer(void *argument, const struct registry *before,
                               const struct registry *after);

/* ---- The next image ---- */

struct registry_edit {
    struct registry *state; /* with the edits made so far; for reading only */
    bool is_changed;
    struct registry *base; /* private: keeps every entry alive that callers may still point to */
};

struct registry_edit *registry_edit_new(struct registry *base); /* keeps a reference */
void registry_edit_free(struct registry_edit *edit);            /* NULL: nothing */

/* The caller has validated: the key must be free (insert) or taken by an entry with the same id
 * (replace, remove). Keep a reference to the entry. */
void registry_edit_insert(struct registry_edit *edit, struct fork_entry *entry);
void registry_edit_replace(struct registry_edit *edit, struct fork_entry *entry);
void registry_edit_remove(struct registry_edit *edit, const struct fork_entry *entry);

/* The new image, its text assembled from the entries' texts; etag NULL until it is stored. Frees
 * the edit. */
struct registry *registry_edit_finish(struct registry_edit *edit);

/* Once stored: a copy of `image` that shares everything but carries etag and time. */
struct registry *registry_stored(struct registry *image, const char *etag, int64_t modified_ns);

static inline void cleanup_registry(struct registry **registry)
{
    registry_unref(*registry);
}
#define auto_registry __attribute__((cleanup(cleanup_registry)))

#endif

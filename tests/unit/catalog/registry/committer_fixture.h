/*
 * A committer on two fault stores around a memory store, and callers on threads of their own, for
 * tests of group commit.
 */
#ifndef FORKFS_UNIT_CATALOG_REGISTRY_COMMITTER_FIXTURE_H
#define FORKFS_UNIT_CATALOG_REGISTRY_COMMITTER_FIXTURE_H

#include "catalog/registry/committer.h"
#include "unit/stores/fault_store.h"
#include "unit/stores/memory_store.h"

#define REGISTRY_KEY "catalog/fork_registry.json"
#define RESERVE_KEY "catalog/own/registry.reserve"

struct committer_fixture {
    struct store *memory;
    struct store *inner; /* fault store on memory */
    struct store *outer; /* fault store on inner; what the committer uses */
    struct committer *committer;
    pthread_mutex_t lock;    /* guards what the observer writes */
    unsigned observed;       /* calls of the observer */
    struct registry *latest; /* its last `after`; NULL: none yet */
    bool ahead;              /* it saw something that the store did not hold */
    bool others_write;       /* do not look whether the store holds the same */
};

/* cmocka's setup and teardown; *state is the fixture. The store has one thread, or four. */
int committer_set_up(void **state);
int committer_set_up_wide(void **state);
int committer_tear_down(void **state);

/* A committer without observer and reserve. */
struct committer *committer_on(struct store *store);
/* Another committer on the bare memory store: a second mount. */
struct committer *committer_fixture_other(struct committer_fixture *fixture);

/* Waits until readers were told of a registry that has the fork. */
void committer_fixture_await(struct committer_fixture *fixture, const char *name);

/* A pending entry; fork_entry_unref(). */
struct fork_entry *make_entry(const char *name);

/* Enters a fork; returns transition_insert()'s code. */
int insert(struct committer *committer, const char *name, struct operation *operation);
/* Whether memory and store have a fork of that name. */
bool in_memory(struct committer *committer, const char *name);
bool on_store(struct committer_fixture *fixture, const char *name);
/* Puts by the fixture's committer. */
unsigned puts_so_far(struct committer_fixture *fixture);
/* Replaces the registry on the store, past all committers. */
void overwrite(struct committer_fixture *fixture, const char *text);

/* A caller on a thread of its own: enters the fork `name`, or reloads (name NULL). */
struct caller {
    struct committer *committer;
    const char *name;
    struct operation operation;
    pthread_t thread;
    int code;
};
void caller_start(struct caller *caller, struct committer *committer, const char *name,
                  int64_t timeout_ms);
/* Waits until somebody waits with the operation, or is about to. */
void operation_await_watched(struct operation *operation);
/* Waits for its end; its code. */
int caller_join(struct caller *caller);

#endif

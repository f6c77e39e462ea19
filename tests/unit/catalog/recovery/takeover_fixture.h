/*
 * Work that a mount dies or hangs in, and the mounts that take it over: several catalogs on one
 * store in memory (shared_fixture.h).
 */
#ifndef FORKFS_UNIT_CATALOG_RECOVERY_TAKEOVER_FIXTURE_H
#define FORKFS_UNIT_CATALOG_RECOVERY_TAKEOVER_FIXTURE_H

#include <pthread.h>

#include "unit/catalog/fault_fixture.h"
#include "unit/catalog/shared_fixture.h"

/* More requests than any work makes. */
#define STEPS_MAX 200

/* ---- The work ---- */

enum work_kind {
    WORK_CREATE,
    WORK_CREATE_CHILD,
    WORK_DROP,
    WORK_BATCH,
    WORK_REGISTER,
    WORK_TAG,
    WORK_UNTAG,
    WORKS,
};

struct work {
    change_function *prepare; /* NULL: nothing */
    change_function *change;
};
extern const struct work works[WORKS];

/* A database with the fork "neighbour", and what the work needs. */
struct store *database_for(const struct work *work);

/* The outcome agrees with what the work was answered. */
void assert_answer(struct store *store, const struct work *work, int code);

/* Nothing is left to be done, and the invariants hold. */
void assert_settled(struct store *store, struct catalog *catalog);

/* ---- A mount that hangs in the middle of it ---- */

struct sleeper {
    struct store *faults;
    struct catalog *catalog;
    change_function *change;
    struct operation operation;
    pthread_t thread;
    int code;
    bool ended; /* atomic */
};

/* At the n-th request. It has so much time, which is over then; timeout_ms < 0: unlimited. */
void sleeper_start(struct sleeper *sleeper, struct store *store, const struct work *work,
                   unsigned n, int64_t timeout_ms);
/* At the n-th put of an object whose key has `part` in it; its time is unlimited. */
void sleeper_hold_at(struct sleeper *sleeper, struct store *store, const struct work *work,
                     int64_t takeover_ms, const char *part, unsigned n);
/* It goes on, to the end: sleeper->code. */
void sleeper_let_go(struct sleeper *sleeper);
void sleeper_end(struct sleeper *sleeper);

/* ---- Mounts that take over at once ---- */

struct heir {
    struct catalog *catalog;
    pthread_t thread;
};

/* All recover at the same time. */
void take_over_together(struct heir *heirs, size_t count);
/* The same; then nothing is left, and they end. */
void settle(struct store *store, struct heir *heirs, size_t count);

/* Set-ups of tests: requests of a set are made one after the other, in their order; or at once. */
int one_by_one(void **state);
int side_by_side(void **state);

#endif

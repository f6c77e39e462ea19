/*
 * What fault sweeps share: the faults, a database in which nothing else may suffer, and what must
 * hold afterwards.
 */
#ifndef FORKFS_UNIT_CATALOG_FAULT_FIXTURE_H
#define FORKFS_UNIT_CATALOG_FAULT_FIXTURE_H

#include "unit/catalog/database_fixture.h"

#define FAULT_STEPS_MAX 400

struct fault {
    const char *name;
    enum fault_kind kind;
    bool persistent; /* the mount ends with it */
    int code;
};

enum {
    FAULT_FAIL_ONCE,
    FAULT_FAIL_ON,
    FAULT_NO_SPACE,
    FAULT_FULL,
    FAULT_LOST,
    FAULT_KILLED,
    FAULT_KILLED_AFTER,
    FAULT_POWER_LOSES_ALL,
    FAULT_POWER_LOSES_SOME,
};
#define FAULTS 9
extern const struct fault faults[FAULTS];

typedef int change_function(struct catalog *catalog, struct operation *operation,
                            struct error *err);

/* A database with an unrelated fork, "neighbour", whose entry has a member that nobody knows. On
 * the store that fault_fixture_use() has chosen; at first that in memory. */
struct store *fault_database(void);
/* As that, with a dataset FAULT_GHOST which no fork has, after a change (NULL: none). */
struct store *fault_database_after(change_function *prepare);
void fault_fixture_use(struct store *(*make_database)(void));

int run_change(struct catalog *catalog, change_function *change, struct error *err);

/* fixture_open() for a catalog that is going to meet the fault: where that is FAULT_POWER, on a
 * store that can lose what is not settled. What is lost where only some is depends on n and on the
 * environment's FORKFS_POWER_SEED, a number. */
struct catalog *fault_open(struct store *store, const struct fault *fault, unsigned n,
                           struct store **ret_wrapper);

/* With each of the first faults a part of the time of an operation passes, until it is over. */
void pass_time_with_faults(struct store *wrapper);
/* Arms the fault at the n-th request; one that lasts passes time. */
void arm_fault(struct store *wrapper, const struct fault *fault, unsigned n);

/* Mounts, recovers with the fault at the n-th request, unmounts; then recovers completely. The
 * unrelated fork is unharmed all the while. Returns whether the fault has fired. */
bool recover_meeting_fault(struct store *store, const struct fault *fault, unsigned n);

struct ulid neighbour_of(struct catalog *catalog);

/* A dataset of main that exists where a test puts it: a fork has it then, or can get it. */
#define FAULT_GHOST "vertices_Ghost"
/* An overlay, as it is written. */
#define FAULT_OVERLAY                                                                              \
    "{\n  \"added_labels\": [\n    [\n      \"Draft\",\n      {\n        \"id\": 7\n"              \
    "      }\n    ]\n  ]\n}"

/* Changes: the fork "what_if" comes and goes; the unrelated fork gets the tag "v1", and loses it,
 * the overlay, an hour to live, and the dataset FAULT_GHOST. */
change_function make_what_if, drop_what_if, tag_fork, untag_fork, overlay_neighbour,
    expire_neighbour, enroll_ghost;

/* The unrelated fork is as it was, and every active fork is whole. */
void assert_neighbour_unharmed(struct store *store);
/* Memory shows what the store holds. */
void assert_memory_equals_store(struct catalog *catalog, struct store *store);
/* Does what the caretaker would, now that all works again: finishes what changes of this mount have
 * left, until nothing is. Unmounts; the next mount has nothing to recover. */
void finish_leftovers(struct catalog *catalog, struct store *store, const struct fault *fault,
                      unsigned n);
/* Whether a mount lives on after the fault. */
bool outlives_fault(const struct fault *fault);
/* Recovers, twice: the second time there is nothing to do. The catalog check finds nothing then. */
void recover_completely(struct store *store);

/* Set-up of a group of sweeps: the threads hand over to each other at every request, and most of
 * what a sweep costs is waking them on another processor; so they all stay on one. */
int fault_fixture_on_one_processor(void **state);

/* Calls `attempt` for each fault with n = 1, 2, 3 ... until it says that none fired; at least
 * `least` times. The power goes in memory only. */
void sweep_faults(bool (*attempt)(const struct fault *fault, unsigned n), unsigned least);

#endif

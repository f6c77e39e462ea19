/*
 * The caretaker: one thread that drops expired forks from time to time, and reads again what
 * somebody else has changed on the store.
 *
 * The first sweep comes right after the start. A fork that cannot be swept for the same reason as
 * last time is not reported again. Changes are read once they have been quiet for a moment; what
 * cannot be read (a half-written registry) is tried again, more and more seldom.
 *
 * Callbacks run on the caretaker's thread, without a lock held.
 */
#ifndef FORKFS_CATALOG_CARETAKER_H
#define FORKFS_CATALOG_CARETAKER_H

#include "catalog/catalog.h"
#include "store/local_watch.h"

struct caretaker;

struct caretaker_settings {
    struct catalog *catalog;
    int64_t sweep_interval_ms;    /* 0: no sweeps; nor are there any on a read-only catalog */
    int64_t operation_timeout_ms; /* of one sweep, and of reading one object again */
    struct local_watch *watch; /* tells of changes; taken over by caretaker_start(); may be NULL */

    /* A sweep begins (true) or has ended (false). */
    void (*sweeping)(void *argument, bool begins);
    /* A fork (its key) could not be swept, or (fork NULL) an object on the store not be read. */
    void (*failed)(void *argument, const char *fork, const struct error *failure);
    /* Somebody else has changed the overlay of an active fork. */
    void (*overlay_changed)(void *argument, const struct ulid *fork);
    void *argument;
};

/* ERR_IO when there can be no thread; settings->watch is then freed. */
int caretaker_start(const struct caretaker_settings *settings, struct caretaker **ret,
                    struct error *err);

/* Interrupts what it does, waits for its end, frees. NULL: nothing. */
void caretaker_stop(struct caretaker *caretaker);

#endif

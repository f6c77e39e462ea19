/*
 * The caretaker: what is done from time to time, without anybody asking. One thread notices what
 * others change on the store (change_watcher.h), so that it never waits for the other, which drops
 * expired forks, finishes what changes of this mount have left (leftovers.h), and on a catalog that
 * others write recovers what these have left, too.
 *
 * The first sweep comes right after the start, the first such recovery an interval later: what it
 * finds has to be watched for longer than a mount that ends soon lasts. A fork that cannot be swept
 * for the same reason as last time is not reported again; nor is what recovery leaves alone, or
 * cannot do, for the same reason as last time.
 *
 * Callbacks run on these threads, several at a time, without a lock held.
 */
#ifndef FORKFS_CATALOG_CARE_CARETAKER_H
#define FORKFS_CATALOG_CARE_CARETAKER_H

#include "catalog/catalog.h"
#include "store/local/local_watch.h"

struct caretaker;

struct caretaker_settings {
    struct catalog *catalog;
    int64_t sweep_interval_ms;    /* 0: no sweeps; nor are there any on a read-only catalog */
    int64_t recovery_interval_ms; /* catalog_recovery_interval_ms() */
    int unrecovered;              /* what catalog_recover() failed with at the start, so that it is
                                     tried again; 0: it went well */
    int64_t refresh_ms;           /* how often to look for changes by others; 0: never */
    int64_t operation_timeout_ms; /* of one sweep, recovery, look, or reading of an object */
    struct local_watch *watch; /* tells of changes; taken over by caretaker_start(); may be NULL */

    /* A sweep begins (true) or has ended (false). */
    void (*sweeping)(void *argument, bool begins);
    /* A fork (its key) could not be swept, or (fork NULL) something on the store not be read. */
    void (*failed)(void *argument, const char *fork, const struct error *failure);
    /* Recovery has done something, or has left alone something new (`report`: only that), or the
     * store has failed (`failure`, else NULL). */
    void (*recovered)(void *argument, const struct recovery_report *report,
                      const struct error *failure);
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

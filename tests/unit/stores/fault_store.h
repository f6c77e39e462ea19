/*
 * A wrapper that makes the n-th request go wrong, for fault sweeps.
 *
 * Requests that match the method mask are counted, from 1, in the order in which they start
 * (deterministic when the inner store has one job). When the count reaches the armed number, the
 * fault fires.
 */
#ifndef FORKFS_UNIT_STORES_FAULT_STORE_H
#define FORKFS_UNIT_STORES_FAULT_STORE_H

#include "store/store.h"

/* Every so many-th request meets a fault. Sanitizers look at the code that runs, which is the same
 * at most of them, and take their time. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define FAULT_STRIDE 5
#else
#define FAULT_STRIDE 1
#endif

enum fault_kind {
    FAULT_NONE,
    FAULT_FAIL,        /* the request has no effect; answered with the armed code */
    FAULT_LOSE_ANSWER, /* the request takes effect; a put or delete is answered
                          ERR_OUTCOME_UNKNOWN, a read with the armed code */
    FAULT_LATE,        /* a put has no effect until fault_store_arrive(): it is answered
                          ERR_OUTCOME_UNKNOWN, and told to be late */
    FAULT_LATE_AGAIN,  /* a put takes effect, is told to be late, and arrives once more then */
    FAULT_DELAY,       /* the request is held up until fault_store_release(), or the delay ends */
    FAULT_KILL,        /* this and every later request has no effect and is answered with the armed
                          code: what a killed process leaves */
    FAULT_KILL_AFTER,  /* as FAULT_KILL, but this request still takes effect */
    FAULT_POWER, /* as FAULT_KILL_AFTER, and the power goes: the store stands on a power_store.h,
                    which loses what is not settled */
};

#define FAULT_READS ((1u << STORE_GET) | (1u << STORE_HEAD) | (1u << STORE_LIST))
#define FAULT_WRITES ((1u << STORE_PUT) | (1u << STORE_DELETE) | (1u << STORE_PRUNE))
#define FAULT_ALL (FAULT_READS | FAULT_WRITES)

/* Wraps `inner`, which it frees at the end when `owns_inner`. No fault is armed. */
struct store *fault_store_new(struct store *inner, bool owns_inner);

/* Arms one fault, forgetting an earlier one and setting the count to 0. `persistent`: from the
 * n-th on every matching request fails, not only that one. `code`: e.g. ERR_IO. */
void fault_store_arm(struct store *store, enum fault_kind kind, unsigned method_mask, unsigned n,
                     bool persistent, int code);
/* Everything works again, also after FAULT_KILL, but no power comes back. Counting goes on with the
 * mask armed last. */
void fault_store_disarm(struct store *store);

/* Restricts the next faults to keys that contain `part`; NULL: all keys. Kept until changed. */
void fault_store_match(struct store *store, const char *part);

/* Calls this whenever a fault happens, on the thread that it happens to; NULL: nothing. Kept until
 * changed. */
void fault_store_when_fired(struct store *store, void (*call)(int64_t), int64_t argument);

/* FAULT_DELAY: the longest time to hold a request up (milliseconds); default 60 000. */
void fault_store_set_delay(struct store *store, int64_t delay_ms);
/* Whether the cancelling of its operation ends the delay of a request, too, as it ends what a real
 * store is waiting for; default false. */
void fault_store_set_cancellable(struct store *store, bool is_cancellable);
/* Lets go of the requests held up, and holds up no other until the next arming. */
void fault_store_release(struct store *store);
/* Waits until a FAULT_DELAY request is being held up, or has been since arming. */
void fault_store_wait_held(struct store *store);

/* What FAULT_LATE and FAULT_LATE_AGAIN have kept arrives, on the conditions that it was put with.
 * The number of puts that took effect. */
unsigned fault_store_arrive(struct store *store);

/* Whether the armed fault has happened; stays true after disarming. */
bool fault_store_fired(struct store *store);
/* Whether one that kills has, and all fails until disarming. */
bool fault_store_killed(struct store *store);

/* Matching requests started since arming, and all requests since creation. */
unsigned fault_store_count(struct store *store);
unsigned fault_store_total(struct store *store, enum store_method method);

/* Sets run since creation: the number of dependent waves. */
unsigned fault_store_waves(struct store *store);

#endif

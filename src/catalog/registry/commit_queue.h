/*
 * The queue in front of the committer: callers that wait, and what the committer does with them.
 *
 * A caller's requests live as long as it waits. Until the committer takes them, they can be
 * withdrawn by a cancel or a deadline; afterwards only the committer's answers end the wait, and
 * the committer minds the deadline.
 *
 * Thread-safe; the lock inside is a leaf. The requests taken, and their arrays, belong to the
 * committer's thread until it answers them.
 */
#ifndef FORKFS_CATALOG_REGISTRY_COMMIT_QUEUE_H
#define FORKFS_CATALOG_REGISTRY_COMMIT_QUEUE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/operation.h"
#include "catalog/registry/committer.h"

struct commit_queue;

struct commit_queue *commit_queue_new(void);
void commit_queue_free(struct commit_queue *queue); /* nobody may wait; NULL: nothing */

/* For callers: queues requests, which the committer takes together, and waits until all are
 * answered. Besides the committer's answers: ERR_INTERRUPTED or ERR_DEADLINE when they were
 * withdrawn, ERR_INTERRUPTED after the end. */
void commit_queue_wait(struct commit_queue *queue, struct commit_request *requests, size_t count,
                       struct operation *operation);

/* Refuses new callers and wakes the committer. */
void commit_queue_end(struct commit_queue *queue);

/* ---- For the committer's thread ---- */

/* Waits until someone is there or until_ns (CLOCK_MONOTONIC, INT64_MAX: no limit) has passed, then
 * takes all that wait: struct commit_request *, commits and reloads apart, both empty when the time
 * has passed. False when the queue has ended and is empty. */
bool commit_queue_take(struct commit_queue *queue, int64_t until_ns, GPtrArray *commits,
                       GPtrArray *reloads);

/* Takes all that wait now, as above, without waiting. commits NULL: they go on waiting. */
void commit_queue_take_more(struct commit_queue *queue, GPtrArray *commits, GPtrArray *reloads);

/* Waits until until_ns, or until the queue ends. */
void commit_queue_pause(struct commit_queue *queue, int64_t until_ns);

/* Answers a request, or all, and removes it from the array. error NULL: success. */
void commit_queue_answer(struct commit_queue *queue, GPtrArray *requests, guint index,
                         const struct error *error);
void commit_queue_answer_all(struct commit_queue *queue, GPtrArray *requests,
                             const struct error *error);

/* Answers those whose deadline has passed: ERR_OUTCOME_UNKNOWN if maybe stored, ERR_CONTENDED if
 * they have lost races, else ERR_DEADLINE. `object` is for the text. */
void commit_queue_answer_expired(struct commit_queue *queue, GPtrArray *requests,
                                 const char *object);

#endif

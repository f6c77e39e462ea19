#include "catalog/registry/commit_queue.h"

#include "base/cleanup.h"

struct commit_queue {
    pthread_mutex_t lock; /* everything below, and the queue's part of every request */
    pthread_cond_t arrived;
    pthread_cond_t answered;
    GQueue waiting; /* struct commit_request */
    bool ended;
};

struct commit_queue *commit_queue_new(void)
{
    struct commit_queue *queue = g_new0(struct commit_queue, 1);
    pthread_mutex_init(&queue->lock, NULL);
    monotonic_cond_init(&queue->arrived);
    monotonic_cond_init(&queue->answered);
    g_queue_init(&queue->waiting);
    return queue;
}

void commit_queue_free(struct commit_queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->answered);
    pthread_cond_destroy(&queue->arrived);
    pthread_mutex_destroy(&queue->lock);
    g_free(queue);
}

/* ---- Callers ---- */

static void answer_unqueued(struct commit_request *requests, size_t count,
                            const struct error *error)
{
    for (size_t i = 0; i < count; i++)
        *requests[i].err = *error;
}

/* Tickets are queued and taken together, so the first one speaks for all. */
static bool withdraw_requests(struct commit_queue *queue, struct commit_request *requests,
                              size_t count, struct operation *operation)
{
    struct error refusal;
    if (requests[0].taken || operation_check(operation, "waiting to commit", &refusal) == 0)
        return false;
    for (size_t i = 0; i < count; i++)
        g_queue_remove(&queue->waiting, &requests[i]);
    answer_unqueued(requests, count, &refusal);
    return true;
}

static void wait_for_answers(struct commit_queue *queue, struct commit_request *requests,
                             size_t count, struct operation *operation)
{
    LOCK_SCOPE(&queue->lock);
    if (queue->ended) {
        struct error refusal;
        error_set(&refusal, ERR_INTERRUPTED, "the mount is ending");
        answer_unqueued(requests, count, &refusal);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        requests[i].operation = operation;
        g_queue_push_tail(&queue->waiting, &requests[i]);
    }
    pthread_cond_signal(&queue->arrived);
    size_t answered = 0;
    for (;;) {
        while (answered < count && requests[answered].answered)
            answered++;
        if (answered == count || withdraw_requests(queue, requests, count, operation))
            return;
        int64_t until_ns = INT64_MAX;
        if (!requests[0].taken && operation)
            until_ns = operation->deadline_ns;
        monotonic_cond_wait(&queue->answered, &queue->lock, until_ns);
    }
}

void commit_queue_wait(struct commit_queue *queue, struct commit_request *requests, size_t count,
                       struct operation *operation)
{
    if (count == 0)
        return;
    operation_watch(operation, &queue->answered, &queue->lock);
    wait_for_answers(queue, requests, count, operation);
    operation_unwatch(operation);
}

void commit_queue_end(struct commit_queue *queue)
{
    LOCK_SCOPE(&queue->lock);
    queue->ended = true;
    pthread_cond_signal(&queue->arrived);
}

/* ---- The committer ---- */

/* The caller holds the lock. */
static void take_all(struct commit_queue *queue, GPtrArray *commits, GPtrArray *reloads)
{
    for (GList *at = queue->waiting.head, *next; at; at = next) {
        struct commit_request *request = at->data;
        next = at->next;
        if (request->apply && !commits)
            continue;
        request->taken = true;
        g_queue_delete_link(&queue->waiting, at);
        g_ptr_array_add(request->apply ? commits : reloads, request);
    }
}

bool commit_queue_take(struct commit_queue *queue, int64_t until_ns, GPtrArray *commits,
                       GPtrArray *reloads)
{
    LOCK_SCOPE(&queue->lock);
    while (g_queue_is_empty(&queue->waiting)) {
        if (queue->ended)
            return false;
        if (!monotonic_cond_wait(&queue->arrived, &queue->lock, until_ns))
            break;
    }
    take_all(queue, commits, reloads);
    return true;
}

void commit_queue_take_more(struct commit_queue *queue, GPtrArray *commits, GPtrArray *reloads)
{
    LOCK_SCOPE(&queue->lock);
    take_all(queue, commits, reloads);
}

void commit_queue_pause(struct commit_queue *queue, int64_t until_ns)
{
    LOCK_SCOPE(&queue->lock);
    while (!queue->ended && monotonic_cond_wait(&queue->arrived, &queue->lock, until_ns))
        ;
}

void commit_queue_answer(struct commit_queue *queue, GPtrArray *requests, guint index,
                         const struct error *error)
{
    struct commit_request *request = g_ptr_array_remove_index(requests, index);
    LOCK_SCOPE(&queue->lock);
    *request->err = error ? *error : (struct error){0};
    request->answered = true;
    pthread_cond_broadcast(&queue->answered);
}

void commit_queue_answer_all(struct commit_queue *queue, GPtrArray *requests,
                             const struct error *error)
{
    while (requests->len > 0)
        commit_queue_answer(queue, requests, requests->len - 1, error);
}

void commit_queue_answer_expired(struct commit_queue *queue, GPtrArray *requests,
                                 const char *object)
{
    for (guint i = requests->len; i > 0; i--) {
        const struct commit_request *request = g_ptr_array_index(requests, i - 1);
        if (operation_remaining_ms(request->operation) > 0)
            continue;
        struct error error;
        if (request->maybe_stored)
            error_set(&error, ERR_OUTCOME_UNKNOWN,
                      "committing to %s: the store did not tell whether the change was stored",
                      object);
        else if (request->races_lost > 0)
            error_set(&error, ERR_CONTENDED,
                      "committing to %s: other writers won %u times until the deadline passed",
                      object, request->races_lost);
        else
            error_set(&error, ERR_DEADLINE, "committing to %s: deadline passed", object);
        commit_queue_answer(queue, requests, i - 1, &error);
    }
}

#include "catalog/committer.h"

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "catalog/registry_load.h"

/* How often a group is applied to a newer registry before its requests are told that others win. */
#define LOST_RACES_MAX 64
/* First pause after a lost race or an unknown outcome; doubles up to the longest one. */
#define PAUSE_SHORTEST_MS 2
#define PAUSE_LONGEST_MS 500
/* While nobody waits: how often to try to learn what the store holds. */
#define UNCERTAIN_RETRY_NS INT64_C(1000000000)
/* Longest time for one request to the store when no caller has a deadline. */
#define ATTEMPT_LONGEST_MS 60000

/* One waiting caller; lives on its stack. */
struct ticket {
    const struct commit_request *request; /* NULL: reload only */
    struct operation *operation;
    bool taken; /* the committer has it; it can no longer be withdrawn */
    bool answered;
    bool maybe_stored;  /* a put that carried it had an unknown outcome */
    struct error error; /* the answer; code 0 for success */
};

struct committer {
    struct store *store;
    char *key;
    registry_observer *observer;
    void *observer_argument;

    pthread_mutex_t lock; /* everything below */
    pthread_cond_t arrived;
    pthread_cond_t answered;
    GQueue queue; /* struct ticket */
    struct registry *current;
    bool uncertain; /* the store may hold something else than `current` */
    bool ending;
    uint64_t puts;
    uint64_t requests;

    pthread_t thread;
};

/* The requests that the committer works on together, and what it knows of their put. */
struct group {
    GPtrArray *tickets;
    struct registry *image; /* put with unknown outcome, to be repeated; NULL: none */
    struct registry *base;  /* what `image` was made from */
    unsigned races_lost;
    int64_t pause_ms;
};

/* ---- Readers ---- */

struct registry *committer_registry(struct committer *committer)
{
    LOCK_SCOPE(&committer->lock);
    return registry_ref(committer->current);
}

void committer_counts(struct committer *committer, uint64_t *puts, uint64_t *requests)
{
    LOCK_SCOPE(&committer->lock);
    *puts = committer->puts;
    *requests = committer->requests;
}

/* Lets readers see `registry`, then tells the observer. Takes over the reference. */
static void publish(struct committer *committer, struct registry *registry)
{
    struct registry *before;
    {
        LOCK_SCOPE(&committer->lock);
        before = committer->current;
        committer->current = registry;
        committer->uncertain = false;
    }
    if (committer->observer && before)
        committer->observer(committer->observer_argument, before, registry);
    registry_unref(before);
}

static bool same_version(const struct registry *a, const struct registry *b)
{
    return g_strcmp0(a->etag, b->etag) == 0;
}

/* ---- Tickets ---- */

static void answer(struct committer *committer, struct ticket *ticket, const struct error *error)
{
    LOCK_SCOPE(&committer->lock);
    if (error)
        ticket->error = *error;
    else
        ticket->error = (struct error){0};
    ticket->answered = true;
    pthread_cond_broadcast(&committer->answered);
}

static void answer_all(struct committer *committer, struct group *group, const struct error *error)
{
    for (guint i = 0; i < group->tickets->len; i++)
        answer(committer, g_ptr_array_index(group->tickets, i), error);
    g_ptr_array_set_size(group->tickets, 0);
}

/* Answers those whose time is over; they must not be touched afterwards. */
static void answer_expired(struct committer *committer, struct group *group)
{
    int64_t now_ns = monotonic_now_ns();
    for (guint i = 0; i < group->tickets->len;) {
        struct ticket *ticket = g_ptr_array_index(group->tickets, i);
        if (!ticket->operation || ticket->operation->deadline_ns > now_ns) {
            i++;
            continue;
        }
        struct error error;
        if (ticket->maybe_stored)
            error_set(&error, ERR_OUTCOME_UNKNOWN,
                      "committing to %s: the store did not tell whether the change was stored",
                      committer->key);
        else
            error_set(&error, ERR_DEADLINE, "committing to %s: deadline passed", committer->key);
        answer(committer, ticket, &error);
        g_ptr_array_remove_index(group->tickets, i);
    }
}

/* An operation that ends with the earliest deadline of the group. */
static void attempt_begin(struct operation *attempt, const struct group *group)
{
    int64_t shortest_ms = ATTEMPT_LONGEST_MS;
    for (guint i = 0; i < group->tickets->len; i++) {
        const struct ticket *ticket = g_ptr_array_index(group->tickets, i);
        shortest_ms = MIN(shortest_ms, operation_remaining_ms(ticket->operation));
    }
    operation_init(attempt, shortest_ms);
}

/* Pauses with jitter, longer each time. Only the committer's own thread waits here. */
static void pause_before_retry(struct committer *committer, struct group *group)
{
    int64_t longest_ms = group->pause_ms;
    group->pause_ms = MIN(group->pause_ms * 2, PAUSE_LONGEST_MS);
    int64_t wait_ns =
        (longest_ms * 500000) + (int64_t)g_random_int_range(0, (gint32)longest_ms) * 500000;
    int64_t until_ns = monotonic_now_ns() + wait_ns;
    LOCK_SCOPE(&committer->lock);
    while (!committer->ending &&
           monotonic_cond_wait(&committer->arrived, &committer->lock, until_ns))
        ;
}

/* ---- One group ---- */

/* Applies every request to the current registry; those that are refused are answered. Returns the
 * new image, or NULL when there is nothing to store. */
static struct registry *apply_group(struct committer *committer, struct group *group,
                                    struct registry *base)
{
    struct registry_edit *edit = registry_edit_new(base);
    for (guint i = 0; i < group->tickets->len;) {
        struct ticket *ticket = g_ptr_array_index(group->tickets, i);
        struct error refusal = {0};
        if (ticket->request->apply(edit, ticket->request->argument, &refusal) == 0) {
            i++;
            continue;
        }
        answer(committer, ticket, &refusal);
        g_ptr_array_remove_index(group->tickets, i);
    }
    if (!registry_edit_is_changed(edit)) {
        registry_edit_free(edit);
        answer_all(committer, group, NULL);
        return NULL;
    }
    return registry_edit_finish(edit);
}

static int put_image(struct committer *committer, const struct registry *image,
                     const struct registry *base, struct group *group, char **ret_etag,
                     struct error *err)
{
    struct operation attempt;
    attempt_begin(&attempt, group);
    int code = store_put(committer->store, committer->key, image->text,
                         base->etag ? STORE_IF_MATCH : STORE_IF_ABSENT, base->etag, &attempt,
                         ret_etag, err);
    operation_destroy(&attempt);
    return code;
}

/* What the store holds, into *ret; group deadlines apply. */
static int reread(struct committer *committer, struct group *group, struct registry **ret,
                  struct error *err)
{
    auto_registry struct registry *current = committer_registry(committer);
    struct operation attempt;
    attempt_begin(&attempt, group);
    int code = registry_load(committer->store, committer->key, current, &attempt, ret, err);
    operation_destroy(&attempt);
    return code;
}

static void group_forget_image(struct group *group)
{
    registry_unref(group->image);
    registry_unref(group->base);
    group->image = NULL;
    group->base = NULL;
}

static void group_stored(struct committer *committer, struct group *group,
                         struct registry *registry)
{
    {
        LOCK_SCOPE(&committer->lock);
        committer->puts++;
        committer->requests += group->tickets->len;
    }
    publish(committer, registry);
    answer_all(committer, group, NULL);
    group_forget_image(group);
}

/* Someone else's registry is on the store: answers the requests whose effect it shows although
 * their put was never confirmed. */
static void answer_landed(struct committer *committer, struct group *group,
                          const struct registry *found)
{
    for (guint i = 0; i < group->tickets->len;) {
        struct ticket *ticket = g_ptr_array_index(group->tickets, i);
        if (!ticket->maybe_stored || !ticket->request->landed(found, ticket->request->argument)) {
            i++;
            continue;
        }
        answer(committer, ticket, NULL);
        g_ptr_array_remove_index(group->tickets, i);
    }
}

static bool group_maybe_stored(const struct group *group)
{
    for (guint i = 0; i < group->tickets->len; i++)
        if (((const struct ticket *)g_ptr_array_index(group->tickets, i))->maybe_stored)
            return true;
    return false;
}

/* Looks at what is on the store after a lost precondition or an unknown outcome, and decides what
 * can be decided. Leaves group->image when the identical put is to be repeated. */
static void resolve(struct committer *committer, struct group *group)
{
    struct registry *found = NULL;
    struct error failure = {0};
    int code = reread(committer, group, &found, &failure);
    if (code == ERR_CORRUPT) {
        group_forget_image(group);
        answer_all(committer, group, &failure);
        return;
    }
    if (code && !group_maybe_stored(group)) {
        group_forget_image(group);
        answer_all(committer, group, &failure);
        return;
    }
    if (code)
        return; /* still uncertain; tried again until the callers' time is over */
    if (group->image && found->text && bytes_equal(found->text, group->image->text)) {
        group_stored(committer, group, found);
        return;
    }
    if (group->image && same_version(found, group->base) && group_maybe_stored(group)) {
        publish(committer, found);
        return; /* not stored so far; the identical put decides */
    }
    publish(committer, registry_ref(found));
    answer_landed(committer, group, found);
    registry_unref(found);
    group_forget_image(group);
    if (++group->races_lost > LOST_RACES_MAX) {
        error_set(&failure, ERR_CONTENDED, "committing to %s: other writers won %u times",
                  committer->key, group->races_lost);
        answer_all(committer, group, &failure);
    }
}

static void mark_uncertain(struct committer *committer, struct group *group)
{
    for (guint i = 0; i < group->tickets->len; i++)
        ((struct ticket *)g_ptr_array_index(group->tickets, i))->maybe_stored = true;
    LOCK_SCOPE(&committer->lock);
    committer->uncertain = true;
}

/* Makes an image if there is none to be repeated, and puts it once. */
static void attempt_put(struct committer *committer, struct group *group)
{
    if (!group->image) {
        group->base = committer_registry(committer);
        group->image = apply_group(committer, group, group->base);
        if (!group->image) {
            group_forget_image(group);
            return;
        }
    }
    g_autofree char *etag = NULL;
    struct error failure = {0};
    int code = put_image(committer, group->image, group->base, group, &etag, &failure);
    if (code == 0 && etag) {
        struct timespec now = timestamp_now();
        int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
        group_stored(committer, group, registry_stored(group->image, etag, now_ns));
    } else if (code == 0 || code == ERR_OUTCOME_UNKNOWN || code == ERR_PRECONDITION) {
        /* Stored, but under an etag not told; or unknown; or lost, perhaps to ourselves. */
        if (code != ERR_PRECONDITION)
            mark_uncertain(committer, group);
        resolve(committer, group);
    } else {
        error_prefix(&failure, "writing the registry");
        group_forget_image(group);
        answer_all(committer, group, &failure);
    }
}

static void commit_group(struct committer *committer, GPtrArray *tickets)
{
    struct group group = {.tickets = tickets, .pause_ms = PAUSE_SHORTEST_MS};
    for (bool first = true; group.tickets->len > 0; first = false) {
        if (!first)
            pause_before_retry(committer, &group);
        answer_expired(committer, &group);
        bool uncertain;
        {
            LOCK_SCOPE(&committer->lock);
            uncertain = committer->uncertain;
        }
        if (group.tickets->len > 0 && uncertain)
            resolve(committer, &group);
        else if (group.tickets->len > 0)
            attempt_put(committer, &group);
        answer_expired(committer, &group);
    }
    group_forget_image(&group);
}

/* ---- The thread ---- */

static void reload_and_answer(struct committer *committer, GPtrArray *tickets)
{
    struct group group = {.tickets = tickets, .pause_ms = PAUSE_SHORTEST_MS};
    struct registry *found = NULL;
    struct error failure = {0};
    int code = reread(committer, &group, &found, &failure);
    auto_registry struct registry *current = committer_registry(committer);
    if (code == 0 && !same_version(found, current))
        publish(committer, registry_ref(found));
    if (code == 0) {
        LOCK_SCOPE(&committer->lock);
        committer->uncertain = false;
    }
    registry_unref(found);
    answer_all(committer, &group, code ? &failure : NULL);
}

/* Waits for work; splits what waits into commits and reloads. False when it is time to end. */
static bool take_group(struct committer *committer, GPtrArray *commits, GPtrArray *reloads)
{
    LOCK_SCOPE(&committer->lock);
    while (g_queue_is_empty(&committer->queue)) {
        if (committer->ending)
            return false;
        int64_t until_ns =
            committer->uncertain ? monotonic_now_ns() + UNCERTAIN_RETRY_NS : INT64_MAX;
        if (!monotonic_cond_wait(&committer->arrived, &committer->lock, until_ns))
            return true; /* nobody waits, but the store's state is to be learned */
    }
    struct ticket *ticket;
    while ((ticket = g_queue_pop_head(&committer->queue))) {
        ticket->taken = true;
        g_ptr_array_add(ticket->request ? commits : reloads, ticket);
    }
    return true;
}

static void *run(void *argument)
{
    struct committer *committer = argument;
    for (;;) {
        g_autoptr(GPtrArray) commits = g_ptr_array_new();
        g_autoptr(GPtrArray) reloads = g_ptr_array_new();
        if (!take_group(committer, commits, reloads))
            return NULL;
        if (commits->len == 0 || reloads->len > 0)
            reload_and_answer(committer, reloads);
        if (commits->len > 0)
            commit_group(committer, commits);
    }
}

/* ---- Callers ---- */

/* The callers' tickets of one call. */
struct submission {
    struct ticket *tickets;
    size_t count;
};

static bool is_answered(const struct submission *submission)
{
    for (size_t i = 0; i < submission->count; i++)
        if (!submission->tickets[i].answered)
            return false;
    return true;
}

/* A submission is queued at once and taken at once, so its first ticket speaks for all. */
static bool withdraw(struct committer *committer, struct submission *submission)
{
    struct error refusal = {0};
    if (submission->tickets[0].taken ||
        operation_check(submission->tickets[0].operation, "waiting to commit", &refusal) == 0)
        return false;
    for (size_t i = 0; i < submission->count; i++) {
        g_queue_remove(&committer->queue, &submission->tickets[i]);
        submission->tickets[i].error = refusal;
    }
    return true;
}

static void wait_for_answers(struct committer *committer, struct submission *submission)
{
    LOCK_SCOPE(&committer->lock);
    for (size_t i = 0; i < submission->count; i++)
        g_queue_push_tail(&committer->queue, &submission->tickets[i]);
    pthread_cond_signal(&committer->arrived);
    while (!is_answered(submission) && !withdraw(committer, submission)) {
        /* Once taken, the committer answers in time: it minds the same deadline. */
        const struct ticket *first = &submission->tickets[0];
        bool may_withdraw = !first->taken && first->operation;
        monotonic_cond_wait(&committer->answered, &committer->lock,
                            may_withdraw ? first->operation->deadline_ns : INT64_MAX);
    }
}

static void submit_and_wait(struct committer *committer, struct submission *submission,
                            struct operation *operation)
{
    if (submission->count == 0)
        return;
    if (operation)
        operation_watch(operation, &committer->answered, &committer->lock);
    wait_for_answers(committer, submission);
    if (operation)
        operation_unwatch(operation);
}

void committer_commit_all(struct committer *committer, struct commit_request *requests,
                          size_t count, struct operation *operation)
{
    g_autofree struct ticket *tickets = g_new0(struct ticket, count);
    for (size_t i = 0; i < count; i++)
        tickets[i] = (struct ticket){.request = &requests[i], .operation = operation};
    struct submission submission = {.tickets = tickets, .count = count};
    submit_and_wait(committer, &submission, operation);
    for (size_t i = 0; i < count; i++)
        requests[i].error = tickets[i].error;
}

int committer_commit(struct committer *committer, struct commit_request *request,
                     struct operation *operation, struct error *err)
{
    committer_commit_all(committer, request, 1, operation);
    return request->error.code ? error_copy(err, &request->error) : 0;
}

int committer_reload(struct committer *committer, struct operation *operation, struct error *err)
{
    struct ticket ticket = {.operation = operation};
    struct submission submission = {.tickets = &ticket, .count = 1};
    submit_and_wait(committer, &submission, operation);
    return ticket.error.code ? error_copy(err, &ticket.error) : 0;
}

/* ---- Start and end ---- */

static void committer_release(struct committer *committer)
{
    registry_unref(committer->current);
    pthread_cond_destroy(&committer->answered);
    pthread_cond_destroy(&committer->arrived);
    pthread_mutex_destroy(&committer->lock);
    g_free(committer->key);
    g_free(committer);
}

int committer_new(struct store *store, const char *key, registry_observer *observer,
                  void *observer_argument, struct operation *operation, struct committer **ret,
                  struct error *err)
{
    struct registry *registry = NULL;
    int code = registry_load(store, key, NULL, operation, &registry, err);
    if (code)
        return code;
    struct committer *committer = g_new0(struct committer, 1);
    committer->store = store;
    committer->key = g_strdup(key);
    committer->observer = observer;
    committer->observer_argument = observer_argument;
    committer->current = registry;
    g_queue_init(&committer->queue);
    pthread_mutex_init(&committer->lock, NULL);
    monotonic_cond_init(&committer->arrived);
    monotonic_cond_init(&committer->answered);
    int failed = pthread_create(&committer->thread, NULL, run, committer);
    if (failed) {
        committer_release(committer);
        return error_set_errno(err, failed, "starting the committer's thread");
    }
    *ret = committer;
    return 0;
}

void committer_free(struct committer *committer)
{
    if (!committer)
        return;
    {
        LOCK_SCOPE(&committer->lock);
        committer->ending = true;
        pthread_cond_signal(&committer->arrived);
    }
    pthread_join(committer->thread, NULL);
    committer_release(committer);
}

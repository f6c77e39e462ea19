/*
 * Committing a group of requests: applies them to one image, puts it, and decides what a lost race
 * (412) or a lost answer means for each of them.
 */
#include "base/cleanup.h"
#include "base/timestamp.h"
#include "catalog/format/unique_body.h"
#include "catalog/registry/committer_private.h"
#include "catalog/registry/registry_load.h"

/* How often a request without a deadline is applied to a newer registry before it is told that
 * others win. */
#define LOST_RACES_MAX 1000
/* First pause after a lost race or an unknown outcome; doubles up to the longest one. After a lost
 * race another put succeeded, so the longest is not longer than a few puts. */
#define PAUSE_SHORTEST_MS 2
#define PAUSE_LONGEST_MS 500
#define PAUSE_AFTER_RACE_LONGEST_MS 64
/* Longest time for one request to the store when no caller has a deadline: the committer's end
 * waits for it. */
#define ATTEMPT_LONGEST_MS 60000
/* A store gives up a little before the time of an operation is over. */
#define EARLY_MS 250

/* The requests that the committer works on together, and what it knows of their put. */
struct group {
    struct committer *committer;
    GPtrArray *requests;
    struct registry *image; /* put with unknown outcome, to be repeated; NULL: none */
    struct bytes *body;     /* of `image`, as it is put */
    struct registry *base;  /* what `image` was made from */
    GPtrArray *reloads;     /* requests that the next look at the store answers; NULL: none */
    bool took_reserve;      /* a put has, and it was not made up for */
    int64_t pause_ms;
};

/* ---- Time ---- */

/* The earliest deadline, by CLOCK_MONOTONIC; INT64_MAX when nobody has one. */
static int64_t earliest_deadline_ns(const struct group *group)
{
    const GPtrArray *const lists[] = {group->requests, group->reloads};
    int64_t earliest_ns = INT64_MAX;
    for (size_t list = 0; list < G_N_ELEMENTS(lists); list++) {
        for (guint i = 0; lists[list] && i < lists[list]->len; i++) {
            const struct commit_request *request = g_ptr_array_index(lists[list], i);
            if (request->operation)
                earliest_ns = MIN(earliest_ns, request->operation->deadline_ns);
        }
    }
    return earliest_ns;
}

/* An operation that ends with the earliest deadline of the group. */
static void attempt_begin(struct operation *attempt, const struct group *group)
{
    operation_init(attempt, ATTEMPT_LONGEST_MS);
    attempt->deadline_ns = MIN(attempt->deadline_ns, earliest_deadline_ns(group));
}

/* Pauses with jitter, longer each time. Only the committer's own thread waits here. */
static void pause_before_retry(struct group *group)
{
    int64_t longest_ms = group->pause_ms;
    group->pause_ms = MIN(group->pause_ms * 2, PAUSE_LONGEST_MS);
    int64_t wait_ns = (longest_ms + g_random_int_range(0, (gint32)longest_ms)) * NS_PER_MS / 2;
    commit_queue_pause(group->committer->queue,
                       MIN(monotonic_now_ns() + wait_ns, earliest_deadline_ns(group)));
}

/* ---- Attempts ---- */

/* Whether what readers see survives a power failure. */
static bool is_durable(const struct committer *committer, const struct registry *current)
{
    return committer->image.is_settled || !current->etag || !store_has_to_settle(committer->store);
}

/* Applies every request to the current registry; those that are refused are answered. Returns the
 * new image, the old one when it has to be stored anew, or NULL when there is nothing to store. */
static struct registry *apply_group(struct group *group, struct registry *base)
{
    struct registry_edit *edit = registry_edit_new(base);
    for (guint i = 0; i < group->requests->len;) {
        const struct commit_request *request = g_ptr_array_index(group->requests, i);
        struct error refusal = {0};
        if (request->has_landed || request->apply(edit, request->argument, &refusal) == 0)
            i++;
        else
            commit_queue_answer(group->committer->queue, group->requests, i, &refusal);
    }
    if (edit->is_changed)
        return registry_edit_finish(edit);
    registry_edit_free(edit);
    if (group->requests->len > 0 && !is_durable(group->committer, base))
        return registry_ref(base);
    commit_queue_answer_all(group->committer->queue, group->requests, NULL);
    return NULL;
}

static guint count_making_room(const struct group *group)
{
    guint count = 0;
    for (guint i = 0; i < group->requests->len; i++)
        count += ((const struct commit_request *)g_ptr_array_index(group->requests, i))->makes_room;
    return count;
}

static int put_image(struct group *group, char **ret_etag, struct error *err)
{
    auto_operation struct operation attempt;
    attempt_begin(&attempt, group);
    const char *base_etag = group->base->etag;
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *put =
        store_set_put(set, group->committer->key, group->body,
                      base_etag ? STORE_IF_MATCH : STORE_IF_ABSENT, base_etag);
    put->through_link = true; /* an administrator may keep the registry elsewhere */
    if (count_making_room(group) == group->requests->len)
        commit_reserve_offer(group->committer, put);
    store_run(group->committer->store, set, &attempt, NULL); /* the answer says more */
    group->took_reserve |= put->answer.took_reserve;
    *ret_etag = g_steal_pointer(&put->answer.etag);
    return store_set_failure(set, 0, err);
}

/* What the store holds, into *ret; group deadlines apply. */
static int reread_registry(const struct group *group, struct registry **ret, struct error *err)
{
    auto_registry struct registry *current = registry_image_get(&group->committer->image);
    auto_operation struct operation attempt;
    attempt_begin(&attempt, group);
    return registry_load(group->committer->store, group->committer->key, current, &attempt, ret,
                         err);
}

static void group_forget_image(struct group *group)
{
    registry_unref(group->image);
    registry_unref(group->base);
    bytes_unref(group->body);
    group->image = NULL;
    group->body = NULL;
    group->base = NULL;
}

/* Before those are answered whose change made room: what becomes free may be gone soon. */
static void keep_reserve(struct group *group)
{
    auto_operation struct operation attempt;
    attempt_begin(&attempt, group);
    commit_reserve_keep(group->committer, group->took_reserve, &attempt);
    group->took_reserve = false;
}

static void group_stored(struct group *group, struct registry *registry)
{
    registry_image_publish(&group->committer->image, registry, group->requests->len);
    group->committer->image.is_settled = true;
    keep_reserve(group);
    commit_queue_answer_all(group->committer->queue, group->reloads, NULL);
    commit_queue_answer_all(group->committer->queue, group->requests, NULL);
    group_forget_image(group);
}

/* The group's image was found on the store. */
static void group_found(struct group *group, struct registry *found)
{
    if (!store_has_to_settle(group->committer->store)) {
        group_stored(group, registry_ref(found));
        return;
    }
    registry_image_publish(&group->committer->image, registry_ref(found), 0);
    commit_queue_answer_all(group->committer->queue, group->reloads, NULL);
    for (guint i = 0; i < group->requests->len; i++)
        ((struct commit_request *)g_ptr_array_index(group->requests, i))->has_landed = true;
    group_forget_image(group);
}

/* A registry that was not known to be the group's is on the store: answers the requests whose
 * effect it shows although their put was never confirmed, or was told that it lost, perhaps to
 * itself; or leaves them to be made durable. The others' can no longer arrive. */
static void answer_landed(struct group *group, const struct registry *found)
{
    for (guint i = 0; i < group->requests->len;) {
        struct commit_request *request = g_ptr_array_index(group->requests, i);
        bool was_put = request->maybe_stored || group->image;
        request->has_landed = was_put && request->landed(found, request->argument);
        if (request->has_landed && !store_has_to_settle(group->committer->store)) {
            commit_queue_answer(group->committer->queue, group->requests, i, NULL);
            continue;
        }
        request->maybe_stored = request->has_landed;
        i++;
    }
}

/* Other writers may have stored the same bytes; then they show the effect of every request, but not
 * of those that demand to know who it was. */
static bool all_landed(const struct group *group, const struct registry *found)
{
    for (guint i = 0; i < group->requests->len; i++) {
        const struct commit_request *request = g_ptr_array_index(group->requests, i);
        if (!request->landed(found, request->argument))
            return false;
    }
    return true;
}

static bool group_maybe_stored(const struct group *group)
{
    for (guint i = 0; i < group->requests->len; i++)
        if (((const struct commit_request *)g_ptr_array_index(group->requests, i))->maybe_stored)
            return true;
    return false;
}

/* Where an earlier put may have been stored, or may still be, `failure` is not the last word; and
 * where others were faster until the time was over, it is not the reason. */
static void answer_one(struct group *group, GPtrArray *requests, guint index,
                       const struct error *failure)
{
    const struct commit_request *request = g_ptr_array_index(requests, index);
    struct error answer = *failure;
    if (request->maybe_stored && failure->code != ERR_NOT_DURABLE)
        error_set(&answer, ERR_OUTCOME_UNKNOWN, "whether the change was stored is not known: %s",
                  failure->text);
    else if (request->races_lost > 0 && failure->code == ERR_DEADLINE)
        error_set(&answer, ERR_CONTENDED, "other writers won %u times: %s", request->races_lost,
                  failure->text);
    commit_queue_answer(group->committer->queue, requests, index, &answer);
}

static void answer_failure(struct group *group, const struct error *failure)
{
    group_forget_image(group);
    while (group->requests->len > 0)
        answer_one(group, group->requests, 0, failure);
}

static bool is_ending(const struct commit_request *request)
{
    return operation_remaining_ms(request->operation) <= EARLY_MS;
}

static bool all_are_ending(const GPtrArray *requests)
{
    for (guint i = 0; i < requests->len; i++)
        if (!is_ending(g_ptr_array_index(requests, i)))
            return false;
    return true;
}

/* Answers requests whose time is over. Returns how many were. */
static unsigned answer_ending(struct group *group, GPtrArray *requests, const struct error *failure)
{
    unsigned answered = 0;
    for (guint i = requests ? requests->len : 0; i > 0; i--) {
        if (!is_ending(g_ptr_array_index(requests, i - 1)))
            continue;
        answer_one(group, requests, i - 1, failure);
        answered++;
    }
    return answered;
}

/* A request to the store had the time of those in the group who have least, and ended with it: true
 * when others have more and the group goes on without them. */
static bool only_some_expired(struct group *group, const struct error *failure)
{
    if (failure->code != ERR_DEADLINE && failure->code != ERR_UNREACHABLE &&
        failure->code != ERR_IO && failure->code != ERR_NOT_DURABLE)
        return false;
    if (all_are_ending(group->requests))
        return false;
    unsigned answered = answer_ending(group, group->requests, failure);
    answered += answer_ending(group, group->reloads, failure);
    if (answered == 0)
        return false;
    if (!group_maybe_stored(group))
        group_forget_image(group); /* it has the edits of those who were told that it failed */
    return true;
}

static bool has_deadline(const struct commit_request *request)
{
    return request->operation && request->operation->deadline_ns != INT64_MAX;
}

/* Someone else's registry is on the store: the group is applied to it, unless others always win. */
static void start_over(struct group *group, struct registry *found)
{
    registry_image_publish(&group->committer->image, registry_ref(found), 0);
    commit_queue_answer_all(group->committer->queue, group->reloads, NULL);
    answer_landed(group, found);
    group_forget_image(group);
    group->pause_ms = MIN(group->pause_ms, PAUSE_AFTER_RACE_LONGEST_MS);
    for (guint i = group->requests->len; i > 0; i--) {
        struct commit_request *request = g_ptr_array_index(group->requests, i - 1);
        struct error contended;
        if (++request->races_lost <= LOST_RACES_MAX || has_deadline(request))
            continue;
        error_set(&contended, ERR_CONTENDED, "committing to %s: other writers won %u times",
                  group->committer->key, request->races_lost);
        commit_queue_answer(group->committer->queue, group->requests, i - 1, &contended);
    }
}

/* Looks at what is on the store after a lost precondition or an unknown outcome, and decides what
 * can be decided. Leaves group->image when the identical put is to be repeated. */
static void resolve_put(struct group *group)
{
    auto_registry struct registry *found = NULL;
    struct error failure = {0};
    int code = reread_registry(group, &found, &failure);
    if (code && only_some_expired(group, &failure))
        return;
    if (code == ERR_CORRUPT || code == ERR_AWAY || (code && !group_maybe_stored(group)))
        answer_failure(group, &failure);
    else if (code)
        return; /* still uncertain; tried again until the callers' time is over */
    else if (group->image && bytes_equal(found->text, group->image->text) &&
             all_landed(group, found))
        group_found(group, found);
    else if (group->image && registry_same_version(found, group->base) && group_maybe_stored(group))
        registry_image_publish(&group->committer->image, registry_ref(found),
                               0); /* not so far; the identical put decides */
    else
        start_over(group, found);
}

static void mark_uncertain(struct group *group)
{
    for (guint i = 0; i < group->requests->len; i++)
        ((struct commit_request *)g_ptr_array_index(group->requests, i))->maybe_stored = true;
    group->committer->image.is_doubted = true;
}

/* The image is on the store, and may be lost again. Who has more time than it took to find that out
 * goes on; the others are told, and readers see what everybody can read. */
static void fail_undurable(struct group *group, struct error *failure)
{
    struct registry *found = NULL;
    mark_uncertain(group);
    if (only_some_expired(group, failure))
        return;
    if (reread_registry(group, &found, NULL) == 0)
        registry_image_publish(&group->committer->image, found, 0);
    error_prefix(failure, failure->code, "writing the registry");
    answer_failure(group, failure);
}

/* There is no room for what lengthens the registry: those requests are told so, and the others, for
 * which room is kept, go on without them. False: there are no such two kinds, or an image that may
 * be stored has to be repeated. */
static bool leave_out_growing(struct group *group, const struct error *failure)
{
    const guint making_room = count_making_room(group);
    if (making_room == 0 || making_room == group->requests->len || group_maybe_stored(group))
        return false;
    for (guint i = group->requests->len; i > 0; i--)
        if (!((const struct commit_request *)g_ptr_array_index(group->requests, i - 1))->makes_room)
            answer_one(group, group->requests, i - 1, failure);
    group_forget_image(group);
    return true;
}

/* The put had no effect. */
static void fail_put(struct group *group, struct error *failure)
{
    if (only_some_expired(group, failure))
        return;
    error_prefix(failure, failure->code, "writing the registry");
    if (failure->code != ERR_NO_SPACE || !leave_out_growing(group, failure))
        answer_failure(group, failure);
}

/* Makes an image if there is none to be repeated, and puts it once. */
static void attempt_put(struct group *group)
{
    if (!group->image) {
        group->base = registry_image_get(&group->committer->image);
        group->image = apply_group(group, group->base);
        if (!group->image) {
            group_forget_image(group);
            return;
        }
        struct bytes *text = group->image->text;
        group->body = group->committer->shared ? unique_body(text) : bytes_ref(text);
    }
    g_autofree char *etag = NULL;
    struct error failure = {0};
    int code = put_image(group, &etag, &failure);
    if (code == 0 && etag) {
        group_stored(group, registry_stored(group->image, etag, timestamp_now_ns()));
    } else if (code == 0 || code == ERR_OUTCOME_UNKNOWN || code == ERR_PRECONDITION) {
        /* Stored, but under an etag not told; or unknown; or lost, perhaps to ourselves. */
        if (code != ERR_PRECONDITION) {
            mark_uncertain(group);
            group->committer->image.watch_until_ns = monotonic_now_ns() + STORE_LATE_NS;
        }
        resolve_put(group);
    } else if (code == ERR_NOT_DURABLE) {
        fail_undurable(group, &failure);
    } else {
        fail_put(group, &failure);
    }
}

/* Requests that have come meanwhile join, unless an identical put has to be repeated first. */
static void let_join(struct group *group)
{
    commit_queue_take_more(group->committer->queue, group->image ? NULL : group->requests,
                           group->reloads);
}

void commit_group_run(struct committer *committer, GPtrArray *requests, GPtrArray *reloads)
{
    struct group group = {.committer = committer,
                          .requests = requests,
                          .reloads = reloads,
                          .pause_ms = PAUSE_SHORTEST_MS};
    for (bool first = true; group.requests->len > 0; first = false) {
        if (!first) {
            pause_before_retry(&group);
            let_join(&group);
        }
        /* Requests whose time passes leave; what was put with them may be put again. */
        commit_queue_answer_expired(committer->queue, group.requests, committer->key);
        commit_queue_answer_expired(committer->queue, group.reloads, committer->key);
        if (group.requests->len > 0 && committer->image.is_doubted)
            resolve_put(&group);
        else if (group.requests->len > 0)
            attempt_put(&group);
    }
    if (group.took_reserve) /* in vain */
        keep_reserve(&group);
    group_forget_image(&group);
}

void commit_group_reload(struct committer *committer, GPtrArray *requests)
{
    struct group group = {
        .committer = committer, .requests = requests, .pause_ms = PAUSE_SHORTEST_MS};
    struct registry *found = NULL;
    struct error failure = {0};
    int code;
    do
        code = reread_registry(&group, &found, &failure);
    while (code && only_some_expired(&group, &failure));
    if (code == 0) {
        registry_image_publish(&committer->image, found, 0);
        keep_reserve(&group);
    }
    commit_queue_answer_all(committer->queue, requests, code ? &failure : NULL);
}

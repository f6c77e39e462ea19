/*
 * One request until it is answered: what is asked again, with which pauses, and when it is given
 * up.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/timestamp.h"
#include "store/s3/s3_store_private.h"

/* So often a pause looks whether the operation was cancelled. */
#define SLICE_MS 50
#define MOST_DOUBLINGS 10
/* An exchange that was given less time does not tell that the server is silent. */
#define SILENCE_SHORTEST_MS 1000
#define MARGIN_MS 50 /* at most, see struct s3_effort */
#define IMPATIENT_FAILURES 3
#define MOST_RESCUES 3 /* in a row */

void s3_effort_begin(struct s3_effort *effort, struct s3_store *store,
                     const struct store_request *request, const struct operation *operation)
{
    *effort = (struct s3_effort){
        .store = store,
        .operation = operation,
        .method = store_method_name(request->method),
        .key = request->key,
        .asks = !store_method_writes(request->method),
        .started_ns = monotonic_now_ns(),
        .deadline_ns = operation->deadline_ns,
        .margin_ms = MIN(operation_remaining_ms(operation) / 10, MARGIN_MS),
    };
    s3_effort_advanced(effort);
}

void s3_effort_advanced(struct s3_effort *effort)
{
    effort->failures = 0;
    if (effort->operation->deadline_ns == INT64_MAX)
        effort->deadline_ns = monotonic_now_ns() + effort->store->pace.patience_ms * NS_PER_MS;
}

bool s3_result_is_unknown(enum s3_wire_result result)
{
    return result == S3_WIRE_CONFLICT || result == S3_WIRE_SERVER_ERROR || result == S3_WIRE_LOST ||
           result == S3_WIRE_TIMED_OUT;
}

bool s3_result_is_passing(enum s3_wire_result result)
{
    return result == S3_WIRE_BUSY || result == S3_WIRE_UNREACHABLE || s3_result_is_unknown(result);
}

/* ---- Time ---- */

static int64_t remaining_ms(const struct s3_effort *effort)
{
    int64_t left_ns = effort->deadline_ns - monotonic_now_ns();
    int64_t left_ms = left_ns <= 0 ? 0 : (left_ns + NS_PER_MS - 1) / NS_PER_MS;
    /* The operation's clock counts sleep, too. */
    int64_t promised_ms = operation_remaining_ms(effort->operation) - effort->margin_ms;
    return MAX(0, MIN(left_ms, promised_ms));
}

/* The same, but for the first step of an operation only as long as that may last. */
static int64_t patient_ms(const struct s3_effort *effort)
{
    int64_t left_ms = remaining_ms(effort);
    if (!s3_effort_is_unanswered(effort))
        return left_ms;
    int64_t waited_ms = (monotonic_now_ns() - effort->started_ns) / NS_PER_MS;
    return MAX(0, MIN(left_ms, effort->operation->silence_ms - waited_ms));
}

static int fail_interrupted(const struct s3_effort *effort, struct error *err)
{
    return error_set(err, ERR_INTERRUPTED, "%s %s: interrupted", effort->method, effort->key);
}

static int fail_late(const struct s3_effort *effort, struct error *err)
{
    if (effort->last.code)
        return error_copy(err, &effort->last);
    return error_set(err, ERR_DEADLINE, "%s %s: the time allowed is over", effort->method,
                     effort->key);
}

/* ERR_INTERRUPTED when the operation is cancelled meanwhile. */
static int sleep_for(const struct s3_effort *effort, int64_t ms, struct error *err)
{
    int64_t until_ns = monotonic_now_ns() + ms * NS_PER_MS;
    for (;;) {
        if (operation_is_cancelled(effort->operation))
            return fail_interrupted(effort, err);
        int64_t left_ns = until_ns - monotonic_now_ns();
        if (left_ns <= 0)
            return 0;
        struct timespec slice = {.tv_nsec = MIN(left_ns, SLICE_MS * NS_PER_MS)};
        nanosleep(&slice, NULL);
    }
}

/* Exponential with full jitter: many who failed together shall not come back together. */
static int64_t pause_ms(const struct s3_effort *effort)
{
    const struct s3_pace *pace = &effort->store->pace;
    int64_t longest = pace->first_ms << MIN(effort->failures - 1, MOST_DOUBLINGS);
    return g_random_int_range(0, (gint32)MIN(longest, pace->longest_ms) + 1);
}

/* The time for an exchange; 0: there is none left. The first one leaves as much for another, in
 * case that it is only the connection that is stuck. */
static int64_t exchange_ms(const struct s3_effort *effort)
{
    int64_t left_ms = remaining_ms(effort);
    int64_t limit_ms = effort->store->pace.exchange_ms << MIN(effort->timeouts, MOST_DOUBLINGS);
    if (effort->timeouts == 0)
        limit_ms = MIN(limit_ms, MAX(left_ms / 2, SILENCE_SHORTEST_MS));
    return MIN(limit_ms, patient_ms(effort));
}

/* ---- One exchange ---- */

/* Whether a key has only letters that libraries and servers write alike in URLs. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (!g_ascii_isalnum(*text) && !strchr("._-/", *text))
            return false;
    return true;
}

/* A request for which there is no kept connection would have to make one, which takes a round trip,
 * and would close it again. */
static struct s3_wire *take_place(struct s3_store *store)
{
    unsigned places = store->reads->kept_connections;
    if (places == 0 || __atomic_add_fetch(&store->reading, 1, __ATOMIC_RELAXED) <= places)
        return store->reads;
    __atomic_sub_fetch(&store->reading, 1, __ATOMIC_RELAXED);
    return store->writes;
}

static void leave_place(struct s3_store *store, const struct s3_wire *used)
{
    if (used != store->writes && used->kept_connections > 0)
        __atomic_sub_fetch(&store->reading, 1, __ATOMIC_RELAXED);
}

/* Libcurl takes every request. What writes must not go over a wire that may still send it long
 * after it was given up: tags and intents use their keys again. */
static bool must_take_writes(const struct s3_store *store, enum s3_wire_method method)
{
    return method == S3_WIRE_PUT || method == S3_WIRE_LIST ||
           (method == S3_WIRE_DELETE && store->reads->sends_late);
}

static struct s3_wire *choose_wire(const struct s3_effort *effort,
                                   const struct s3_wire_request *request)
{
    struct s3_store *store = effort->store;
    const struct s3_credentials *credentials = request->credentials;
    if (must_take_writes(store, request->method) || effort->by_writes ||
        __atomic_load_n(&store->reads_by_writes, __ATOMIC_ACQUIRE) || !is_plain(request->key))
        return store->writes;
    /* libs3 2 cannot send a token. */
    if (credentials && credentials->session_token &&
        g_str_has_prefix(store->reads->name, "libs3/2."))
        return store->writes;
    return store->reads == store->writes ? store->writes : take_place(store);
}

static enum s3_breaker_news news_of(const struct s3_wire_request *request,
                                    enum s3_wire_result result)
{
    if (result == S3_WIRE_UNREACHABLE || result == S3_WIRE_LOST)
        return S3_BREAKER_SILENT;
    /* That an operation had next to no time left says nothing about the server. */
    if (result == S3_WIRE_TIMED_OUT)
        return request->timeout_ms >= SILENCE_SHORTEST_MS ? S3_BREAKER_SILENT : S3_BREAKER_NOTHING;
    return result == S3_WIRE_UNTRUSTED ? S3_BREAKER_NOTHING : S3_BREAKER_ANSWERED;
}

/* The answer to HEAD has no room for a code; nothing else in such a request can be wrong. */
static bool is_expired(const struct s3_wire_request *request, const struct s3_wire_answer *answer)
{
    if (!answer->s3_code)
        return request->method == S3_WIRE_HEAD && answer->status == 400 && !answer->region;
    return strcmp(answer->s3_code, "ExpiredToken") == 0 ||
           strcmp(answer->s3_code, "InvalidToken") == 0 ||
           strcmp(answer->s3_code, "TokenRefreshRequired") == 0;
}

/* Whether the answer has what an answer of S3 to this request has. */
static bool is_plausible(const struct s3_wire_request *request, const struct s3_wire_answer *answer)
{
    /* Somebody on the way does not know the page: that is not the absence of an object. */
    if (answer->result == S3_WIRE_NOT_FOUND)
        return request->method == S3_WIRE_HEAD || answer->status != 404 || answer->s3_code;
    if (answer->result != S3_WIRE_OK)
        return true;
    if (request->method == S3_WIRE_LIST)
        return answer->rows != NULL;
    if (request->method == S3_WIRE_GET)
        return answer->body && (answer->size == 0 || answer->size == answer->body->size);
    return true;
}

/* libs3 2.0 overlooks etags whose header is in lower case, for one. What it does not make sense of,
 * libcurl may; a server where that happens all the time is left to libcurl. */
static void compare_wires(struct s3_effort *effort, const struct s3_wire *used,
                          enum s3_wire_result result)
{
    struct s3_store *store = effort->store;
    if (store->reads == store->writes)
        return;
    if (used == store->reads && result == S3_WIRE_LOST)
        effort->by_writes = true;
    else if (used == store->reads && result == S3_WIRE_OK)
        __atomic_store_n(&store->rescued, 0, __ATOMIC_RELAXED);
    else if (effort->by_writes && result == S3_WIRE_OK &&
             __atomic_add_fetch(&store->rescued, 1, __ATOMIC_RELAXED) >= MOST_RESCUES &&
             store->may_switch)
        __atomic_store_n(&store->reads_by_writes, true, __ATOMIC_RELEASE);
}

static void examine_answer(struct s3_effort *effort, const struct s3_wire *used,
                           const struct s3_wire_request *request, struct s3_wire_answer *answer)
{
    if (is_expired(request, answer))
        answer->result = S3_WIRE_DENIED;
    if (!is_plausible(request, answer))
        answer->result = S3_WIRE_LOST;
    compare_wires(effort, used, answer->result);
    if (answer->result == S3_WIRE_TIMED_OUT)
        effort->timeouts++;
    if (answer->versioned)
        __atomic_store_n(&effort->store->keeps_versions, true, __ATOMIC_RELAXED);
    bool is_unknown = s3_result_is_unknown(answer->result) && !s3_answer_is_no_space(answer);
    if ((request->method == S3_WIRE_PUT || request->method == S3_WIRE_DELETE) &&
        (is_unknown || answer->repeated))
        effort->unknown = true;
}

/* Once per effort: a server that refuses new credentials, too, will not change its mind. */
static void renew_credentials(struct s3_effort *effort, const struct s3_credentials *refused)
{
    struct s3_profile *profile = effort->store->profile;
    struct s3_credentials *others = NULL;
    if (!profile || effort->refused)
        return;
    effort->refused = true;
    effort->renewed = s3_profile_refused(profile, refused);
    /* Another thread, refused as well, may have read them already. */
    if (!effort->renewed && s3_profile_credentials(profile, &others, NULL) == 0)
        effort->renewed = !s3_credentials_equal(others, refused);
    s3_credentials_unref(others);
}

/* A request that has been under way since before the breaker opened waits for a trial, as long as
 * there is time for an exchange. */
static int wait_for_admission(const struct s3_effort *effort, struct s3_breaker_ticket *ticket,
                              struct error *err)
{
    struct s3_breaker *breaker = &effort->store->breaker;
    while (!s3_breaker_admit(breaker, ticket)) {
        int64_t left_ms = patient_ms(effort);
        int code = 0;
        if (effort->exchanges > 0 && left_ms < effort->store->pace.first_ms)
            return fail_late(effort, err);
        if (effort->exchanges == 0 || effort->impatient)
            return error_set(
                err, ERR_UNREACHABLE, "%s %s: not sent: the store has not answered for %.1f s",
                effort->method, effort->key, (double)s3_breaker_silence_ns(breaker) / 1e9);
        code = sleep_for(effort, MIN(left_ms, SLICE_MS), err);
        if (code)
            return code;
    }
    return 0;
}

static void exchange(struct s3_effort *effort, const struct s3_wire_request *request,
                     const struct s3_breaker_ticket *ticket, struct s3_wire_answer *answer)
{
    /* libs3 cannot be told when to give up: not for a trial that others wait for. */
    struct s3_wire *wire = ticket->trial ? effort->store->writes : choose_wire(effort, request);
    effort->exchanges++;
    s3_wire_perform(wire, request, answer);
    leave_place(effort->store, wire);
    s3_breaker_report(&effort->store->breaker, ticket, news_of(request, answer->result));
    examine_answer(effort, wire, request, answer);
    if (answer->result == S3_WIRE_DENIED && request->credentials)
        renew_credentials(effort, request->credentials);
}

int s3_effort_exchange(struct s3_effort *effort, const struct s3_wire_request *request,
                       struct s3_wire_answer *answer, struct error *err)
{
    struct s3_store *store = effort->store;
    struct s3_wire_request complete = *request;
    struct s3_credentials *credentials = NULL;
    struct s3_breaker_ticket ticket;
    s3_wire_answer_clear(answer);
    /* First: this may read files, which must not happen while a trial is out. */
    int code = store->profile ? s3_profile_credentials(store->profile, &credentials, err) : 0;
    if (code)
        return code;
    code = wait_for_admission(effort, &ticket, err);
    if (code == 0) {
        complete.credentials = credentials;
        complete.timeout_ms = exchange_ms(effort);
        if (complete.timeout_ms > 0)
            exchange(effort, &complete, &ticket, answer);
        else {
            s3_breaker_report(&store->breaker, &ticket, S3_BREAKER_NOTHING);
            code = fail_late(effort, err);
        }
    }
    s3_credentials_unref(credentials);
    return code;
}

/* ---- Again ---- */

static bool gives_up(const struct s3_effort *effort, enum s3_wire_result result)
{
    if (effort->impatient && (result == S3_WIRE_UNREACHABLE || result == S3_WIRE_TIMED_OUT ||
                              effort->failures >= IMPATIENT_FAILURES))
        return true;
    return patient_ms(effort) < effort->store->pace.first_ms;
}

/* Counts the failure and says whether to try again. */
static bool is_worth_a_try(struct s3_effort *effort, const struct s3_wire_answer *answer)
{
    if (!s3_result_is_passing(answer->result) || s3_answer_is_no_space(answer))
        return false;
    effort->failures++;
    return !gives_up(effort, answer->result);
}

/* No text of an error has a credential in it. */
static void tell_repetition(const struct s3_effort *effort, bool renewed, int64_t pause_ms)
{
    log_debug(effort->store->log, "%s; again%s after %" PRId64 " ms", effort->last.text,
              renewed ? " with other credentials" : "", pause_ms);
}

int s3_effort_again(struct s3_effort *effort, const struct s3_wire_answer *answer,
                    struct error *err)
{
    int64_t ms = 0;
    bool renewed = effort->renewed;
    if (!renewed) {
        if (!is_worth_a_try(effort, answer))
            return s3_explain(effort, answer, err);
        /* A kept connection that the server had closed meanwhile is replaced at once. */
        if (effort->failures > 1 || answer->result != S3_WIRE_LOST)
            ms = MIN(pause_ms(effort), patient_ms(effort) / 2);
    }
    effort->renewed = false;
    s3_explain(effort, answer, &effort->last);
    int code = sleep_for(effort, ms, err);
    if (code)
        return code;
    tell_repetition(effort, renewed, ms);
    __atomic_fetch_add(&effort->store->repeats, 1, __ATOMIC_RELAXED);
    return 0;
}

int s3_effort_perform(struct s3_effort *effort, const struct s3_wire_request *request,
                      unsigned expected, struct s3_wire_answer *answer, struct error *err)
{
    for (;;) {
        int code = s3_effort_exchange(effort, request, answer, err);
        if (code || (expected & (1u << answer->result)))
            return code;
        code = s3_effort_again(effort, answer, err);
        if (code)
            return code;
    }
}

int s3_effort_outcome(const struct s3_effort *effort, struct error *err)
{
    if (effort->unknown && err->code && err->code != ERR_OUTCOME_UNKNOWN) {
        struct error cause = *err;
        error_set(err, ERR_OUTCOME_UNKNOWN, "%s; an earlier try may have taken effect", cause.text);
    }
    return err->code;
}

#include "unit/stores/fault_store.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "unit/stores/power_store.h"

#define DEFAULT_DELAY_MS 60000
#define CANCEL_POLL_NS (5 * NS_PER_MS)

struct fault_store {
    struct store base;
    bool owns_inner;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    enum fault_kind kind;
    unsigned method_mask, n;
    bool persistent;
    int code;
    char *match; /* NULL: all keys */
    int64_t delay_ms;
    bool is_cancellable; /* delays are */
    unsigned count;
    bool fired, killed;
    bool held, released; /* since arming */
    void (*when_fired)(int64_t);
    int64_t argument; /* of that */
    unsigned totals[STORE_METHODS];
    unsigned waves;
    struct store_set *late; /* what is still under way */
};

static struct fault_store *fault_of(struct store *base)
{
    return (struct fault_store *)base;
}

/* With the lock held: counts a request, and says which fault is its. */
static enum fault_kind next_fault(struct fault_store *store, const struct store_request *request)
{
    bool matches = (store->method_mask & (1u << request->method)) != 0 &&
                   (!store->match || strstr(request->key, store->match));
    store->totals[request->method]++;
    if (matches)
        store->count++;
    if (store->killed)
        return FAULT_KILL;
    bool due = store->persistent ? store->count >= store->n : store->count == store->n;
    if (!matches || !due || store->kind == FAULT_NONE)
        return FAULT_NONE;
    store->fired = true;
    store->killed =
        store->kind == FAULT_KILL || store->kind == FAULT_KILL_AFTER || store->kind == FAULT_POWER;
    return store->kind;
}

static void hold_up(struct fault_store *store, const struct operation *operation)
{
    LOCK_SCOPE(&store->lock);
    int64_t now = monotonic_now_ns(), end = now + store->delay_ms * NS_PER_MS;
    store->held = true;
    pthread_cond_broadcast(&store->changed);
    while (!store->released && now < end) {
        if (store->is_cancellable && operation_is_cancelled(operation))
            return;
        int64_t until = store->is_cancellable ? MIN(end, now + CANCEL_POLL_NS) : end;
        monotonic_cond_wait(&store->changed, &store->lock, until);
        now = monotonic_now_ns();
    }
}

static void tell(struct fault_store *store)
{
    pthread_mutex_lock(&store->lock);
    void (*when_fired)(int64_t) = store->when_fired;
    int64_t argument = store->argument;
    pthread_mutex_unlock(&store->lock);
    if (when_fired)
        when_fired(argument);
}

static void fail(const struct store_request *request, int code, struct store_answer *answer)
{
    store_answer_fail(answer, code, "%s %s: injected fault", store_method_name(request->method),
                      request->key);
}

/* Keeps what settle() needs: the request has taken effect. */
static void lose_answer(const struct store_request *request, int code, struct store_answer *answer)
{
    GPtrArray *touched = g_steal_pointer(&answer->touched);
    store_answer_clear(answer);
    answer->touched = touched;
    fail(request, store_method_writes(request->method) ? ERR_OUTCOME_UNKNOWN : code, answer);
}

/* Keeps a put until it arrives, and answers it where it has no effect before. */
static void put_late(struct fault_store *store, enum fault_kind fault,
                     const struct store_request *request, struct store_answer *answer)
{
    LOCK_SCOPE(&store->lock);
    store_set_put(store->late, request->key, request->body, request->precondition, request->etag);
    if (fault == FAULT_LATE)
        fail(request, ERR_OUTCOME_UNKNOWN, answer);
    answer->late = true;
}

unsigned fault_store_arrive(struct store *base)
{
    struct fault_store *store = fault_of(base);
    pthread_mutex_lock(&store->lock);
    auto_store_set struct store_set *late = store->late;
    store->late = store_set_new();
    pthread_mutex_unlock(&store->lock);
    unsigned arrived = 0;
    store_run(base->wrapped, late, NULL, NULL);
    for (size_t i = 0; i < store_set_size(late); i++)
        arrived += store_set_at(late, i)->answer.code == 0;
    return arrived;
}

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    struct fault_store *store = fault_of(base);
    pthread_mutex_lock(&store->lock);
    enum fault_kind fault = next_fault(store, request);
    int code = store->code;
    pthread_mutex_unlock(&store->lock);

    if (fault != FAULT_NONE)
        tell(store);
    if (fault == FAULT_FAIL || fault == FAULT_KILL) {
        fail(request, code, answer);
        return;
    }
    if (fault == FAULT_DELAY)
        hold_up(store, operation);
    if (fault != FAULT_LATE || request->method != STORE_PUT)
        base->wrapped->operations->perform(base->wrapped, request, operation, answer);
    if (fault == FAULT_LOSE_ANSWER)
        lose_answer(request, code, answer);
    if (fault == FAULT_POWER)
        power_store_cut(base->wrapped);
    if ((fault == FAULT_LATE || fault == FAULT_LATE_AGAIN) && request->method == STORE_PUT)
        put_late(store, fault, request, answer);
}

static void begin(struct store *base, const struct store_set *set)
{
    struct fault_store *store = fault_of(base);
    pthread_mutex_lock(&store->lock);
    store->waves++;
    pthread_mutex_unlock(&store->lock);
}

static void destroy(struct store *base)
{
    struct fault_store *store = fault_of(base);
    if (store->owns_inner)
        store_free(base->wrapped);
    g_free(store->match);
    store_set_unref(store->late);
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
}

struct store *fault_store_new(struct store *inner, bool owns_inner)
{
    static const struct store_operations operations = {
        .begin = begin, .perform = perform, .destroy = destroy};
    struct fault_store *store = g_new0(struct fault_store, 1);
    store_initialize_wrapper(&store->base, &operations, inner);
    store->owns_inner = owns_inner;
    store->delay_ms = DEFAULT_DELAY_MS;
    store->late = store_set_new();
    pthread_mutex_init(&store->lock, NULL);
    monotonic_cond_init(&store->changed);
    return &store->base;
}

void fault_store_arm(struct store *base, enum fault_kind kind, unsigned method_mask, unsigned n,
                     bool persistent, int code)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    store->kind = kind;
    store->method_mask = method_mask;
    store->n = n;
    store->persistent = persistent;
    store->code = code;
    store->count = 0;
    store->fired = false;
    store->killed = false;
    store->held = false;
    store->released = false;
}

void fault_store_disarm(struct store *base)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    store->kind = FAULT_NONE;
    store->killed = false;
}

void fault_store_match(struct store *base, const char *part)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    g_free(store->match);
    store->match = g_strdup(part);
}

void fault_store_when_fired(struct store *base, void (*call)(int64_t), int64_t argument)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    store->when_fired = call;
    store->argument = argument;
}

void fault_store_set_delay(struct store *base, int64_t delay_ms)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    store->delay_ms = delay_ms;
}

void fault_store_set_cancellable(struct store *base, bool is_cancellable)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    store->is_cancellable = is_cancellable;
}

void fault_store_release(struct store *base)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    store->released = true;
    pthread_cond_broadcast(&store->changed);
}

void fault_store_wait_held(struct store *base)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    while (!store->held)
        pthread_cond_wait(&store->changed, &store->lock);
}

bool fault_store_fired(struct store *base)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    return store->fired;
}

bool fault_store_killed(struct store *base)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    return store->killed;
}

unsigned fault_store_count(struct store *base)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    return store->count;
}

unsigned fault_store_total(struct store *base, enum store_method method)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    return store->totals[method];
}

unsigned fault_store_waves(struct store *base)
{
    struct fault_store *store = fault_of(base);
    LOCK_SCOPE(&store->lock);
    return store->waves;
}

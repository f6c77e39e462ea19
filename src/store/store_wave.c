/*
 * Running sets. A run is a struct store_wave, which belongs to the caller of store_run() and to
 * each queued job; whoever lets go last frees it. So a caller whose deadline has passed can leave
 * while stuck workers still fill their answers, which nobody will see.
 *
 * Lock order: the caller's operation, the wave, its own operation or the pool.
 */
#include "store/store.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "store/abandoned_runs.h"
#include "store/store_private.h"

enum slot_state {
    SLOT_WAITING,  /* not started */
    SLOT_RUNNING,  /* perform() is filling the answer */
    SLOT_ANSWERED, /* the answer stands, but for settle() */
    SLOT_REFUSED,  /* never started; the answer says why */
};

struct wave_slot {
    struct store_wave *wave;
    const struct store_request *request;
    enum slot_state state;
    bool succeeded; /* before settle() */
    struct store_answer answer;
};

enum wave_phase { WAVE_RUNNING, WAVE_SETTLING, WAVE_DONE };

struct store_wave {
    unsigned references; /* atomic */
    struct store *store;
    struct store_set *set;      /* a reference: requests must outlive stuck workers */
    struct operation operation; /* for those under way: deadline and cancel of the caller's */
    /* The caller's own, or NULL. Alive as long as a slot is waiting, for so long he is. */
    const struct operation *callers;
    pthread_mutex_t lock; /* guards all below, answers of running slots excepted */
    pthread_cond_t changed;
    enum wave_phase phase;
    bool abandoned;
    size_t open; /* slots waiting or running, plus one while they are being submitted */
    size_t size;
    struct wave_slot slots[];
};

size_t store_wave_size(const struct store_wave *wave)
{
    return wave->size;
}

const struct store_request *store_wave_request(const struct store_wave *wave, size_t index)
{
    return wave->slots[index].request;
}

struct store_answer *store_wave_answer(struct store_wave *wave, size_t index)
{
    return &wave->slots[index].answer;
}

static struct store_wave *wave_new(struct store *store, struct store_set *set,
                                   const struct operation *operation)
{
    size_t size = store_set_size(set);
    struct store_wave *wave = g_malloc0(sizeof *wave + size * sizeof wave->slots[0]);
    wave->references = 1;
    wave->store = store;
    wave->set = store_set_ref(set);
    wave->size = size;
    wave->open = size + 1;
    wave->callers = operation;
    operation_init(&wave->operation, -1);
    if (operation) {
        wave->operation.deadline_ns = operation->deadline_ns;
        wave->operation.suspended_ns = operation->suspended_ns;
        wave->operation.begun_ns = operation->begun_ns;
        wave->operation.silence_ms = operation->silence_ms;
    }
    pthread_mutex_init(&wave->lock, NULL);
    monotonic_cond_init(&wave->changed);
    for (size_t i = 0; i < size; i++) {
        wave->slots[i].wave = wave;
        wave->slots[i].request = store_set_at(set, i);
    }
    return wave;
}

static struct store_wave *wave_ref(struct store_wave *wave)
{
    __atomic_fetch_add(&wave->references, 1, __ATOMIC_RELAXED);
    return wave;
}

static void wave_unref(struct store_wave *wave)
{
    if (__atomic_sub_fetch(&wave->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < wave->size; i++)
        store_answer_clear(&wave->slots[i].answer);
    operation_destroy(&wave->operation);
    pthread_cond_destroy(&wave->changed);
    pthread_mutex_destroy(&wave->lock);
    store_set_unref(wave->set);
    g_free(wave);
}

/* With the lock held. Returns true when the caller has to settle the wave now. */
static bool close_slot(struct store_wave *wave)
{
    if (--wave->open > 0)
        return false;
    wave->phase = WAVE_SETTLING;
    return true;
}

static void settle_wave(struct store_wave *wave)
{
    struct store *settling = store_settling(wave->store);
    if (settling)
        settling->operations->settle(settling, wave);
    LOCK_SCOPE(&wave->lock);
    wave->phase = WAVE_DONE;
    if (wave->abandoned)
        abandoned_runs_end(store_abandoned(wave->store));
    pthread_cond_broadcast(&wave->changed);
}

static void settle_job(void *argument)
{
    struct store_wave *wave = argument;
    settle_wave(wave);
    wave_unref(wave);
}

/* With the lock held: answers a slot that will not be started. */
static bool refuse_slot(struct wave_slot *slot, const struct error *reason)
{
    store_answer_fail(&slot->answer, reason->code, "%s %s: not started: %s",
                      store_method_name(slot->request->method), slot->request->key, reason->text);
    slot->state = SLOT_REFUSED;
    return close_slot(slot->wave);
}

/* With the lock held: refuses all that waits. Returns true as close_slot(). */
static bool refuse_waiting(struct store_wave *wave, int code, const char *reason)
{
    struct error error;
    bool settle = false;
    error_set(&error, code, "%s", reason);
    for (size_t i = 0; i < wave->size; i++) {
        if (wave->slots[i].state == SLOT_WAITING && refuse_slot(&wave->slots[i], &error))
            settle = true;
    }
    return settle;
}

/* False: the slot is not to be run (any more). *settle as with close_slot(). */
static bool start_slot(struct wave_slot *slot, bool *settle)
{
    struct error late;
    LOCK_SCOPE(&slot->wave->lock);
    if (slot->state != SLOT_WAITING)
        return false;
    if (operation_check(slot->wave->callers, "waiting for a thread", &late)) {
        *settle = refuse_slot(slot, &late);
        return false;
    }
    slot->state = SLOT_RUNNING;
    return true;
}

static bool finish_slot(struct wave_slot *slot)
{
    LOCK_SCOPE(&slot->wave->lock);
    slot->state = SLOT_ANSWERED;
    slot->succeeded = slot->answer.code == 0;
    return close_slot(slot->wave);
}

static void perform_slot(struct wave_slot *slot, const struct operation *operation)
{
    struct store *store = slot->wave->store;
    struct call_metrics *metrics = &store->metrics[slot->request->method];
    int64_t started_ns = monotonic_now_ns();
    store->operations->perform(store, slot->request, operation, &slot->answer);
    call_metrics_time(metrics, monotonic_now_ns() - started_ns);
    call_metrics_count(metrics, slot->answer.code);
}

static void run_slot(struct wave_slot *slot, const struct operation *operation)
{
    struct store_wave *wave = slot->wave;
    bool settle = false;
    if (start_slot(slot, &settle)) {
        perform_slot(slot, operation);
        settle = finish_slot(slot);
    }
    if (settle)
        settle_wave(wave);
    wave_unref(wave);
}

static void slot_job(void *argument)
{
    struct wave_slot *slot = argument;
    run_slot(slot, &slot->wave->operation);
}

static bool has_deadline(const struct store_wave *wave)
{
    return wave->operation.deadline_ns != INT64_MAX;
}

static void submit_slot(struct wave_slot *slot)
{
    struct store_wave *wave = slot->wave;
    struct error error;
    if (store_request_check(slot->request, &error) != 0) {
        store_answer_fail(&slot->answer, error.code, "%s", error.text);
        finish_slot(slot);
        return;
    }
    wave_ref(wave);
    /* A caller who waits for one request without a limit may as well run it himself. */
    if (wave->size == 1 && !has_deadline(wave)) {
        run_slot(slot, wave->callers ? wave->callers : &wave->operation);
        return;
    }
    if (worker_pool_submit(store_pool(wave->store), slot_job, slot, &error) == 0)
        return;
    store_answer_fail(&slot->answer, error.code, "%s %s: %s",
                      store_method_name(slot->request->method), slot->request->key, error.text);
    finish_slot(slot);
    wave_unref(wave);
}

/* Settles on behalf of the caller, who must not get stuck in it if he has a deadline. */
static void settle_for_caller(struct store_wave *wave)
{
    if (has_deadline(wave)) {
        wave_ref(wave);
        if (worker_pool_submit(store_pool(wave->store), settle_job, wave, NULL) == 0)
            return;
        wave_unref(wave);
    }
    settle_wave(wave);
}

static void submit_wave(struct store_wave *wave)
{
    for (size_t i = 0; i < wave->size; i++)
        submit_slot(&wave->slots[i]);
    pthread_mutex_lock(&wave->lock);
    bool settle = close_slot(wave);
    pthread_mutex_unlock(&wave->lock);
    if (settle)
        settle_for_caller(wave);
}

/* With the lock held, until the wave is done or abandoned. A cancel or the deadline can end the
 * last waiting slot; then this returns early, true, for the caller to settle. */
static bool wait_for_wave(struct store_wave *wave, const struct operation *operation)
{
    while (wave->phase != WAVE_DONE) {
        if (operation_is_cancelled(operation)) {
            operation_cancel(&wave->operation);
            if (refuse_waiting(wave, ERR_INTERRUPTED, "interrupted"))
                return true;
        }
        if (monotonic_cond_wait(&wave->changed, &wave->lock, wave->operation.deadline_ns))
            continue;
        if (wave->phase == WAVE_DONE)
            break;
        wave->abandoned = true;
        abandoned_runs_add(store_abandoned(wave->store));
        return refuse_waiting(wave, ERR_DEADLINE, "the time allowed is over");
    }
    return false;
}

static void await_wave(struct store_wave *wave, struct operation *operation)
{
    bool settle;
    operation_watch(operation, &wave->changed, &wave->lock);
    do {
        pthread_mutex_lock(&wave->lock);
        settle = wait_for_wave(wave, operation);
        pthread_mutex_unlock(&wave->lock);
        if (settle)
            settle_for_caller(wave);
    } while (settle);
    operation_unwatch(operation);
}

static void move_answer(struct store_answer *to, struct store_answer *from)
{
    *to = *from;
    memset(from, 0, sizeof *from);
}

/* With the lock held: what an abandoned wave can say about one request. True: it was answered. */
static bool publish_abandoned(struct wave_slot *slot, struct store_answer *to)
{
    const char *method = store_method_name(slot->request->method), *key = slot->request->key;
    bool writes = store_method_writes(slot->request->method);
    bool durable = !store_has_to_settle(slot->wave->store);
    if (slot->state == SLOT_RUNNING) {
        store_answer_fail(to, writes ? ERR_OUTCOME_UNKNOWN : ERR_DEADLINE,
                          "%s %s: no answer within the time allowed", method, key);
        to->late = writes;
        return false;
    }
    if (writes && slot->state == SLOT_ANSWERED && slot->succeeded && !durable) {
        store_answer_fail(to, ERR_NOT_DURABLE, "%s %s: not durable within the time allowed", method,
                          key);
        return false;
    }
    if (writes && !slot->succeeded) {
        /* settle() may be looking at it: leave it there. */
        to->code = error_copy(&to->error, &slot->answer.error);
        to->late = slot->answer.late;
    } else
        move_answer(to, &slot->answer);
    return slot->state != SLOT_REFUSED;
}

/* Hands the answers to the caller; returns as store_run(). */
static int publish(struct store_wave *wave, struct error *err)
{
    LOCK_SCOPE(&wave->lock);
    const struct error *first = NULL;
    size_t unanswered = 0;
    int code = 0;
    for (size_t i = 0; i < wave->size; i++) {
        struct store_answer *to = &store_set_at(wave->set, i)->answer;
        bool answered = wave->slots[i].state != SLOT_REFUSED;
        if (wave->abandoned)
            answered = publish_abandoned(&wave->slots[i], to);
        else
            move_answer(to, &wave->slots[i].answer);
        if (answered)
            continue;
        unanswered++;
        if (first)
            continue;
        first = &to->error;
        code = store_code_has_effect(to->code) ? ERR_DEADLINE : to->code;
    }
    if (unanswered)
        error_set(err, code, "%zu of %zu requests not answered, first: %s", unanswered, wave->size,
                  first->text);
    return code;
}

static void begin_set(struct store *store, const struct store_set *set)
{
    for (; store; store = store->wrapped)
        if (store->operations->begin)
            store->operations->begin(store, set);
}

int store_run(struct store *store, struct store_set *set, struct operation *operation,
              struct error *err)
{
    store_set_mark_run(set);
    if (store_set_size(set) == 0)
        return 0;
    struct store_wave *wave = wave_new(store, set, operation);
    struct error late;
    if (operation_check(operation, "before the first request", &late)) {
        pthread_mutex_lock(&wave->lock);
        refuse_waiting(wave, late.code, late.text);
        pthread_mutex_unlock(&wave->lock);
    } else {
        begin_set(store, set);
        submit_wave(wave);
        await_wave(wave, operation);
    }
    int code = publish(wave, err);
    wave_unref(wave);
    return code;
}

#include "unit/stores/power_store.h"

#include <string.h>

#include "base/cleanup.h"

/* What an object was before a request that has changed it. */
struct power_change {
    const struct store_request *request;
    char *key;
    struct bytes *before; /* NULL: absent */
};

struct power_store {
    struct store base;
    bool owns_inner;
    pthread_mutex_t lock; /* guards all below, and is held while the wrapped store performs */
    GPtrArray *changes;   /* struct power_change: what is not settled, the oldest first */
    GRand *choices;       /* NULL: everything is lost */
    bool gone;
};

static void free_change(void *data)
{
    struct power_change *change = data;
    g_free(change->key);
    bytes_unref(change->before);
    g_free(change);
}

static void pass_on(struct power_store *store, const struct store_request *request,
                    struct store_answer *answer)
{
    struct operation operation;
    operation_init(&operation, -1);
    struct store *inner = store->base.wrapped;
    inner->operations->perform(inner, request, &operation, answer);
    operation_destroy(&operation);
}

/* NULL: absent, or no object. */
static struct bytes *read_object(struct power_store *store, const char *key)
{
    struct store_request request = {.method = STORE_GET, .key = (char *)key};
    struct store_answer answer = {0};
    pass_on(store, &request, &answer);
    struct bytes *body = g_steal_pointer(&answer.body);
    store_answer_clear(&answer);
    return body;
}

static void write_object(struct power_store *store, const char *key, struct bytes *body)
{
    struct store_request request = {
        .method = body ? STORE_PUT : STORE_DELETE, .key = (char *)key, .body = body};
    struct store_answer answer = {0};
    pass_on(store, &request, &answer);
    g_assert(answer.code == 0);
    store_answer_clear(&answer);
}

static void remember(struct power_store *store, const struct store_request *request)
{
    struct power_change *change = g_new0(struct power_change, 1);
    change->request = request;
    change->key = g_strdup(request->key);
    change->before = read_object(store, request->key);
    g_ptr_array_add(store->changes, change);
}

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    struct power_store *store = (struct power_store *)base;
    LOCK_SCOPE(&store->lock);
    if (store->gone) {
        store_answer_fail(answer, ERR_IO, "%s %s: the power has gone",
                          store_method_name(request->method), request->key);
        return;
    }
    if (request->method == STORE_PUT || request->method == STORE_DELETE)
        remember(store, request);
    base->wrapped->operations->perform(base->wrapped, request, operation, answer);
}

/* ---- Settling ---- */

/* What the request did is durable, and with it what others did to the object before. */
static void forget(struct power_store *store, const struct store_request *request)
{
    guint settled = store->changes->len;
    while (settled > 0 &&
           ((struct power_change *)store->changes->pdata[settled - 1])->request != request)
        settled--;
    for (guint i = settled; i > 0; i--) {
        const struct power_change *change = store->changes->pdata[i - 1];
        if (strcmp(change->key, request->key) == 0)
            g_ptr_array_remove_index(store->changes, i - 1);
    }
}

static void fail_undurable(const struct store_request *request, struct store_answer *answer)
{
    if (store_method_writes(request->method) && answer->code == 0)
        store_answer_fail(answer, ERR_NOT_DURABLE, "%s %s: the power has gone",
                          store_method_name(request->method), request->key);
}

static void settle(struct store *base, struct store_wave *wave)
{
    struct power_store *store = (struct power_store *)base;
    LOCK_SCOPE(&store->lock);
    if (!store->gone && base->wrapped->operations->settle)
        base->wrapped->operations->settle(base->wrapped, wave);
    for (size_t i = 0; i < store_wave_size(wave); i++) {
        const struct store_request *request = store_wave_request(wave, i);
        if (store->gone)
            fail_undurable(request, store_wave_answer(wave, i));
        else
            forget(store, request);
    }
}

/* ---- The power goes ---- */

/* Takes all changes of the object that was changed first; it gets one of the states that it had. */
static void choose_state(struct power_store *store)
{
    g_autofree char *key = g_strdup(((struct power_change *)store->changes->pdata[0])->key);
    g_autoptr(GPtrArray) states = g_ptr_array_new();
    for (guint i = 0; i < store->changes->len; i++) {
        const struct power_change *change = store->changes->pdata[i];
        if (strcmp(change->key, key) == 0)
            g_ptr_array_add(states, change->before ? bytes_ref(change->before) : NULL);
    }
    g_ptr_array_add(states, read_object(store, key));
    gint32 chosen = store->choices ? g_rand_int_range(store->choices, 0, (gint32)states->len) : 0;
    if ((guint)chosen + 1 < states->len)
        write_object(store, key, states->pdata[chosen]);
    for (guint i = 0; i < states->len; i++)
        bytes_unref(states->pdata[i]);
    for (guint i = store->changes->len; i > 0; i--)
        if (strcmp(((struct power_change *)store->changes->pdata[i - 1])->key, key) == 0)
            g_ptr_array_remove_index(store->changes, i - 1);
}

void power_store_cut(struct store *base)
{
    struct power_store *store = (struct power_store *)base;
    LOCK_SCOPE(&store->lock);
    while (store->changes->len > 0)
        choose_state(store);
    store->gone = true;
}

static void destroy(struct store *base)
{
    struct power_store *store = (struct power_store *)base;
    if (store->owns_inner)
        store_free(base->wrapped);
    g_ptr_array_unref(store->changes);
    if (store->choices)
        g_rand_free(store->choices);
    pthread_mutex_destroy(&store->lock);
}

struct store *power_store_new(struct store *inner, bool owns_inner, uint32_t seed)
{
    static const struct store_operations operations = {
        .perform = perform, .settle = settle, .destroy = destroy};
    struct power_store *store = g_new0(struct power_store, 1);
    store_initialize_wrapper(&store->base, &operations, inner);
    store->owns_inner = owns_inner;
    store->changes = g_ptr_array_new_with_free_func(free_change);
    store->choices = seed == POWER_LOSE_ALL ? NULL : g_rand_new_with_seed(seed);
    pthread_mutex_init(&store->lock, NULL);
    return &store->base;
}

/*
 * What stands on running sets (store_wave.c): runs of a single request, what a failure means, and
 * the end of a store.
 */
#include "store/store.h"

#include "store/abandoned_runs.h"
#include "store/store_private.h"

int store_answer_failure(const struct store_answer *answer, int run_code, struct error *err)
{
    struct error failure = answer->error;
    if (store_code_has_effect(answer->code))
        failure.code = run_code ? run_code : ERR_IO;
    return error_copy(err, &failure);
}

/* Runs a set of one and returns the code of its answer. */
static int run_one(struct store *store, struct store_set *set, struct operation *operation,
                   struct error *err)
{
    store_run(store, set, operation, NULL); /* the answer says more */
    return store_set_failure(set, 0, err);
}

int store_run_all(struct store *store, struct store_set *set, int ignored,
                  struct operation *operation, struct error *err)
{
    int code = store_run(store, set, operation, err);
    return code ? code : store_set_failure(set, ignored, err);
}

int store_get(struct store *store, const char *key, struct operation *operation,
              struct bytes **ret_body, char **ret_etag, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *request = store_set_get(set, key);
    int code = run_one(store, set, operation, err);
    if (code == 0) {
        *ret_body = g_steal_pointer(&request->answer.body);
        if (ret_etag)
            *ret_etag = g_steal_pointer(&request->answer.etag);
    }
    return code;
}

int store_put(struct store *store, const char *key, struct bytes *body,
              enum store_precondition precondition, const char *etag, struct operation *operation,
              char **ret_etag, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *request = store_set_put(set, key, body, precondition, etag);
    int code = run_one(store, set, operation, err);
    if (code == 0 && ret_etag)
        *ret_etag = g_steal_pointer(&request->answer.etag);
    return code;
}

int store_delete(struct store *store, const char *key, struct operation *operation,
                 struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    store_request_expect_around(store_set_delete(set, key));
    return run_one(store, set, operation, err);
}

int store_confirm_put(struct store *store, const char *key, struct bytes *body, const char *etag,
                      struct operation *operation, char **ret_etag, struct error *err)
{
    if (store_has_to_settle(store))
        return store_put(store, key, body, STORE_IF_MATCH, etag, operation, ret_etag, err);
    *ret_etag = g_strdup(etag);
    return 0;
}

bool store_free_within(struct store *store, int64_t timeout_ms)
{
    if (store && !worker_pool_drain_within(store_pool(store), timeout_ms))
        return false;
    store_free(store);
    return true;
}

void store_free(struct store *store)
{
    if (!store)
        return;
    if (store->pool)
        worker_pool_free(store->pool);
    else
        worker_pool_drain(store_pool(store));
    store->operations->destroy(store);
    abandoned_runs_free(store->abandoned);
    g_free(store);
}

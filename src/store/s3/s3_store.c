#include "store/s3/s3_store.h"

#include "store/s3/s3_store_private.h"

#define MOST_JOBS 1024

static const struct s3_pace usual_pace = {
    .first_ms = 100, .longest_ms = 5000, .exchange_ms = 10000, .patience_ms = 60000};

static int dispatch(struct s3_effort *effort, const struct store_request *request,
                    struct store_answer *answer, struct error *err)
{
    switch (request->method) {
    case STORE_GET:
        return s3_read(effort, S3_WIRE_GET, request->key, answer, err);
    case STORE_HEAD:
        return s3_read(effort, S3_WIRE_HEAD, request->key, answer, err);
    case STORE_LIST:
        return s3_list(effort, request, answer, err);
    case STORE_PUT:
        return s3_put(effort, request, answer, err);
    case STORE_DELETE:
        return s3_delete(effort, request->key, err);
    case STORE_PRUNE:   /* a bucket has neither directories nor temporary files, */
    case STORE_RESERVE: /* nor an end */
        break;
    }
    return 0;
}

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    struct s3_effort effort;
    struct error err = {0};
    s3_effort_begin(&effort, (struct s3_store *)base, request, operation);
    if (dispatch(&effort, request, answer, &err)) {
        s3_effort_outcome(&effort, &err);
        store_answer_clear(answer);
        answer->code = error_copy(&answer->error, &err);
    }
    answer->late = effort.unknown;
}

static void destroy(struct store *base)
{
    struct s3_store *store = (struct s3_store *)base;
    if (store->reads != store->writes)
        s3_wire_free(store->reads);
    s3_wire_free(store->writes);
    s3_profile_free(store->profile);
    s3_breaker_destroy(&store->breaker);
    log_unref(store->log);
    g_free(store->clients);
}

static const char *clients(const struct s3_store *store)
{
    if (store->reads == store->writes || __atomic_load_n(&store->reads_by_writes, __ATOMIC_ACQUIRE))
        return store->writes->name;
    return store->clients;
}

static bool connection(struct store *base, struct store_connection *ret)
{
    struct s3_store *store = (struct s3_store *)base;
    ret->clients = clients(store);
    ret->repeats = __atomic_load_n(&store->repeats, __ATOMIC_RELAXED);
    ret->breaker_open = s3_breaker_state(&store->breaker, &ret->breaker_opened);
    return true;
}

struct store *s3_store_open_wires(struct s3_wire *reads, struct s3_wire *writes,
                                  struct s3_profile *profile, unsigned jobs)
{
    static const struct store_operations operations = {
        .perform = perform, .outlives_calls = true, .connection = connection, .destroy = destroy};
    struct s3_store *store = g_new0(struct s3_store, 1);
    store_initialize(&store->base, &operations, CLAMP(jobs, 1, MOST_JOBS));
    store->reads = reads;
    store->writes = writes;
    store->profile = profile;
    store->pace = usual_pace;
    store->may_switch = true;
    store->clients = g_strdup_printf("%s for reads, %s for writes", reads->name, writes->name);
    s3_breaker_init(&store->breaker);
    return &store->base;
}

/* The wire for reads; `writes` itself where libs3 cannot be trusted and need not be. */
static int choose_reads(const struct s3_store_settings *settings, struct s3_wire *writes,
                        struct s3_wire **ret, struct error *err)
{
    struct error problem;
    *ret = writes;
    if (settings->client == S3_CLIENT_CURL)
        return 0;
    int code = s3_wire_libs3_new(settings->endpoint, ret, &problem);
    if (code == 0 || settings->client == S3_CLIENT_AUTOMATIC)
        return 0;
    return error_set(err, code, "libs3 cannot be used here: %s", problem.text);
}

int s3_store_open(const struct s3_store_settings *settings, struct store **ret, struct error *err)
{
    struct s3_wire *writes = NULL, *reads = NULL;
    int code = s3_wire_curl_new(settings->endpoint, settings->ca_file, &writes, err);
    if (code == 0)
        code = choose_reads(settings, writes, &reads, err);
    if (code) {
        s3_wire_free(writes);
        s3_profile_free(settings->profile);
        return code;
    }
    *ret = s3_store_open_wires(reads, writes, settings->profile, settings->jobs);
    struct s3_store *store = (struct s3_store *)*ret;
    store->may_switch = settings->client == S3_CLIENT_AUTOMATIC;
    store->log = log_ref(settings->log);
    return 0;
}

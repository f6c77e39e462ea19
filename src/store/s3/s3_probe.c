/*
 * The checks before a mount: whether the bucket answers, and whether the server minds
 * preconditions.
 */

#include "base/ulid.h"
#include "store/s3/s3_store_private.h"

#define PROBE_TRIES 10
#define CLEAN_UP_MS 10000
#define WRONG_ETAG "00000000000000000000000000000000"

/* ---- Whether the bucket answers ---- */

static int ask_server(struct s3_store *store, const struct s3_wire_request *question,
                      unsigned expected, const struct operation *operation, struct error *err)
{
    struct s3_effort effort;
    struct store_request request = {.method =
                                        question->method == S3_WIRE_LIST ? STORE_LIST : STORE_GET,
                                    .key = (char *)question->key};
    struct s3_wire_answer answer = {0};
    s3_effort_begin(&effort, store, &request, operation);
    effort.impatient = true;
    int code = s3_effort_perform(&effort, question, expected, &answer, err);
    s3_wire_answer_clear(&answer);
    return code;
}

/* A listing: unlike HEAD, it is answered with a reason. */
static int ask_for_listing(struct s3_store *store, const char *prefix,
                           const struct operation *operation, struct error *err)
{
    struct s3_wire_request page = {.method = S3_WIRE_LIST, .key = prefix, .max_keys = 1};
    return ask_server(store, &page, 1u << S3_WIRE_OK, operation, err);
}

/* Asks for an object that need not exist, on the wire for reads. */
static int ask_for_object(struct s3_store *store, const char *prefix,
                          const struct operation *operation, struct error *err)
{
    g_autofree char *key = g_strconcat(prefix, "forkfs_check", NULL);
    struct s3_wire_request get = {.method = S3_WIRE_GET, .key = key};
    return ask_server(store, &get, 1u << S3_WIRE_OK | 1u << S3_WIRE_NOT_FOUND, operation, err);
}

int s3_store_check(struct store *base, const char *prefix, struct operation *operation,
                   struct error *err)
{
    struct s3_store *store = (struct s3_store *)base;
    struct operation unlimited;
    struct error refusal = {0};
    operation_init(&unlimited, -1);
    const struct operation *limit = operation ? operation : &unlimited;
    /* Listings take libcurl, which tells best what is wrong. */
    int code = ask_for_listing(store, prefix, limit, err);
    if (code == 0 && store->reads != store->writes &&
        ask_for_object(store, prefix, limit, &refusal)) {
        if (store->may_switch)
            __atomic_store_n(&store->reads_by_writes, true, __ATOMIC_RELEASE);
        else
            code = error_set(err, refusal.code, "%s has no success where %s has: %s",
                             store->reads->name, store->writes->name, refusal.text);
    }
    operation_destroy(&unlimited);
    return code;
}

/* ---- Whether it minds preconditions ---- */

struct probe {
    struct store *store;
    char *key;
    struct operation *operation;
};

/* One put of the probe. That it is not known what became of it can only come from a bad connection,
 * since nobody else has the key. */
static int try_put(const struct probe *probe, const char *text,
                   enum store_precondition precondition, const char *etag, struct error *err)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    int code = ERR_OUTCOME_UNKNOWN;
    for (int i = 0; i < PROBE_TRIES && code == ERR_OUTCOME_UNKNOWN; i++)
        code = store_put(probe->store, probe->key, body, precondition, etag, probe->operation, NULL,
                         err);
    return code;
}

/* A put that must be refused. *ret_ignored: the header that the server ignores, if it is not. */
static int expect_refusal(const struct probe *probe, const char *text,
                          enum store_precondition precondition, const char *etag,
                          const char *header, const char **ret_ignored, struct error *err)
{
    int code = try_put(probe, text, precondition, etag, err);
    if (code == 0 && !*ret_ignored)
        *ret_ignored = header;
    return code == ERR_PRECONDITION ? 0 : code;
}

/* A put that must be taken: without it nobody can write. */
static int expect_success(const struct probe *probe, const char *text,
                          enum store_precondition precondition, const char *etag, struct error *err)
{
    struct error failure;
    int code = try_put(probe, text, precondition, etag, &failure);
    if (code == ERR_PRECONDITION || code == ERR_UNSUPPORTED)
        return error_set(err, ERR_IO, "it does not work with this server: %s", failure.text);
    return code == 0 ? 0 : error_copy(err, &failure);
}

/* If-Match with the etag that the object has; which quotes the server wants comes out of it. */
static int match_right_etag(const struct probe *probe, struct error *err)
{
    auto_bytes struct bytes *body = NULL;
    g_autofree char *etag = NULL;
    int code = store_get(probe->store, probe->key, probe->operation, &body, &etag, err);
    return code ? code : expect_success(probe, "matched", STORE_IF_MATCH, etag, err);
}

static int run_probe(const struct probe *probe, struct error *err)
{
    const char *ignored = NULL;
    int code = expect_success(probe, "created", STORE_IF_ABSENT, NULL, err);
    if (code == 0)
        code = expect_refusal(probe, "created twice", STORE_IF_ABSENT, NULL, "If-None-Match",
                              &ignored, err);
    if (code == 0)
        code = match_right_etag(probe, err);
    /* This comes after that, because it must be refused in the way of quoting that works. */
    if (code == 0)
        code = expect_refusal(probe, "not matched", STORE_IF_MATCH, WRONG_ETAG, "If-Match",
                              &ignored, err);
    if (code == 0)
        code = expect_success(probe, "replaced", STORE_ALWAYS, NULL, err);
    if (code == 0 && ignored)
        return error_set(err, ERR_UNSUPPORTED,
                         "the server ignores %s: it overwrote what the condition protects",
                         ignored);
    return code;
}

/* With versioning on, gateways of Ceph overwrite what If-None-Match protects, and refuse If-Match
 * for the version that an object has. */
static void name_versioning(const struct store *base, struct error *failure)
{
    const struct s3_store *store = (const struct s3_store *)base;
    if ((failure->code != ERR_IO && failure->code != ERR_UNSUPPORTED) ||
        !__atomic_load_n(&store->keeps_versions, __ATOMIC_RELAXED))
        return;
    const struct error cause = *failure;
    error_set(failure, cause.code,
              "%.800s; the bucket keeps versions, with which servers of Ceph mind no conditions: "
              "use a bucket that never had versioning on",
              cause.text);
}

int s3_store_probe(struct store *store, const char *prefix, struct operation *operation,
                   struct error *err)
{
    struct error failure = {0}, left = {0};
    struct operation cleaning;
    struct ulid id = ulid_new();
    struct probe probe = {.store = store,
                          .key = g_strdup_printf("%sforkfs_probe_%s", prefix, id.text),
                          .operation = operation};
    int code = run_probe(&probe, &failure);
    name_versioning(store, &failure);
    /* The key goes whatever has happened to the operation. */
    operation_init(&cleaning, CLEAN_UP_MS);
    int deleted = store_delete(store, probe.key, &cleaning, &left);
    operation_destroy(&cleaning);
    if (code == 0 && deleted)
        code = error_copy(&failure, &left);
    if (code)
        error_set(err, code, "probing the store with conditional puts: %s", failure.text);
    g_free(probe.key);
    return code;
}

/* ---- What killed processes have left of it ---- */

void s3_store_remove_probes(struct store *store, const char *prefix, int64_t before_ns,
                            struct operation *operation)
{
    auto_store_set struct store_set *listing = store_set_new();
    auto_store_set struct store_set *removal = store_set_new();
    const struct store_request *list = store_set_list(listing, prefix, NULL, 0);
    if (store_run(store, listing, operation, NULL) != 0 || list->answer.code != 0)
        return;
    for (guint i = 0; i < list->answer.objects->len; i++) {
        const struct store_object *object = list->answer.objects->pdata[i];
        if (object->modified_ns < before_ns)
            store_set_delete(removal, object->key);
    }
    store_run(store, removal, operation, NULL);
}

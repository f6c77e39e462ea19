/*
 * The wire over libs3: reading objects.
 */
#include "config.h"

#include <libs3.h>
#include <string.h>

#include "base/timestamp.h"
#include "store/s3/wire/s3_wire_private.h"

/* What libs3 4 has and 2.0 lacks; see configure.ac. */
#if defined(HAVE_S3BUCKETCONTEXT_SECURITYTOKEN) && defined(HAVE_S3BUCKETCONTEXT_AUTHREGION)
#define SIGNS_WITH_V4 1
#define LIBRARY_NAME "libs3/4"
#else
#define SIGNS_WITH_V4 0
#define LIBRARY_NAME "libs3/2.0"
#endif

/* The arguments of a call that blocks: no request context, and a time limit where it takes one. */
#ifdef LIBS3_HAS_TIMEOUT
#define TAKES_TIMEOUT 1
#define BLOCKING(request) NULL, (int)CLAMP((request)->timeout_ms, 1, G_MAXINT)
#else
#define TAKES_TIMEOUT 0
#define BLOCKING(request) NULL
#endif

/* For so many calls that block libs3 keeps a connection each. */
#define KEPT_CONNECTIONS 32

#define ETAG_OF_NOTHING "d41d8cd98f00b204e9800998ecf8427e" /* the MD5 of an empty body */

struct libs3_wire {
    struct s3_wire base;
    struct s3_endpoint endpoint;
    char *host; /* with the port */
};

/* One call of libs3, as its callbacks see it. */
struct libs3_call {
    S3Status status;
    char *etag; /* as written */
    uint64_t size;
    int64_t modified_s; /* negative: unknown */
    GByteArray *body;
    bool body_is_dropped; /* only the properties are of interest */
    bool body_is_cut;     /* there was more than is taken */
    char *message;        /* what the server said */
};

/* ---- Callbacks ---- */

static S3Status on_properties(const S3ResponseProperties *properties, void *context)
{
    struct libs3_call *call = context;
    g_free(call->etag);
    call->etag = g_strdup(properties->eTag);
    call->size = properties->contentLength;
    call->modified_s = properties->lastModified;
    return S3StatusOK;
}

static S3Status on_body(int size, const char *data, void *context)
{
    struct libs3_call *call = context;
    if (call->body_is_dropped)
        return S3StatusOK;
    if ((uint64_t)size > S3_WIRE_LARGEST_BODY - call->body->len) {
        call->body_is_cut = true;
        return S3StatusAbortedByCallback;
    }
    g_byte_array_append(call->body, (const guint8 *)data, (guint)size);
    return S3StatusOK;
}

static void on_complete(S3Status status, const S3ErrorDetails *details, void *context)
{
    struct libs3_call *call = context;
    call->status = status;
    if (details && details->message && *details->message)
        call->message = g_strdup(details->message);
}

static const S3GetObjectHandler get_handler = {{on_properties, on_complete}, on_body};
static const S3ResponseHandler plain_handler = {on_properties, on_complete};

/* ---- Calls ---- */

static S3BucketContext bucket_context(const struct libs3_wire *wire,
                                      const struct s3_wire_request *request)
{
    const struct s3_credentials *credentials = request->credentials;
    S3BucketContext context = {0};
    context.hostName = wire->host;
    context.bucketName = wire->endpoint.bucket;
    context.protocol = S3ProtocolHTTP;
    context.uriStyle = wire->endpoint.path_style ? S3UriStylePath : S3UriStyleVirtualHost;
    context.accessKeyId = credentials->access_key;
    context.secretAccessKey = credentials->secret_key;
#if SIGNS_WITH_V4
    context.securityToken = credentials->session_token;
    context.authRegion = wire->endpoint.region;
#endif
    return context;
}

static void call_begin(struct libs3_call *call)
{
    *call = (struct libs3_call){
        .status = S3StatusInternalError, .modified_s = -1, .body = g_byte_array_new()};
}

static void call_clear(struct libs3_call *call)
{
    g_free(call->etag);
    g_byte_array_unref(call->body);
    g_free(call->message);
}

static void call_get(const struct libs3_wire *wire, const struct s3_wire_request *request,
                     struct libs3_call *call)
{
    S3BucketContext context = bucket_context(wire, request);
    S3_get_object(&context, request->key, NULL, 0, 0, BLOCKING(request), &get_handler, call);
}

static void call_head(const struct libs3_wire *wire, const struct s3_wire_request *request,
                      struct libs3_call *call)
{
    S3BucketContext context = bucket_context(wire, request);
    S3_head_object(&context, request->key, BLOCKING(request), &plain_handler, call);
}

static void call_delete(const struct libs3_wire *wire, const struct s3_wire_request *request,
                        struct libs3_call *call)
{
    S3BucketContext context = bucket_context(wire, request);
    S3_delete_object(&context, request->key, BLOCKING(request), &plain_handler, call);
}

/* ---- What a failure means ---- */

static const struct {
    S3Status status;
    enum s3_wire_result result;
} meanings[] = {
    {S3StatusNameLookupError, S3_WIRE_UNREACHABLE},
    {S3StatusFailedToConnect, S3_WIRE_UNREACHABLE},
    {S3StatusServerFailedVerification, S3_WIRE_UNTRUSTED},
    /* of the library: a dropped connection, mostly */
    {S3StatusInternalError, S3_WIRE_LOST},
    {S3StatusConnectionFailed, S3_WIRE_LOST},
    {S3StatusInterrupted, S3_WIRE_LOST},
    {S3StatusOutOfMemory, S3_WIRE_LOST},
    {S3StatusXmlParseFailure, S3_WIRE_LOST},
    {S3StatusErrorIncompleteBody, S3_WIRE_LOST},
    /* 404 or 307, but not the document that S3 sends with it */
    {S3StatusHttpErrorNotFound, S3_WIRE_LOST},
    {S3StatusHttpErrorMovedTemporarily, S3_WIRE_LOST},
    {S3StatusErrorRequestTimeout, S3_WIRE_TIMED_OUT},
    {S3StatusErrorNoSuchKey, S3_WIRE_NOT_FOUND},
    {S3StatusErrorNoSuchBucket, S3_WIRE_NO_BUCKET},
    {S3StatusErrorPreconditionFailed, S3_WIRE_PRECONDITION},
    {S3StatusErrorAccessDenied, S3_WIRE_DENIED},
    {S3StatusErrorAccountProblem, S3_WIRE_DENIED},
    {S3StatusErrorCredentialsNotSupported, S3_WIRE_DENIED},
    {S3StatusErrorExpiredToken, S3_WIRE_DENIED},
    {S3StatusErrorInvalidAccessKeyId, S3_WIRE_DENIED},
    {S3StatusErrorInvalidSecurity, S3_WIRE_DENIED},
    {S3StatusErrorInvalidToken, S3_WIRE_DENIED},
    {S3StatusErrorMissingSecurityHeader, S3_WIRE_DENIED},
    {S3StatusErrorNotSignedUp, S3_WIRE_DENIED},
    {S3StatusErrorRequestTimeTooSkewed, S3_WIRE_DENIED},
    {S3StatusErrorSignatureDoesNotMatch, S3_WIRE_DENIED},
    {S3StatusErrorTokenRefreshRequired, S3_WIRE_DENIED},
    {S3StatusHttpErrorForbidden, S3_WIRE_DENIED},
    {S3StatusErrorInvalidLocationConstraint, S3_WIRE_REDIRECT},
    {S3StatusErrorPermanentRedirect, S3_WIRE_REDIRECT},
    {S3StatusErrorRedirect, S3_WIRE_REDIRECT},
    {S3StatusErrorTemporaryRedirect, S3_WIRE_REDIRECT},
    {S3StatusErrorSlowDown, S3_WIRE_BUSY},
    {S3StatusErrorOperationAborted, S3_WIRE_CONFLICT},
    {S3StatusHttpErrorConflict, S3_WIRE_CONFLICT},
    {S3StatusErrorInternalError, S3_WIRE_SERVER_ERROR},
    {S3StatusErrorUnknown, S3_WIRE_SERVER_ERROR},
    {S3StatusHttpErrorUnknown, S3_WIRE_SERVER_ERROR},
};

static enum s3_wire_result classify(S3Status status)
{
    for (size_t i = 0; i < G_N_ELEMENTS(meanings); i++)
        if (meanings[i].status == status)
            return meanings[i].result;
    /* A newer libs3 knows more codes. */
    return strcmp(S3_get_status_name(status), "ErrorServiceUnavailable") == 0 ? S3_WIRE_SERVER_ERROR
                                                                              : S3_WIRE_REJECTED;
}

static void conclude_failure(const struct s3_wire_request *request, const struct libs3_call *call,
                             struct s3_wire_answer *answer)
{
    const char *name = S3_get_status_name(call->status);
    if (g_str_has_prefix(name, "Error") && call->status != S3StatusErrorUnknown)
        answer->s3_code = g_strdup(name + strlen("Error"));
    if (call->body_is_cut)
        s3_wire_conclude(request, answer, S3_WIRE_REJECTED,
                         "the object is larger than anything that is expected here");
    else
        s3_wire_conclude(request, answer, classify(call->status), "%s",
                         call->message     ? call->message
                         : answer->s3_code ? ""
                                           : name);
}

/* ---- Methods ---- */

static void lost(const struct s3_wire_request *request, struct s3_wire_answer *answer,
                 const char *reason)
{
    s3_wire_conclude(request, answer, S3_WIRE_LOST, "%s", reason);
}

/* Etag, size and time of a success. False: they are not an answer of S3. */
static bool take_properties(const struct s3_wire_request *request, const struct libs3_call *call,
                            struct s3_wire_answer *answer)
{
    answer->etag = s3_wire_etag(call->etag);
    answer->size = call->size;
    answer->modified_ns = call->modified_s > 0 ? call->modified_s * NS_PER_SECOND : 0;
    if (!answer->etag)
        lost(request, answer, "an answer without an etag, or none that libs3 understands");
    return answer->etag != NULL;
}

/* libs3 calls it a success when a body was cut, and tells no length from a length of 0. */
static bool body_is_whole(const struct libs3_call *call, const struct s3_wire_answer *answer)
{
    if (call->body->len != call->size)
        return false;
    return call->size || strcmp(answer->etag, ETAG_OF_NOTHING) == 0;
}

static void perform_get(const struct libs3_wire *wire, const struct s3_wire_request *request,
                        struct s3_wire_answer *answer)
{
    struct libs3_call call;
    call_begin(&call);
    call_get(wire, request, &call);
    if (call.status != S3StatusOK) {
        conclude_failure(request, &call, answer);
    } else if (take_properties(request, &call, answer)) {
        if (body_is_whole(&call, answer)) {
            answer->body = bytes_new(call.body->data, call.body->len);
            answer->result = S3_WIRE_OK;
        } else {
            lost(request, answer, "the body is not as long as announced, or without a length");
        }
    }
    call_clear(&call);
}

/* An answer to HEAD has no document, so that of GET has to tell whether it is S3 that knows no such
 * key, or somebody on the way to it. */
static void confirm_absence(const struct libs3_wire *wire, const struct s3_wire_request *request,
                            struct libs3_call *call)
{
    call_clear(call);
    call_begin(call);
    call->body_is_dropped = true;
    call_get(wire, request, call);
}

static void perform_head(const struct libs3_wire *wire, const struct s3_wire_request *request,
                         struct s3_wire_answer *answer)
{
    struct libs3_call call;
    call_begin(&call);
    call_head(wire, request, &call);
    if (call.status == S3StatusHttpErrorNotFound)
        confirm_absence(wire, request, &call);
    if (call.status != S3StatusOK)
        conclude_failure(request, &call, answer);
    else if (take_properties(request, &call, answer))
        answer->result = S3_WIRE_OK;
    call_clear(&call);
}

static void perform_delete(const struct libs3_wire *wire, const struct s3_wire_request *request,
                           struct s3_wire_answer *answer)
{
    struct libs3_call call;
    call_begin(&call);
    call_delete(wire, request, &call);
    if (call.status != S3StatusOK)
        conclude_failure(request, &call, answer);
    else
        answer->result = S3_WIRE_OK;
    call_clear(&call);
}

/* 2.0 stores a key with a blank under another name, and signs some others wrongly; a segment "." or
 * ".." makes a request for another key. */
static bool key_is_plain(const char *key)
{
    if (strspn(key, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-/") != strlen(key))
        return false;
    g_auto(GStrv) segments = g_strsplit(key, "/", -1);
    return !g_strv_contains((const char *const *)segments, ".") &&
           !g_strv_contains((const char *const *)segments, "..");
}

/* Why libs3 cannot be asked; NULL: it can. */
static const char *objection(const struct s3_wire_request *request)
{
    if (request->method == S3_WIRE_PUT)
        return "libs3 has no conditional puts";
    if (request->method == S3_WIRE_LIST)
        return "libs3 takes a listing that was cut for a whole one";
    if (!request->credentials)
        return "libs3 needs credentials";
    if (!SIGNS_WITH_V4 && request->credentials->session_token)
        return LIBRARY_NAME " cannot send a session token";
    return key_is_plain(request->key) ? NULL : "libs3 cannot be trusted with this key";
}

static void libs3_wire_perform(struct s3_wire *base, const struct s3_wire_request *request,
                               struct s3_wire_answer *answer)
{
    const struct libs3_wire *wire = (const struct libs3_wire *)base;
    const char *problem = objection(request);
    if (problem)
        s3_wire_conclude(request, answer, S3_WIRE_REJECTED, "%s", problem);
    else if (request->method == S3_WIRE_GET)
        perform_get(wire, request, answer);
    else if (request->method == S3_WIRE_HEAD)
        perform_head(wire, request, answer);
    else
        perform_delete(wire, request, answer);
}

/* ---- The wire ---- */

static void libs3_wire_free(struct s3_wire *base)
{
    struct libs3_wire *wire = (struct libs3_wire *)base;
    S3_deinitialize();
    s3_endpoint_clear(&wire->endpoint);
    g_free(wire->host);
    g_free(wire);
}

static const struct s3_wire_operations libs3_wire_operations = {.perform = libs3_wire_perform,
                                                                .free = libs3_wire_free};

const char *s3_wire_libs3_name(void)
{
    return LIBRARY_NAME;
}

static int check_endpoint(const struct s3_endpoint *endpoint, struct error *err)
{
    if (endpoint->https)
        return error_set(err, ERR_UNSUPPORTED, "libs3 does not check certificates of https");
    if (!SIGNS_WITH_V4 && endpoint->is_aws)
        return error_set(err, ERR_UNSUPPORTED, "%s cannot sign as AWS wants it", LIBRARY_NAME);
    S3Status status = S3_validate_bucket_name(
        endpoint->bucket, endpoint->path_style ? S3UriStylePath : S3UriStyleVirtualHost);
    if (status != S3StatusOK)
        return error_set(err, ERR_UNSUPPORTED, "libs3 does not take the bucket's name: %s",
                         S3_get_status_name(status));
    return 0;
}

int s3_wire_libs3_new(const struct s3_endpoint *endpoint, struct s3_wire **ret, struct error *err)
{
    int code = check_endpoint(endpoint, err);
    if (code)
        return code;
    g_autofree char *host = s3_endpoint_host(endpoint);
    S3Status status = S3_initialize("forkfs", S3_INIT_ALL, host);
    if (status != S3StatusOK)
        return error_set(err, ERR_IO, "libs3 does not start: %s", S3_get_status_name(status));
    struct libs3_wire *wire = g_new0(struct libs3_wire, 1);
    wire->base.operations = &libs3_wire_operations;
    g_strlcpy(wire->base.name, LIBRARY_NAME, sizeof wire->base.name);
    wire->base.kept_connections = KEPT_CONNECTIONS;
    wire->base.sends_late = !TAKES_TIMEOUT;
    s3_endpoint_copy(&wire->endpoint, endpoint);
    wire->host = g_steal_pointer(&host);
    *ret = &wire->base;
    return 0;
}

/*
 * The wire over libcurl: its connections, and one request in, one answer out.
 */
#include <curl/curl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "store/s3/wire/s3_signature.h"
#include "store/s3/wire/s3_wire_curl_private.h"
#include "store/s3/wire/s3_xml.h"

#define SYSTEM_CA_SECONDS 60L

struct curl_wire {
    struct s3_wire base;
    struct s3_endpoint endpoint;
    char *base_url;
    const char *host; /* the part of base_url */
    char *ca_file;    /* absolute, as the program may change its directory; NULL: the system's */
    pthread_mutex_t lock;
    GPtrArray *idle; /* guarded by lock: CURL with live connections, the last used one at the end */
};

/* ---- Handles ---- */

static CURL *take_handle(struct curl_wire *wire)
{
    LOCK_SCOPE(&wire->lock);
    if (wire->idle->len)
        return g_ptr_array_steal_index(wire->idle, wire->idle->len - 1);
    return curl_easy_init();
}

static void give_back_handle(struct curl_wire *wire, CURL *curl)
{
    LOCK_SCOPE(&wire->lock);
    g_ptr_array_add(wire->idle, curl);
}

/* ---- Requests ---- */

typedef struct curl_slist header_list;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(header_list, curl_slist_free_all)

static header_list *list_headers(const GArray *headers)
{
    header_list *list = NULL;
    for (guint i = 0; i < headers->len; i++) {
        const struct s3_header *header = &g_array_index(headers, struct s3_header, i);
        g_autofree char *line = g_strdup_printf("%s: %s", header->name, header->value);
        header_list *longer = curl_slist_append(list, line);
        g_assert(longer);
        list = longer;
    }
    return list;
}

/* https protects bodies; over http the signature has to. */
static char *hash_payload(const struct curl_wire *wire, const struct bytes *body)
{
    if (wire->endpoint.https)
        return g_strdup("UNSIGNED-PAYLOAD");
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)(body ? body->data : ""),
                                       body ? body->size : 0);
}

static void sign_headers(const struct curl_wire *wire, const struct s3_wire_request *request,
                         const char *path, const char *query, GArray *headers)
{
    static const char *const methods[] = {[S3_WIRE_GET] = "GET",
                                          [S3_WIRE_HEAD] = "HEAD",
                                          [S3_WIRE_LIST] = "GET",
                                          [S3_WIRE_PUT] = "PUT",
                                          [S3_WIRE_DELETE] = "DELETE"};
    bool puts = request->method == S3_WIRE_PUT;
    g_autofree char *payload_hash = hash_payload(wire, puts ? request->body : NULL);
    s3_sign(&(struct s3_signing){.credentials = request->credentials,
                                 .region = wire->endpoint.region,
                                 .now = time(NULL),
                                 .method = methods[request->method],
                                 .path = path,
                                 .query = query,
                                 .payload_hash = payload_hash},
            headers);
}

static header_list *make_headers(const struct curl_wire *wire,
                                 const struct s3_wire_request *request, const char *path,
                                 const char *query)
{
    g_autoptr(GArray) headers = s3_headers_new();
    bool puts = request->method == S3_WIRE_PUT;
    s3_headers_add(headers, "host", "%s", wire->host);
    if (puts)
        s3_headers_add(headers, "content-type", "application/octet-stream");
    if (puts && request->condition == S3_WIRE_IF_NONE_MATCH_ANY)
        s3_headers_add(headers, "if-none-match", "*");
    if (puts && request->condition == S3_WIRE_IF_MATCH)
        s3_headers_add(headers, "if-match", "%s", request->etag);
    if (request->credentials)
        sign_headers(wire, request, path, query, headers);
    return list_headers(headers);
}

static void set_method(CURL *curl, const struct s3_wire_request *request)
{
    switch (request->method) {
    case S3_WIRE_GET:
    case S3_WIRE_LIST:
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        break;
    case S3_WIRE_HEAD:
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        break;
    case S3_WIRE_PUT:
        /* As a POST by another name: an "upload" always waits for "100 Continue" first. */
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body->size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)request->body->data);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT");
        /* A large one asks for leave, but does not wait for it. */
        curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, 0L);
        break;
    case S3_WIRE_DELETE:
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
        break;
    }
}

static void set_connection(const struct curl_wire *wire, CURL *curl, int64_t timeout_ms)
{
    long timeout = (long)CLAMP(timeout_ms, 1, G_MAXINT32);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Leaves a thread behind that is stuck with a name server; an older libcurl waits for it. */
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, wire->endpoint.https ? "https" : "http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (wire->ca_file) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, wire->ca_file);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Else what was read once is trusted for a day. The system's many certificates are kept for a
     * while; a file of the user's is read at each connection, as by an older libcurl. */
    curl_easy_setopt(curl, CURLOPT_CA_CACHE_TIMEOUT, wire->ca_file ? 0L : SYSTEM_CA_SECONDS);
#endif
}

/* One request and its answer. *continuation: of the page before; becomes that of an empty page. */
static void perform_once(struct curl_wire *wire, CURL *curl, const struct s3_wire_request *request,
                         int64_t timeout_ms, char **continuation, struct s3_wire_answer *answer)
{
    bool lists = request->method == S3_WIRE_LIST;
    g_autofree char *path = s3_endpoint_path(&wire->endpoint, lists ? "" : request->key);
    g_autofree char *query = lists ? s3_wire_curl_list_query(request, *continuation) : g_strdup("");
    g_autofree char *url = g_strconcat(wire->base_url, path, lists ? "?" : "", query, NULL);
    g_autoptr(header_list) headers = make_headers(wire, request, path, query);
    struct s3_exchange exchange;
    s3_exchange_begin(&exchange, curl, request, answer);
    set_connection(wire, curl, timeout_ms);
    set_method(curl, request);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, url);
    if (code == CURLE_OK)
        code = curl_easy_perform(curl);
    s3_exchange_judge(&exchange, code);
    g_free(*continuation);
    *continuation = g_steal_pointer(&exchange.continuation);
    s3_exchange_clear(&exchange);
}

static void curl_wire_perform(struct s3_wire *base, const struct s3_wire_request *request,
                              struct s3_wire_answer *answer)
{
    struct curl_wire *wire = (struct curl_wire *)base;
    CURL *curl = take_handle(wire);
    if (!curl) {
        s3_wire_conclude(request, answer, S3_WIRE_UNREACHABLE, "libcurl cannot make a handle");
        return;
    }
    int64_t end_ns = monotonic_now_ns() + request->timeout_ms * NS_PER_MS;
    g_autofree char *continuation = NULL;
    perform_once(wire, curl, request, request->timeout_ms, &continuation, answer);
    /* AWS has empty pages where many objects were deleted from a bucket that keeps versions. */
    while (continuation && monotonic_now_ns() < end_ns) {
        s3_wire_answer_clear(answer);
        int64_t left_ms = (end_ns - monotonic_now_ns()) / NS_PER_MS;
        perform_once(wire, curl, request, left_ms, &continuation, answer);
    }
    give_back_handle(wire, curl);
}

/* ---- The wire ---- */

static void curl_wire_free(struct s3_wire *base)
{
    struct curl_wire *wire = (struct curl_wire *)base;
    g_ptr_array_unref(wire->idle);
    pthread_mutex_destroy(&wire->lock);
    s3_endpoint_clear(&wire->endpoint);
    g_free(wire->base_url);
    g_free(wire->ca_file);
    g_free(wire);
    curl_global_cleanup();
}

static const struct s3_wire_operations curl_wire_operations = {.perform = curl_wire_perform,
                                                               .free = curl_wire_free};

/* libcurl reads the file at each connection (see set_connection()); what is wrong with it is told
 * better beforehand. */
static int check_ca_file(const char *path, struct error *err)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) failure = NULL;
    if (!g_file_get_contents(path, &text, NULL, &failure)) {
        switch (failure->code) {
        case G_FILE_ERROR_NOENT:
        case G_FILE_ERROR_NOTDIR:
            return error_set(err, ERR_NOT_FOUND, "ca_file %s does not exist", path);
        case G_FILE_ERROR_ACCES:
        case G_FILE_ERROR_PERM:
            return error_set(err, ERR_ACCESS, "ca_file %s cannot be read: no permission", path);
        case G_FILE_ERROR_ISDIR:
            return error_set(err, ERR_INVALID, "ca_file %s is a directory", path);
        default:
            return error_set(err, ERR_IO, "ca_file: %s", failure->message);
        }
    }
    if (!strstr(text, "-----BEGIN "))
        return error_set(err, ERR_INVALID, "ca_file %s has no certificate in PEM form", path);
    return 0;
}

/* What libcurl can do is decided when it is built. */
static int check_abilities(struct curl_wire *wire, struct error *err)
{
    const char *scheme = wire->endpoint.https ? "https" : "http";
    CURL *curl = curl_easy_init();
    if (!curl)
        return error_set(err, ERR_IO, "libcurl does not start");
    bool has_scheme = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, scheme) == CURLE_OK;
    curl_easy_reset(curl);
    give_back_handle(wire, curl);
    if (!has_scheme)
        return error_set(err, ERR_UNSUPPORTED, "this %s was built without %s", wire->base.name,
                         scheme);
    return 0;
}

char *s3_wire_curl_name(void)
{
    return g_strconcat("libcurl/", curl_version_info(CURLVERSION_NOW)->version, NULL);
}

static struct curl_wire *curl_wire_new(const struct s3_endpoint *endpoint, const char *ca_file)
{
    struct curl_wire *wire = g_new0(struct curl_wire, 1);
    g_autofree char *name = s3_wire_curl_name();
    wire->base.operations = &curl_wire_operations;
    g_strlcpy(wire->base.name, name, sizeof wire->base.name);
    s3_endpoint_copy(&wire->endpoint, endpoint);
    wire->base_url = s3_endpoint_base(endpoint);
    wire->host = strstr(wire->base_url, "://") + strlen("://");
    wire->ca_file = ca_file ? g_canonicalize_filename(ca_file, NULL) : NULL;
    wire->idle = g_ptr_array_new_with_free_func(curl_easy_cleanup);
    pthread_mutex_init(&wire->lock, NULL);
    return wire;
}

int s3_wire_curl_new(const struct s3_endpoint *endpoint, const char *ca_file, struct s3_wire **ret,
                     struct error *err)
{
    int code = ca_file ? check_ca_file(ca_file, err) : 0;
    if (code)
        return code;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, ERR_IO, "libcurl does not start");
    s3_xml_initialize();
    struct curl_wire *wire = curl_wire_new(endpoint, ca_file);
    code = check_abilities(wire, err);
    if (code)
        curl_wire_free(&wire->base);
    else
        *ret = &wire->base;
    return code;
}

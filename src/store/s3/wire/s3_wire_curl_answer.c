/*
 * What comes back over the libcurl wire, and what it means.
 */
#include <string.h>

#include "base/timestamp.h"
#include "store/s3/wire/s3_wire_curl_private.h"
#include "store/s3/wire/s3_xml.h"

/* Bytes: 1000 keys of 1024 bytes, encoded, and more; error documents. */
#define LARGEST_LISTING (UINT64_C(64) << 20)
#define LARGEST_OTHER (UINT64_C(64) << 10)

/* ---- Collecting ---- */

static int exchange_status(const struct s3_exchange *exchange)
{
    long status = 0;
    curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* The value of a header line when it has this name; NULL otherwise. g_free(). */
static char *header_value(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (g_ascii_strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    return g_strstrip(g_strdup(line + length + 1));
}

static void keep_header(char **member, const char *line, const char *name)
{
    char *value = header_value(line, name);
    if (!value)
        return;
    g_free(*member);
    *member = value;
}

static void forget_headers(struct s3_exchange *exchange)
{
    g_clear_pointer(&exchange->etag, g_free);
    g_clear_pointer(&exchange->region, g_free);
    g_clear_pointer(&exchange->content_type, g_free);
    g_clear_pointer(&exchange->version, g_free);
    exchange->has_amz_header = false;
    exchange->is_chunked = false;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct s3_exchange *exchange = context;
    g_autofree char *line = g_strndup(data, size * count);
    if (g_str_has_prefix(line, "HTTP/"))
        forget_headers(exchange);
    keep_header(&exchange->etag, line, "etag");
    keep_header(&exchange->region, line, "x-amz-bucket-region");
    keep_header(&exchange->content_type, line, "content-type");
    keep_header(&exchange->version, line, "x-amz-version-id");
    if (g_ascii_strncasecmp(line, "x-amz-", strlen("x-amz-")) == 0)
        exchange->has_amz_header = true;
    g_autofree char *encoding = header_value(line, "transfer-encoding");
    if (encoding && g_str_has_suffix(encoding, "chunked"))
        exchange->is_chunked = true;
    return size * count;
}

static uint64_t body_limit(const struct s3_exchange *exchange)
{
    if (exchange_status(exchange) != 200)
        return LARGEST_OTHER;
    switch (exchange->request->method) {
    case S3_WIRE_GET:
        return S3_WIRE_LARGEST_BODY;
    case S3_WIRE_LIST:
        return LARGEST_LISTING;
    default:
        return LARGEST_OTHER;
    }
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct s3_exchange *exchange = context;
    size_t length = size * count;
    if (length > body_limit(exchange) - exchange->body->len) {
        exchange->body_is_cut = true;
        return 0; /* ends the transfer */
    }
    g_byte_array_append(exchange->body, (const guint8 *)data, (guint)length);
    return length;
}

/* Called each time before the request is sent. */
static int on_request(void *context, char *remote, char *local, int remote_port, int local_port)
{
    struct s3_exchange *exchange = context;
    exchange->sent++;
    return CURL_PREREQFUNC_OK;
}

void s3_exchange_begin(struct s3_exchange *exchange, CURL *curl,
                       const struct s3_wire_request *request, struct s3_wire_answer *answer)
{
    *exchange = (struct s3_exchange){
        .request = request, .answer = answer, .curl = curl, .body = g_byte_array_new()};
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->error_text);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_FILETIME, 1L);
    if (request->method == S3_WIRE_GET)
        curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)S3_WIRE_LARGEST_BODY);
}

void s3_exchange_clear(struct s3_exchange *exchange)
{
    forget_headers(exchange);
    g_byte_array_unref(exchange->body);
    g_free(exchange->continuation);
    curl_easy_reset(exchange->curl); /* forgets the credentials, keeps the connection */
}

/* ---- Exchanges that failed ---- */

/* What it means that there was no way to send the request. Libcurl fails like that, too, when it
 * has sent it over a kept connection that died before the answer, and finds no new one to repeat
 * it. */
static enum s3_wire_result unless_sent(const struct s3_exchange *exchange,
                                       enum s3_wire_result result)
{
    return exchange->sent ? S3_WIRE_LOST : result;
}

static enum s3_wire_result classify_failure(const struct s3_exchange *exchange, CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PROXY:
        return unless_sent(exchange, S3_WIRE_UNREACHABLE);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return unless_sent(exchange, S3_WIRE_UNTRUSTED);
    case CURLE_FAILED_INIT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_UNSUPPORTED_PROTOCOL: /* also of answers that are not HTTP */
    case CURLE_URL_MALFORMAT:
        return unless_sent(exchange, S3_WIRE_REJECTED);
    case CURLE_FILESIZE_EXCEEDED: /* of GET only */
        return S3_WIRE_REJECTED;
    case CURLE_OPERATION_TIMEDOUT:
        return exchange->sent ? S3_WIRE_TIMED_OUT : S3_WIRE_UNREACHABLE;
    default:
        return S3_WIRE_LOST;
    }
}

static void conclude_failure(struct s3_exchange *exchange, CURLcode code)
{
    const char *text = *exchange->error_text ? exchange->error_text : curl_easy_strerror(code);
    s3_wire_conclude(exchange->request, exchange->answer, classify_failure(exchange, code), "%s",
                     text);
}

/* ---- Errors that the server tells ---- */

static bool has_type(const struct s3_exchange *exchange, const char *type)
{
    return exchange->content_type &&
           g_ascii_strncasecmp(exchange->content_type, type, strlen(type)) == 0;
}

/* Whether an error without a document can be S3's own: answers to HEAD have none. */
static bool is_bare_error(const struct s3_exchange *exchange)
{
    return !exchange->body->len && !has_type(exchange, "text/html") &&
           (exchange->has_amz_header || has_type(exchange, "application/xml"));
}

/* An answer that no S3 server gives, but a proxy or a web server. */
static void conclude_foreign(struct s3_exchange *exchange)
{
    int status = exchange->answer->status;
    enum s3_wire_result result = s3_wire_classify(status, NULL);
    if (result == S3_WIRE_NOT_FOUND) /* it is the page that was not found */
        result = S3_WIRE_REJECTED;
    else if (result == S3_WIRE_REDIRECT) /* to where one signs in, or by a server that is closed */
        result = S3_WIRE_LOST;
    s3_wire_conclude(exchange->request, exchange->answer, result,
                     "HTTP %d, and not an answer of S3 (%s); is the endpoint right?", status,
                     exchange->content_type ? exchange->content_type : "without content type");
}

static void conclude_document(struct s3_exchange *exchange,
                              const struct s3_error_document *document)
{
    struct s3_wire_answer *answer = exchange->answer;
    enum s3_wire_result result = s3_wire_classify(answer->status, document->code);
    answer->s3_code = s3_wire_told(exchange->request, document->code);
    if (!answer->region)
        answer->region = s3_wire_told(exchange->request, document->region);
    const char *message = document->message ? document->message : "";
    if (result == S3_WIRE_REDIRECT && document->endpoint)
        s3_wire_conclude(exchange->request, answer, result, "%s (endpoint %s)", message,
                         document->endpoint);
    else
        s3_wire_conclude(exchange->request, answer, result, "%s", message);
}

static void conclude_error(struct s3_exchange *exchange)
{
    struct s3_wire_answer *answer = exchange->answer;
    struct s3_error_document document = {0};
    answer->region = s3_wire_told(exchange->request, exchange->region);
    if (!exchange->body_is_cut &&
        s3_xml_parse_error((const char *)exchange->body->data, exchange->body->len, &document))
        conclude_document(exchange, &document);
    else if (is_bare_error(exchange))
        s3_wire_conclude(exchange->request, answer, s3_wire_classify(answer->status, NULL),
                         "HTTP %d", answer->status);
    else
        conclude_foreign(exchange);
    s3_error_document_clear(&document);
}

/* ---- Success ---- */

static void lost(struct s3_exchange *exchange, const char *reason)
{
    s3_wire_conclude(exchange->request, exchange->answer, S3_WIRE_LOST,
                     "HTTP %d, but %s; is the endpoint an S3 server's?", exchange->answer->status,
                     reason);
}

/* Takes length and time from the headers. False: there is no length. */
static bool take_properties(struct s3_exchange *exchange)
{
    struct s3_wire_answer *answer = exchange->answer;
    curl_off_t length = -1;
    curl_off_t modified = -1;
    curl_easy_getinfo(exchange->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(exchange->curl, CURLINFO_FILETIME_T, &modified);
    answer->size = length < 0 ? 0 : (uint64_t)length;
    answer->modified_ns = modified < 0 ? 0 : modified * NS_PER_SECOND;
    return length >= 0;
}

static void take_etag(struct s3_exchange *exchange)
{
    exchange->answer->etag = s3_wire_etag(exchange->etag);
}

static void conclude_get(struct s3_exchange *exchange)
{
    struct s3_wire_answer *answer = exchange->answer;
    bool has_length = take_properties(exchange);
    take_etag(exchange);
    if (!answer->etag) {
        lost(exchange, "without an etag");
        return;
    }
    /* libcurl sees to it that a body has its length, or all of its chunks. */
    if (!has_length && !exchange->is_chunked) {
        lost(exchange, "without a length: the body may have been cut");
        return;
    }
    answer->size = exchange->body->len;
    answer->body = bytes_new(exchange->body->data, exchange->body->len);
    answer->result = S3_WIRE_OK;
}

static void conclude_head(struct s3_exchange *exchange)
{
    bool has_length = take_properties(exchange);
    take_etag(exchange);
    if (!exchange->answer->etag || !has_length)
        lost(exchange, "without etag or length");
    else
        exchange->answer->result = S3_WIRE_OK;
}

static void conclude_list(struct s3_exchange *exchange)
{
    struct s3_list_page page;
    struct error err;
    if (s3_xml_parse_listing((const char *)exchange->body->data, exchange->body->len, &page, &err))
        lost(exchange, err.text);
    else
        s3_wire_curl_list_conclude(exchange->request, exchange->answer, &page);
    if (page.rows && page.truncated && !page.rows->len)
        exchange->continuation = g_steal_pointer(&page.continuation);
    s3_list_page_clear(&page);
}

/* Some servers type everything as a page, and answer a change with nothing. */
static bool is_page(const struct s3_exchange *exchange)
{
    return exchange->body->len > 0 && has_type(exchange, "text/html");
}

static void conclude_change(struct s3_exchange *exchange)
{
    struct s3_error_document document;
    take_etag(exchange);
    /* "null": what has no version of its own, as versioning is suspended */
    exchange->answer->versioned = exchange->version && strcmp(exchange->version, "null") != 0;
    bool is_error =
        s3_xml_parse_error((const char *)exchange->body->data, exchange->body->len, &document);
    s3_error_document_clear(&document);
    if (is_error)
        lost(exchange, "with an error document");
    else if (is_page(exchange))
        lost(exchange, "with a page for people");
    else if (exchange->request->method == S3_WIRE_PUT && !exchange->answer->etag)
        lost(exchange, "without an etag");
    else
        exchange->answer->result = S3_WIRE_OK;
}

static void conclude_success(struct s3_exchange *exchange)
{
    enum s3_wire_method method = exchange->request->method;
    if (method == S3_WIRE_PUT || method == S3_WIRE_DELETE)
        conclude_change(exchange);
    else if (exchange->answer->status != 200)
        lost(exchange, "that is no answer to the request");
    else if (method == S3_WIRE_GET)
        conclude_get(exchange);
    else if (method == S3_WIRE_HEAD)
        conclude_head(exchange);
    else
        conclude_list(exchange);
}

void s3_exchange_judge(struct s3_exchange *exchange, CURLcode code)
{
    exchange->answer->repeated = exchange->sent > 1;
    exchange->answer->status = exchange_status(exchange);
    int status = exchange->answer->status;
    bool is_success = status >= 200 && status < 300;
    if (code == CURLE_OK && is_success)
        conclude_success(exchange);
    else if (code == CURLE_OK || (exchange->body_is_cut && !is_success))
        conclude_error(exchange);
    else if (exchange->body_is_cut)
        s3_wire_conclude(exchange->request, exchange->answer,
                         exchange->request->method == S3_WIRE_GET ? S3_WIRE_REJECTED : S3_WIRE_LOST,
                         "the answer is larger than anything that is expected here");
    else
        conclude_failure(exchange, code);
}

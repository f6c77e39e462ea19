/*
 * What the files of the libcurl wire share: what arrives during one exchange. Nobody else includes
 * this.
 */
#ifndef FORKFS_STORE_S3_WIRE_S3_WIRE_CURL_PRIVATE_H
#define FORKFS_STORE_S3_WIRE_S3_WIRE_CURL_PRIVATE_H

#include <curl/curl.h>

#include "store/s3/wire/s3_wire_private.h"
#include "store/s3/wire/s3_xml.h"

/* One exchange: request, handle, and what has come back so far. */
struct s3_exchange {
    const struct s3_wire_request *request;
    struct s3_wire_answer *answer;
    CURL *curl;
    char error_text[CURL_ERROR_SIZE];
    unsigned sent; /* how many times the request was: a dead kept connection is replaced */
    /* Of the headers of the last response; a "100 Continue" comes before it. */
    char *etag;   /* as written */
    char *region; /* x-amz-bucket-region */
    char *content_type;
    char *version;       /* x-amz-version-id */
    bool has_amz_header; /* any */
    bool is_chunked;
    GByteArray *body;
    bool body_is_cut;   /* there was more than is taken */
    char *continuation; /* LIST: the page was empty, and this is the token for the next one */
};

/* Sets the callbacks that collect the answer. s3_exchange_clear(), which also wipes the handle. */
void s3_exchange_begin(struct s3_exchange *exchange, CURL *curl,
                       const struct s3_wire_request *request, struct s3_wire_answer *answer);
void s3_exchange_clear(struct s3_exchange *exchange);
/* Fills the answer from what was collected; `code` is how the transfer ended. */
void s3_exchange_judge(struct s3_exchange *exchange, CURLcode code);

/* The query of a LIST, without '?'; continuation: token of the page before, or NULL. g_free(). */
char *s3_wire_curl_list_query(const struct s3_wire_request *request, const char *continuation);
/* Takes the rows of a page, in key order, and concludes: OK, or LOST for a page that is not the one
 * that was asked for. */
void s3_wire_curl_list_conclude(const struct s3_wire_request *request,
                                struct s3_wire_answer *answer, struct s3_list_page *page);

#endif

/*
 * Signatures of S3 requests: AWS Signature Version 4, in a header.
 *
 * forkfs signs by itself, as libcurl signs what it makes of a URL, and that is another thing in
 * each of its versions: some normalize path and query, and since 8.14 it signs no path that is to
 * be sent as it is.
 *
 * Pure functions over their arguments; any thread may call them. Secrets do not outlive the call.
 */
#ifndef FORKFS_STORE_S3_WIRE_S3_SIGNATURE_H
#define FORKFS_STORE_S3_WIRE_S3_SIGNATURE_H

#include <glib.h>
#include <time.h>

#include "store/s3/credentials/s3_credentials.h"

/* A header of a request, as it is signed and as it is sent. */
struct s3_header {
    const char *name; /* in lower case; borrowed */
    char *value;
};

/* An array of struct s3_header, which frees the values. */
GArray *s3_headers_new(void);
void s3_headers_add(GArray *headers, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What is signed, as it is sent; borrows everything. */
struct s3_signing {
    const struct s3_credentials *credentials;
    const char *region;
    time_t now;
    const char *method; /* "GET" */
    const char *path;   /* encoded, as s3_endpoint_path() does it */
    const char *query;  /* without '?': parameters that are encoded and sorted by name; or "" */
    const char *payload_hash; /* of the body: SHA-256 in lower-case hex, or "UNSIGNED-PAYLOAD" */
};

/* Completes the headers of a request, each name of which is there once, "host" among them: adds
 * "x-amz-content-sha256", "x-amz-date", "x-amz-security-token" where the credentials have a token,
 * and "authorization", which covers all the others. They must be sent as they are then; their order
 * does not matter, and further headers may be sent, too. */
void s3_sign(const struct s3_signing *signing, GArray *headers);

#endif

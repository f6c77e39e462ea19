/*
 * What the wires share, those that tests have in their place included. Nobody else includes this.
 */
#ifndef FORKFS_STORE_S3_WIRE_S3_WIRE_PRIVATE_H
#define FORKFS_STORE_S3_WIRE_S3_WIRE_PRIVATE_H

#include "store/s3/wire/s3_wire.h"

/* A GET of more than this is refused (S3_WIRE_REJECTED): nothing that forkfs reads is near it. */
#define S3_WIRE_LARGEST_BODY (UINT64_C(1) << 30)

GPtrArray *s3_wire_rows_new(void); /* frees its struct s3_wire_row */

/* What an error answer of HTTP means: status and the code in its XML (may be NULL). */
enum s3_wire_result s3_wire_classify(int status, const char *s3_code);

/* What others wrote, made safe to print: one line, of valid UTF-8, not too long. NULL when nothing
 * is left, when it tells the request's session token, and for NULL. g_free(). */
char *s3_wire_told(const struct s3_wire_request *request, const char *text);

/* Ends an exchange with a result and a text for people, as s3_wire_told() leaves it. */
void s3_wire_conclude(const struct s3_wire_request *request, struct s3_wire_answer *answer,
                      enum s3_wire_result result, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* An etag as servers write it, `"abc"` or `W/"abc"`, without quotes; NULL for NULL and when
 * nothing is left. g_free(). */
char *s3_wire_etag(const char *quoted);

#endif

/*
 * What the wires share. Nobody else includes this.
 */
#ifndef FORKFS_STORE_S3_WIRE_PRIVATE_H
#define FORKFS_STORE_S3_WIRE_PRIVATE_H

#include "store/s3_wire.h"

/* Ends an exchange with a result and a text for people, which is made safe to print: one line, of
 * valid UTF-8, not too long, without the request's session token. */
void s3_wire_conclude(const struct s3_wire_request *request, struct s3_wire_answer *answer,
                      enum s3_wire_result result, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* An etag as servers write it, `"abc"` or `W/"abc"`, without quotes; NULL for NULL and when
 * nothing is left. g_free(). */
char *s3_wire_etag(const char *quoted);

/* Shallow listings go on after a whole common prefix: cuts `start_after` behind the first '/' that
 * follows the prefix. *ret_cut says whether there was one. g_free(); NULL for NULL. */
char *s3_wire_list_start(const struct s3_wire_request *request, bool *ret_cut);

/* Takes the rows of a page, which it puts into key order, and concludes: OK, or LOST for a page
 * that does not start where it was asked to, or is empty and not the last. Takes over `rows`. */
void s3_wire_conclude_list(const struct s3_wire_request *request, struct s3_wire_answer *answer,
                           GPtrArray *rows, bool truncated);

#endif

/*
 * Bodies of JSON documents of which no two are alike.
 *
 * An S3 server tells versions by their content: a change and its exact reversal bring the earlier
 * etag back, and a delayed copy of the change's request, whose answer was lost, would find its
 * precondition true once more. So where several mounts write, a line of 32 blanks and tabs at
 * random follows each document that is changed in its place. JSON allows white space there
 * (RFC 8259, section 2).
 *
 * Thread-safe.
 */
#ifndef FORKFS_CATALOG_FORMAT_UNIQUE_BODY_H
#define FORKFS_CATALOG_FORMAT_UNIQUE_BODY_H

#include "base/bytes.h"

/* The text and such a line; bytes_unref(). */
struct bytes *unique_body(const struct bytes *text);

#endif

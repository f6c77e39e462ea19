/*
 * How the Lance engine is told of a place in a bucket.
 *
 * It takes the path of a URI apart as URLs are: '?' and '#' end it, and (in Lance 11
 * and later) "%XX" stands for a byte. What is in the way of that is written as "%XX" here, all else
 * as it is: so does Uni, and Lance 7, which takes "%XX" for three letters, finds all other
 * prefixes. Paths of directories are taken as they are by every engine.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_LANCE_BUCKET_URI_H
#define FORKFS_LANCE_BUCKET_URI_H

#include "base/error.h"

/* "s3://BUCKET/PREFIX" without a slash at its end, of a key prefix ("" or ending in '/'). *ret:
 * g_free(). ERR_UNSUPPORTED for a prefix with '?': no engine finds branches there, in whatever way
 * it is written. */
int lance_bucket_uri(const char *bucket, const char *prefix, char **ret, struct error *err);

#endif

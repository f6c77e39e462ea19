/*
 * Where a bucket is: server, region, bucket, and how its URLs are written.
 *
 * Values; no state. Strings of a structure are its own.
 */
#ifndef FORKFS_STORE_S3_WIRE_S3_ENDPOINT_H
#define FORKFS_STORE_S3_WIRE_S3_ENDPOINT_H

#include <stdbool.h>

#include "base/error.h"

struct s3_endpoint {
    bool https;
    char *host;    /* name or address, IPv6 in brackets; without port */
    unsigned port; /* 0: the protocol's own */
    char *region;  /* for signatures: "us-east-1" */
    char *bucket;
    bool path_style; /* scheme://host/bucket/key; otherwise scheme://bucket.host/key */
    bool is_aws;     /* amazonaws.com: takes SigV4 only */
};

/* "s3://bucket" or "s3://bucket/prefix[/]" into bucket and prefix ("" or ending in '/').
 * ERR_INVALID says what is wrong: no bucket, a bucket name that S3 does not take, empty or "." or
 * ".." segments,
 * "?", "#", user or password in it. g_free() both. */
int s3_url_parse(const char *url, char **ret_bucket, char **ret_prefix, struct error *err);
/* Whether a catalog is meant to be on S3: "s3://...". */
bool s3_url_is(const char *catalog);

/* url: "http[s]://host[:port][/]", without path, query, user; NULL: AWS in that region. region:
 * NULL for "us-east-1". path_style: as demanded; also taken where the bucket's name cannot be part
 * of a host name (dots with https, an address as host, upper case). ERR_INVALID names what is
 * wrong. s3_endpoint_clear(), also after a failure. */
int s3_endpoint_init(struct s3_endpoint *endpoint, const char *url, const char *region,
                     const char *bucket, bool path_style, struct error *err);
void s3_endpoint_clear(struct s3_endpoint *endpoint);
/* Overwrites *to, which s3_endpoint_clear() frees. */
void s3_endpoint_copy(struct s3_endpoint *to, const struct s3_endpoint *from);
/* Host, and port if there is one, without the bucket: "[::1]:8000". g_free(). */
char *s3_endpoint_host(const struct s3_endpoint *endpoint);

/* Scheme, host and port as curl and people want them, the bucket included in virtual-host style,
 * without trailing slash: "http://127.0.0.1:8000" or "https://bucket.s3.eu-west-1.amazonaws.com".
 * g_free(). */
char *s3_endpoint_base(const struct s3_endpoint *endpoint);
/* The path of a key, percent-encoded as SigV4 wants it: "/bucket/a%20b" or "/a%20b"; of the bucket
 * itself with key "". Everything but [A-Za-z0-9._~/-] is encoded, in upper-case hex. g_free(). */
char *s3_endpoint_path(const struct s3_endpoint *endpoint, const char *key);
/* The value of a query parameter, encoded: as above, '/' too. g_free(). */
char *s3_query_encode(const char *value);

#endif

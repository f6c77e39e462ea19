/*
 * Credentials for S3: immutable, reference-counted, thread-safe. Where they come from:
 * s3_profile.h.
 *
 * Secrets are never logged nor part of an error; their memory is overwritten when it is freed.
 */
#ifndef FORKFS_STORE_S3_CREDENTIALS_S3_CREDENTIALS_H
#define FORKFS_STORE_S3_CREDENTIALS_S3_CREDENTIALS_H

#include <stdbool.h>

/* Overwrites and frees a string; NULL: nothing. */
void secret_free(char *secret);

struct s3_credentials {
    unsigned references; /* atomic */
    char *access_key;
    char *secret_key;
    char *session_token; /* NULL: none */
};

/* session_token may be NULL. */
struct s3_credentials *s3_credentials_new(const char *access_key, const char *secret_key,
                                          const char *session_token);
struct s3_credentials *s3_credentials_ref(struct s3_credentials *credentials);
void s3_credentials_unref(struct s3_credentials *credentials); /* NULL: nothing */

/* Whether they are the same keys and token. */
bool s3_credentials_equal(const struct s3_credentials *a, const struct s3_credentials *b);

#endif

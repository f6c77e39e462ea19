#include "store/s3/credentials/s3_credentials.h"

#include <glib.h>
#include <string.h>

void secret_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    g_free(secret);
}

struct s3_credentials *s3_credentials_new(const char *access_key, const char *secret_key,
                                          const char *session_token)
{
    struct s3_credentials *credentials = g_new0(struct s3_credentials, 1);
    credentials->references = 1;
    credentials->access_key = g_strdup(access_key);
    credentials->secret_key = g_strdup(secret_key);
    credentials->session_token = g_strdup(session_token);
    return credentials;
}

bool s3_credentials_equal(const struct s3_credentials *a, const struct s3_credentials *b)
{
    return strcmp(a->access_key, b->access_key) == 0 && strcmp(a->secret_key, b->secret_key) == 0 &&
           g_strcmp0(a->session_token, b->session_token) == 0;
}

struct s3_credentials *s3_credentials_ref(struct s3_credentials *credentials)
{
    __atomic_add_fetch(&credentials->references, 1, __ATOMIC_RELAXED);
    return credentials;
}

void s3_credentials_unref(struct s3_credentials *credentials)
{
    if (!credentials || __atomic_sub_fetch(&credentials->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    secret_free(credentials->access_key);
    secret_free(credentials->secret_key);
    secret_free(credentials->session_token);
    g_free(credentials);
}

/*
 * A home directory of one's own for the AWS tools' files, for tests of profiles.
 */
#ifndef FORKFS_UNIT_STORE_S3_CREDENTIALS_PROFILE_FIXTURE_H
#define FORKFS_UNIT_STORE_S3_CREDENTIALS_PROFILE_FIXTURE_H

#include <stdint.h>

#include "store/s3/credentials/s3_profile.h"

#define SECOND INT64_C(1000000000)
/* 2100-01-01T00:00:00Z: after any clock that opens a profile here. */
#define YEAR_2100 (INT64_C(4102444800) * SECOND)

/* A home directory, and nothing else in the environment. */
struct profile_home {
    char *path, *aws, *credentials, *config;
    int64_t now_ns;
};

/* cmocka's; *state is the home. */
int profile_set_up(void **state);
int profile_tear_down(void **state);

/* Each variable that says something about credentials, region or endpoint; NULL: unset. */
void profile_set_variables(const char *value);

/* As another process would: a new file in place of the old one. */
void profile_write_file(const char *path, const char *text);

/* It must open. s3_profile_free(). */
struct s3_profile *profile_open(const char *name);

/* `token`: NULL: there is none. */
void profile_assert_credentials(struct s3_profile *profile, const char *access_key,
                                const char *secret_key, const char *token);

/* It must fail with `code`, and a text that contains `part` and no secret ("HUSH"). */
void profile_assert_refused(const char *name, int code, const char *part);

#endif

/*
 * What the shared files of AWS tools say of a profile.
 *
 * The credentials file ($AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials) heads profiles [NAME],
 * the config file ($AWS_CONFIG_FILE or ~/.aws/config) [profile NAME], and [default]. What both say
 * is taken from the credentials file, keys only together. A file that is absent is empty.
 *
 * No state; thread-safe, but for the environment.
 */
#ifndef FORKFS_STORE_S3_CREDENTIALS_AWS_PROFILE_H
#define FORKFS_STORE_S3_CREDENTIALS_AWS_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum aws_profile_file { AWS_CREDENTIALS_FILE, AWS_CONFIG_FILE };
#define AWS_PROFILE_FILES 2

struct aws_profile_files {
    char *paths[AWS_PROFILE_FILES]; /* NULL: there is no home to look in */
    bool chosen;                    /* at least one by the environment */
};

/* Where the files are, as the environment says. aws_profile_files_clear(). */
void aws_profile_files_locate(struct aws_profile_files *ret);
void aws_profile_files_clear(struct aws_profile_files *files);

/* What changes when a file does. Only regular files count: a pipe can be read but once. */
struct aws_profile_state {
    struct {
        int64_t modified_ns, changed_ns, size;
        uint64_t inode;
    } files[AWS_PROFILE_FILES]; /* zeroed: there is none */
};
void aws_profile_look(const struct aws_profile_files *files, struct aws_profile_state *ret);

/* NULL: not set, or set to nothing. */
struct aws_profile {
    bool found; /* at least one file has the profile */
    char *access_key, *secret_key, *session_token;
    char *expiration; /* of the keys */
    char *region;
    char *endpoint;             /* of the profile's services section, else its own */
    char *services;             /* name of that section */
    char *role;                 /* role_arn */
    const char *other_source;   /* a setting that gets credentials in another way: "sso_session" */
    enum aws_profile_file file; /* where the keys are from */
};

/* ERR_ACCESS, ERR_INVALID (a file does not parse), ERR_IO. aws_profile_clear(), also after a
 * failure. */
int aws_profile_read(const struct aws_profile_files *files, const char *name,
                     struct aws_profile *ret, struct error *err);
void aws_profile_clear(struct aws_profile *profile); /* overwrites what is secret */

#endif

/*
 * Where credentials for S3 come from: the environment, or the shared credentials and config files.
 *
 * Order: with a profile given by the user, that profile only; otherwise AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN) of the environment, else the profile of
 * AWS_PROFILE, else "default". Files: see aws_profile.h; of them also region and endpoint_url. What
 * is read from a file is read again when the file has changed (looked at once a second at most),
 * when it says that it has expired ("expiration" or "aws_credential_expiration" or
 * "x_security_token_expires", RFC 3339), and when the server says so.
 *
 * Secrets are never logged nor part of an error. Thread-safe.
 */
#ifndef FORKFS_STORE_S3_CREDENTIALS_S3_PROFILE_H
#define FORKFS_STORE_S3_CREDENTIALS_S3_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/s3/credentials/s3_credentials.h"

struct s3_profile;

/* profile: chosen by the user; NULL: as described above. Reads environment and files at once, and
 * remembers the environment. ERR_ACCESS when there are no credentials, or a file cannot be read
 * (which, and where it was looked for), ERR_NOT_FOUND when there is no such profile, ERR_INVALID
 * when a file does not parse (its name, never its content), a key is missing or cannot be one, or
 * the profile asks for a source that is not supported (credential_process, sso_*, role_arn ...).
 * *ret: s3_profile_free(). */
int s3_profile_open(const char *profile, struct s3_profile **ret, struct error *err);
void s3_profile_free(struct s3_profile *profile); /* NULL: nothing */

/* The credentials as of now, read again when that is due; s3_credentials_unref(). When they cannot
 * be read again those known are given on as long as they have not expired, ERR_ACCESS after. */
int s3_profile_credentials(struct s3_profile *profile, struct s3_credentials **ret,
                           struct error *err);
/* The server has refused these (expired, unknown key): the next call reads again. True when that
 * may give others: the files have not been read since these were. */
bool s3_profile_refused(struct s3_profile *profile, const struct s3_credentials *credentials);

/* Reads them again at once, whatever the files look like; those known stay when that fails.
 * ERR_ACCESS, ERR_INVALID, ... Those of the environment do not change. */
int s3_profile_read_again(struct s3_profile *profile, struct error *err);

/* AWS_REGION, AWS_DEFAULT_REGION or the profile's region; NULL: none says. Owned by the profile. */
const char *s3_profile_region(const struct s3_profile *profile);
/* AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or the profile's endpoint_url (that of its services
 * section for s3 first); NULL: none. */
const char *s3_profile_endpoint(const struct s3_profile *profile);

/* For tests: another clock than CLOCK_REALTIME, in nanoseconds since 1970. */
void s3_profile_set_clock(struct s3_profile *profile, int64_t (*now_ns)(void *argument),
                          void *argument);

#endif

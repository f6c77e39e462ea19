#include "store/s3/credentials/s3_profile.h"

#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "base/timestamp.h"
#include "store/s3/credentials/aws_profile.h"

#define NEVER INT64_MAX

struct s3_profile {
    char *name;
    bool from_environment; /* the credentials; they never change then */
    char *region, *endpoint;
    struct aws_profile_files files;
    int64_t (*now_ns)(void *argument);
    void *clock_argument;

    pthread_mutex_t lock; /* guards all below; held while the files are read */
    struct s3_credentials *current;
    int64_t expires_ns; /* since 1970 */
    struct aws_profile_state state;
    int64_t looked_ns; /* when the state was last compared */
    bool doubted;      /* the server has refused the current ones: read, whatever the state */
    bool confirmed;    /* read again since, and they are the same */
};

static int64_t wall_clock_ns(void *argument)
{
    return timestamp_now_ns();
}

/* NULL for a variable that is empty, too. */
static const char *environment(const char *name)
{
    const char *value = g_getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

/* ---- What the files say ---- */

/* The files, "'/home/a/.aws/credentials' or '/home/a/.aws/config'"; g_free(). */
static char *places(const struct aws_profile_files *files)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < AWS_PROFILE_FILES; i++)
        if (files->paths[i])
            g_string_append_printf(text, "%s'%s'", text->len > 0 ? " or " : "", files->paths[i]);
    return g_strdup(text->len > 0 ? text->str : "any file (HOME is not set)");
}

/* A line break in a key would end up in the middle of a request. */
static int check_secret(const char *value, const char *name, struct error *err)
{
    if (value && !printable_is(value))
        return error_set(err, ERR_INVALID, "%s has a control character in it", name);
    return 0;
}

static int check_pair(const char *access_key, const char *access_name, const char *secret_key,
                      const char *secret_name, struct error *err)
{
    if (!access_key == !secret_key)
        return 0;
    return error_set(err, ERR_INVALID, "there is %s, but no %s",
                     access_key ? access_name : secret_name,
                     access_key ? secret_name : access_name);
}

static int check_keys(const struct aws_profile *found, struct error *err)
{
    int code = check_pair(found->access_key, "aws_access_key_id", found->secret_key,
                          "aws_secret_access_key", err);
    if (code == 0)
        code = check_secret(found->access_key, "aws_access_key_id", err);
    if (code == 0)
        code = check_secret(found->secret_key, "aws_secret_access_key", err);
    if (code == 0)
        code = check_secret(found->session_token, "aws_session_token", err);
    return code;
}

/* Whether it has keys that are its own. A role would be somebody else than whom the keys are of. */
static int check_profile(const struct s3_profile *profile, const struct aws_profile *found,
                         struct error *err)
{
    const char *source = found->role ? "role_arn" : found->other_source;
    bool has_keys = found->access_key || found->secret_key;
    if (source && (found->role || !has_keys))
        return error_set(err, ERR_INVALID,
                         "profile '%s' gets its credentials by %s, which forkfs does not support; "
                         "it needs keys",
                         profile->name, source);
    if (!has_keys) {
        g_autofree char *where = places(&profile->files);
        return error_set(err, ERR_ACCESS, "profile '%s' has no credentials in %s", profile->name,
                         where);
    }
    struct error failure;
    if (check_keys(found, &failure) == 0)
        return 0;
    error_prefix(&failure, failure.code, "profile '%s' in '%s'", profile->name,
                 profile->files.paths[found->file]);
    return error_copy(err, &failure);
}

/* A time that is not understood is none: the server knows better. */
static int64_t expiry_ns(const struct aws_profile *found)
{
    struct timespec time;
    if (!found->expiration || !timestamp_parse(found->expiration, strlen(found->expiration), &time))
        return NEVER;
    return timespec_ns(time);
}

/* ---- Reading again ---- */

static void take_credentials(struct s3_profile *profile, const struct aws_profile *found)
{
    struct s3_credentials *credentials =
        s3_credentials_new(found->access_key, found->secret_key, found->session_token);
    profile->expires_ns = expiry_ns(found);
    profile->confirmed = profile->current && s3_credentials_equal(profile->current, credentials);
    if (profile->confirmed) {
        s3_credentials_unref(credentials); /* s3_profile_refused() compares pointers */
        return;
    }
    s3_credentials_unref(profile->current);
    profile->current = credentials;
}

/* A state that could not be read is not remembered, so that it is read again. */
static int read_again(struct s3_profile *profile, const struct aws_profile_state *state,
                      struct error *err)
{
    struct aws_profile found;
    int code = aws_profile_read(&profile->files, profile->name, &found, err);
    if (code == 0)
        code = check_profile(profile, &found, err);
    if (code == 0) {
        take_credentials(profile, &found);
        profile->state = *state;
    }
    aws_profile_clear(&found);
    return code;
}

static int look_at_sources(struct s3_profile *profile, int64_t now_ns, struct error *err)
{
    bool in_time = now_ns >= profile->looked_ns && now_ns - profile->looked_ns < NS_PER_SECOND;
    if (profile->from_environment || (in_time && !profile->doubted && now_ns < profile->expires_ns))
        return 0;
    struct aws_profile_state state;
    aws_profile_look(&profile->files, &state); /* first, so that a change meanwhile is seen later */
    profile->looked_ns = now_ns;
    if (!profile->doubted && memcmp(&state, &profile->state, sizeof state) == 0)
        return 0;
    profile->doubted = false;
    profile->confirmed = true;
    return read_again(profile, &state, err);
}

static int fail_expired(const struct s3_profile *profile, const struct error *reason,
                        struct error *err)
{
    char text[TIMESTAMP_TEXT_SIZE];
    struct timespec time = timespec_from_ns(profile->expires_ns);
    timestamp_format(time, text);
    return error_set(err, ERR_ACCESS, "the credentials of profile '%s' have expired at %s%s%s",
                     profile->name, text, reason ? ", and cannot be read again: " : "",
                     reason ? reason->text : "");
}

int s3_profile_credentials(struct s3_profile *profile, struct s3_credentials **ret,
                           struct error *err)
{
    LOCK_SCOPE(&profile->lock);
    int64_t now_ns = profile->now_ns(profile->clock_argument);
    struct error failure;
    int code = look_at_sources(profile, now_ns, &failure);
    if (now_ns >= profile->expires_ns)
        return fail_expired(profile, code == 0 ? NULL : &failure, err);
    *ret = s3_credentials_ref(profile->current);
    return 0;
}

bool s3_profile_refused(struct s3_profile *profile, const struct s3_credentials *credentials)
{
    if (profile->from_environment)
        return false;
    LOCK_SCOPE(&profile->lock);
    if (credentials != profile->current)
        return true;
    struct aws_profile_state state;
    aws_profile_look(&profile->files, &state);
    if (profile->confirmed && memcmp(&state, &profile->state, sizeof state) == 0)
        return false;
    profile->doubted = true;
    return true;
}

int s3_profile_read_again(struct s3_profile *profile, struct error *err)
{
    if (profile->from_environment)
        return 0;
    LOCK_SCOPE(&profile->lock);
    profile->doubted = true;
    return look_at_sources(profile, profile->now_ns(profile->clock_argument), err);
}

/* ---- Opening ---- */

/* Credentials of the environment, if it has some. */
static int read_environment(struct s3_profile *profile, struct error *err)
{
    static const char access_name[] = "AWS_ACCESS_KEY_ID", secret_name[] = "AWS_SECRET_ACCESS_KEY",
                      token_name[] = "AWS_SESSION_TOKEN";
    const char *access_key = environment(access_name), *secret_key = environment(secret_name);
    const char *token = environment(token_name);
    struct error failure;
    int code = check_pair(access_key, access_name, secret_key, secret_name, &failure);
    if (code == 0)
        code = check_secret(access_key, access_name, &failure);
    if (code == 0)
        code = check_secret(secret_key, secret_name, &failure);
    if (code == 0)
        code = check_secret(token, token_name, &failure);
    if (code != 0) {
        error_prefix(&failure, failure.code, "environment");
        return error_copy(err, &failure);
    }
    if (access_key) {
        profile->from_environment = true;
        profile->current = s3_credentials_new(access_key, secret_key, token);
    }
    return 0;
}

static int fail_absent(const struct s3_profile *profile, bool chosen, struct error *err)
{
    g_autofree char *where = places(&profile->files);
    if (chosen)
        return error_set(err, ERR_NOT_FOUND, "there is no profile '%s' in %s", profile->name,
                         where);
    return error_set(err, ERR_ACCESS,
                     "no credentials for S3: AWS_ACCESS_KEY_ID is not set, and there is no profile "
                     "'%s' in %s",
                     profile->name, where);
}

static void take_places(struct s3_profile *profile, const struct aws_profile *found)
{
    const char *region = environment("AWS_REGION"), *endpoint = environment("AWS_ENDPOINT_URL_S3");
    region = region ? region : environment("AWS_DEFAULT_REGION");
    endpoint = endpoint ? endpoint : environment("AWS_ENDPOINT_URL");
    profile->region = g_strdup(region ? region : found->region);
    profile->endpoint = g_strdup(endpoint ? endpoint : found->endpoint);
}

/* Region and endpoint, and the credentials, if the environment has none. */
static int read_files(struct s3_profile *profile, bool chosen, struct error *err)
{
    struct aws_profile_state state;
    aws_profile_look(&profile->files, &state);
    profile->looked_ns = wall_clock_ns(NULL);
    struct aws_profile found;
    struct error failure;
    int code = aws_profile_read(&profile->files, profile->name, &found, &failure);
    bool needed = !profile->from_environment || profile->files.chosen;
    if (code == ERR_ACCESS && !needed) /* a home that is none of ours, as for services */
        code = 0;
    if (code == 0 && !profile->from_environment) {
        code = found.found ? check_profile(profile, &found, &failure)
                           : fail_absent(profile, chosen, &failure);
        if (code == 0)
            take_credentials(profile, &found);
        profile->state = state;
    }
    if (code == 0)
        take_places(profile, &found);
    aws_profile_clear(&found);
    return code == 0 ? 0 : error_copy(err, &failure);
}

static int open_profile(struct s3_profile *profile, const char *name, struct error *err)
{
    const char *from_environment = environment("AWS_PROFILE");
    bool chosen = name || from_environment;
    int code = name ? 0 : read_environment(profile, err);
    if (code != 0)
        return code;
    if (!name)
        name = from_environment ? from_environment : "default";
    profile->name = g_strdup(name);
    aws_profile_files_locate(&profile->files);
    code = read_files(profile, chosen, err);
    if (code == 0 && wall_clock_ns(NULL) >= profile->expires_ns)
        code = fail_expired(profile, NULL, err);
    return code;
}

int s3_profile_open(const char *name, struct s3_profile **ret, struct error *err)
{
    struct s3_profile *profile = g_new0(struct s3_profile, 1);
    profile->expires_ns = NEVER;
    profile->now_ns = wall_clock_ns;
    pthread_mutex_init(&profile->lock, NULL);
    int code = open_profile(profile, name, err);
    if (code != 0)
        s3_profile_free(profile);
    else
        *ret = profile;
    return code;
}

void s3_profile_free(struct s3_profile *profile)
{
    if (!profile)
        return;
    s3_credentials_unref(profile->current);
    aws_profile_files_clear(&profile->files);
    pthread_mutex_destroy(&profile->lock);
    g_free(profile->name);
    g_free(profile->region);
    g_free(profile->endpoint);
    g_free(profile);
}

const char *s3_profile_region(const struct s3_profile *profile)
{
    return profile->region;
}

const char *s3_profile_endpoint(const struct s3_profile *profile)
{
    return profile->endpoint;
}

void s3_profile_set_clock(struct s3_profile *profile, int64_t (*now_ns)(void *argument),
                          void *argument)
{
    LOCK_SCOPE(&profile->lock);
    profile->now_ns = now_ns;
    profile->clock_argument = argument;
}

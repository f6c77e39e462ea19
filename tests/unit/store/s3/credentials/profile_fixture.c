#include "unit/store/s3/credentials/profile_fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "unit/unit.h"

static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",      "AWS_SESSION_TOKEN",   "AWS_PROFILE",
    "AWS_REGION",        "AWS_DEFAULT_REGION",         "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL",
    "AWS_CONFIG_FILE",   "AWS_SHARED_CREDENTIALS_FILE"};

void profile_set_variables(const char *value)
{
    for (size_t i = 0; i < G_N_ELEMENTS(variables); i++) {
        if (value)
            g_setenv(variables[i], value, TRUE);
        else
            g_unsetenv(variables[i]);
    }
}

int profile_set_up(void **state)
{
    struct profile_home *home = g_new0(struct profile_home, 1);
    home->path = g_dir_make_tmp("forkfs-home-XXXXXX", NULL);
    home->aws = g_build_filename(home->path, ".aws", NULL);
    home->credentials = g_build_filename(home->aws, "credentials", NULL);
    home->config = g_build_filename(home->aws, "config", NULL);
    home->now_ns = YEAR_2100;
    *state = home;
    profile_set_variables(NULL);
    g_setenv("HOME", home->path, TRUE);
    return g_mkdir(home->aws, 0700);
}

int profile_tear_down(void **state)
{
    struct profile_home *home = *state;
    unlink(home->credentials);
    unlink(home->config);
    rmdir(home->aws);
    rmdir(home->path);
    g_free(home->path);
    g_free(home->aws);
    g_free(home->credentials);
    g_free(home->config);
    g_free(home);
    return 0;
}

void profile_write_file(const char *path, const char *text)
{
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

struct s3_profile *profile_open(const char *name)
{
    struct s3_profile *profile;
    struct error err;
    if (s3_profile_open(name, &profile, &err) != 0)
        fail_msg("%s", err.text);
    return profile;
}

void profile_assert_credentials(struct s3_profile *profile, const char *access_key,
                                const char *secret_key, const char *token)
{
    struct s3_credentials *credentials;
    struct error err;
    if (s3_profile_credentials(profile, &credentials, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(credentials->access_key, access_key);
    assert_string_equal(credentials->secret_key, secret_key);
    if (token)
        assert_string_equal(credentials->session_token, token);
    else
        assert_null(credentials->session_token);
    s3_credentials_unref(credentials);
}

void profile_assert_refused(const char *name, int code, const char *part)
{
    struct s3_profile *profile;
    struct error err;
    assert_int_equal(s3_profile_open(name, &profile, &err), code);
    if (!strstr(err.text, part))
        fail_msg("'%s' is not in '%s'", part, err.text);
    assert_null(strstr(err.text, "HUSH"));
}

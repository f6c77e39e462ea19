/*
 * Where credentials, region and endpoint come from. What happens when they change or run out is in
 * test_s3_profile_renewal.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/store/s3/credentials/profile_fixture.h"
#include "unit/unit.h"

static void assert_opens_with(const char *name, const char *access_key, const char *secret_key,
                              const char *token)
{
    struct s3_profile *profile = profile_open(name);
    profile_assert_credentials(profile, access_key, secret_key, token);
    s3_profile_free(profile);
}

/* ---- Where credentials come from ---- */

static void the_environment_comes_first(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->credentials,
                       "[default]\naws_access_key_id=F\naws_secret_access_key=S\n");
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    assert_opens_with(NULL, "E", "T", NULL);
    g_setenv("AWS_SESSION_TOKEN", "token", TRUE);
    assert_opens_with(NULL, "E", "T", "token");
    g_setenv("AWS_PROFILE", "default", TRUE);
    assert_opens_with(NULL, "E", "T", "token");
}

static void a_profile_that_is_asked_for_beats_the_environment(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->credentials, "[work]\naws_access_key_id=F\naws_secret_access_key=S\n");
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    assert_opens_with("work", "F", "S", NULL);
}

static void empty_variables_are_none(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->credentials,
                       "[default]\naws_access_key_id=F\naws_secret_access_key=S\n");
    profile_set_variables("");
    struct s3_profile *profile = profile_open(NULL);
    profile_assert_credentials(profile, "F", "S", NULL);
    assert_null(s3_profile_region(profile));
    assert_null(s3_profile_endpoint(profile));
    s3_profile_free(profile);
}

static void the_credentials_file_has_the_default_profile(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->credentials,
                       "[other]\naws_access_key_id=O\naws_secret_access_key=P\n"
                       "[default]\naws_access_key_id = F\naws_secret_access_key = S\n"
                       "aws_session_token = T\n");
    assert_opens_with(NULL, "F", "S", "T");
    assert_opens_with("other", "O", "P", NULL);
    g_setenv("AWS_PROFILE", "other", TRUE);
    assert_opens_with(NULL, "O", "P", NULL);
}

static void the_config_file_heads_profiles_so(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->config,
                       "[default]\naws_access_key_id=D\naws_secret_access_key=S\n"
                       "[work]\naws_access_key_id=no\naws_secret_access_key=no\n"
                       "[profile work]\naws_access_key_id=W\naws_secret_access_key=S\n");
    assert_opens_with(NULL, "D", "S", NULL);
    assert_opens_with("default", "D", "S", NULL);
    assert_opens_with("work", "W", "S", NULL);
}

static void keys_are_never_mixed_from_two_files(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->credentials,
                       "[default]\naws_access_key_id=F\naws_secret_access_key=S\n");
    profile_write_file(home->config, "[default]\naws_access_key_id=C\naws_secret_access_key=T\n"
                                     "aws_session_token=U\nexpiration=2001-01-01T00:00:00Z\n");
    assert_opens_with(NULL, "F", "S", NULL);
    profile_write_file(home->credentials, "[default]\naws_access_key_id=F\n");
    profile_assert_refused(NULL, ERR_INVALID, "no aws_secret_access_key");
}

static void files_may_be_elsewhere(void **state)
{
    const struct profile_home *home = *state;
    g_autofree char *keys = g_build_filename(home->path, "keys", NULL);
    g_autofree char *settings = g_build_filename(home->path, "settings", NULL);
    profile_write_file(home->credentials,
                       "[default]\naws_access_key_id=no\naws_secret_access_key=no\n");
    profile_write_file(keys, "[default]\naws_access_key_id=K\naws_secret_access_key=S\n");
    profile_write_file(settings, "[default]\nregion=eu-x\n");
    g_setenv("AWS_SHARED_CREDENTIALS_FILE", keys, TRUE);
    g_setenv("AWS_CONFIG_FILE", "~/settings", TRUE);
    struct s3_profile *profile = profile_open(NULL);
    profile_assert_credentials(profile, "K", "S", NULL);
    assert_string_equal(s3_profile_region(profile), "eu-x");
    s3_profile_free(profile);
    unlink(keys);
    unlink(settings);
}

static void without_home_the_user_database_says_where_it_is(void **state)
{
    g_unsetenv("HOME");
    struct s3_profile *profile;
    struct error err;
    int code = s3_profile_open("forkfs-has-no-such-profile", &profile, &err);
    assert_int_equal(code, ERR_NOT_FOUND);
    assert_true(strstr(err.text, "/.aws/credentials'") || strstr(err.text, "HOME is not set"));
}

static void a_file_system_path_that_is_none_is_an_absent_file(void **state)
{
    g_setenv("HOME", "/dev/null", TRUE);
    profile_assert_refused(NULL, ERR_ACCESS, "no credentials for S3");
}

/* ---- What is wrong with them ---- */

static void no_credentials_tells_where_it_looked(void **state)
{
    const struct profile_home *home = *state;
    profile_assert_refused(NULL, ERR_ACCESS, "AWS_ACCESS_KEY_ID is not set");
    profile_assert_refused(NULL, ERR_ACCESS, home->credentials);
    profile_assert_refused(NULL, ERR_ACCESS, home->config);
    profile_assert_refused("work", ERR_NOT_FOUND, "there is no profile 'work'");
    g_setenv("AWS_PROFILE", "job", TRUE);
    profile_assert_refused(NULL, ERR_NOT_FOUND, "there is no profile 'job'");
}

static void half_a_key_is_refused(void **state)
{
    const struct profile_home *home = *state;
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    profile_assert_refused(NULL, ERR_INVALID,
                           "there is AWS_ACCESS_KEY_ID, but no AWS_SECRET_ACCESS_KEY");
    g_unsetenv("AWS_ACCESS_KEY_ID");
    g_setenv("AWS_SECRET_ACCESS_KEY", "HUSH", TRUE);
    profile_assert_refused(NULL, ERR_INVALID,
                           "there is AWS_SECRET_ACCESS_KEY, but no AWS_ACCESS_KEY_ID");
    profile_write_file(home->credentials, "[default]\naws_secret_access_key=HUSH\n");
    profile_assert_refused("default", ERR_INVALID, "but no aws_access_key_id");
    profile_write_file(home->credentials, "[default]\nregion=x\n");
    profile_assert_refused("default", ERR_ACCESS, "has no credentials");
}

static void control_characters_are_refused(void **state)
{
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "HUSH\r\nx-evil: 1", TRUE);
    profile_assert_refused(NULL, ERR_INVALID, "AWS_SECRET_ACCESS_KEY has a control character");
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    g_setenv("AWS_SESSION_TOKEN", "HUSH\n", TRUE);
    profile_assert_refused(NULL, ERR_INVALID, "AWS_SESSION_TOKEN has a control character");
}

static void a_file_that_does_not_parse_is_named_and_not_quoted(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->credentials, "[default]\naws_secret_access_key HUSH\n");
    profile_assert_refused(NULL, ERR_INVALID, home->credentials);
    profile_assert_refused(NULL, ERR_INVALID, "line 2");
}

static void other_sources_of_credentials_are_refused_by_name(void **state)
{
    const struct profile_home *home = *state;
    static const char *const sources[] = {"credential_process = /bin/HUSH", "sso_session = s",
                                          "sso_start_url = u", "web_identity_token_file = f",
                                          "role_arn = r\nsource_profile = default"};
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++) {
        g_autofree char *name = g_strndup(sources[i], strcspn(sources[i], " "));
        g_autofree char *text = g_strconcat("[profile p]\n", sources[i], "\n", NULL);
        profile_write_file(home->config, text);
        profile_assert_refused("p", ERR_INVALID, name);
    }
    profile_write_file(home->config, "[profile p]\nrole_arn = r\naws_access_key_id=A\n"
                                     "aws_secret_access_key=HUSH\n");
    profile_assert_refused("p", ERR_INVALID, "role_arn");
    profile_write_file(home->config, "[profile p]\nsso_session = s\n");
    profile_write_file(home->credentials, "[p]\naws_access_key_id=A\naws_secret_access_key=B\n");
    assert_opens_with("p", "A", "B", NULL);
}

static void an_unreadable_file_is_an_error_only_where_it_is_needed(void **state)
{
    const struct profile_home *home = *state;
    if (geteuid() == 0)
        skip(); /* root reads everything */
    profile_write_file(home->credentials, "[default]\n");
    assert_int_equal(chmod(home->credentials, 0), 0);
    profile_assert_refused(NULL, ERR_ACCESS, home->credentials);
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    assert_opens_with(NULL, "E", "T", NULL);
    g_setenv("AWS_SHARED_CREDENTIALS_FILE", home->credentials, TRUE);
    profile_assert_refused(NULL, ERR_ACCESS, home->credentials);
}

/* ---- Region and endpoint ---- */

static void region_and_endpoint_come_from_the_profile(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->credentials, "[p]\naws_access_key_id=F\naws_secret_access_key=S\n");
    profile_write_file(home->config, "[profile p]\nregion = eu-west-1\nendpoint_url = http://h:1\n"
                                     "s3 =\n  region = inner\n  endpoint_url = http://inner\n");
    struct s3_profile *profile = profile_open("p");
    assert_string_equal(s3_profile_region(profile), "eu-west-1");
    assert_string_equal(s3_profile_endpoint(profile), "http://h:1");
    s3_profile_free(profile);
}

static void an_endpoint_for_s3_alone_comes_before_that_of_all_services(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->credentials, "[p]\naws_access_key_id=F\naws_secret_access_key=S\n");
    profile_write_file(home->config, "[services q]\ndynamodb =\n  endpoint_url = http://d\n"
                                     "s3 =\n  endpoint_url = http://s\n"
                                     "[profile p]\nendpoint_url = http://h:1\nservices = q\n"
                                     "[services r]\ns3 =\n  endpoint_url = http://r\n");
    struct s3_profile *profile = profile_open("p");
    assert_string_equal(s3_profile_endpoint(profile), "http://s");
    s3_profile_free(profile);
}

static void the_environment_says_region_and_endpoint_first(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->config, "[default]\naws_access_key_id=F\naws_secret_access_key=S\n"
                                     "region = file\nendpoint_url = http://file\n");
    static const struct {
        const char *variable, *value, *region, *endpoint;
    } steps[] = {
        {"AWS_DEFAULT_REGION", "default", "default", "http://file"},
        {"AWS_REGION", "region", "region", "http://file"},
        {"AWS_ENDPOINT_URL", "http://url", "region", "http://url"},
        {"AWS_ENDPOINT_URL_S3", "http://s3", "region", "http://s3"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_setenv(steps[i].variable, steps[i].value, TRUE);
        struct s3_profile *profile = profile_open(NULL);
        assert_string_equal(s3_profile_region(profile), steps[i].region);
        assert_string_equal(s3_profile_endpoint(profile), steps[i].endpoint);
        s3_profile_free(profile);
    }
}

static void keys_of_the_environment_go_with_the_region_of_the_profile(void **state)
{
    const struct profile_home *home = *state;
    profile_write_file(home->config, "[profile p]\nregion = r\n");
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    g_setenv("AWS_PROFILE", "p", TRUE);
    struct s3_profile *profile = profile_open(NULL);
    profile_assert_credentials(profile, "E", "T", NULL);
    assert_string_equal(s3_profile_region(profile), "r");
    s3_profile_free(profile);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, profile_set_up, profile_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_environment_comes_first),
        TEST(a_profile_that_is_asked_for_beats_the_environment),
        TEST(empty_variables_are_none),
        TEST(the_credentials_file_has_the_default_profile),
        TEST(the_config_file_heads_profiles_so),
        TEST(keys_are_never_mixed_from_two_files),
        TEST(files_may_be_elsewhere),
        TEST(without_home_the_user_database_says_where_it_is),
        TEST(a_file_system_path_that_is_none_is_an_absent_file),
        TEST(no_credentials_tells_where_it_looked),
        TEST(half_a_key_is_refused),
        TEST(control_characters_are_refused),
        TEST(a_file_that_does_not_parse_is_named_and_not_quoted),
        TEST(other_sources_of_credentials_are_refused_by_name),
        TEST(an_unreadable_file_is_an_error_only_where_it_is_needed),
        TEST(region_and_endpoint_come_from_the_profile),
        TEST(an_endpoint_for_s3_alone_comes_before_that_of_all_services),
        TEST(the_environment_says_region_and_endpoint_first),
        TEST(keys_of_the_environment_go_with_the_region_of_the_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

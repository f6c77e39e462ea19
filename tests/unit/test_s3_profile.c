#include "unit.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/s3_credentials.h"

#define SECOND INT64_C(1000000000)
/* 2100-01-01T00:00:00Z: after any clock that opens a profile here. */
#define YEAR_2100 (INT64_C(4102444800) * SECOND)

static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",      "AWS_SESSION_TOKEN",   "AWS_PROFILE",
    "AWS_REGION",        "AWS_DEFAULT_REGION",         "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL",
    "AWS_CONFIG_FILE",   "AWS_SHARED_CREDENTIALS_FILE"};

/* A home directory, and nothing else in the environment. */
struct home {
    char *path, *aws, *credentials, *config;
    int64_t now_ns;
};

static int set_up(void **state)
{
    struct home *home = g_new0(struct home, 1);
    home->path = g_dir_make_tmp("forkfs-home-XXXXXX", NULL);
    home->aws = g_build_filename(home->path, ".aws", NULL);
    home->credentials = g_build_filename(home->aws, "credentials", NULL);
    home->config = g_build_filename(home->aws, "config", NULL);
    home->now_ns = YEAR_2100;
    *state = home;
    for (size_t i = 0; i < G_N_ELEMENTS(variables); i++)
        g_unsetenv(variables[i]);
    g_setenv("HOME", home->path, TRUE);
    return g_mkdir(home->aws, 0700);
}

static int tear_down(void **state)
{
    struct home *home = *state;
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

/* As another process would: a new file in place of the old one. */
static void write_file(const char *path, const char *text)
{
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static struct s3_profile *open_profile(const char *name)
{
    struct s3_profile *profile;
    struct error err;
    if (s3_profile_open(name, &profile, &err) != 0)
        fail_msg("%s", err.text);
    return profile;
}

static void assert_credentials(struct s3_profile *profile, const char *access_key,
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

static void assert_opens_with(const char *name, const char *access_key, const char *secret_key,
                              const char *token)
{
    struct s3_profile *profile = open_profile(name);
    assert_credentials(profile, access_key, secret_key, token);
    s3_profile_free(profile);
}

static void assert_refused(const char *name, int code, const char *part)
{
    struct s3_profile *profile;
    struct error err;
    assert_int_equal(s3_profile_open(name, &profile, &err), code);
    if (!strstr(err.text, part))
        fail_msg("'%s' is not in '%s'", part, err.text);
    assert_null(strstr(err.text, "HUSH"));
}

/* ---- Where credentials come from ---- */

static void the_environment_comes_first(void **state)
{
    const struct home *home = *state;
    write_file(home->credentials, "[default]\naws_access_key_id=F\naws_secret_access_key=S\n");
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
    const struct home *home = *state;
    write_file(home->credentials, "[work]\naws_access_key_id=F\naws_secret_access_key=S\n");
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    assert_opens_with("work", "F", "S", NULL);
}

static void empty_variables_are_none(void **state)
{
    const struct home *home = *state;
    write_file(home->credentials, "[default]\naws_access_key_id=F\naws_secret_access_key=S\n");
    for (size_t i = 0; i < G_N_ELEMENTS(variables); i++)
        g_setenv(variables[i], "", TRUE);
    struct s3_profile *profile = open_profile(NULL);
    assert_credentials(profile, "F", "S", NULL);
    assert_null(s3_profile_region(profile));
    assert_null(s3_profile_endpoint(profile));
    s3_profile_free(profile);
}

static void the_credentials_file_has_the_default_profile(void **state)
{
    const struct home *home = *state;
    write_file(home->credentials, "[other]\naws_access_key_id=O\naws_secret_access_key=P\n"
                                  "[default]\naws_access_key_id = F\naws_secret_access_key = S\n"
                                  "aws_session_token = T\n");
    assert_opens_with(NULL, "F", "S", "T");
    assert_opens_with("other", "O", "P", NULL);
    g_setenv("AWS_PROFILE", "other", TRUE);
    assert_opens_with(NULL, "O", "P", NULL);
}

static void the_config_file_heads_profiles_so(void **state)
{
    const struct home *home = *state;
    write_file(home->config, "[default]\naws_access_key_id=D\naws_secret_access_key=S\n"
                             "[work]\naws_access_key_id=no\naws_secret_access_key=no\n"
                             "[profile work]\naws_access_key_id=W\naws_secret_access_key=S\n");
    assert_opens_with(NULL, "D", "S", NULL);
    assert_opens_with("default", "D", "S", NULL);
    assert_opens_with("work", "W", "S", NULL);
}

static void keys_are_never_mixed_from_two_files(void **state)
{
    const struct home *home = *state;
    write_file(home->credentials, "[default]\naws_access_key_id=F\naws_secret_access_key=S\n");
    write_file(home->config, "[default]\naws_access_key_id=C\naws_secret_access_key=T\n"
                             "aws_session_token=U\nexpiration=2001-01-01T00:00:00Z\n");
    assert_opens_with(NULL, "F", "S", NULL);
    write_file(home->credentials, "[default]\naws_access_key_id=F\n");
    assert_refused(NULL, ERR_INVALID, "no aws_secret_access_key");
}

static void files_may_be_elsewhere(void **state)
{
    const struct home *home = *state;
    g_autofree char *keys = g_build_filename(home->path, "keys", NULL);
    g_autofree char *settings = g_build_filename(home->path, "settings", NULL);
    write_file(home->credentials, "[default]\naws_access_key_id=no\naws_secret_access_key=no\n");
    write_file(keys, "[default]\naws_access_key_id=K\naws_secret_access_key=S\n");
    write_file(settings, "[default]\nregion=eu-x\n");
    g_setenv("AWS_SHARED_CREDENTIALS_FILE", keys, TRUE);
    g_setenv("AWS_CONFIG_FILE", "~/settings", TRUE);
    struct s3_profile *profile = open_profile(NULL);
    assert_credentials(profile, "K", "S", NULL);
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
    assert_refused(NULL, ERR_ACCESS, "no credentials for S3");
}

/* ---- What is wrong with them ---- */

static void no_credentials_tells_where_it_looked(void **state)
{
    const struct home *home = *state;
    assert_refused(NULL, ERR_ACCESS, "AWS_ACCESS_KEY_ID is not set");
    assert_refused(NULL, ERR_ACCESS, home->credentials);
    assert_refused(NULL, ERR_ACCESS, home->config);
    assert_refused("work", ERR_NOT_FOUND, "there is no profile 'work'");
    g_setenv("AWS_PROFILE", "job", TRUE);
    assert_refused(NULL, ERR_NOT_FOUND, "there is no profile 'job'");
}

static void half_a_key_is_refused(void **state)
{
    const struct home *home = *state;
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    assert_refused(NULL, ERR_INVALID, "there is AWS_ACCESS_KEY_ID, but no AWS_SECRET_ACCESS_KEY");
    g_unsetenv("AWS_ACCESS_KEY_ID");
    g_setenv("AWS_SECRET_ACCESS_KEY", "HUSH", TRUE);
    assert_refused(NULL, ERR_INVALID, "there is AWS_SECRET_ACCESS_KEY, but no AWS_ACCESS_KEY_ID");
    write_file(home->credentials, "[default]\naws_secret_access_key=HUSH\n");
    assert_refused("default", ERR_INVALID, "but no aws_access_key_id");
    write_file(home->credentials, "[default]\nregion=x\n");
    assert_refused("default", ERR_ACCESS, "has no credentials");
}

static void control_characters_are_refused(void **state)
{
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "HUSH\r\nx-evil: 1", TRUE);
    assert_refused(NULL, ERR_INVALID, "AWS_SECRET_ACCESS_KEY has a control character");
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    g_setenv("AWS_SESSION_TOKEN", "HUSH\n", TRUE);
    assert_refused(NULL, ERR_INVALID, "AWS_SESSION_TOKEN has a control character");
}

static void a_file_that_does_not_parse_is_named_and_not_quoted(void **state)
{
    const struct home *home = *state;
    write_file(home->credentials, "[default]\naws_secret_access_key HUSH\n");
    assert_refused(NULL, ERR_INVALID, home->credentials);
    assert_refused(NULL, ERR_INVALID, "line 2");
}

static void other_sources_of_credentials_are_refused_by_name(void **state)
{
    const struct home *home = *state;
    static const char *const sources[] = {"credential_process = /bin/HUSH", "sso_session = s",
                                          "sso_start_url = u", "web_identity_token_file = f",
                                          "role_arn = r\nsource_profile = default"};
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++) {
        g_autofree char *name = g_strndup(sources[i], strcspn(sources[i], " "));
        g_autofree char *text = g_strconcat("[profile p]\n", sources[i], "\n", NULL);
        write_file(home->config, text);
        assert_refused("p", ERR_INVALID, name);
    }
    write_file(home->config, "[profile p]\nrole_arn = r\naws_access_key_id=A\n"
                             "aws_secret_access_key=HUSH\n");
    assert_refused("p", ERR_INVALID, "role_arn");
    write_file(home->config, "[profile p]\nsso_session = s\n");
    write_file(home->credentials, "[p]\naws_access_key_id=A\naws_secret_access_key=B\n");
    assert_opens_with("p", "A", "B", NULL);
}

static void an_unreadable_file_is_an_error_only_where_it_is_needed(void **state)
{
    const struct home *home = *state;
    if (geteuid() == 0)
        skip(); /* root reads everything */
    write_file(home->credentials, "[default]\n");
    assert_int_equal(chmod(home->credentials, 0), 0);
    assert_refused(NULL, ERR_ACCESS, home->credentials);
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    assert_opens_with(NULL, "E", "T", NULL);
    g_setenv("AWS_SHARED_CREDENTIALS_FILE", home->credentials, TRUE);
    assert_refused(NULL, ERR_ACCESS, home->credentials);
}

/* ---- Region and endpoint ---- */

static void region_and_endpoint_come_from_the_profile(void **state)
{
    const struct home *home = *state;
    write_file(home->credentials, "[p]\naws_access_key_id=F\naws_secret_access_key=S\n");
    write_file(home->config, "[profile p]\nregion = eu-west-1\nendpoint_url = http://h:1\n"
                             "s3 =\n  region = inner\n  endpoint_url = http://inner\n");
    struct s3_profile *profile = open_profile("p");
    assert_string_equal(s3_profile_region(profile), "eu-west-1");
    assert_string_equal(s3_profile_endpoint(profile), "http://h:1");
    s3_profile_free(profile);
}

static void an_endpoint_for_s3_alone_comes_before_that_of_all_services(void **state)
{
    const struct home *home = *state;
    write_file(home->credentials, "[p]\naws_access_key_id=F\naws_secret_access_key=S\n");
    write_file(home->config, "[services q]\ndynamodb =\n  endpoint_url = http://d\n"
                             "s3 =\n  endpoint_url = http://s\n"
                             "[profile p]\nendpoint_url = http://h:1\nservices = q\n"
                             "[services r]\ns3 =\n  endpoint_url = http://r\n");
    struct s3_profile *profile = open_profile("p");
    assert_string_equal(s3_profile_endpoint(profile), "http://s");
    s3_profile_free(profile);
}

static void the_environment_says_region_and_endpoint_first(void **state)
{
    const struct home *home = *state;
    write_file(home->config, "[default]\naws_access_key_id=F\naws_secret_access_key=S\n"
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
        struct s3_profile *profile = open_profile(NULL);
        assert_string_equal(s3_profile_region(profile), steps[i].region);
        assert_string_equal(s3_profile_endpoint(profile), steps[i].endpoint);
        s3_profile_free(profile);
    }
}

static void keys_of_the_environment_go_with_the_region_of_the_profile(void **state)
{
    const struct home *home = *state;
    write_file(home->config, "[profile p]\nregion = r\n");
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    g_setenv("AWS_PROFILE", "p", TRUE);
    struct s3_profile *profile = open_profile(NULL);
    assert_credentials(profile, "E", "T", NULL);
    assert_string_equal(s3_profile_region(profile), "r");
    s3_profile_free(profile);
}

/* ---- Reading again ---- */

static int64_t clock_of(void *argument)
{
    return ((const struct home *)argument)->now_ns;
}

static const char first_keys[] = "[default]\naws_access_key_id=A\naws_secret_access_key=S\n";
static const char second_keys[] = "[default]\naws_access_key_id=B\naws_secret_access_key=T\n";

/* A profile with first_keys and `further` settings of theirs. */
static struct s3_profile *open_watched(struct home *home, const char *further)
{
    g_autofree char *text = g_strconcat(first_keys, further, NULL);
    write_file(home->credentials, text);
    struct s3_profile *profile = open_profile(NULL);
    s3_profile_set_clock(profile, clock_of, home);
    assert_credentials(profile, "A", "S", NULL);
    return profile;
}

static void a_changed_file_is_noticed_within_a_second(void **state)
{
    struct home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    write_file(home->credentials, second_keys);
    home->now_ns += SECOND - 1;
    assert_credentials(profile, "A", "S", NULL);
    home->now_ns += 1;
    assert_credentials(profile, "B", "T", NULL);
    s3_profile_free(profile);
}

static void a_clock_that_goes_back_does_not_stop_the_looking(void **state)
{
    struct home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    write_file(home->credentials, second_keys);
    home->now_ns -= 3600 * SECOND;
    assert_credentials(profile, "B", "T", NULL);
    s3_profile_free(profile);
}

static void a_broken_file_leaves_the_credentials_that_are_known(void **state)
{
    struct home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    write_file(home->credentials, "[default]\naws_access_key_id=B\naws_secret");
    home->now_ns += SECOND;
    assert_credentials(profile, "A", "S", NULL);
    unlink(home->credentials);
    home->now_ns += SECOND;
    assert_credentials(profile, "A", "S", NULL);
    write_file(home->credentials, second_keys);
    home->now_ns += SECOND;
    assert_credentials(profile, "B", "T", NULL);
    s3_profile_free(profile);
}

static void expired_credentials_are_read_again_at_once(void **state)
{
    struct home *home = *state;
    static const char *const names[] = {"expiration", "aws_credential_expiration",
                                        "x_security_token_expires"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        home->now_ns = YEAR_2100;
        g_autofree char *expiration =
            g_strdup_printf("%s = 2100-01-01T02:00:00.5+02:00\n", names[i]);
        struct s3_profile *profile = open_watched(home, expiration);
        write_file(home->credentials, second_keys);
        home->now_ns += SECOND / 2 - 1;
        assert_credentials(profile, "A", "S", NULL);
        home->now_ns += 1;
        assert_credentials(profile, "B", "T", NULL);
        s3_profile_free(profile);
    }
}

static void expired_credentials_are_not_given_on(void **state)
{
    struct home *home = *state;
    struct s3_profile *profile = open_watched(home, "expiration = 2100-01-01T00:00:01Z\n");
    home->now_ns += SECOND;
    struct s3_credentials *credentials;
    struct error err;
    assert_int_equal(s3_profile_credentials(profile, &credentials, &err), ERR_ACCESS);
    assert_non_null(strstr(err.text, "have expired at 2100-01-01T00:00:01Z"));
    write_file(home->credentials, "[default]\nHUSH\n");
    assert_int_equal(s3_profile_credentials(profile, &credentials, &err), ERR_ACCESS);
    assert_non_null(strstr(err.text, "cannot be read again"));
    assert_null(strstr(err.text, "HUSH"));
    write_file(home->credentials, second_keys);
    assert_credentials(profile, "B", "T", NULL);
    s3_profile_free(profile);
}

static void what_has_expired_before_is_refused(void **state)
{
    const struct home *home = *state;
    g_autofree char *text =
        g_strconcat(first_keys, "aws_credential_expiration = 2001-02-03T04:05:06Z\n", NULL);
    write_file(home->credentials, text);
    assert_refused(NULL, ERR_ACCESS, "have expired at 2001-02-03T04:05:06Z");
}

static void an_expiry_that_is_no_time_is_left_to_the_server(void **state)
{
    struct home *home = *state;
    s3_profile_free(open_watched(home, "expiration = soon\n"));
}

/* ---- Refused by the server ---- */

static struct s3_credentials *credentials_of(struct s3_profile *profile)
{
    struct s3_credentials *credentials;
    assert_int_equal(s3_profile_credentials(profile, &credentials, NULL), 0);
    return credentials;
}

static void refused_credentials_are_read_again_once(void **state)
{
    struct home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    struct s3_credentials *first = credentials_of(profile);
    assert_true(s3_profile_refused(profile, first)); /* not read since */
    assert_credentials(profile, "A", "S", NULL);
    assert_false(s3_profile_refused(profile, first)); /* still the same */
    write_file(home->credentials, second_keys);
    assert_true(s3_profile_refused(profile, first));
    assert_credentials(profile, "B", "T", NULL);
    assert_true(s3_profile_refused(profile, first)); /* others are known */
    assert_credentials(profile, "B", "T", NULL);
    s3_credentials_unref(first);
    s3_profile_free(profile);
}

static void refused_credentials_of_the_environment_are_final(void **state)
{
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    struct s3_profile *profile = open_profile(NULL);
    struct s3_credentials *credentials = credentials_of(profile);
    assert_false(s3_profile_refused(profile, credentials));
    s3_credentials_unref(credentials);
    s3_profile_free(profile);
}

static void credentials_outlive_their_profile(void **state)
{
    struct home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    struct s3_credentials *credentials = credentials_of(profile);
    s3_profile_free(profile);
    assert_string_equal(credentials->secret_key, "S");
    struct s3_credentials *same = s3_credentials_ref(credentials);
    s3_credentials_unref(credentials);
    assert_string_equal(same->access_key, "A");
    s3_credentials_unref(same);
    s3_credentials_unref(NULL);
    s3_profile_free(NULL);
}

static void *use(void *argument)
{
    for (int i = 0; i < 200; i++) {
        struct s3_credentials *credentials = credentials_of(argument);
        bool first = strcmp(credentials->access_key, "A") == 0;
        assert_string_equal(credentials->secret_key, first ? "S" : "T");
        s3_profile_refused(argument, credentials);
        s3_credentials_unref(credentials);
    }
    return NULL;
}

static void threads_see_whole_credentials(void **state)
{
    struct home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    pthread_t threads[4];
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, profile), 0);
    for (int i = 0; i < 50; i++)
        write_file(home->credentials, i % 2 == 0 ? second_keys : first_keys);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        pthread_join(threads[i], NULL);
    s3_profile_free(profile);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(a_changed_file_is_noticed_within_a_second),
        TEST(a_clock_that_goes_back_does_not_stop_the_looking),
        TEST(a_broken_file_leaves_the_credentials_that_are_known),
        TEST(expired_credentials_are_read_again_at_once),
        TEST(expired_credentials_are_not_given_on),
        TEST(what_has_expired_before_is_refused),
        TEST(an_expiry_that_is_no_time_is_left_to_the_server),
        TEST(refused_credentials_are_read_again_once),
        TEST(refused_credentials_of_the_environment_are_final),
        TEST(credentials_outlive_their_profile),
        TEST(threads_see_whole_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Credentials that change, run out, or are refused while they are in use.
 */
#include <string.h>
#include <unistd.h>

#include "unit/store/s3/credentials/profile_fixture.h"
#include "unit/unit.h"

/* ---- Reading again ---- */

static int64_t clock_of(void *argument)
{
    return ((const struct profile_home *)argument)->now_ns;
}

static const char first_keys[] = "[default]\naws_access_key_id=A\naws_secret_access_key=S\n";
static const char second_keys[] = "[default]\naws_access_key_id=B\naws_secret_access_key=T\n";

/* A profile with first_keys and `further` settings of theirs. */
static struct s3_profile *open_watched(struct profile_home *home, const char *further)
{
    g_autofree char *text = g_strconcat(first_keys, further, NULL);
    profile_write_file(home->credentials, text);
    struct s3_profile *profile = profile_open(NULL);
    s3_profile_set_clock(profile, clock_of, home);
    profile_assert_credentials(profile, "A", "S", NULL);
    return profile;
}

static void a_changed_file_is_noticed_within_a_second(void **state)
{
    struct profile_home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    profile_write_file(home->credentials, second_keys);
    home->now_ns += SECOND - 1;
    profile_assert_credentials(profile, "A", "S", NULL);
    home->now_ns += 1;
    profile_assert_credentials(profile, "B", "T", NULL);
    s3_profile_free(profile);
}

static void a_clock_that_goes_back_does_not_stop_the_looking(void **state)
{
    struct profile_home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    profile_write_file(home->credentials, second_keys);
    home->now_ns -= 3600 * SECOND;
    profile_assert_credentials(profile, "B", "T", NULL);
    s3_profile_free(profile);
}

static void a_broken_file_leaves_the_credentials_that_are_known(void **state)
{
    struct profile_home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    profile_write_file(home->credentials, "[default]\naws_access_key_id=B\naws_secret");
    home->now_ns += SECOND;
    profile_assert_credentials(profile, "A", "S", NULL);
    unlink(home->credentials);
    home->now_ns += SECOND;
    profile_assert_credentials(profile, "A", "S", NULL);
    profile_write_file(home->credentials, second_keys);
    home->now_ns += SECOND;
    profile_assert_credentials(profile, "B", "T", NULL);
    s3_profile_free(profile);
}

static void expired_credentials_are_read_again_at_once(void **state)
{
    struct profile_home *home = *state;
    static const char *const names[] = {"expiration", "aws_credential_expiration",
                                        "x_security_token_expires"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        home->now_ns = YEAR_2100;
        g_autofree char *expiration =
            g_strdup_printf("%s = 2100-01-01T02:00:00.5+02:00\n", names[i]);
        struct s3_profile *profile = open_watched(home, expiration);
        profile_write_file(home->credentials, second_keys);
        home->now_ns += SECOND / 2 - 1;
        profile_assert_credentials(profile, "A", "S", NULL);
        home->now_ns += 1;
        profile_assert_credentials(profile, "B", "T", NULL);
        s3_profile_free(profile);
    }
}

static void expired_credentials_are_not_given_on(void **state)
{
    struct profile_home *home = *state;
    struct s3_profile *profile = open_watched(home, "expiration = 2100-01-01T00:00:01Z\n");
    home->now_ns += SECOND;
    struct s3_credentials *credentials;
    struct error err;
    assert_int_equal(s3_profile_credentials(profile, &credentials, &err), ERR_ACCESS);
    assert_non_null(strstr(err.text, "have expired at 2100-01-01T00:00:01Z"));
    profile_write_file(home->credentials, "[default]\nHUSH\n");
    assert_int_equal(s3_profile_credentials(profile, &credentials, &err), ERR_ACCESS);
    assert_non_null(strstr(err.text, "cannot be read again"));
    assert_null(strstr(err.text, "HUSH"));
    profile_write_file(home->credentials, second_keys);
    profile_assert_credentials(profile, "B", "T", NULL);
    s3_profile_free(profile);
}

static void what_has_expired_before_is_refused(void **state)
{
    const struct profile_home *home = *state;
    g_autofree char *text =
        g_strconcat(first_keys, "aws_credential_expiration = 2001-02-03T04:05:06Z\n", NULL);
    profile_write_file(home->credentials, text);
    profile_assert_refused(NULL, ERR_ACCESS, "have expired at 2001-02-03T04:05:06Z");
}

static void an_expiry_that_is_no_time_is_left_to_the_server(void **state)
{
    struct profile_home *home = *state;
    s3_profile_free(open_watched(home, "expiration = soon\n"));
}

static void credentials_can_be_read_again_at_once(void **state)
{
    struct profile_home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    profile_write_file(home->credentials, second_keys);
    assert_int_equal(s3_profile_read_again(profile, NULL), 0);
    profile_assert_credentials(profile, "B", "T", NULL);
    profile_write_file(home->credentials, "[default]\naws_access_key_id=A\naws_secret");
    struct error failure;
    assert_int_equal(s3_profile_read_again(profile, &failure), ERR_INVALID);
    profile_assert_credentials(profile, "B", "T", NULL);
    s3_profile_free(profile);
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
    struct profile_home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    struct s3_credentials *first = credentials_of(profile);
    assert_true(s3_profile_refused(profile, first)); /* not read since */
    profile_assert_credentials(profile, "A", "S", NULL);
    assert_false(s3_profile_refused(profile, first)); /* still the same */
    profile_write_file(home->credentials, second_keys);
    assert_true(s3_profile_refused(profile, first));
    profile_assert_credentials(profile, "B", "T", NULL);
    assert_true(s3_profile_refused(profile, first)); /* others are known */
    profile_assert_credentials(profile, "B", "T", NULL);
    s3_credentials_unref(first);
    s3_profile_free(profile);
}

static void refused_credentials_of_the_environment_are_final(void **state)
{
    g_setenv("AWS_ACCESS_KEY_ID", "E", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", "T", TRUE);
    struct s3_profile *profile = profile_open(NULL);
    struct s3_credentials *credentials = credentials_of(profile);
    assert_false(s3_profile_refused(profile, credentials));
    s3_credentials_unref(credentials);
    s3_profile_free(profile);
}

static void credentials_outlive_their_profile(void **state)
{
    struct profile_home *home = *state;
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
    struct profile_home *home = *state;
    struct s3_profile *profile = open_watched(home, "");
    pthread_t threads[4];
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, profile), 0);
    for (int i = 0; i < 50; i++)
        profile_write_file(home->credentials, i % 2 == 0 ? second_keys : first_keys);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        pthread_join(threads[i], NULL);
    s3_profile_free(profile);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, profile_set_up, profile_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_changed_file_is_noticed_within_a_second),
        TEST(a_clock_that_goes_back_does_not_stop_the_looking),
        TEST(a_broken_file_leaves_the_credentials_that_are_known),
        TEST(expired_credentials_are_read_again_at_once),
        TEST(expired_credentials_are_not_given_on),
        TEST(what_has_expired_before_is_refused),
        TEST(an_expiry_that_is_no_time_is_left_to_the_server),
        TEST(credentials_can_be_read_again_at_once),
        TEST(refused_credentials_are_read_again_once),
        TEST(refused_credentials_of_the_environment_are_final),
        TEST(credentials_outlive_their_profile),
        TEST(threads_see_whole_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

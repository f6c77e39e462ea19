/*
 * What a store does when the server refuses its credentials.
 */
#include "unit/unit.h"

#include <string.h>
#include <unistd.h>

#include "unit/store/s3/fake_s3.h"

struct place {
    struct fake_s3 *server;
    struct store *store;
    char *file;
};

/* Credentials of a file, or (file NULL) of the environment. */
static struct s3_profile *open_profile(const char *file)
{
    g_setenv("AWS_CONFIG_FILE", "/dev/null", TRUE);
    g_setenv("AWS_SHARED_CREDENTIALS_FILE", file ? file : "/dev/null", TRUE);
    g_setenv("AWS_ACCESS_KEY_ID", file ? "" : "A", TRUE);
    g_setenv("AWS_SECRET_ACCESS_KEY", file ? "" : "S", TRUE);
    struct s3_profile *profile;
    struct error err;
    if (s3_profile_open(NULL, &profile, &err) != 0)
        fail_msg("%s", err.text);
    return profile;
}

static void open_store(struct place *place, const char *file)
{
    struct s3_wire *wire = fake_s3_wire(place->server, "wire");
    place->store = s3_store_open_wires(wire, wire, open_profile(file), 1);
    fake_s3_hurry(place->store, 1000);
}

static int set_up(void **state)
{
    struct place *place = g_new0(struct place, 1);
    *state = place;
    place->server = fake_s3_new();
    fake_s3_set(place->server, "k", "text");
    int fd = g_file_open_tmp("forkfs-keys-XXXXXX", &place->file, NULL);
    close(fd);
    static const char keys[] = "[default]\naws_access_key_id=A\naws_secret_access_key=S\n";
    return !g_file_set_contents(place->file, keys, -1, NULL);
}

static int tear_down(void **state)
{
    struct place *place = *state;
    store_free(place->store);
    fake_s3_free(place->server);
    unlink(place->file);
    g_free(place->file);
    g_free(place);
    return 0;
}

static const struct fake_s3_fault refusals[] = {
    {.method = S3_WIRE_GET, .result = S3_WIRE_DENIED, .status = 403, .s3_code = "ExpiredToken"},
    {.method = S3_WIRE_GET, .result = S3_WIRE_REJECTED, .status = 400, .s3_code = "ExpiredToken"},
    {.method = S3_WIRE_GET, .result = S3_WIRE_DENIED, .status = 403, .s3_code = "AccessDenied"},
    /* HEAD has no body that could say why. */
    {.method = S3_WIRE_HEAD, .result = S3_WIRE_REJECTED, .status = 400},
    {.method = S3_WIRE_HEAD, .result = S3_WIRE_DENIED, .status = 403},
};

static void refuse(const struct place *place, const struct fake_s3_fault *refusal, unsigned count)
{
    struct fake_s3_fault fault = *refusal;
    fault.from = 1;
    fault.count = count;
    fake_s3_forget(place->server);
    fake_s3_fault(place->server, &fault);
}

static int ask(const struct place *place, enum s3_wire_method method, struct error *err)
{
    struct store_set *set = store_set_new();
    if (method == S3_WIRE_HEAD)
        store_set_head(set, "k");
    else
        store_set_get(set, "k");
    assert_int_equal(store_run(place->store, set, NULL, NULL), 0);
    int code = store_set_failure(set, 0, err);
    store_set_unref(set);
    return code;
}

static void refused_credentials_are_read_again(void **state)
{
    struct place *place = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
        open_store(place, place->file);
        refuse(place, &refusals[i], 1);
        assert_int_equal(ask(place, refusals[i].method, NULL), 0);
        assert_int_equal(fake_s3_count(place->server, refusals[i].method), 2);
        g_clear_pointer(&place->store, store_free);
    }
}

static void credentials_that_stay_refused_are_an_error(void **state)
{
    struct place *place = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
        open_store(place, place->file);
        refuse(place, &refusals[i], 0);
        assert_int_equal(ask(place, refusals[i].method, NULL), ERR_ACCESS);
        assert_int_equal(fake_s3_count(place->server, refusals[i].method), 2);
        g_clear_pointer(&place->store, store_free);
    }
}

static void credentials_of_the_environment_are_not_tried_twice(void **state)
{
    struct place *place = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
        open_store(place, NULL);
        refuse(place, &refusals[i], 0);
        assert_int_equal(ask(place, refusals[i].method, NULL), ERR_ACCESS);
        assert_int_equal(fake_s3_count(place->server, refusals[i].method), 1);
        g_clear_pointer(&place->store, store_free);
    }
}

static void a_head_that_cannot_say_why_is_explained(void **state)
{
    struct place *place = *state;
    struct error err;
    open_store(place, place->file);
    refuse(place, &refusals[3], 0);
    assert_int_equal(ask(place, S3_WIRE_HEAD, &err), ERR_ACCESS);
    assert_non_null(strstr(err.text, "perhaps the session token has expired"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refused_credentials_are_read_again),
        TEST(credentials_that_stay_refused_are_an_error),
        TEST(credentials_of_the_environment_are_not_tried_twice),
        TEST(a_head_that_cannot_say_why_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The checks before a mount.
 */
#include <string.h>

#include "unit/store/s3/fake_s3.h"
#include "unit/store/store_bench.h"
#include "unit/stores/fault_store.h"
#include "unit/stores/memory_store.h"
#include "unit/unit.h"

/* Nothing may be left of a probe. */
static int probe(struct fake_s3_fixture *fixture, struct error *err)
{
    int code = s3_store_probe(fixture->store, "db/", NULL, err);
    assert_text(list_keys(fixture->store, "", NULL, 0), "");
    return code;
}

static void finds_out_the_quotes(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    static const enum fake_s3_match matches[] = {FAKE_S3_MATCH_QUOTED, FAKE_S3_MATCH_BARE,
                                                 FAKE_S3_MATCH_EITHER};
    for (size_t i = 0; i < G_N_ELEMENTS(matches); i++) {
        fixture->server->match = matches[i];
        assert_int_equal(probe(fixture, NULL), 0);
        put_text(fixture->store, "k", "one");
        g_autofree char *etag = etag_of(fixture->store, "k");
        fake_s3_forget(fixture->server);
        assert_int_equal(put_if(fixture->store, "k", "two", STORE_IF_MATCH, etag), 0);
        assert_text(fake_s3_log(fixture->server), "put k");
        delete_key(fixture->store, "k");
    }
}

static void takes_404_for_a_refusal(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    fixture->server->match = FAKE_S3_MATCH_QUOTED;
    fixture->server->absent_is_404 = true;
    fixture->server->no_etag_of_put = true;
    assert_int_equal(probe(fixture, NULL), 0);
}

static void refuses_a_server_that_ignores_conditions(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct error err;
    fixture->server->match = FAKE_S3_MATCH_IGNORED;
    assert_int_equal(probe(fixture, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "If-None-Match"));
}

/* If-None-Match works, but any If-Match goes through. */
static void refuses_a_server_that_ignores_if_match(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct error err;
    fake_s3_fault(fixture->server,
                  &(struct fake_s3_fault){
                      .method = S3_WIRE_PUT, .from = 4, .result = S3_WIRE_OK, .applies = true});
    assert_int_equal(probe(fixture, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "If-Match"));
    assert_null(strstr(err.text, "If-None-Match"));
}

static void refuses_a_server_that_refuses_every_if_match(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct error err;
    fixture->server->match = FAKE_S3_MATCH_NEVER;
    assert_int_equal(probe(fixture, &err), ERR_IO); /* not even a single writer could write */
    assert_non_null(strstr(err.text, "If-Match"));
}

/* Nothing but unconditional puts works there, and versions are why. */
static void refuses_a_bucket_whose_versions_undo_conditions(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct error err;
    fixture->server->match = FAKE_S3_MATCH_VERSIONED;
    assert_int_equal(probe(fixture, &err), ERR_IO);
    assert_non_null(strstr(err.text, "keeps versions"));
    fixture->server->match = FAKE_S3_MATCH_EITHER;
    assert_int_equal(probe(fixture, NULL), 0);
}

static void a_server_without_versions_is_not_told_to_have_them(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct error err;
    fixture->server->match = FAKE_S3_MATCH_IGNORED;
    assert_int_equal(probe(fixture, &err), ERR_UNSUPPORTED);
    assert_null(strstr(err.text, "versions"));
}

/* Somebody may put on conditions only, which forkfs cannot do with. */
static void refuses_a_server_that_takes_puts_on_conditions_only(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct error err;
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                           .from = 5,
                                                           .result = S3_WIRE_DENIED,
                                                           .s3_code = "AccessDenied"});
    assert_int_equal(probe(fixture, &err), ERR_ACCESS);
}

static void survives_a_bad_connection(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    fixture->server->match = FAKE_S3_MATCH_BARE;
    fixture->server->chaos = 10;
    for (int i = 0; i < 50; i++) {
        fake_s3_forget(fixture->server);
        ((struct s3_store *)fixture->store)->bare_if_match = false;
        assert_int_equal(probe(fixture, NULL), 0);
    }
}

static void tells_what_goes_wrong(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct error err;
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                           .from = 2,
                                                           .result = S3_WIRE_DENIED,
                                                           .s3_code = "AccessDenied"});
    assert_int_equal(probe(fixture, &err), ERR_ACCESS);
    assert_non_null(strstr(err.text, "db/forkfs_probe_"));
}

/* ---- s3_store_check() ---- */

struct case_of_check {
    struct fake_s3_fault fault;
    int code;
    const char *text;
};

static const struct case_of_check cases[] = {
    {{.result = S3_WIRE_DENIED, .status = 403, .s3_code = "SignatureDoesNotMatch"},
     ERR_ACCESS,
     "secret key is wrong"},
    {{.result = S3_WIRE_DENIED, .status = 403, .s3_code = "InvalidAccessKeyId"},
     ERR_ACCESS,
     "does not know this access key"},
    {{.result = S3_WIRE_DENIED, .status = 403, .s3_code = "AccessDenied"},
     ERR_ACCESS,
     "may not do that"},
    {{.result = S3_WIRE_REJECTED, .status = 400, .s3_code = "ExpiredToken"},
     ERR_ACCESS,
     "token has expired"},
    {{.result = S3_WIRE_NO_BUCKET, .status = 404, .s3_code = "NoSuchBucket"},
     ERR_INVALID,
     "no such bucket"},
    {{.result = S3_WIRE_REDIRECT, .status = 301, .region = "eu-west-1"},
     ERR_INVALID,
     "region=eu-west-1"},
    {{.result = S3_WIRE_UNTRUSTED, .message = "self-signed certificate"},
     ERR_UNREACHABLE,
     "self-signed"},
    {{.result = S3_WIRE_UNREACHABLE, .message = "Could not resolve host: nowhere"},
     ERR_UNREACHABLE,
     "nowhere"},
    {{.result = S3_WIRE_TIMED_OUT}, ERR_DEADLINE, "no answer in time"},
    {{.result = S3_WIRE_LOST, .status = 200, .message = "a page for people"},
     ERR_IO,
     "a page for people"},
    {{.result = S3_WIRE_SERVER_ERROR, .status = 500, .s3_code = "InternalError"},
     ERR_IO,
     "InternalError"},
};

static void check_says_what_is_wrong_and_does_not_insist(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fake_s3_fault fault = cases[i].fault;
        struct error err;
        fault.method = S3_WIRE_LIST;
        fault.from = 1;
        fake_s3_forget(fixture->server);
        fake_s3_fault(fixture->server, &fault);
        assert_int_equal(s3_store_check(fixture->store, "db/", NULL, &err), cases[i].code);
        if (!strstr(err.text, cases[i].text))
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].text);
        assert_null(strchr(err.text, '\n'));
        assert_in_range(fake_s3_count(fixture->server, S3_WIRE_LIST), 1, 3);
    }
    fake_s3_forget(fixture->server);
    assert_int_equal(s3_store_check(fixture->store, "db/", NULL, NULL), 0);
    assert_text(fake_s3_log(fixture->server), "list db/");
}

/* A server that takes the requests of one of two libraries. */
static struct store *half_accepted(struct fake_s3 *server)
{
    struct store *store = s3_store_open_wires(fake_s3_wire(server, "first/1"),
                                              fake_s3_wire(server, "second/2"), NULL, 1);
    fake_s3_hurry(store, 60000);
    fake_s3_fault(server, &(struct fake_s3_fault){.method = S3_WIRE_GET,
                                                  .from = 1,
                                                  .result = S3_WIRE_REJECTED,
                                                  .wire = "first/1"});
    return store;
}

static void check_goes_over_to_the_other_library(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct store *store = half_accepted(fixture->server);
    assert_string_equal(fake_s3_counts(store).clients, "first/1 for reads, second/2 for writes");
    assert_int_equal(s3_store_check(store, "", NULL, NULL), 0);
    assert_string_equal(fake_s3_counts(store).clients, "second/2");
    put_text(store, "k", "text");
    assert_text(get_text(store, "k"), "text");
    store_free(store);
}

static void check_keeps_to_the_library_that_was_chosen(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct store *store = half_accepted(fixture->server);
    struct error err;
    ((struct s3_store *)store)->may_switch = false;
    assert_int_equal(s3_store_check(store, "", NULL, &err), ERR_IO);
    assert_non_null(strstr(err.text, "first/1"));
    store_free(store);
}

/* ---- s3_store_remove_probes() ---- */

#define PREFIX "catalog/fork_probes/"

static void put(struct store *store, const char *key)
{
    auto_bytes struct bytes *body = bytes_new_text("x");
    assert_int_equal(store_put(store, key, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
}

static int64_t modified_ns(struct store *store, const char *key)
{
    struct store_set *set = store_set_new();
    const struct store_request *head = store_set_head(set, key);
    store_run(store, set, NULL, NULL);
    int64_t time = head->answer.code == 0 ? head->answer.modified_ns : -1;
    store_set_unref(set);
    return time;
}

static bool is_there(struct store *store, const char *key)
{
    return modified_ns(store, key) >= 0;
}

static void probes_from_before_the_time_go(void **state)
{
    struct store *store = memory_store_new(1);
    put(store, PREFIX "a");
    put(store, "catalog/fork_registry.json");
    s3_store_remove_probes(store, PREFIX, modified_ns(store, PREFIX "a") + 1, NULL);
    assert_false(is_there(store, PREFIX "a"));
    assert_true(is_there(store, "catalog/fork_registry.json"));
    store_free(store);
}

static void probes_of_later_may_be_under_way_and_stay(void **state)
{
    struct store *store = memory_store_new(1);
    put(store, PREFIX "a");
    s3_store_remove_probes(store, PREFIX, modified_ns(store, PREFIX "a"), NULL);
    assert_true(is_there(store, PREFIX "a"));
    store_free(store);
}

static void a_store_that_fails_is_left_alone(void **state)
{
    struct store *inner = memory_store_new(1);
    put(inner, PREFIX "a");
    struct store *store = fault_store_new(inner, true);
    fault_store_arm(store, FAULT_FAIL, FAULT_ALL, 1, true, ERR_ACCESS);
    s3_store_remove_probes(store, PREFIX, INT64_MAX, NULL);
    fault_store_disarm(store);
    assert_true(is_there(store, PREFIX "a"));
    store_free(store);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_s3_set_up, fake_s3_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(finds_out_the_quotes),
        TEST(takes_404_for_a_refusal),
        TEST(refuses_a_server_that_ignores_conditions),
        TEST(refuses_a_server_that_ignores_if_match),
        TEST(refuses_a_server_that_refuses_every_if_match),
        TEST(refuses_a_bucket_whose_versions_undo_conditions),
        TEST(a_server_without_versions_is_not_told_to_have_them),
        TEST(refuses_a_server_that_takes_puts_on_conditions_only),
        TEST(survives_a_bad_connection),
        TEST(tells_what_goes_wrong),
        TEST(check_says_what_is_wrong_and_does_not_insist),
        TEST(check_goes_over_to_the_other_library),
        TEST(check_keeps_to_the_library_that_was_chosen),
        cmocka_unit_test(probes_from_before_the_time_go),
        cmocka_unit_test(probes_of_later_may_be_under_way_and_stay),
        cmocka_unit_test(a_store_that_fails_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

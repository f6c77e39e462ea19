/*
 * Conditional puts: which quotes If-Match wants, and what can be known after an unclear answer.
 */
#include "unit/store/s3/fake_s3.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"

struct fixture {
    struct fake_s3 *server;
    struct store *store;
    char *etag; /* of "k" */
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->server = fake_s3_new();
    fixture->store = fake_s3_store(fixture->server, 4);
    put_text(fixture->store, "k", "old");
    fixture->etag = etag_of(fixture->store, "k");
    fake_s3_forget(fixture->server);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    fake_s3_free(fixture->server);
    g_free(fixture->etag);
    g_free(fixture);
    return 0;
}

static int put_matching(struct fixture *fixture, const char *text)
{
    return put_if(fixture->store, "k", text, STORE_IF_MATCH, fixture->etag);
}

static void fail_puts(struct fixture *fixture, enum s3_wire_result result, bool applies,
                      void (*meanwhile)(struct fake_s3 *server))
{
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                           .from = 1,
                                                           .count = 1,
                                                           .result = result,
                                                           .applies = applies,
                                                           .meanwhile = meanwhile});
}

static void overwrite(struct fake_s3 *server)
{
    fake_s3_set(server, "k", "another's");
}

static void overwrite_in_equal_length(struct fake_s3 *server)
{
    fake_s3_set(server, "k", "NEW");
}

static void take_away(struct fake_s3 *server)
{
    fake_s3_remove(server, "k");
}

static void the_way_of_quoting_that_works_is_kept(void **state)
{
    struct fixture *fixture = *state;
    fixture->server->match = FAKE_S3_MATCH_BARE;
    assert_int_equal(put_matching(fixture, "new"), 0);
    assert_text(fake_s3_log(fixture->server), "put k; head k; put k");
    g_free(fixture->etag);
    fixture->etag = etag_of(fixture->store, "k");
    fake_s3_forget(fixture->server);
    assert_int_equal(put_matching(fixture, "newer"), 0);
    assert_text(fake_s3_log(fixture->server), "put k");
    /* The server is replaced by another one. */
    fixture->server->match = FAKE_S3_MATCH_QUOTED;
    g_free(fixture->etag);
    fixture->etag = etag_of(fixture->store, "k");
    fake_s3_forget(fixture->server);
    assert_int_equal(put_matching(fixture, "newest"), 0);
    assert_text(fake_s3_log(fixture->server), "put k; head k; put k");
    assert_text(get_text(fixture->store, "k"), "newest");
}

static void lost_race_does_not_change_the_quotes(void **state)
{
    struct fixture *fixture = *state;
    fixture->server->match = FAKE_S3_MATCH_QUOTED;
    overwrite(fixture->server);
    assert_int_equal(put_matching(fixture, "new"), ERR_PRECONDITION);
    assert_text(fake_s3_log(fixture->server), "put k; head k");
    assert_false(((struct s3_store *)fixture->store)->bare_if_match);
    assert_text(get_text(fixture->store, "k"), "another's");
}

/* Without an unclear answer, equal content is no proof. */
static void lost_race_against_equal_content_is_lost(void **state)
{
    struct fixture *fixture = *state;
    fake_s3_set(fixture->server, "k", "new");
    assert_int_equal(put_matching(fixture, "new"), ERR_PRECONDITION);
    assert_int_equal(put_if(fixture->store, "k", "new", STORE_IF_ABSENT, NULL), ERR_PRECONDITION);
}

static void absent_object_matches_nothing(void **state)
{
    struct fixture *fixture = *state;
    take_away(fixture->server);
    assert_int_equal(put_matching(fixture, "new"), ERR_PRECONDITION);
    fixture->server->absent_is_404 = true;
    assert_int_equal(put_matching(fixture, "new"), ERR_PRECONDITION);
    assert_null(fake_s3_get(fixture->server, "k"));
}

static void etags_that_are_none_are_not_sent(void **state)
{
    struct fixture *fixture = *state;
    static const char *const etags[] = {"", "*", "a\"b", "a,b", "a b", "a\r\nx-amz-acl: public"};
    for (size_t i = 0; i < G_N_ELEMENTS(etags); i++)
        assert_int_equal(put_if(fixture->store, "k", "new", STORE_IF_MATCH, etags[i]),
                         ERR_PRECONDITION);
    assert_text(fake_s3_log(fixture->server), "");
}

static void lost_answer_is_found_out_by_reading(void **state)
{
    struct fixture *fixture = *state;
    auto_bytes struct bytes *body = bytes_new_text("new");
    g_autofree char *etag = NULL;
    fail_puts(fixture, S3_WIRE_LOST, true, NULL);
    assert_int_equal(
        store_put(fixture->store, "k", body, STORE_IF_MATCH, fixture->etag, NULL, &etag, NULL), 0);
    assert_text(fake_s3_log(fixture->server), "put k; head k; get k");
    assert_text(etag_of(fixture->store, "k"), etag);
}

static void put_that_did_not_arrive_is_made_again(void **state)
{
    struct fixture *fixture = *state;
    fail_puts(fixture, S3_WIRE_LOST, false, NULL);
    assert_int_equal(put_matching(fixture, "new"), 0);
    assert_text(fake_s3_log(fixture->server), "put k; head k; put k");
    assert_text(get_text(fixture->store, "k"), "new");
}

/* Ours may be below what another has written since. */
static void overwritten_after_an_unclear_answer_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    static void (*const others[])(struct fake_s3 *) = {overwrite, overwrite_in_equal_length,
                                                       take_away};
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        for (int applies = 0; applies <= 1; applies++) {
            fake_s3_set(fixture->server, "k", "old");
            fake_s3_forget(fixture->server);
            fail_puts(fixture, S3_WIRE_SERVER_ERROR, applies, others[i]);
            assert_int_equal(put_matching(fixture, "new"), ERR_OUTCOME_UNKNOWN);
            assert_int_equal(fake_s3_count(fixture->server, S3_WIRE_PUT), 1);
        }
    }
}

static void created_by_another_after_an_unclear_answer_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    take_away(fixture->server);
    fail_puts(fixture, S3_WIRE_CONFLICT, false, overwrite);
    assert_int_equal(put_if(fixture->store, "k", "new", STORE_IF_ABSENT, NULL),
                     ERR_OUTCOME_UNKNOWN);
}

/* The first try arrives late: while the second one is under way. */
static void own_late_arrival_is_recognised(void **state)
{
    struct fixture *fixture = *state;
    fail_puts(fixture, S3_WIRE_TIMED_OUT, false, NULL);
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                           .from = 2,
                                                           .count = 1,
                                                           .result = S3_WIRE_PRECONDITION,
                                                           .applies = true});
    assert_int_equal(put_matching(fixture, "new"), 0);
    assert_text(fake_s3_log(fixture->server), "put k; head k; put k; head k; get k");
}

/* libcurl had sent it twice, and what is refused is the second one. */
static void refusal_of_a_repetition_is_looked_into(void **state)
{
    struct fixture *fixture = *state;
    static const enum store_precondition preconditions[] = {STORE_IF_ABSENT, STORE_IF_MATCH};
    for (size_t i = 0; i < G_N_ELEMENTS(preconditions); i++) {
        fake_s3_set(fixture->server, "k", "old");
        if (preconditions[i] == STORE_IF_ABSENT)
            take_away(fixture->server);
        fake_s3_forget(fixture->server);
        fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                               .from = 1,
                                                               .count = 1,
                                                               .result = S3_WIRE_PRECONDITION,
                                                               .applies = true,
                                                               .repeated = true});
        assert_int_equal(put_if(fixture->store, "k", "new", preconditions[i], fixture->etag), 0);
        assert_text(fake_s3_log(fixture->server), "put k; head k; get k");
    }
}

static void quotes_are_changed_after_an_unclear_answer_too(void **state)
{
    struct fixture *fixture = *state;
    fixture->server->match = FAKE_S3_MATCH_BARE;
    fail_puts(fixture, S3_WIRE_LOST, false, NULL);
    assert_int_equal(put_matching(fixture, "new"), 0);
    assert_text(fake_s3_log(fixture->server), "put k; head k; put k; head k; put k");
}

static void refusal_does_not_settle_an_unclear_answer(void **state)
{
    struct fixture *fixture = *state;
    static const enum store_precondition preconditions[] = {STORE_ALWAYS, STORE_IF_ABSENT,
                                                            STORE_IF_MATCH};
    for (size_t i = 0; i < G_N_ELEMENTS(preconditions); i++) {
        fake_s3_forget(fixture->server);
        if (preconditions[i] == STORE_IF_ABSENT)
            take_away(fixture->server);
        else
            fake_s3_set(fixture->server, "k", "old");
        fail_puts(fixture, S3_WIRE_LOST, false, NULL);
        fake_s3_fault(
            fixture->server,
            &(struct fake_s3_fault){.method = S3_WIRE_PUT, .from = 2, .result = S3_WIRE_DENIED});
        assert_int_equal(put_if(fixture->store, "k", "new", preconditions[i], fixture->etag),
                         ERR_OUTCOME_UNKNOWN);
    }
    fake_s3_fault(fixture->server,
                  &(struct fake_s3_fault){
                      .method = S3_WIRE_DELETE, .from = 1, .count = 1, .result = S3_WIRE_LOST});
    fake_s3_fault(
        fixture->server,
        &(struct fake_s3_fault){.method = S3_WIRE_DELETE, .from = 2, .result = S3_WIRE_DENIED});
    assert_int_equal(delete_key(fixture->store, "k"), ERR_OUTCOME_UNKNOWN);
}

static void unclear_answer_that_cannot_be_looked_into_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    fail_puts(fixture, S3_WIRE_LOST, true, NULL);
    fake_s3_fault(
        fixture->server,
        &(struct fake_s3_fault){.method = S3_WIRE_HEAD, .from = 1, .result = S3_WIRE_DENIED});
    assert_int_equal(put_matching(fixture, "new"), ERR_OUTCOME_UNKNOWN);
}

/* 507 and the like say that nothing was stored. */
static void full_store_is_told(void **state)
{
    struct fixture *fixture = *state;
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                           .from = 1,
                                                           .result = S3_WIRE_DENIED,
                                                           .status = 403,
                                                           .s3_code = "QuotaExceeded"});
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                           .from = 2,
                                                           .result = S3_WIRE_SERVER_ERROR,
                                                           .status = 507});
    assert_int_equal(put_matching(fixture, "new"), ERR_NO_SPACE);
    assert_int_equal(put_text(fixture->store, "k", "new"), ERR_NO_SPACE);
    assert_int_equal(fake_s3_count(fixture->server, S3_WIRE_PUT), 2);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_way_of_quoting_that_works_is_kept),
        TEST(lost_race_does_not_change_the_quotes),
        TEST(lost_race_against_equal_content_is_lost),
        TEST(absent_object_matches_nothing),
        TEST(etags_that_are_none_are_not_sent),
        TEST(lost_answer_is_found_out_by_reading),
        TEST(put_that_did_not_arrive_is_made_again),
        TEST(overwritten_after_an_unclear_answer_is_unknown),
        TEST(created_by_another_after_an_unclear_answer_is_unknown),
        TEST(own_late_arrival_is_recognised),
        TEST(refusal_of_a_repetition_is_looked_into),
        TEST(quotes_are_changed_after_an_unclear_answer_too),
        TEST(refusal_does_not_settle_an_unclear_answer),
        TEST(unclear_answer_that_cannot_be_looked_into_is_unknown),
        TEST(full_store_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

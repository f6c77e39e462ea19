/*
 * How the S3 store repeats requests and gives them up: cancels, deadlines, the breaker, and what it
 * tells of that.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/s3/s3_store_private.h"
#include "unit/store/s3/fake_s3.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"
#include "unit/virtual_clock.h"

#define WAIT_MS 200 /* that a request waits for a server that is silent */

/* ---- Giving up ---- */

static void make_slow(struct store *store)
{
    ((struct s3_store *)store)->pace.first_ms = 3600000;
    ((struct s3_store *)store)->pace.longest_ms = 3600000;
    ((struct s3_store *)store)->pace.patience_ms = 100 * 3600000;
}

static void cancel(struct fake_s3 *server)
{
    operation_cancel(server->argument);
}

/* With and without a deadline: on a thread of the pool, and on the caller's. */
static void cancelled_operation_ends_the_pause(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    static const int64_t timeouts[] = {-1, INT64_C(100) * 3600000};
    make_slow(fixture->store);
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                           .from = 1,
                                                           .result = S3_WIRE_BUSY,
                                                           .meanwhile = cancel});
    for (size_t i = 0; i < G_N_ELEMENTS(timeouts); i++) {
        auto_bytes struct bytes *body = bytes_new_text("x");
        struct operation operation;
        operation_init(&operation, timeouts[i]);
        fixture->server->argument = &operation;
        assert_int_equal(
            store_put(fixture->store, "k", body, STORE_IF_ABSENT, NULL, &operation, NULL, NULL),
            ERR_INTERRUPTED);
        operation_destroy(&operation);
    }
    assert_int_equal(fake_s3_count(fixture->server, S3_WIRE_PUT), 2);
}

static void cancelled_after_an_unclear_answer_is_unknown(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    auto_bytes struct bytes *body = bytes_new_text("x");
    struct operation operation;
    operation_init(&operation, -1);
    make_slow(fixture->store);
    fixture->server->argument = &operation;
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                           .from = 1,
                                                           .result = S3_WIRE_TIMED_OUT,
                                                           .meanwhile = cancel});
    assert_int_equal(
        store_put(fixture->store, "k", body, STORE_IF_ABSENT, NULL, &operation, NULL, NULL),
        ERR_OUTCOME_UNKNOWN);
    operation_destroy(&operation);
}

static void deadline_ends_the_repetitions(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){
                                       .method = S3_WIRE_GET, .from = 1, .result = S3_WIRE_BUSY});
    struct operation operation;
    auto_bytes struct bytes *body = NULL;
    operation_init(&operation, 30);
    assert_int_equal(store_get(fixture->store, "k", &operation, &body, NULL, NULL), ERR_DEADLINE);
    operation_destroy(&operation);
}

/* ---- The breaker ---- */

static int64_t clock_ns;
static int64_t clock_step_ns;

/* Goes on with every look. */
static int64_t test_clock(void)
{
    return __atomic_add_fetch(&clock_ns, clock_step_ns, __ATOMIC_RELAXED);
}

static void set_clock(struct store *store, int64_t step_ns)
{
    clock_step_ns = step_ns;
    ((struct s3_store *)store)->breaker.now_ns = test_clock;
}

static void silence_server(struct fake_s3_fixture *fixture, unsigned count)
{
    for (int method = 0; method < FAKE_S3_METHODS; method++)
        fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = method,
                                                               .from = 1,
                                                               .count = count,
                                                               .result = S3_WIRE_UNREACHABLE});
}

static bool has_a_failure_opened_the_breaker(struct store *store)
{
    assert_text(get_text(store, "k"), "UNREACHABLE");
    return fake_s3_counts(store).breaker_open;
}

static void silent_server_is_left_alone_and_its_return_noticed(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    fake_s3_set(fixture->server, "k", "text");
    set_clock(fixture->store, INT64_C(100000000));
    fake_s3_hurry(fixture->store, 100);
    silence_server(fixture, 0);
    AWAIT(has_a_failure_opened_the_breaker(fixture->store));
    assert_true(fake_s3_counts(fixture->store).repeats > 0);
    assert_int_equal(fake_s3_counts(fixture->store).breaker_opened, 1);
    set_clock(fixture->store, 0);
    clock_ns -= 1000000; /* whatever the last request has done: not the time for a trial */
    unsigned before = fake_s3_count(fixture->server, S3_WIRE_GET);
    ((struct s3_store *)fixture->store)->breaker.next_trial_ns = clock_ns + 1;
    assert_text(get_text(fixture->store, "k"), "UNREACHABLE");
    assert_int_equal(put_text(fixture->store, "k", "x"), ERR_UNREACHABLE);
    assert_int_equal(fake_s3_count(fixture->server, S3_WIRE_GET), before);
    fake_s3_forget(fixture->server);
    clock_ns += S3_BREAKER_LONGEST_NS;
    assert_text(get_text(fixture->store, "k"), "text");
    assert_false(fake_s3_counts(fixture->store).breaker_open);
    assert_int_equal(put_text(fixture->store, "k", "x"), 0);
}

/* The silence ends while the request is under way. */
static void request_under_way_outlasts_the_silence(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    set_clock(fixture->store, INT64_C(500000000));
    silence_server(fixture, 2 * S3_BREAKER_FAILURES);
    assert_int_equal(put_text(fixture->store, "k", "text"), 0);
    assert_int_equal(fake_s3_counts(fixture->store).breaker_opened, 1);
    assert_false(fake_s3_counts(fixture->store).breaker_open);
}

static void open_breaker_for_good(struct fake_s3 *server)
{
    struct s3_store *store = server->argument;
    store->breaker.next_trial_ns = INT64_MAX;
    store->breaker.is_open = true;
    virtual_clock_jump(AMPLE_MS);
}

/* Whoever waits for a trial says in time that nothing was sent. */
static void silence_that_outlasts_the_operation_is_told(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    auto_bytes struct bytes *body = bytes_new_text("text");
    struct operation operation;
    fixture->server->argument = fixture->store;
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                           .from = 1,
                                                           .result = S3_WIRE_UNREACHABLE,
                                                           .meanwhile = open_breaker_for_good});
    /* So much before the time is over it is told, also by a thread that wakes up late. */
    ((struct s3_store *)fixture->store)->pace.first_ms = AMPLE_MS;
    operation_init(&operation, 2 * AMPLE_MS + WAIT_MS);
    assert_int_equal(
        store_put(fixture->store, "k", body, STORE_IF_ABSENT, NULL, &operation, NULL, NULL),
        ERR_UNREACHABLE);
    operation_destroy(&operation);
    assert_int_equal(fake_s3_count(fixture->server, S3_WIRE_PUT), 1);
}

/* ---- The first step of an operation ---- */

#define OPERATION_MS (3 * AMPLE_MS)

static void pass_time(struct fake_s3 *server)
{
    virtual_clock_jump(AMPLE_MS / 4);
}

/* Somebody else gets an answer meanwhile. */
static void pass_time_with_answers(struct fake_s3 *server)
{
    struct s3_store *store = server->argument;
    const struct s3_breaker_ticket ticket = {0};
    pass_time(server);
    s3_breaker_report(&store->breaker, &ticket, S3_BREAKER_ANSWERED);
}

/* So many requests of the method run out of time, which passes. */
static void time_out(struct fake_s3_fixture *fixture, enum s3_wire_method method, unsigned count,
                     void (*meanwhile)(struct fake_s3 *server))
{
    fixture->server->argument = fixture->store;
    fake_s3_forget(fixture->server);
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = method,
                                                           .from = 1,
                                                           .count = count,
                                                           .result = S3_WIRE_TIMED_OUT,
                                                           .meanwhile = meanwhile});
}

static int get_early(struct fake_s3_fixture *fixture, struct operation *operation,
                     struct error *err)
{
    struct bytes *body = NULL;
    int code = store_get(fixture->store, "k", operation, &body, NULL, err);
    bytes_unref(body);
    return code;
}

static void a_first_step_is_given_up_when_nobody_gets_an_answer(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    auto_operation struct operation operation;
    struct error err;
    fake_s3_set(fixture->server, "k", "text");
    time_out(fixture, S3_WIRE_GET, 0, pass_time);
    operation_init(&operation, OPERATION_MS);
    operation_give_up_early(&operation);
    assert_int_equal(get_early(fixture, &operation, &err), ERR_DEADLINE);
    assert_non_null(strstr(err.text, "answered nothing"));
    assert_true(operation_remaining_ms(&operation) > AMPLE_MS);
}

static void a_first_step_goes_on_while_others_get_answers(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    auto_operation struct operation operation;
    fake_s3_set(fixture->server, "k", "text");
    time_out(fixture, S3_WIRE_GET, 6, pass_time_with_answers);
    operation_init(&operation, OPERATION_MS);
    operation_give_up_early(&operation);
    assert_int_equal(get_early(fixture, &operation, NULL), 0);
}

static void a_later_step_goes_on_until_the_deadline(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    auto_operation struct operation operation;
    fake_s3_set(fixture->server, "k", "text");
    operation_init(&operation, OPERATION_MS);
    operation_give_up_early(&operation);
    assert_int_equal(get_early(fixture, &operation, NULL), 0);
    time_out(fixture, S3_WIRE_GET, 6, pass_time);
    assert_int_equal(get_early(fixture, &operation, NULL), 0);
}

/* What has been sent may have had an effect. */
static void a_change_goes_on_until_the_deadline(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    auto_operation struct operation operation;
    auto_bytes struct bytes *body = bytes_new_text("x");
    time_out(fixture, S3_WIRE_PUT, 6, pass_time);
    operation_init(&operation, OPERATION_MS);
    operation_give_up_early(&operation);
    assert_int_equal(
        store_put(fixture->store, "k", body, STORE_ALWAYS, NULL, &operation, NULL, NULL), 0);
}

static void any_other_operation_goes_on_until_the_deadline(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    auto_operation struct operation operation;
    fake_s3_set(fixture->server, "k", "text");
    time_out(fixture, S3_WIRE_GET, 6, pass_time);
    operation_init(&operation, OPERATION_MS);
    assert_int_equal(get_early(fixture, &operation, NULL), 0);
}

/* ---- The log ---- */

/* What is told of a get that is made three times; g_free(). */
static char *told_at(struct fake_s3_fixture *fixture, enum log_level level)
{
    struct s3_store *store = (struct s3_store *)fixture->store;
    char told[1000] = "";
    fake_s3_set(fixture->server, "k", "text");
    fake_s3_forget(fixture->server);
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_GET,
                                                           .from = 1,
                                                           .count = 2,
                                                           .result = S3_WIRE_BUSY,
                                                           .s3_code = "SlowDown"});
    store->log = log_new(level, LOG_TO_STDERR);
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    g_autofree char *text = get_text(fixture->store, "k");
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_string_equal(text, "text");
    assert_true(pread(fileno(file), told, sizeof told - 1, 0) >= 0);
    fclose(file);
    g_clear_pointer(&store->log, log_unref);
    return g_strdup(told);
}

static void repetitions_are_told_at_the_level_debug(void **state)
{
#define TOLD "forkfs: debug: get k: the store is too busy (SlowDown)*; again after * ms\n"
    g_autofree char *told = told_at(*state, LOG_LEVEL_DEBUG);
    if (!g_pattern_match_simple(TOLD TOLD, told))
        fail_msg("told: %s", told);
    assert_text(told_at(*state, LOG_LEVEL_INFO), "");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_s3_set_up, fake_s3_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(cancelled_operation_ends_the_pause),
        TEST(cancelled_after_an_unclear_answer_is_unknown),
        TEST(deadline_ends_the_repetitions),
        TEST(silent_server_is_left_alone_and_its_return_noticed),
        TEST(request_under_way_outlasts_the_silence),
        TEST(silence_that_outlasts_the_operation_is_told),
        TEST(a_first_step_is_given_up_when_nobody_gets_an_answer),
        TEST(a_first_step_goes_on_while_others_get_answers),
        TEST(a_later_step_goes_on_until_the_deadline),
        TEST(a_change_goes_on_until_the_deadline),
        TEST(any_other_operation_goes_on_until_the_deadline),
        TEST(repetitions_are_told_at_the_level_debug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

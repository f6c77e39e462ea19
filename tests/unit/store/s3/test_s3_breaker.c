/*
 * The circuit breaker, on a clock of its own.
 */
#include "store/s3/s3_breaker.h"
#include "unit/unit.h"

#define SECOND INT64_C(1000000000)

static int64_t now_ns;

static int64_t test_clock(void)
{
    return now_ns;
}

static int set_up(void **state)
{
    static struct s3_breaker breaker;
    now_ns = 1000 * SECOND;
    s3_breaker_init(&breaker);
    breaker.now_ns = test_clock;
    *state = &breaker;
    return 0;
}

static int tear_down(void **state)
{
    s3_breaker_destroy(*state);
    return 0;
}

static struct s3_breaker_ticket admit(struct s3_breaker *breaker)
{
    struct s3_breaker_ticket ticket;
    assert_true(s3_breaker_admit(breaker, &ticket));
    return ticket;
}

static void expect_refusal(struct s3_breaker *breaker)
{
    struct s3_breaker_ticket ticket;
    assert_false(s3_breaker_admit(breaker, &ticket));
}

/* An exchange that takes `duration_ns`. */
static void exchange(struct s3_breaker *breaker, int64_t duration_ns, enum s3_breaker_news news)
{
    struct s3_breaker_ticket ticket = admit(breaker);
    now_ns += duration_ns;
    s3_breaker_report(breaker, &ticket, news);
}

static bool is_open(struct s3_breaker *breaker)
{
    uint64_t times;
    return s3_breaker_state(breaker, &times);
}

static void open_it(struct s3_breaker *breaker)
{
    for (int i = 0; i < S3_BREAKER_FAILURES; i++)
        exchange(breaker, S3_BREAKER_SILENCE_NS, S3_BREAKER_SILENT);
    assert_true(is_open(breaker));
}

static void many_failures_within_a_moment_do_not_open_it(void **state)
{
    struct s3_breaker *breaker = *state;
    for (int i = 0; i < 200; i++)
        exchange(breaker, SECOND / 100, S3_BREAKER_SILENT);
    assert_false(is_open(breaker));
    exchange(breaker, 0, S3_BREAKER_ANSWERED);
    exchange(breaker, 10 * SECOND, S3_BREAKER_SILENT);
    assert_false(is_open(breaker));
}

static void few_failures_do_not_open_it(void **state)
{
    struct s3_breaker *breaker = *state;
    for (int i = 1; i < S3_BREAKER_FAILURES; i++)
        exchange(breaker, 10 * SECOND, S3_BREAKER_SILENT);
    assert_false(is_open(breaker));
    exchange(breaker, 0, S3_BREAKER_ANSWERED);
    for (int i = 1; i < S3_BREAKER_FAILURES; i++)
        exchange(breaker, 10 * SECOND, S3_BREAKER_SILENT);
    assert_false(is_open(breaker));
    exchange(breaker, 0, S3_BREAKER_SILENT);
    assert_true(is_open(breaker));
}

/* Five that waited in vain for ten seconds, next to each other. */
static void silence_counts_from_the_start_of_the_exchange(void **state)
{
    struct s3_breaker *breaker = *state;
    struct s3_breaker_ticket tickets[S3_BREAKER_FAILURES];
    for (int i = 0; i < S3_BREAKER_FAILURES; i++)
        tickets[i] = admit(breaker);
    now_ns += 10 * SECOND;
    for (int i = 0; i < S3_BREAKER_FAILURES; i++)
        s3_breaker_report(breaker, &tickets[i], S3_BREAKER_SILENT);
    assert_true(is_open(breaker));
    assert_true(s3_breaker_silence_ns(breaker) == 10 * SECOND);
}

static void silence_counts_from_the_last_answer(void **state)
{
    struct s3_breaker *breaker = *state;
    struct s3_breaker_ticket tickets[S3_BREAKER_FAILURES];
    for (int i = 0; i < S3_BREAKER_FAILURES; i++)
        tickets[i] = admit(breaker);
    now_ns += 10 * SECOND;
    exchange(breaker, 0, S3_BREAKER_ANSWERED);
    now_ns += SECOND;
    for (int i = 0; i < S3_BREAKER_FAILURES; i++)
        s3_breaker_report(breaker, &tickets[i], S3_BREAKER_SILENT);
    assert_false(is_open(breaker));
    assert_true(s3_breaker_silence_ns(breaker) == SECOND);
}

static void exchanges_without_news_do_not_count(void **state)
{
    struct s3_breaker *breaker = *state;
    for (int i = 0; i < 2 * S3_BREAKER_FAILURES; i++)
        exchange(breaker, 10 * SECOND, S3_BREAKER_NOTHING);
    assert_false(is_open(breaker));
    assert_true(s3_breaker_silence_ns(breaker) == 0);
}

static void failures_of_long_ago_are_forgotten(void **state)
{
    struct s3_breaker *breaker = *state;
    for (int i = 1; i < S3_BREAKER_FAILURES; i++)
        exchange(breaker, 2 * SECOND, S3_BREAKER_SILENT);
    now_ns += S3_BREAKER_FORGET_NS + 1;
    exchange(breaker, 0, S3_BREAKER_SILENT);
    assert_false(is_open(breaker));
    assert_true(s3_breaker_silence_ns(breaker) == 0);
}

static void open_one_admits_a_single_trial_after_a_pause(void **state)
{
    struct s3_breaker *breaker = *state;
    open_it(breaker);
    expect_refusal(breaker);
    now_ns += S3_BREAKER_PAUSE_NS - 1;
    expect_refusal(breaker);
    now_ns += 1;
    struct s3_breaker_ticket trial = admit(breaker);
    expect_refusal(breaker);
    now_ns += SECOND;
    expect_refusal(breaker);
    s3_breaker_report(breaker, &trial, S3_BREAKER_ANSWERED);
    assert_false(is_open(breaker));
    admit(breaker);
    admit(breaker);
}

static void failed_trials_come_less_and_less_often(void **state)
{
    struct s3_breaker *breaker = *state;
    open_it(breaker);
    int64_t pause_ns = S3_BREAKER_PAUSE_NS;
    for (int i = 0; i < 10; i++) {
        now_ns += pause_ns - 1;
        expect_refusal(breaker);
        now_ns += 1;
        exchange(breaker, 0, S3_BREAKER_SILENT);
        pause_ns = 2 * pause_ns < S3_BREAKER_LONGEST_NS ? 2 * pause_ns : S3_BREAKER_LONGEST_NS;
    }
    now_ns += S3_BREAKER_LONGEST_NS;
    exchange(breaker, 0, S3_BREAKER_ANSWERED);
    uint64_t times;
    assert_false(s3_breaker_state(breaker, &times));
    assert_int_equal(times, 1);
    open_it(breaker); /* the pause starts anew */
    now_ns += S3_BREAKER_PAUSE_NS;
    admit(breaker);
}

static void trial_without_news_makes_room_for_the_next(void **state)
{
    struct s3_breaker *breaker = *state;
    open_it(breaker);
    now_ns += S3_BREAKER_PAUSE_NS;
    exchange(breaker, 0, S3_BREAKER_NOTHING);
    assert_true(is_open(breaker));
    admit(breaker);
}

static void stuck_trial_is_replaced(void **state)
{
    struct s3_breaker *breaker = *state;
    open_it(breaker);
    now_ns += S3_BREAKER_PAUSE_NS;
    struct s3_breaker_ticket stuck = admit(breaker);
    now_ns += S3_BREAKER_TRIAL_NS;
    struct s3_breaker_ticket next = admit(breaker);
    expect_refusal(breaker);
    s3_breaker_report(breaker, &stuck, S3_BREAKER_SILENT); /* is not the trial any more */
    expect_refusal(breaker);
    s3_breaker_report(breaker, &next, S3_BREAKER_ANSWERED);
    assert_false(is_open(breaker));
}

static void any_answer_closes_it(void **state)
{
    struct s3_breaker *breaker = *state;
    struct s3_breaker_ticket slow = admit(breaker);
    open_it(breaker);
    s3_breaker_report(breaker, &slow, S3_BREAKER_ANSWERED);
    assert_false(is_open(breaker));
    assert_true(s3_breaker_silence_ns(breaker) == 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(many_failures_within_a_moment_do_not_open_it),
        TEST(few_failures_do_not_open_it),
        TEST(silence_counts_from_the_start_of_the_exchange),
        TEST(silence_counts_from_the_last_answer),
        TEST(exchanges_without_news_do_not_count),
        TEST(failures_of_long_ago_are_forgotten),
        TEST(open_one_admits_a_single_trial_after_a_pause),
        TEST(failed_trials_come_less_and_less_often),
        TEST(trial_without_news_makes_room_for_the_next),
        TEST(stuck_trial_is_replaced),
        TEST(any_answer_closes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

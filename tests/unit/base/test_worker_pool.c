#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/worker_pool.h"
#include "unit/unit.h"

struct bench {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned inside;      /* jobs that wait at the gate */
    unsigned most_inside; /* the highest number so far */
    bool open;
    GArray *order; /* int */
};

static void bench_init(struct bench *bench)
{
    *bench = (struct bench){.order = g_array_new(FALSE, FALSE, sizeof(int))};
    pthread_mutex_init(&bench->lock, NULL);
    pthread_cond_init(&bench->changed, NULL);
}

static void bench_destroy(struct bench *bench)
{
    pthread_mutex_destroy(&bench->lock);
    pthread_cond_destroy(&bench->changed);
    g_array_unref(bench->order);
}

static void wait_at_gate(void *argument)
{
    struct bench *bench = argument;
    LOCK_SCOPE(&bench->lock);
    bench->inside++;
    bench->most_inside = MAX(bench->most_inside, bench->inside);
    while (!bench->open)
        pthread_cond_wait(&bench->changed, &bench->lock);
    bench->inside--;
}

static unsigned now_inside(struct bench *bench)
{
    LOCK_SCOPE(&bench->lock);
    return bench->inside;
}

static void open_gate(struct bench *bench)
{
    LOCK_SCOPE(&bench->lock);
    bench->open = true;
    pthread_cond_broadcast(&bench->changed);
}

struct numbered {
    struct bench *bench;
    int number;
};

static void note_number(void *argument)
{
    struct numbered *job = argument;
    LOCK_SCOPE(&job->bench->lock);
    g_array_append_val(job->bench->order, job->number);
}

static void one_thread_runs_jobs_in_order(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct worker_pool *pool = worker_pool_new("test", 1);
    struct numbered jobs[500];
    for (int i = 0; i < 500; i++) {
        jobs[i] = (struct numbered){&bench, i};
        assert_int_equal(worker_pool_submit(pool, note_number, &jobs[i], NULL), 0);
    }
    worker_pool_drain(pool);
    assert_int_equal(bench.order->len, 500);
    for (int i = 0; i < 500; i++)
        assert_int_equal(g_array_index(bench.order, int, i), i);
    worker_pool_free(pool);
    bench_destroy(&bench);
}

static void as_many_jobs_run_at_once_as_threads_are_allowed(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct worker_pool *pool = worker_pool_new("test", 8);
    for (int i = 0; i < 20; i++)
        assert_int_equal(worker_pool_submit(pool, wait_at_gate, &bench, NULL), 0);
    AWAIT(now_inside(&bench) >= 8);
    open_gate(&bench);
    worker_pool_drain(pool);
    assert_int_equal(bench.most_inside, 8);
    assert_int_equal(bench.inside, 0);
    worker_pool_free(pool);
    bench_destroy(&bench);
}

static void free_runs_what_is_queued(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct worker_pool *pool = worker_pool_new("test", 3);
    struct numbered jobs[100];
    for (int i = 0; i < 100; i++) {
        jobs[i] = (struct numbered){&bench, i};
        worker_pool_submit(pool, note_number, &jobs[i], NULL);
    }
    worker_pool_free(pool);
    assert_int_equal(bench.order->len, 100);
    bench_destroy(&bench);
}

static void waiting_for_stuck_jobs_can_be_given_up(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct worker_pool *pool = worker_pool_new("test", 1);
    assert_int_equal(worker_pool_submit(pool, wait_at_gate, &bench, NULL), 0);
    assert_false(worker_pool_drain_within(pool, 1));
    open_gate(&bench);
    assert_true(worker_pool_drain_within(pool, 60000));
    worker_pool_free(pool);
    bench_destroy(&bench);
}

static void drain_and_free_of_an_unused_pool_return(void **state)
{
    struct worker_pool *pool = worker_pool_new("test", 0);
    worker_pool_drain(pool);
    worker_pool_free(pool);
    worker_pool_free(NULL);
}

static void *submit_many(void *argument)
{
    void **arguments = argument;
    for (int i = 0; i < 1000; i++)
        worker_pool_submit(arguments[0], note_number, arguments[1], NULL);
    return NULL;
}

static void many_threads_may_submit(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct worker_pool *pool = worker_pool_new("test", 4);
    struct numbered job = {&bench, 7};
    void *arguments[] = {pool, &job};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, submit_many, arguments);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    worker_pool_drain(pool);
    assert_int_equal(bench.order->len, 4000);
    worker_pool_free(pool);
    bench_destroy(&bench);
}

struct thread_facts {
    char name[16];
    bool signals_blocked;
};

static void note_facts(void *argument)
{
    struct thread_facts *facts = argument;
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    facts->signals_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGINT) &&
                             sigismember(&blocked, SIGUSR1);
    pthread_getname_np(pthread_self(), facts->name, sizeof facts->name);
}

static void threads_have_a_name_and_block_signals(void **state)
{
    struct thread_facts facts = {"", false};
    struct worker_pool *pool = worker_pool_new("fifteen-letters", 1);
    worker_pool_submit(pool, note_facts, &facts, NULL);
    worker_pool_free(pool);
    assert_string_equal(facts.name, "fifteen-letters");
    assert_true(facts.signals_blocked);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_runs_jobs_in_order),
        cmocka_unit_test(as_many_jobs_run_at_once_as_threads_are_allowed),
        cmocka_unit_test(free_runs_what_is_queued),
        cmocka_unit_test(waiting_for_stuck_jobs_can_be_given_up),
        cmocka_unit_test(drain_and_free_of_an_unused_pool_return),
        cmocka_unit_test(many_threads_may_submit),
        cmocka_unit_test(threads_have_a_name_and_block_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Which wire reads take when one of them keeps few connections.
 */
#include <pthread.h>

#include "base/cleanup.h"
#include "store/s3/s3_store.h"
#include "unit/unit.h"

#define REQUESTS 5

/* Answers when so many requests are under way on all wires. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned arrived;
};

struct gated_wire {
    struct s3_wire base;
    struct gate *gate;
    unsigned requests;
};

static void perform(struct s3_wire *base, const struct s3_wire_request *request,
                    struct s3_wire_answer *answer)
{
    struct gated_wire *wire = (struct gated_wire *)base;
    struct gate *gate = wire->gate;
    answer->result = S3_WIRE_OK;
    answer->status = 200;
    answer->etag = g_strdup("etag");
    answer->body = bytes_new_text("text");
    answer->size = answer->body->size;
    LOCK_SCOPE(&gate->lock);
    wire->requests++;
    unsigned wanted = (gate->arrived++ / REQUESTS + 1) * REQUESTS;
    pthread_cond_broadcast(&gate->changed);
    while (gate->arrived < wanted)
        pthread_cond_wait(&gate->changed, &gate->lock);
}

static void keep(struct s3_wire *base)
{
}

static const struct s3_wire_operations operations = {.perform = perform, .free = keep};

struct fixture {
    struct gate gate;
    struct gated_wire reads, writes;
    struct store *store;
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    pthread_mutex_init(&fixture->gate.lock, NULL);
    pthread_cond_init(&fixture->gate.changed, NULL);
    fixture->reads = (struct gated_wire){.base.operations = &operations, .gate = &fixture->gate};
    fixture->writes = fixture->reads;
    fixture->store =
        s3_store_open_wires(&fixture->reads.base, &fixture->writes.base, NULL, REQUESTS);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    pthread_cond_destroy(&fixture->gate.changed);
    pthread_mutex_destroy(&fixture->gate.lock);
    g_free(fixture);
    return 0;
}

static void read_all_at_once(struct fixture *fixture)
{
    struct store_set *set = store_set_new();
    for (int i = 0; i < REQUESTS; i++)
        store_set_get(set, "key");
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    assert_int_equal(store_set_failure(set, 0, NULL), 0);
    store_set_unref(set);
}

static void reads_for_which_no_connection_is_kept_take_the_other_wire(void **state)
{
    struct fixture *fixture = *state;
    fixture->reads.base.kept_connections = 2;
    read_all_at_once(fixture);
    assert_int_equal(fixture->reads.requests, 2);
    assert_int_equal(fixture->writes.requests, REQUESTS - 2);
}

static void connections_are_free_again_when_their_requests_are_answered(void **state)
{
    struct fixture *fixture = *state;
    fixture->reads.base.kept_connections = 2;
    for (int i = 0; i < 3; i++)
        read_all_at_once(fixture);
    assert_int_equal(fixture->reads.requests, 3 * 2);
}

static void a_wire_that_keeps_all_connections_takes_all_reads(void **state)
{
    struct fixture *fixture = *state;
    read_all_at_once(fixture);
    assert_int_equal(fixture->reads.requests, REQUESTS);
    assert_int_equal(fixture->writes.requests, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_for_which_no_connection_is_kept_take_the_other_wire),
        TEST(connections_are_free_again_when_their_requests_are_answered),
        TEST(a_wire_that_keeps_all_connections_takes_all_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

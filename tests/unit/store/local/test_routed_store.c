/*
 * The wrapper that takes some keys from a directory. What every store promises, it keeps in
 * test_store_contract.c and test_store_listing.c.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "store/local/routed_store.h"
#include "unit/store/store_bench.h"
#include "unit/stores/memory_store.h"
#include "unit/unit.h"

#define SEGMENT "00000000000000000001_x.wal"

static const char *const keys[] = {"m/log/", "m/counters.json", NULL};

/* A store whose log and counters are in TOP/local, which holds one of each. */
struct fixture {
    struct store *inner; /* belongs to the store */
    struct store *store;
    char *top;
    char *directory;
};

static void set_up_on(struct fixture *fixture, struct store *inner)
{
    fixture->inner = inner;
    fixture->top = scratch_directory_new();
    fixture->directory = scratch_path(fixture->top, "local");
    scratch_write(fixture->directory, "log/" SEGMENT, "segment");
    scratch_write(fixture->directory, "counters.json", "7");
    const struct store_routing routing = {fixture->directory, "m/", keys};
    assert_int_equal(routed_store_new(inner, &routing, &fixture->store, NULL), 0);
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    set_up_on(fixture, memory_store_new(4));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    g_free(fixture->directory);
    scratch_directory_free(fixture->top);
    g_free(fixture);
    return 0;
}

static void routed_keys_are_read_from_the_directory(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture->inner, "m/counters.json", "of the store");
    assert_text(get_text(fixture->store, "m/counters.json"), "7");
    assert_text(get_text(fixture->store, "m/log/" SEGMENT), "segment");
    g_autofree char *etag = etag_of(fixture->store, "m/counters.json");
    assert_non_null(etag);
    scratch_write(fixture->directory, "counters.json", "12");
    assert_text(get_text(fixture->store, "m/counters.json"), "12");
}

static void all_other_keys_are_the_stores(void **state)
{
    struct fixture *fixture = *state;
    static const char *const others[] = {"m/counters.json.old", "m/log",  "m/logs/x", "log/x",
                                         "counters.json",       "n/log/x"};
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        assert_int_equal(put_text(fixture->store, others[i], others[i]), 0);
        assert_text(get_text(fixture->inner, others[i]), others[i]);
        assert_text(get_text(fixture->store, others[i]), others[i]);
    }
    assert_text(scratch_names(fixture->directory, ""), "counters.json log");
}

static void listings_of_the_directory_have_the_keys_of_the_store(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture->inner, "m/log/of_the_store", "x");
    scratch_write(fixture->directory, "log/00000000000000000002_y.wal", "x");
    scratch_write(fixture->directory, "log/below/z", "x");
    scratch_write(fixture->directory, "log/00000000000000000003_z.wal#1", "half written");
    assert_text(list_keys(fixture->store, "m/log/", NULL, 0),
                "m/log/" SEGMENT " m/log/00000000000000000002_y.wal m/log/below/z");
    assert_text(list_keys(fixture->store, "m/log/0", NULL, 1), "m/log/" SEGMENT " ...");
    assert_text(list_shallow(fixture->store, "m/log/"),
                "m/log/" SEGMENT " m/log/00000000000000000002_y.wal m/log/below/");
    assert_text(list_keys(fixture->store, "m/log/none", NULL, 0), "");
}

static void listings_of_the_directory_start_where_they_should(void **state)
{
    struct fixture *fixture = *state;
    scratch_write(fixture->directory, "log/b", "x");
    assert_text(list_keys(fixture->store, "m/log/", "m/log/" SEGMENT, 0), "m/log/b");
    assert_text(list_keys(fixture->store, "m/log/", "m/log/b", 0), "");
    assert_text(list_keys(fixture->store, "m/log/b", "m/log/a", 0), "m/log/b");
    assert_text(list_keys(fixture->store, "m/log/", "a", 0), "m/log/" SEGMENT " m/log/b");
    assert_text(list_keys(fixture->store, "m/log/", "z", 0), "");
}

static void a_listing_of_a_shorter_prefix_is_the_stores(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture->store, "m/k", "x");
    assert_text(list_keys(fixture->store, "m/", NULL, 0), "m/k");
    assert_text(list_keys(fixture->store, "", NULL, 0), "m/k");
}

static void the_directory_is_never_written(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put_text(fixture->store, "m/counters.json", "8"), ERR_READ_ONLY);
    assert_int_equal(put_if(fixture->store, "m/log/new", "x", STORE_IF_ABSENT, NULL),
                     ERR_READ_ONLY);
    assert_int_equal(delete_key(fixture->store, "m/log/" SEGMENT), ERR_READ_ONLY);
    assert_int_equal(prune_prefix(fixture->store, "m/log/"), ERR_READ_ONLY);
    assert_text(get_text(fixture->store, "m/counters.json"), "7");
    assert_text(list_keys(fixture->store, "m/log/", NULL, 0), "m/log/" SEGMENT);
    assert_text(list_keys(fixture->inner, "", NULL, 0), "");
}

static void what_the_directory_lacks_is_absent(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture->inner, "m/counters.json", "of the store");
    g_autofree char *counters = scratch_path(fixture->directory, "counters.json");
    g_autofree char *segment = scratch_path(fixture->directory, "log/" SEGMENT);
    g_autofree char *log = scratch_path(fixture->directory, "log");
    assert_int_equal(g_unlink(counters) | g_unlink(segment) | g_rmdir(log), 0);
    assert_text(get_text(fixture->store, "m/counters.json"), "NOT_FOUND");
    assert_null(etag_of(fixture->store, "m/counters.json"));
    assert_text(list_keys(fixture->store, "m/log/", NULL, 0), "");
}

static void assert_cannot_be_read(struct fixture *fixture)
{
    struct error err;
    auto_bytes struct bytes *body = NULL;
    assert_int_equal(store_get(fixture->store, "m/counters.json", NULL, &body, NULL, &err), ERR_IO);
    assert_non_null(strstr(err.text, fixture->directory));
    assert_text(list_keys(fixture->store, "m/log/", NULL, 0), "IO");
    assert_text(list_shallow(fixture->store, "m/log/"), "IO");
}

/* A disk that is not mounted, or a typing error: nobody knows then whether there is a log. */
static void without_the_directory_nothing_is_said_to_be_absent(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *away = scratch_path(fixture->top, "away");
    assert_int_equal(g_rename(fixture->directory, away), 0);
    assert_cannot_be_read(fixture);
    scratch_write(fixture->top, "local", "a file");
    assert_text(get_text(fixture->store, "m/counters.json"), "CORRUPT");
    assert_text(list_keys(fixture->store, "m/log/", NULL, 0), "IO");
    assert_int_equal(g_unlink(fixture->directory), 0);
    assert_int_equal(g_rename(away, fixture->directory), 0);
    assert_text(get_text(fixture->store, "m/counters.json"), "7");
}

static void a_directory_that_was_replaced_is_the_one_that_counts(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *away = scratch_path(fixture->top, "away");
    assert_text(get_text(fixture->store, "m/counters.json"), "7");
    assert_int_equal(g_rename(fixture->directory, away), 0);
    scratch_write(fixture->directory, "counters.json", "restored");
    assert_text(get_text(fixture->store, "m/counters.json"), "restored");
    assert_text(list_keys(fixture->store, "m/log/", NULL, 0), "");
}

static void one_set_reads_from_both(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture->inner, "k", "x");
    struct store_set *set = store_set_new();
    const struct store_request *there = store_set_get(set, "m/counters.json");
    const struct store_request *here = store_set_get(set, "k");
    const struct store_request *log = store_set_list(set, "m/log/", NULL, 0);
    struct operation operation;
    operation_init(&operation, PATIENCE_S * 1000);
    assert_int_equal(store_run(fixture->store, set, &operation, NULL), 0);
    operation_destroy(&operation);
    assert_string_equal(there->answer.body->data, "7");
    assert_string_equal(here->answer.body->data, "x");
    assert_int_equal(log->answer.objects->len, 1);
    store_set_unref(set);
    assert_int_equal(call_metrics_outcome(store_metrics(fixture->store, STORE_GET), 0), 2);
}

static void a_passed_deadline_reads_nothing_from_the_directory(void **state)
{
    struct fixture *fixture = *state;
    struct operation operation;
    operation_init(&operation, 0);
    auto_bytes struct bytes *body = NULL;
    assert_int_equal(store_get(fixture->store, "m/counters.json", &operation, &body, NULL, NULL),
                     ERR_DEADLINE);
    operation_destroy(&operation);
}

/* ---- Sets begin and settle on the wrapped store ---- */

struct counting_store {
    struct store base;
    unsigned begun, settled, performed;
};

static void count_begin(struct store *store, const struct store_set *set)
{
    ((struct counting_store *)store)->begun++;
}

static void count_perform(struct store *store, const struct store_request *request,
                          const struct operation *operation, struct store_answer *answer)
{
    ((struct counting_store *)store)->performed++;
}

/* May turn a success into a failure. */
static void count_settle(struct store *store, struct store_wave *wave)
{
    ((struct counting_store *)store)->settled++;
    for (size_t i = 0; i < store_wave_size(wave); i++)
        if (store_wave_request(wave, i)->method == STORE_DELETE)
            store_answer_fail(store_wave_answer(wave, i), ERR_OUTCOME_UNKNOWN, "not durable");
}

static void destroy_nothing(struct store *store)
{
}

static void sets_begin_and_settle_on_the_wrapped_store(void **state)
{
    static const struct store_operations operations = {.begin = count_begin,
                                                       .perform = count_perform,
                                                       .settle = count_settle,
                                                       .destroy = destroy_nothing};
    struct counting_store *inner = g_new0(struct counting_store, 1);
    store_initialize(&inner->base, &operations, 1);
    struct fixture *fixture = g_new0(struct fixture, 1);
    set_up_on(fixture, &inner->base);
    assert_int_equal(delete_key(fixture->store, "k"), ERR_OUTCOME_UNKNOWN);
    assert_text(get_text(fixture->store, "m/counters.json"), "7");
    assert_int_equal(inner->performed, 1);
    assert_int_equal(inner->begun, 2);
    assert_int_equal(inner->settled, 2);
    void *taken = fixture;
    tear_down(&taken);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(routed_keys_are_read_from_the_directory),
        TEST(all_other_keys_are_the_stores),
        TEST(listings_of_the_directory_have_the_keys_of_the_store),
        TEST(listings_of_the_directory_start_where_they_should),
        TEST(a_listing_of_a_shorter_prefix_is_the_stores),
        TEST(the_directory_is_never_written),
        TEST(what_the_directory_lacks_is_absent),
        TEST(without_the_directory_nothing_is_said_to_be_absent),
        TEST(a_directory_that_was_replaced_is_the_one_that_counts),
        TEST(one_set_reads_from_both),
        TEST(a_passed_deadline_reads_nothing_from_the_directory),
        cmocka_unit_test(sets_begin_and_settle_on_the_wrapped_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

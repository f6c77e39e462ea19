/*
 * The S3 store's own: foreign keys, odd listings, the choice of the wire, and credentials. How
 * requests are repeated and given up is in test_s3_effort, puts are in test_s3_put.
 */
#include <stdlib.h>

#include "store/s3/s3_store_private.h"
#include "store/s3/wire/s3_wire_private.h"
#include "unit/store/s3/fake_s3.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"
#include "unit/virtual_clock.h"

/* ---- Listings ---- */

static void keys_that_are_none_are_left_out(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    static const char *const keys[] = {"d/", "d//x", "d/./x", "d/a", "d/b/", "d/b//c", "d/e/f"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        fake_s3_set(fixture->server, keys[i], "x");
    for (fixture->server->page = 1000; fixture->server->page > 0; fixture->server->page /= 3) {
        assert_text(list_keys(fixture->store, "", NULL, 0), "d/a d/e/f");
        assert_text(list_keys(fixture->store, "", NULL, 1), "d/a ...");
        assert_text(list_keys(fixture->store, "", NULL, 2), "d/a d/e/f");
        assert_text(list_shallow(fixture->store, "d/"), "d/a d/b/ d/e/");
    }
}

static void limit_asks_for_few_rows(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    for (int i = 0; i < 50; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        fake_s3_set(fixture->server, key, "x");
    }
    assert_text(list_keys(fixture->store, "", "k10", 2), "k11 k12 ...");
    assert_text(list_keys(fixture->store, "k4", NULL, 9),
                "k40 k41 k42 k43 k44 k45 k46 k47 k48 ...");
    assert_int_equal(fake_s3_count(fixture->server, S3_WIRE_LIST), 2);
}

/* A wire whose pages are made up. */
struct odd_wire {
    struct s3_wire base;
    const char *rows[3];
    const char *next;
};

static void odd_perform(struct s3_wire *base, const struct s3_wire_request *request,
                        struct s3_wire_answer *answer)
{
    const struct odd_wire *wire = (const struct odd_wire *)base;
    answer->rows = s3_wire_rows_new();
    for (size_t i = 0; i < G_N_ELEMENTS(wire->rows) && wire->rows[i]; i++) {
        struct s3_wire_row *row = g_new0(struct s3_wire_row, 1);
        row->key = g_strdup(wire->rows[i]);
        row->etag = g_strdup("e");
        g_ptr_array_add(answer->rows, row);
    }
    answer->next = g_strdup(wire->next);
}

static void odd_free(struct s3_wire *wire)
{
    g_free(wire);
}

static void listings_that_make_no_sense_fail(void **state)
{
    static const struct s3_wire_operations operations = {.perform = odd_perform, .free = odd_free};
    static const struct odd_wire pages[] = {
        {.rows = {"d/a", "d/b"}, .next = "d/b"}, /* for ever the same page */
        {.rows = {"d/b", "d/a"}},
        {.rows = {"d/a", "e"}},
        {.rows = {NULL}, .next = "d/a"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
        struct odd_wire *wire = g_new0(struct odd_wire, 1);
        *wire = pages[i];
        wire->base.operations = &operations;
        struct store *store = s3_store_open_wires(&wire->base, &wire->base, NULL, 1);
        fake_s3_hurry(store, 1000);
        assert_text(list_keys(store, "d/", NULL, 0), "IO");
        store_free(store);
    }
}

static void pass_part_of_the_time(void)
{
    virtual_clock_jump(AMPLE_MS / 10);
}

static void long_listing_takes_its_time(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    GString *all = g_string_new(NULL);
    for (int i = 0; i < 20; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        fake_s3_set(fixture->server, key, "x");
        g_string_append_printf(all, "%s%s", i ? " " : "", key);
    }
    fake_s3_hurry(fixture->store, AMPLE_MS);
    fixture->server->page = 1;
    fixture->server->before = pass_part_of_the_time;
    assert_text(list_keys(fixture->store, "", NULL, 0), all->str);
    g_string_free(all, TRUE);
}

static void prune_sends_nothing(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    assert_int_equal(prune_prefix(fixture->store, "d/"), 0);
    assert_text(fake_s3_log(fixture->server), "");
}

/* ---- Two wires ---- */

static struct store *two_wires(struct fake_s3 *server)
{
    struct store *store = s3_store_open_wires(fake_s3_wire(server, "first/1"),
                                              fake_s3_wire(server, "second/2"), NULL, 1);
    fake_s3_hurry(store, 60000);
    return store;
}

static void break_wire(struct fake_s3 *server, const char *wire, enum s3_wire_result result)
{
    for (int method = 0; method < FAKE_S3_METHODS; method++)
        fake_s3_fault(server, &(struct fake_s3_fault){
                                  .method = method, .from = 1, .result = result, .wire = wire});
}

static void reads_and_deletes_of_plain_keys_take_the_wire_for_reads(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct store *store = two_wires(fixture->server);
    put_text(store, "d/k-1_2.x", "text");
    break_wire(fixture->server, "second/2", S3_WIRE_REJECTED);
    assert_text(get_text(store, "d/k-1_2.x"), "text");
    g_free(etag_of(store, "d/k-1_2.x"));
    assert_int_equal(delete_key(store, "d/k-1_2.x"), 0);
    assert_text(list_keys(store, "", NULL, 0), "IO");
    assert_int_equal(put_text(store, "k", "x"), ERR_IO);
    store_free(store);
}

static void deletes_do_not_take_a_wire_that_may_send_them_late(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct store *store = two_wires(fixture->server);
    ((struct s3_store *)store)->reads->sends_late = true;
    put_text(store, "k", "text");
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_DELETE,
                                                           .from = 1,
                                                           .result = S3_WIRE_REJECTED,
                                                           .wire = "first/1"});
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_GET,
                                                           .from = 1,
                                                           .result = S3_WIRE_REJECTED,
                                                           .wire = "second/2"});
    assert_text(get_text(store, "k"), "text");
    assert_int_equal(delete_key(store, "k"), 0);
    store_free(store);
}

static void other_keys_take_the_wire_for_writes(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct store *store = two_wires(fixture->server);
    static const char *const keys[] = {"a b", "a+b", "a%20b", "\xC3\xA4", "a~b"};
    break_wire(fixture->server, "first/1", S3_WIRE_REJECTED);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        assert_int_equal(put_text(store, keys[i], "text"), 0);
        assert_text(get_text(store, keys[i]), "text");
        assert_int_equal(delete_key(store, keys[i]), 0);
    }
    store_free(store);
}

static void what_one_wire_does_not_understand_the_other_is_asked(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct store *store = two_wires(fixture->server);
    put_text(store, "k", "text");
    break_wire(fixture->server, "first/1", S3_WIRE_LOST);
    for (int i = 0; i < 3; i++)
        assert_text(get_text(store, "k"), "text");
    assert_string_equal(fake_s3_counts(store).clients, "second/2");
    fake_s3_forget(fixture->server);
    assert_text(get_text(store, "k"), "text");
    assert_text(fake_s3_log(fixture->server), "get k");
    store_free(store);
}

static void trial_takes_the_wire_that_keeps_to_its_time(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    struct store *store = two_wires(fixture->server);
    fake_s3_set(fixture->server, "k", "text");
    break_wire(fixture->server, "first/1", S3_WIRE_REJECTED);
    ((struct s3_store *)store)->breaker.is_open = true;
    assert_text(get_text(store, "k"), "text");
    assert_false(fake_s3_counts(store).breaker_open);
    store_free(store);
}

/* ---- Answers of others than S3 ---- */

static void pages_not_found_are_no_absent_objects(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    fake_s3_hurry(fixture->store, 10);
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_GET,
                                                           .from = 1,
                                                           .result = S3_WIRE_NOT_FOUND,
                                                           .status = 404});
    assert_text(get_text(fixture->store, "k"), "IO");
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_DELETE,
                                                           .from = 1,
                                                           .result = S3_WIRE_NOT_FOUND,
                                                           .status = 404});
    assert_int_equal(delete_key(fixture->store, "k"), ERR_OUTCOME_UNKNOWN);
}

/* ---- Credentials ---- */

static void write_credentials(const char *path, const char *access_key)
{
    g_autofree char *text = g_strdup_printf(
        "[default]\naws_access_key_id = %s\naws_secret_access_key = secret\n", access_key);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void rotate_credentials(struct fake_s3 *server)
{
    write_credentials(server->argument, "AKSECOND");
}

static struct store *store_with_credentials(struct fake_s3 *server, const char *path)
{
    struct s3_profile *profile;
    struct s3_wire *wire = fake_s3_wire(server, "fake/1.0");
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_PROFILE");
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    write_credentials(path, "AKFIRST");
    assert_int_equal(s3_profile_open(NULL, &profile, NULL), 0);
    struct store *store = s3_store_open_wires(wire, wire, profile, 1);
    fake_s3_hurry(store, 60000);
    return store;
}

static void refused_credentials_are_read_again(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    char *root = scratch_directory_new();
    g_autofree char *path = scratch_path(root, "credentials");
    struct store *store = store_with_credentials(fixture->server, path);
    assert_int_equal(put_text(store, "k", "one"), 0);
    assert_string_equal(fixture->server->access_key, "AKFIRST");
    fake_s3_forget(fixture->server);
    fixture->server->argument = path;
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_PUT,
                                                           .from = 1,
                                                           .count = 1,
                                                           .result = S3_WIRE_REJECTED,
                                                           .status = 400,
                                                           .s3_code = "ExpiredToken",
                                                           .meanwhile = rotate_credentials});
    assert_int_equal(put_text(store, "k", "two"), 0);
    assert_string_equal(fixture->server->access_key, "AKSECOND");
    store_free(store);
    scratch_directory_free(root);
}

static void refusal_is_told_after_one_more_try(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    char *root = scratch_directory_new();
    g_autofree char *path = scratch_path(root, "credentials");
    struct store *store = store_with_credentials(fixture->server, path);
    fake_s3_fault(fixture->server, &(struct fake_s3_fault){.method = S3_WIRE_GET,
                                                           .from = 1,
                                                           .result = S3_WIRE_DENIED,
                                                           .s3_code = "InvalidAccessKeyId"});
    assert_text(get_text(store, "k"), "ACCESS");
    assert_in_range(fake_s3_count(fixture->server, S3_WIRE_GET), 1, 2);
    store_free(store);
    scratch_directory_free(root);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_s3_set_up, fake_s3_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keys_that_are_none_are_left_out),
        TEST(limit_asks_for_few_rows),
        cmocka_unit_test(listings_that_make_no_sense_fail),
        TEST(long_listing_takes_its_time),
        TEST(prune_sends_nothing),
        TEST(reads_and_deletes_of_plain_keys_take_the_wire_for_reads),
        TEST(deletes_do_not_take_a_wire_that_may_send_them_late),
        TEST(other_keys_take_the_wire_for_writes),
        TEST(what_one_wire_does_not_understand_the_other_is_asked),
        TEST(pages_not_found_are_no_absent_objects),
        TEST(refused_credentials_are_read_again),
        TEST(refusal_is_told_after_one_more_try),
        TEST(trial_takes_the_wire_that_keeps_to_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

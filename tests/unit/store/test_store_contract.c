/*
 * What every object store promises, run over each implementation.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"
#include "unit/store/contract_fixture.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"

static void get_returns_what_was_put(void **state)
{
    struct store *store = store_of(state);
    assert_int_equal(put_text(store, "a/b/c", "hello"), 0);
    assert_text(get_text(store, "a/b/c"), "hello");
    assert_int_equal(put_text(store, "a/b/c", ""), 0);
    assert_text(get_text(store, "a/b/c"), "");
    assert_int_equal(put_text(store, "top", "level"), 0);
    assert_text(get_text(store, "top"), "level");
}

static void bodies_are_binary_and_may_be_large(void **state)
{
    struct store *store = store_of(state);
    auto_bytes struct bytes *body = bytes_allocate(5 * 1024 * 1024 + 3);
    for (size_t i = 0; i < body->size; i++)
        body->data[i] = (char)(i * 31 + i / 256);
    auto_bytes struct bytes *read = NULL;
    assert_int_equal(store_put(store, "big", body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
    assert_int_equal(store_get(store, "big", NULL, &read, NULL, NULL), 0);
    assert_true(bytes_equal(body, read));
}

static void absent_objects_are_not_found(void **state)
{
    struct store *store = store_of(state);
    put_text(store, "a/b", "x");
    assert_text(get_text(store, "b"), "NOT_FOUND");
    assert_text(get_text(store, "a/c"), "NOT_FOUND");
    assert_text(get_text(store, "x/y/z"), "NOT_FOUND");
    assert_null(etag_of(store, "c"));
    struct store_set *set = store_set_new();
    const struct store_request *head = store_set_head(set, "c");
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    assert_int_equal(head->answer.code, ERR_NOT_FOUND);
    assert_int_equal(head->answer.error.code, ERR_NOT_FOUND);
    store_set_unref(set);
}

static void put_if_absent_creates_once(void **state)
{
    struct store *store = store_of(state);
    assert_int_equal(put_if(store, "d/k", "first", STORE_IF_ABSENT, NULL), 0);
    assert_int_equal(put_if(store, "d/k", "second", STORE_IF_ABSENT, NULL), ERR_PRECONDITION);
    assert_text(get_text(store, "d/k"), "first");
    assert_int_equal(delete_key(store, "d/k"), 0);
    assert_int_equal(put_if(store, "d/k", "third", STORE_IF_ABSENT, NULL), 0);
    assert_text(get_text(store, "d/k"), "third");
}

static void put_if_match_demands_the_version(void **state)
{
    struct store *store = store_of(state);
    put_text(store, "k", "one");
    g_autofree char *one = etag_of(store, "k");
    assert_int_equal(put_if(store, "k", "two", STORE_IF_MATCH, one), 0);
    assert_text(get_text(store, "k"), "two");
    assert_int_equal(put_if(store, "k", "three", STORE_IF_MATCH, one), ERR_PRECONDITION);
    assert_int_equal(put_if(store, "k", "three", STORE_IF_MATCH, ""), ERR_PRECONDITION);
    assert_int_equal(put_if(store, "absent", "x", STORE_IF_MATCH, one), ERR_PRECONDITION);
    assert_int_equal(put_if(store, "no/dir", "x", STORE_IF_MATCH, one), ERR_PRECONDITION);
    assert_text(get_text(store, "k"), "two");
    assert_text(get_text(store, "absent"), "NOT_FOUND");
}

/* Not so on S3, and hence in memory; see catalog/format/unique_body.h. */
static void put_of_equal_content_is_a_new_version(void **state)
{
    struct store *store = store_of(state);
    GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(put_text(store, "k", "same"), 0);
        assert_true(g_hash_table_add(seen, etag_of(store, "k")));
    }
    g_hash_table_unref(seen);
}

static void etag_of_put_get_head_and_list_agree(void **state)
{
    struct store *store = store_of(state);
    auto_bytes struct bytes *body = bytes_new_text("12345"), *read = NULL;
    g_autofree char *put = NULL, *got = NULL;
    assert_int_equal(store_put(store, "d/k", body, STORE_IF_ABSENT, NULL, NULL, &put, NULL), 0);
    assert_int_equal(store_get(store, "d/k", NULL, &read, &got, NULL), 0);
    struct store_set *set = store_set_new();
    const struct store_answer *head = &store_set_head(set, "d/k")->answer;
    const struct store_answer *list = &store_set_list(set, "d/", NULL, 0)->answer;
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    const struct store_object *row = g_ptr_array_index(list->objects, 0);
    assert_non_null(put);
    assert_string_equal(put, got);
    assert_string_equal(put, head->etag);
    assert_string_equal(put, row->etag);
    assert_int_equal(head->size, 5);
    assert_int_equal(row->size, 5);
    assert_true(head->modified_ns == row->modified_ns);
    store_set_unref(set);
}

static void modification_time_is_that_of_the_put(void **state)
{
    struct store *store = store_of(state);
    int64_t before = timestamp_now().tv_sec;
    put_text(store, "k", "x");
    int64_t after = timestamp_now().tv_sec + 1;
    struct store_set *set = store_set_new();
    const struct store_answer *head = &store_set_head(set, "k")->answer;
    store_run(store, set, NULL, NULL);
    assert_in_range(head->modified_ns / 1000000000, before, after);
    store_set_unref(set);
}

static void delete_removes_and_absence_is_success(void **state)
{
    struct store *store = store_of(state);
    put_text(store, "d/k", "x");
    assert_int_equal(delete_key(store, "d/k"), 0);
    assert_text(get_text(store, "d/k"), "NOT_FOUND");
    assert_int_equal(delete_key(store, "d/k"), 0);
    assert_int_equal(delete_key(store, "never/was/here"), 0);
    put_text(store, "d/k", "x");
    assert_int_equal(delete_key(store, "d/k/below"), 0);
    assert_int_equal(delete_key(store, "d"), 0);
    assert_text(get_text(store, "d/k"), "x");
}

static void bad_keys_are_invalid_and_reach_nothing(void **state)
{
    struct store *store = store_of(state);
    static const char *const keys[] = {"",     "/",    "/a",   "a/",     "a//b",    ".",       "..",
                                       "../a", "a/..", "./a",  "a/.",    "a/../b",  "a/./b",   "//",
                                       "a/b/", "..//", "/../", "../../", "a/b/../", "../etc/x"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        assert_false(store_key_is_valid(keys[i]));
        assert_int_equal(put_text(store, keys[i], "x"), ERR_INVALID);
        assert_int_equal(delete_key(store, keys[i]), ERR_INVALID);
        assert_text(get_text(store, keys[i]), "INVALID");
    }
    assert_text(list_keys(store, "../", NULL, 0), "INVALID");
    assert_text(list_keys(store, "/", NULL, 0), "INVALID");
    assert_text(list_keys(store, "a/../b", NULL, 0), "INVALID");
    assert_int_equal(prune_prefix(store, ""), ERR_INVALID);
    assert_int_equal(prune_prefix(store, "/"), ERR_INVALID);
    assert_int_equal(prune_prefix(store, "../"), ERR_INVALID);
    assert_int_equal(prune_prefix(store, "a//"), ERR_INVALID);
    assert_int_equal(put_if(store, "k", "x", STORE_IF_MATCH, NULL), ERR_INVALID);
    assert_text(list_keys(store, "", NULL, 0), "");
}

static void keys_may_hold_blanks_dots_and_unicode(void **state)
{
    struct store *store = store_of(state);
    static const char *const keys[] = {
        "a b/c d", "...", "..a/b..", ".hidden", "\xF0\x9F\x98\x80/%2F", "x+y&z=?*\\"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        assert_true(store_key_is_valid(keys[i]));
        assert_int_equal(put_text(store, keys[i], keys[i]), 0);
        assert_text(get_text(store, keys[i]), keys[i]);
    }
}

static void set_answers_each_request_on_its_own(void **state)
{
    struct store *store = store_of(state);
    put_text(store, "there", "old");
    auto_bytes struct bytes *body = bytes_new_text("new");
    struct store_set *set = store_set_new();
    store_set_get(set, "absent");
    store_set_put(set, "d/fresh", body, STORE_IF_ABSENT, NULL);
    store_set_put(set, "there", body, STORE_IF_ABSENT, NULL);
    store_set_get(set, "bad//key");
    store_set_get(set, "there");
    assert_int_equal(store_set_size(set), 5);
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    static const int expected[] = {ERR_NOT_FOUND, 0, ERR_PRECONDITION, ERR_INVALID, 0};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(store_set_at(set, i)->answer.code, expected[i]);
    struct error err;
    assert_int_equal(store_set_failure(set, 0, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "absent"));
    assert_int_equal(store_set_failure(set, ERR_NOT_FOUND, &err), ERR_PRECONDITION);
    store_set_unref(set);
    assert_text(get_text(store, "there"), "old");
    assert_text(get_text(store, "d/fresh"), "new");
}

static void empty_set_succeeds(void **state)
{
    struct store_set *set = store_set_new();
    assert_int_equal(store_run(store_of(state), set, NULL, NULL), 0);
    assert_int_equal(store_set_failure(set, 0, NULL), 0);
    store_set_unref(set);
    store_set_unref(NULL);
}

static void large_set_is_answered_whole(void **state)
{
    struct store *store = store_of(state);
    auto_bytes struct bytes *body = bytes_new_text("x");
    struct operation operation;
    operation_init(&operation, 60000);
    struct store_set *set = store_set_new();
    for (int i = 0; i < 300; i++) {
        g_autofree char *key = g_strdup_printf("m%d/n%d/o", i % 20, i);
        store_set_put(set, key, body, STORE_IF_ABSENT, NULL);
    }
    assert_int_equal(store_run(store, set, &operation, NULL), 0);
    assert_int_equal(store_set_failure(set, 0, NULL), 0);
    store_set_unref(set);
    g_autofree char *whole = list_keys(store, "", NULL, 0);
    g_auto(GStrv) keys = g_strsplit(whole, " ", -1);
    assert_int_equal(g_strv_length(keys), 300);
    operation_destroy(&operation);
}

static void passed_deadline_starts_nothing(void **state)
{
    struct store *store = store_of(state);
    auto_bytes struct bytes *body = bytes_new_text("x");
    struct operation operation;
    struct error err;
    operation_init(&operation, 0);
    struct store_set *set = store_set_new();
    store_set_put(set, "k", body, STORE_ALWAYS, NULL);
    store_set_get(set, "k");
    assert_int_equal(store_run(store, set, &operation, &err), ERR_DEADLINE);
    assert_int_equal(store_set_at(set, 0)->answer.code, ERR_DEADLINE);
    assert_int_equal(store_set_at(set, 1)->answer.code, ERR_DEADLINE);
    store_set_unref(set);
    operation_destroy(&operation);
    assert_text(list_keys(store, "", NULL, 0), "");
}

static void cancelled_operation_starts_nothing(void **state)
{
    struct store *store = store_of(state);
    auto_bytes struct bytes *body = bytes_new_text("x");
    struct operation operation;
    operation_init(&operation, -1);
    operation_cancel(&operation);
    assert_int_equal(store_put(store, "k", body, STORE_ALWAYS, NULL, &operation, NULL, NULL),
                     ERR_INTERRUPTED);
    operation_destroy(&operation);
    assert_text(list_keys(store, "", NULL, 0), "");
}

#define WRITERS 6
#define ROUNDS 25

struct writer {
    struct store *store;
    int number;
    int won;
};

static void *create_each_round(void *argument)
{
    struct writer *writer = argument;
    for (int i = 0; i < ROUNDS; i++) {
        g_autofree char *key = g_strdup_printf("race/%d/k", i);
        int code = put_if(writer->store, key, "x", STORE_IF_ABSENT, NULL);
        if (code == 0)
            writer->won++;
        else if (code != ERR_PRECONDITION)
            writer->won += 1000;
    }
    return NULL;
}

static void *increment(void *argument)
{
    struct writer *writer = argument;
    while (writer->won < ROUNDS) {
        auto_bytes struct bytes *body = NULL;
        g_autofree char *etag = NULL;
        if (store_get(writer->store, "counter", NULL, &body, &etag, NULL) != 0)
            break;
        g_autofree char *next = g_strdup_printf("%d", atoi(body->data) + 1);
        int code = put_if(writer->store, "counter", next, STORE_IF_MATCH, etag);
        if (code == 0)
            writer->won++;
        else if (code != ERR_PRECONDITION)
            break;
    }
    return NULL;
}

static int race(struct store *store, void *(*function)(void *))
{
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    int won = 0;
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){store, i, 0};
        pthread_create(&threads[i], NULL, function, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        won += writers[i].won;
    }
    return won;
}

static void one_of_many_creators_wins(void **state)
{
    assert_int_equal(race(store_of(state), create_each_round), ROUNDS);
}

static void no_conditional_increment_is_lost(void **state)
{
    struct store *store = store_of(state);
    put_text(store, "counter", "0");
    assert_int_equal(race(store, increment), WRITERS * ROUNDS);
    assert_text(get_text(store, "counter"), "150");
}

static void prune_keeps_objects(void **state)
{
    struct store *store = store_of(state);
    put_text(store, "p/a/k", "x");
    put_text(store, "p/b/c/k", "x");
    delete_key(store, "p/b/c/k");
    assert_int_equal(prune_prefix(store, "p/"), 0);
    assert_int_equal(prune_prefix(store, "p/"), 0);
    assert_int_equal(prune_prefix(store, "absent/"), 0);
    assert_int_equal(prune_prefix(store, "p/a/k"), 0);
    assert_text(list_keys(store, "", NULL, 0), "p/a/k");
    assert_text(list_shallow(store, "p/"), "p/a/");
    assert_int_equal(put_text(store, "p/b/c/k", "again"), 0);
    assert_text(get_text(store, "p/b/c/k"), "again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(get_returns_what_was_put),
        ON_EACH(bodies_are_binary_and_may_be_large),
        ON_EACH(absent_objects_are_not_found),
        ON_EACH(put_if_absent_creates_once),
        ON_EACH(put_if_match_demands_the_version),
        /* Not S3: etags of most servers are digests of the content. */
        ON(local, put_of_equal_content_is_a_new_version),
        ON_EACH(etag_of_put_get_head_and_list_agree),
        ON_EACH(modification_time_is_that_of_the_put),
        ON_EACH(delete_removes_and_absence_is_success),
        ON_EACH(bad_keys_are_invalid_and_reach_nothing),
        ON_EACH(keys_may_hold_blanks_dots_and_unicode),
        ON_EACH(set_answers_each_request_on_its_own),
        ON_EACH(empty_set_succeeds),
        ON_EACH(large_set_is_answered_whole),
        ON_EACH(passed_deadline_starts_nothing),
        ON_EACH(cancelled_operation_starts_nothing),
        ON_EACH(one_of_many_creators_wins),
        ON_EACH(no_conditional_increment_is_lost),
        ON_EACH(prune_keeps_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What every object store promises, run over each implementation.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"
#include "store/fault_store.h"
#include "store/local_store.h"
#include "store/memory_store.h"
#include "store_bench.h"
#include "unit.h"

struct fixture {
    struct store *store;
    char *root; /* NULL: none */
};

static int set_up_memory(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->store = memory_store_new(8);
    *state = fixture;
    return 0;
}

static int set_up_local(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->root = scratch_directory_new();
    assert_int_equal(local_store_open(fixture->root, 8, &fixture->store, NULL), 0);
    *state = fixture;
    return 0;
}

static int set_up_wrapped(void **state)
{
    set_up_local(state);
    struct fixture *fixture = *state;
    fixture->store = fault_store_new(fixture->store, true);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    if (fixture->root)
        scratch_directory_free(fixture->root);
    g_free(fixture);
    return 0;
}

static struct store *store_of(void **state)
{
    return ((struct fixture *)*state)->store;
}

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

static void listing_is_in_bytewise_order_of_whole_keys(void **state)
{
    struct store *store = store_of(state);
    static const char *const keys[] = {"a/x",      "a-b",   "a.c",     "a0",   "a/b/c", "B",
                                       "\xC3\xA4", "a/b.d", "a/b-e/f", "aa/a", "z"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        assert_int_equal(put_text(store, keys[i], "x"), 0);
    assert_text(list_keys(store, "", NULL, 0),
                "B a-b a.c a/b-e/f a/b.d a/b/c a/x a0 aa/a z \xC3\xA4");
}

static void prefix_need_not_end_in_a_slash(void **state)
{
    struct store *store = store_of(state);
    static const char *const keys[] = {"d/ab", "d/abc", "d/b", "dx", "e/ab"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        put_text(store, keys[i], "x");
    assert_text(list_keys(store, "d/ab", NULL, 0), "d/ab d/abc");
    assert_text(list_keys(store, "d", NULL, 0), "d/ab d/abc d/b dx");
    assert_text(list_keys(store, "d/", NULL, 0), "d/ab d/abc d/b");
    assert_text(list_keys(store, "e/ab", NULL, 0), "e/ab");
    assert_text(list_keys(store, "e/ab/", NULL, 0), "");
    assert_text(list_keys(store, "x/y/", NULL, 0), "");
    assert_text(list_keys(store, "x/y", NULL, 0), "");
    assert_text(list_keys(store, "d/.", NULL, 0), "");
}

static void listing_goes_on_after_a_key(void **state)
{
    struct store *store = store_of(state);
    static const char *const keys[] = {"a", "b-", "b/c/d", "b/c/e", "b/f", "b0", "c"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        put_text(store, keys[i], "x");
    assert_text(list_keys(store, "", "b/c/d", 0), "b/c/e b/f b0 c");
    assert_text(list_keys(store, "", "b/c/", 0), "b/c/d b/c/e b/f b0 c");
    assert_text(list_keys(store, "", "b/c", 0), "b/c/d b/c/e b/f b0 c");
    assert_text(list_keys(store, "", "b/cc", 0), "b/f b0 c");
    assert_text(list_keys(store, "b/", "a", 0), "b/c/d b/c/e b/f");
    assert_text(list_keys(store, "b/", "b/f", 0), "");
    assert_text(list_keys(store, "", "zz", 0), "");
    assert_text(list_keys(store, "", "", 0), "a b- b/c/d b/c/e b/f b0 c");
}

static void limit_cuts_and_says_so(void **state)
{
    struct store *store = store_of(state);
    static const char *const keys[] = {"a", "b/1", "b/2", "c"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        put_text(store, keys[i], "x");
    assert_text(list_keys(store, "", NULL, 1), "a ...");
    assert_text(list_keys(store, "", NULL, 2), "a b/1 ...");
    assert_text(list_keys(store, "", NULL, 3), "a b/1 b/2 ...");
    assert_text(list_keys(store, "", NULL, 4), "a b/1 b/2 c");
    assert_text(list_keys(store, "", NULL, 5), "a b/1 b/2 c");
    assert_text(list_keys(store, "", "b/1", 1), "b/2 ...");
    assert_text(list_keys(store, "", "b/2", 1), "c");
    assert_text(list_keys(store, "b/", NULL, 2), "b/1 b/2");
}

static void pages_add_up_to_the_whole(void **state)
{
    struct store *store = store_of(state);
    for (int i = 0; i < 60; i++) {
        g_autofree char *key = g_strdup_printf("p%d/%s%d", i % 7, i % 2 ? "x/" : "x-", i);
        put_text(store, key, "x");
    }
    g_autofree char *whole = list_keys(store, "", NULL, 0);
    g_auto(GStrv) keys = g_strsplit(whole, " ", -1);
    assert_int_equal(g_strv_length(keys), 60);
    for (int i = 0; i < 60; i++) {
        g_autofree char *expected = g_strconcat(keys[i], i < 59 ? " ..." : "", NULL);
        assert_text(list_keys(store, "", i ? keys[i - 1] : NULL, 1), expected);
        if (i > 0)
            assert_true(strcmp(keys[i - 1], keys[i]) < 0);
    }
}

static void shallow_listing_shows_one_level(void **state)
{
    struct store *store = store_of(state);
    static const char *const keys[] = {"s/a-b", "s/a/1", "s/a/2/3", "s/a0", "s/z/1", "t/1", "u"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        put_text(store, keys[i], "x");
    assert_text(list_shallow(store, "s/"), "s/a-b s/a/ s/a0 s/z/");
    assert_text(list_shallow(store, "s/a/"), "s/a/1 s/a/2/");
    assert_text(list_shallow(store, ""), "s/ t/ u");
    assert_text(list_shallow(store, "nothing/"), "");
    assert_text(list_shallow(store, "s"), "INVALID");
}

static void shallow_listing_takes_start_and_limit(void **state)
{
    struct store *store = store_of(state);
    static const char *const keys[] = {"a", "b/1", "b/2", "c"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        put_text(store, keys[i], "x");
    struct store_set *set = store_set_new();
    struct store_request *request = store_set_list_shallow(set, "");
    request->start_after = g_strdup("a");
    request->limit = 1;
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    assert_int_equal(request->answer.objects->len, 1);
    assert_true(request->answer.truncated);
    const struct store_object *row = g_ptr_array_index(request->answer.objects, 0);
    assert_string_equal(row->key, "b/");
    assert_true(row->is_directory);
    store_set_unref(set);
}

static void temporary_names_are_not_listed(void **state)
{
    struct store *store = store_of(state);
    static const char *const keys[] = {"d/k", "d/k#1", "d/k#12", "d/k#", "d/k#1a", "d/#7"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        put_text(store, keys[i], "x");
    assert_text(list_keys(store, "d/", NULL, 0), "d/k d/k# d/k#1a");
    assert_text(list_shallow(store, "d/"), "d/k d/k# d/k#1a");
}

static void temporary_names_are_listed_on_demand(void **state)
{
    struct store *store = store_of(state);
    put_text(store, "d/k#1", "x");
    put_text(store, "d/k", "x");
    struct store_set *set = store_set_new();
    struct store_request *request = store_set_list(set, "d/", NULL, 0);
    request->with_temporary = true;
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    assert_int_equal(request->answer.objects->len, 2);
    const struct store_object *row = g_ptr_array_index(request->answer.objects, 1);
    assert_string_equal(row->key, "d/k#1");
    store_set_unref(set);
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

#define ON(fixture, test)                                                                          \
    {                                                                                              \
#fixture ": " #test, test, set_up_##fixture, tear_down, NULL                               \
    }
#define ON_EACH(test) ON(memory, test), ON(local, test), ON(wrapped, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(get_returns_what_was_put),
        ON_EACH(bodies_are_binary_and_may_be_large),
        ON_EACH(absent_objects_are_not_found),
        ON_EACH(put_if_absent_creates_once),
        ON_EACH(put_if_match_demands_the_version),
        ON_EACH(put_of_equal_content_is_a_new_version),
        ON_EACH(etag_of_put_get_head_and_list_agree),
        ON_EACH(modification_time_is_that_of_the_put),
        ON_EACH(delete_removes_and_absence_is_success),
        ON_EACH(listing_is_in_bytewise_order_of_whole_keys),
        ON_EACH(prefix_need_not_end_in_a_slash),
        ON_EACH(listing_goes_on_after_a_key),
        ON_EACH(limit_cuts_and_says_so),
        ON_EACH(pages_add_up_to_the_whole),
        ON_EACH(shallow_listing_shows_one_level),
        ON_EACH(shallow_listing_takes_start_and_limit),
        ON_EACH(temporary_names_are_not_listed),
        ON_EACH(temporary_names_are_listed_on_demand),
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

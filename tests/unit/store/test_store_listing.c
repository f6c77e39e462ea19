/*
 * What listings of every object store promise, run over each implementation.
 */
#include <string.h>

#include "unit/store/contract_fixture.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"

/* As Lance marks what it is going to rename. */
#define STAGING ".tmp.0123456789abcdef0123456789abcdef"

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
    static const char *const keys[] = {"d/k",  "d/k#1",       "d/k#12",          "d/k#", "d/k#1a",
                                       "d/#7", "d/k" STAGING, "d/k" STAGING "0", STAGING};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        put_text(store, keys[i], "x");
    assert_text(list_keys(store, "d/", NULL, 0), "d/k d/k# d/k#1a d/k" STAGING "0");
    assert_text(list_shallow(store, "d/"), "d/k d/k# d/k#1a d/k" STAGING "0");
    assert_text(list_keys(store, ".", NULL, 0), STAGING);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(listing_is_in_bytewise_order_of_whole_keys),
        ON_EACH(prefix_need_not_end_in_a_slash),
        ON_EACH(listing_goes_on_after_a_key),
        ON_EACH(limit_cuts_and_says_so),
        ON_EACH(pages_add_up_to_the_whole),
        ON_EACH(shallow_listing_shows_one_level),
        ON_EACH(shallow_listing_takes_start_and_limit),
        ON_EACH(temporary_names_are_not_listed),
        ON_EACH(temporary_names_are_listed_on_demand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

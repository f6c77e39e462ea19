/*
 * What the local store answers when directories cannot be synced.
 */
#include "unit/unit.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "store/local/local_store.h"
#include "unit/store/store_bench.h"
#include "unit/stores/failing_sync.h"
#include "unit/virtual_clock.h"

static int tear_down(void **state)
{
    failing_sync_disarm();
    return local_bench_tear_down(state);
}

static bool is_durable(const struct local_bench *fixture, const char *key)
{
    g_autofree char *path = scratch_path(fixture->root, key);
    return failing_sync_is_durable(path);
}

static void a_put_whose_sync_fails_is_made_anew(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_text(fixture->store, "d/k", "old"), 0);
    failing_sync_arm("/d", 1, 2);
    assert_int_equal(put_text(fixture->store, "d/k", "new"), 0);
    assert_int_equal(failing_sync_count(), 2);
    assert_true(is_durable(fixture, "d/k"));
    assert_text(get_text(fixture->store, "d/k"), "new");
    assert_text(scratch_names(fixture->root, "d"), "k");
}

static void a_conditional_put_that_is_made_anew_answers_the_version_that_is_there(void **state)
{
    struct local_bench *fixture = *state;
    g_autofree char *etag = NULL;
    auto_bytes struct bytes *body = bytes_new_text("new");
    assert_int_equal(put_text(fixture->store, "d/k", "old"), 0);
    g_autofree char *before = etag_of(fixture->store, "d/k");
    failing_sync_arm("/d", 1, 1);
    assert_int_equal(
        store_put(fixture->store, "d/k", body, STORE_IF_MATCH, before, NULL, &etag, NULL), 0);
    g_autofree char *after = etag_of(fixture->store, "d/k");
    assert_string_equal(etag, after);
    assert_true(is_durable(fixture, "d/k"));
}

static void what_was_put_by_others_meanwhile_is_not_overwritten(void **state)
{
    struct local_bench *fixture = *state;
    failing_sync_arm("/d", 1, UINT_MAX);
    struct store_set *set = store_set_new();
    auto_bytes struct bytes *one = bytes_new_text("one");
    auto_bytes struct bytes *two = bytes_new_text("two");
    store_set_put(set, "d/k", one, STORE_ALWAYS, NULL);
    store_set_put(set, "d/k", two, STORE_ALWAYS, NULL);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    assert_int_equal(store_set_at(set, 0)->answer.code, ERR_NOT_DURABLE);
    assert_int_equal(store_set_at(set, 1)->answer.code, ERR_NOT_DURABLE);
    store_set_unref(set);
    g_autofree char *text = get_text(fixture->store, "d/k");
    assert_true(strcmp(text, "one") == 0 || strcmp(text, "two") == 0);
}

static void what_cannot_be_synced_is_there_and_not_durable(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_text(fixture->store, "d/gone", "x"), 0);
    failing_sync_arm("/d", 1, UINT_MAX);
    assert_int_equal(put_text(fixture->store, "d/k", "x"), ERR_NOT_DURABLE);
    assert_int_equal(put_if(fixture->store, "d/l", "x", STORE_IF_ABSENT, NULL), ERR_NOT_DURABLE);
    assert_int_equal(delete_key(fixture->store, "d/gone"), ERR_NOT_DURABLE);
    assert_text(list_keys(fixture->store, "", NULL, 0), "d/k d/l");
    assert_text(scratch_names(fixture->root, "d"), "k l");
}

static void a_later_delete_of_what_is_gone_makes_that_durable(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_text(fixture->store, "d/k", "x"), 0);
    failing_sync_arm("/d", 1, 3);
    assert_int_equal(delete_key(fixture->store, "d/k"), ERR_NOT_DURABLE);
    assert_false(is_durable(fixture, "d/k"));
    assert_int_equal(delete_key(fixture->store, "d/k"), 0);
    assert_true(is_durable(fixture, "d/k"));
}

static void a_later_prune_makes_durable_what_was_deleted_below(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_text(fixture->store, "d/sub/k", "x"), 0);
    assert_int_equal(put_text(fixture->store, "d/sub/stays", "x"), 0);
    failing_sync_arm("/sub", 1, 7);
    assert_int_equal(delete_key(fixture->store, "d/sub/k"), ERR_NOT_DURABLE);
    assert_int_equal(prune_prefix(fixture->store, "d/"), ERR_NOT_DURABLE);
    assert_int_equal(prune_prefix(fixture->store, "d/"), 0);
    assert_int_equal(failing_sync_count(), 7);
    assert_true(is_durable(fixture, "d/sub/k"));
}

static void a_put_below_a_directory_that_is_not_durable_makes_it_so_or_fails(void **state)
{
    struct local_bench *fixture = *state;
    g_autofree char *name = g_path_get_basename(fixture->root);
    failing_sync_arm(name, 1, UINT_MAX);
    assert_int_equal(put_text(fixture->store, "d/k", "x"), ERR_NOT_DURABLE);
    failing_sync_disarm();
    assert_int_equal(put_text(fixture->store, "d/l", "x"), 0);
    assert_true(failing_sync_is_durable(fixture->root));
    g_autofree char *root_entry = scratch_path(fixture->root, "absent");
    assert_true(failing_sync_is_durable(root_entry));
}

static void an_own_text_that_was_read_is_confirmed_by_a_new_put(void **state)
{
    struct local_bench *fixture = *state;
    g_autofree char *after = NULL;
    auto_bytes struct bytes *body = bytes_new_text("x");
    failing_sync_arm("/d", 1, 3);
    assert_int_equal(put_text(fixture->store, "d/k", "x"), ERR_NOT_DURABLE);
    g_autofree char *before = etag_of(fixture->store, "d/k");
    assert_false(is_durable(fixture, "d/k"));
    assert_int_equal(store_confirm_put(fixture->store, "d/k", body, before, NULL, &after, NULL), 0);
    assert_true(is_durable(fixture, "d/k"));
    assert_string_not_equal(before, after);
}

static void let_time_pass(void)
{
    virtual_clock_jump(2 * AMPLE_MS);
}

/* Nobody waits for it, but what comes later builds on it. */
static void what_was_given_up_is_made_durable_nevertheless(void **state)
{
    struct local_bench *fixture = *state;
    auto_bytes struct bytes *body = bytes_new_text("x");
    struct operation operation;
    assert_int_equal(put_text(fixture->store, "d/other", "x"), 0);
    failing_sync_arm("/d", 1, 1);
    failing_sync_hold("/d", let_time_pass);
    operation_init(&operation, AMPLE_MS);
    int code = store_put(fixture->store, "d/k", body, STORE_ALWAYS, NULL, &operation, NULL, NULL);
    operation_destroy(&operation);
    assert_int_equal(code, ERR_NOT_DURABLE);
    failing_sync_release();
    AWAIT(failing_sync_count() == 1 && is_durable(fixture, "d/k"));
    assert_text(get_text(fixture->store, "d/k"), "x");
}

#define LOCAL(test) cmocka_unit_test_setup_teardown(test, local_bench_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCAL(a_put_whose_sync_fails_is_made_anew),
        LOCAL(a_conditional_put_that_is_made_anew_answers_the_version_that_is_there),
        LOCAL(what_was_put_by_others_meanwhile_is_not_overwritten),
        LOCAL(what_cannot_be_synced_is_there_and_not_durable),
        LOCAL(a_later_delete_of_what_is_gone_makes_that_durable),
        LOCAL(a_later_prune_makes_durable_what_was_deleted_below),
        LOCAL(a_put_below_a_directory_that_is_not_durable_makes_it_so_or_fails),
        LOCAL(what_was_given_up_is_made_durable_nevertheless),
        LOCAL(an_own_text_that_was_read_is_confirmed_by_a_new_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

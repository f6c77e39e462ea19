#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lance/branch_name.h"
#include "lance/dataset.h"
#include "unit/stores/memory_store.h"

#define DATASET "storage/vertices.lance"
#define V3 "18446744073709551612.manifest"
#define V2 "18446744073709551613.manifest"

static void put(struct store *store, const char *key, const char *text)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    assert_int_equal(store_put(store, key, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
}

/* The keys below `prefix`, joined by blanks; g_free(). */
static char *keys_below(struct store *store, const char *prefix)
{
    struct store_set *set = store_set_new();
    struct store_request *request = store_set_list(set, prefix, NULL, 0);
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    assert_int_equal(request->answer.code, 0);
    g_autoptr(GString) keys = g_string_new(NULL);
    for (guint i = 0; i < request->answer.objects->len; i++) {
        const struct store_object *object = request->answer.objects->pdata[i];
        g_string_append_printf(keys, "%s%s", i ? " " : "", object->key + strlen(prefix));
    }
    store_set_unref(set);
    return g_string_free(g_steal_pointer(&keys), FALSE);
}

static void assert_keys_below(struct store *store, const char *prefix, const char *expected)
{
    g_autofree char *keys = keys_below(store, prefix);
    assert_string_equal(keys, expected);
}

/* Finds the tip in one or two waves; returns the number of waves. */
static unsigned find_tip(struct store *store, const char *branch, struct lance_tip *tip)
{
    bool again;
    struct store_set *set = store_set_new();
    struct store_request *request = lance_tip_request(set, DATASET, branch);
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    assert_int_equal(lance_tip_answer(request, tip, &again, NULL), 0);
    store_set_unref(set);
    if (!again)
        return 1;
    assert_false(tip->exists);
    set = store_set_new();
    request = lance_tip_request_all(set, DATASET, branch);
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    assert_int_equal(lance_tip_answer(request, tip, &again, NULL), 0);
    assert_false(again);
    store_set_unref(set);
    return 2;
}

static void a_tip_is_found_in_one_wave(void **state)
{
    struct store *store = memory_store_new(1);
    put(store, DATASET "/_versions/" V2, "two");
    put(store, DATASET "/_versions/" V3, "three");
    put(store, DATASET "/_versions/latest_version_hint.json", "{\"version\":2}");
    struct lance_tip tip;
    assert_int_equal(find_tip(store, NULL, &tip), 1);
    assert_true(tip.exists);
    assert_int_equal(tip.version, 3);
    assert_int_equal(tip.size, 5);
    assert_string_equal(tip.manifest_key, DATASET "/_versions/" V3);
    assert_non_null(tip.etag);
    lance_tip_clear(&tip);
    assert_false(tip.exists);
    store_free(store);
}

static void a_branch_has_its_own_tip(void **state)
{
    struct store *store = memory_store_new(1);
    put(store, DATASET "/_versions/" V3, "three");
    put(store, DATASET "/tree/b/_versions/" V2, "two");
    struct lance_tip tip;
    assert_int_equal(find_tip(store, "b", &tip), 1);
    assert_int_equal(tip.version, 2);
    lance_tip_clear(&tip);
    store_free(store);
}

static void a_dataset_without_manifest_has_no_tip(void **state)
{
    struct store *store = memory_store_new(1);
    put(store, DATASET "/data/x.lance", "x");
    struct lance_tip tip;
    assert_int_equal(find_tip(store, NULL, &tip), 1);
    assert_false(tip.exists);
    assert_null(tip.manifest_key);
    lance_tip_clear(&tip);
    store_free(store);
}

static void old_manifest_names_need_the_whole_listing(void **state)
{
    struct store *store = memory_store_new(1);
    put(store, DATASET "/_versions/1.manifest", "1");
    put(store, DATASET "/_versions/10.manifest", "10");
    put(store, DATASET "/_versions/9.manifest", "9");
    put(store, DATASET "/_versions/d11.manifest", "detached");
    struct lance_tip tip;
    assert_int_equal(find_tip(store, NULL, &tip), 2);
    assert_int_equal(tip.version, 10);
    assert_string_equal(tip.manifest_key, DATASET "/_versions/10.manifest");
    lance_tip_clear(&tip);
    store_free(store);
}

static void a_leftover_before_the_manifests_does_not_hide_them(void **state)
{
    struct store *store = memory_store_new(1);
    put(store, DATASET "/_versions/.tmpAb12Cd", "");
    put(store, DATASET "/_versions/" V2, "two");
    struct lance_tip tip;
    assert_int_equal(find_tip(store, NULL, &tip), 2);
    assert_int_equal(tip.version, 2);
    lance_tip_clear(&tip);
    store_free(store);
}

static void a_failed_listing_is_no_missing_tip(void **state)
{
    struct store_request request = {.method = STORE_LIST, .answer.code = ERR_ACCESS};
    error_set(&request.answer.error, ERR_ACCESS, "listing refused");
    struct lance_tip tip;
    bool again;
    struct error err;
    assert_int_equal(lance_tip_answer(&request, &tip, &again, &err), ERR_ACCESS);
    assert_non_null(strstr(err.text, "listing refused"));
    assert_false(tip.exists);
    assert_false(again);
}

static int make_branch(struct store *store, const char *branch)
{
    auto_bytes struct bytes *manifest = bytes_new_text("manifest");
    auto_bytes struct bytes *ref = bytes_new_text("ref");
    struct store_set *set = store_set_new();
    lance_branch_put_requests(set, DATASET, branch, 3, manifest, ref);
    assert_int_equal(store_set_size(set), 2);
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    int code = store_set_failure(set, 0, NULL);
    store_set_unref(set);
    return code;
}

static void a_branch_is_put_only_where_none_is(void **state)
{
    struct store *store = memory_store_new(1);
    assert_int_equal(make_branch(store, "team/x"), 0);
    assert_keys_below(store, DATASET "/", "_refs/branches/team%2Fx.json tree/team/x/_versions/" V3);
    assert_int_equal(make_branch(store, "team/x"), ERR_PRECONDITION);
    store_free(store);
}

/* Returns the number of deletes of the second wave. */
static size_t delete_branch(struct store *store, const char *branch)
{
    struct store_set *first = store_set_new();
    struct store_set *second = store_set_new();
    struct store_set *last = store_set_new();
    struct store_request *listing = lance_branch_tree_request(first, DATASET, branch);
    assert_int_equal(store_run(store, first, NULL, NULL), 0);
    assert_int_equal(store_set_failure(first, 0, NULL), 0);
    lance_branch_delete_requests(second, DATASET, branch, listing);
    size_t deletes = store_set_size(second);
    assert_int_equal(store_run(store, second, NULL, NULL), 0);
    assert_int_equal(store_set_failure(second, 0, NULL), 0);
    lance_branch_prune_requests(last, DATASET, branch);
    assert_int_equal(store_run(store, last, NULL, NULL), 0);
    assert_int_equal(store_set_failure(last, 0, NULL), 0);
    store_set_unref(first);
    store_set_unref(second);
    store_set_unref(last);
    return deletes;
}

static void deleting_a_branch_leaves_nothing_of_it(void **state)
{
    struct store *store = memory_store_new(1);
    put(store, DATASET "/_versions/" V3, "main");
    assert_int_equal(make_branch(store, "b"), 0);
    put(store, DATASET "/tree/b/data/a.lance", "");
    put(store, DATASET "/tree/b/_deletions/0-1-2.arrow", "");
    put(store, DATASET "/tree/b/_indices/u/index.idx", "");
    put(store, DATASET "/tree/b/_transactions/1-u.txn", "");
    assert_int_equal(delete_branch(store, "b"), 6);
    assert_keys_below(store, DATASET "/", "_versions/" V3);
    assert_int_equal(delete_branch(store, "b"), 1);
    store_free(store);
}

static void deleting_a_branch_spares_names_that_continue_its_own(void **state)
{
    struct store *store = memory_store_new(1);
    assert_int_equal(make_branch(store, "b"), 0);
    assert_int_equal(make_branch(store, "b2"), 0);
    assert_int_equal(make_branch(store, "b/nested"), 0);
    put(store, DATASET "/tree/b/nested/data/a.lance", "");
    assert_int_equal(delete_branch(store, "b"), 2);
    assert_keys_below(store, DATASET "/",
                      "_refs/branches/b%2Fnested.json _refs/branches/b2.json "
                      "tree/b/nested/_versions/" V3 " tree/b/nested/data/a.lance "
                      "tree/b2/_versions/" V3);
    store_free(store);
}

/* Datasets below "_mem_wal" look like nested branches. */
static void deleting_a_branch_takes_the_directories_of_new_engines(void **state)
{
    struct store *store = memory_store_new(1);
    assert_int_equal(make_branch(store, "b"), 0);
    put(store, DATASET "/tree/b/_blobs/1.blob", "");
    put(store, DATASET "/tree/b/_blobs/data/1.blob", "");
    put(store, DATASET "/tree/b/_fri/u/stable_partition.lance", "");
    put(store, DATASET "/tree/b/_mem_wal/s/g/_versions/" V3, "");
    put(store, DATASET "/tree/b/_bt/root/u.root", "");
    assert_int_equal(delete_branch(store, "b"), 7);
    assert_keys_below(store, DATASET "/", "");
    store_free(store);
}

static void deleting_a_branch_spares_what_new_engines_wrote_on_nested_ones(void **state)
{
    struct store *store = memory_store_new(1);
    assert_int_equal(make_branch(store, "b"), 0);
    put(store, DATASET "/tree/b/nested/_blobs/1.blob", "");
    put(store, DATASET "/tree/b/nested/_fri/u/stable_partition.lance", "");
    assert_int_equal(delete_branch(store, "b"), 2);
    assert_keys_below(store, DATASET "/",
                      "tree/b/nested/_blobs/1.blob tree/b/nested/_fri/u/stable_partition.lance");
    store_free(store);
}

static void deleting_a_branch_takes_files_that_no_rule_names(void **state)
{
    struct store *store = memory_store_new(1);
    assert_int_equal(make_branch(store, "b"), 0);
    assert_int_equal(make_branch(store, "b/x/y"), 0);
    put(store, DATASET "/tree/b/notes.txt", "");
    put(store, DATASET "/tree/b/_future/1.bin", "");
    assert_int_equal(delete_branch(store, "b"), 4);
    assert_keys_below(store, DATASET "/", "_refs/branches/b%2Fx%2Fy.json tree/b/x/y/_versions/" V3);
    store_free(store);
}

/* As the local store shows it: rows of things that are no objects, and of the place itself. */
static void set_rows(const struct store_request *found, const char *const *keys)
{
    struct store_answer *answer = (struct store_answer *)&found->answer;
    if (!answer->objects)
        answer->objects = store_objects_new();
    for (; *keys; keys++) {
        struct store_object *row = g_new0(struct store_object, 1);
        row->key = g_strdup(*keys);
        g_ptr_array_add(answer->objects, row);
    }
}

static void what_takes_the_place_of_a_directory_is_deleted_with_the_branch(void **state)
{
    static const char *const rows[] = {DATASET "/tree/b/data", DATASET "/tree/b/x/data",
                                       DATASET "/tree/b/x/y", NULL};
    static const char *const place[] = {DATASET "/tree/b", NULL};
    struct store_set *first = store_set_new();
    struct store_set *second = store_set_new();
    struct store_request *listing = lance_branch_tree_request(first, DATASET, "b");
    struct store_request *itself = lance_branch_tree_request(first, DATASET, "b");
    assert_int_equal(listing->own, strlen(DATASET "/tree/"));
    set_rows(listing, rows);
    g_autofree char *ref_key = lance_branch_ref_key(DATASET, "b");
    assert_string_equal(lance_branch_delete_requests(second, DATASET, "b", listing)->key, ref_key);
    assert_int_equal(store_set_size(second), 3);
    assert_string_equal(store_set_at(second, 1)->key, DATASET "/tree/b/data");
    assert_string_equal(store_set_at(second, 2)->key, DATASET "/tree/b/x/y");
    assert_int_equal(store_set_at(second, 2)->own, strlen(DATASET "/tree/"));
    set_rows(itself, place);
    lance_branch_delete_requests(second, DATASET, "b", itself);
    assert_int_equal(store_set_size(second), 5);
    assert_string_equal(store_set_at(second, 4)->key, DATASET "/tree/b");
    store_set_unref(first);
    store_set_unref(second);
}

static void the_rest_of_a_branch_is_what_is_not_nested(void **state)
{
    static const char *const tree[] = {DATASET "/tree/b/data/new",
                                       DATASET "/tree/b/x/_versions/" V3, NULL};
    static const char *const ref[] = {DATASET "/_refs/branches/b.json/data/file", NULL};
    struct store *store = memory_store_new(1);
    struct store_set *prunes = store_set_new();
    struct store_set *rest = store_set_new();
    struct lance_branch_prunes pruned = lance_branch_prune_requests(prunes, DATASET, "b");
    assert_int_equal(store_run(store, prunes, NULL, NULL), 0);
    assert_int_equal(lance_branch_rest_requests(rest, DATASET, "b", &pruned), 0);
    set_rows(pruned.tree, tree);
    set_rows(pruned.ref, ref);
    assert_int_equal(lance_branch_rest_requests(rest, DATASET, "b", &pruned), 2);
    assert_string_equal(store_set_at(rest, 0)->key, DATASET "/tree/b/data/new");
    assert_string_equal(store_set_at(rest, 1)->key, ref[0]);
    assert_int_equal(store_set_at(rest, 1)->own, strlen(DATASET "/_refs/branches/"));
    store_set_unref(prunes);
    store_set_unref(rest);
    store_free(store);
}

static void files_of_a_branch_are_deleted_within_its_tree(void **state)
{
    struct store_set *set = store_set_new();
    lance_branch_file_delete_request(set, DATASET, DATASET "/tree/b/_versions/" V3);
    lance_branch_file_delete_request(set, DATASET, DATASET "/_refs/branches/b.json");
    assert_int_equal(store_set_at(set, 0)->own, strlen(DATASET "/tree/"));
    assert_int_equal(store_set_at(set, 1)->own, 0);
    store_set_unref(set);
}

static void manifests_are_deleted_before_what_they_refer_to(void **state)
{
    struct store *store = memory_store_new(1);
    assert_int_equal(make_branch(store, "b"), 0);
    put(store, DATASET "/tree/b/data/a.lance", "");
    put(store, DATASET "/tree/b/_deletions/0-1-2.arrow", "");
    struct store_set *first = store_set_new();
    struct store_set *second = store_set_new();
    struct store_request *listing = lance_branch_tree_request(first, DATASET, "b");
    assert_int_equal(store_run(store, first, NULL, NULL), 0);
    lance_branch_delete_requests(second, DATASET, "b", listing);
    assert_int_equal(store_set_size(second), 4);
    assert_string_equal(store_set_at(second, 0)->key, DATASET "/_refs/branches/b.json");
    assert_string_equal(store_set_at(second, 1)->key, DATASET "/tree/b/_versions/" V3);
    store_set_unref(first);
    store_set_unref(second);
    store_free(store);
}

static void refs_are_listed_by_kind(void **state)
{
    struct store *store = memory_store_new(1);
    assert_int_equal(make_branch(store, "b"), 0);
    put(store, DATASET "/_refs/tags/t.json", "");
    struct store_set *set = store_set_new();
    struct store_request *branches = lance_branch_refs_request(set, DATASET);
    struct store_request *tags = lance_tag_refs_request(set, DATASET);
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    assert_int_equal(branches->answer.objects->len, 1);
    assert_int_equal(tags->answer.objects->len, 1);
    store_set_unref(set);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tip_is_found_in_one_wave),
        cmocka_unit_test(a_branch_has_its_own_tip),
        cmocka_unit_test(a_dataset_without_manifest_has_no_tip),
        cmocka_unit_test(old_manifest_names_need_the_whole_listing),
        cmocka_unit_test(a_leftover_before_the_manifests_does_not_hide_them),
        cmocka_unit_test(a_failed_listing_is_no_missing_tip),
        cmocka_unit_test(a_branch_is_put_only_where_none_is),
        cmocka_unit_test(deleting_a_branch_leaves_nothing_of_it),
        cmocka_unit_test(deleting_a_branch_spares_names_that_continue_its_own),
        cmocka_unit_test(deleting_a_branch_takes_the_directories_of_new_engines),
        cmocka_unit_test(deleting_a_branch_spares_what_new_engines_wrote_on_nested_ones),
        cmocka_unit_test(deleting_a_branch_takes_files_that_no_rule_names),
        cmocka_unit_test(what_takes_the_place_of_a_directory_is_deleted_with_the_branch),
        cmocka_unit_test(the_rest_of_a_branch_is_what_is_not_nested),
        cmocka_unit_test(files_of_a_branch_are_deleted_within_its_tree),
        cmocka_unit_test(manifests_are_deleted_before_what_they_refer_to),
        cmocka_unit_test(refs_are_listed_by_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

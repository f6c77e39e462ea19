#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <string.h>

#include "lance/branch_name.h"

#define DATASET "storage/vertices.lance"

static void takes_valid_branch_names(void **state)
{
    static const char *const names[] = {
        "b",
        "fork_01KYYN40FVQ2D7R9S4TAX6BCE3_vertices_Person",
        "team/x",
        "a.b-c_d",
        "mainline",
        "main/x",
        "x.locked",
        ".hidden",
        "\xc3\xa4",                                    /* a letter beyond ASCII */
        "b/\xe6\x97\xa5\xe6\x9c\xac-\xf0\x9d\x92\xb3", /* of three and of four bytes */
        "\xe0\xa4\xb9\xe0\xa4\xbf",                    /* with a vowel sign of Devanagari */
        "\xd9\xa3",                                    /* a digit */
        "\xe2\x93\x90"};                               /* a letter in a circle */
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        assert_int_equal(lance_branch_name_check(names[i], NULL), 0);
        assert_int_equal(lance_new_branch_name_check(names[i], NULL), 0);
    }
}

/* The engine that made the branch may know letters that this Unicode does not have yet. */
static void characters_that_are_no_letters_are_refused_for_new_branches_only(void **state)
{
    static const char *const names[] = {"e\xcc\x81", "a\xe2\x80\x93z", "\xf0\x9f\xa6\x80",
                                        "\xc2\xa0", "\xe0\xa4\x95\xe0\xa5\x8d"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        assert_int_equal(lance_branch_name_check(names[i], NULL), 0);
        assert_int_equal(lance_new_branch_name_check(names[i], NULL), ERR_INVALID);
    }
}

static void refuses_invalid_branch_names(void **state)
{
    static const char *const names[] = {
        NULL,       "",           "main",  "/a",        "a/",         "a//b",       "a b",  "a\\b",
        "a..b",     "a/..",       "a/./b", ".",         "a.lock",     "a.lock/b",   "\xff", "a:b",
        "tree",     "a/data",     "_refs", "_versions", "_indices/x", "_deletions", "a\n",  "_fri",
        "_blobs/x", "a/_mem_wal", "_bt",   "\xc2\x85",  "b\x7f"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        struct error err;
        assert_int_equal(lance_branch_name_check(names[i], &err), ERR_INVALID);
        assert_int_equal(err.code, ERR_INVALID);
        assert_int_equal(lance_new_branch_name_check(names[i], NULL), ERR_INVALID);
    }
}

static void a_path_below_tree_tells_its_branch(void **state)
{
    static const char *const paths[][2] = {
        {"b/data/a.lance", "b"},
        {"team/x/_versions/1.manifest", "team/x"},
        {"b/_blobs/1.blob", "b"},
        {"team/x/_fri/1/stable_partition.lance", "team/x"},
        {"b/_mem_wal/s/g/_versions/1.manifest", "b"},
        {"b/notes.txt", NULL},
        {"data/a.lance", NULL},
        {"b/data", NULL},
        {"b", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *branch = lance_branch_of_tree_path(paths[i][0]);
        assert_int_equal(g_strcmp0(branch, paths[i][1]), 0);
    }
}

static void tag_names_have_no_slash(void **state)
{
    assert_int_equal(lance_tag_name_check("v1.0", NULL), 0);
    assert_int_equal(lance_tag_name_check("a/b", NULL), ERR_INVALID);
    assert_int_equal(lance_tag_name_check("", NULL), ERR_INVALID);
    assert_int_equal(lance_tag_name_check(NULL, NULL), ERR_INVALID);
    assert_int_equal(lance_tag_name_check("a b", NULL), ERR_INVALID);
}

static void a_new_tag_is_ascii(void **state)
{
    struct error err;
    assert_int_equal(lance_new_tag_name_check("v1.0", NULL), 0);
    assert_int_equal(lance_tag_name_check("v\xc3\xa4", NULL), 0);
    assert_int_equal(lance_new_tag_name_check("v\xc3\xa4", &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "not ASCII"));
    assert_int_equal(lance_new_tag_name_check("\xff", NULL), ERR_INVALID);
    assert_int_equal(lance_tag_name_check("\xff", NULL), ERR_INVALID);
}

static void assert_owned_string_equal(char *owned, const char *expected)
{
    assert_non_null(owned);
    assert_string_equal(owned, expected);
    g_free(owned);
}

static void keys_are_those_of_the_layout(void **state)
{
    assert_owned_string_equal(lance_versions_prefix(DATASET, NULL), DATASET "/_versions/");
    assert_owned_string_equal(lance_versions_prefix(DATASET, "team/x"),
                              DATASET "/tree/team/x/_versions/");
    assert_owned_string_equal(lance_manifest_key(DATASET, NULL, 1),
                              DATASET "/_versions/18446744073709551614.manifest");
    assert_owned_string_equal(lance_manifest_key(DATASET, "b", UINT64_MAX),
                              DATASET "/tree/b/_versions/00000000000000000000.manifest");
    assert_owned_string_equal(lance_branch_ref_key(DATASET, "team/x/y"),
                              DATASET "/_refs/branches/team%2Fx%2Fy.json");
    assert_owned_string_equal(lance_branch_ref_key(DATASET, "\xc3\x9c.-_"),
                              DATASET "/_refs/branches/%C3%9C.-_.json");
    assert_owned_string_equal(lance_branch_refs_prefix(DATASET), DATASET "/_refs/branches/");
    assert_owned_string_equal(lance_tag_refs_prefix(DATASET), DATASET "/_refs/tags/");
    assert_owned_string_equal(lance_branch_tree_prefix(DATASET, "b"), DATASET "/tree/b/");
}

static void ref_keys_name_their_branch(void **state)
{
    assert_owned_string_equal(
        lance_branch_of_ref_key(DATASET, DATASET "/_refs/branches/team%2Fx.json"), "team/x");
    assert_owned_string_equal(lance_branch_of_ref_key(DATASET, DATASET "/_refs/branches/b.json"),
                              "b");
    assert_owned_string_equal(
        lance_branch_of_ref_key(DATASET, DATASET "/_refs/branches/%C3%9C%2Fb.json"), "\xc3\x9c/b");
}

static void other_keys_name_no_branch(void **state)
{
    static const char *const keys[] = {
        DATASET "/_refs/branches/.json", DATASET "/_refs/branches/b.txt",
        DATASET "/_refs/branches/a/b.json", DATASET "/_refs/tags/b.json",
        DATASET "/_refs/branches/", "storage/edges.lance/_refs/branches/b.json",
        DATASET "/_refs/branches/b.json#1",
        /* Not as the engine encodes: twice, in lower case, not at all, no UTF-8, cut off. */
        DATASET "/_refs/branches/%41.json", DATASET "/_refs/branches/%c3%9c.json",
        DATASET "/_refs/branches/\xc3\x9c.json", DATASET "/_refs/branches/%FF.json",
        DATASET "/_refs/branches/b%2.json", DATASET "/_refs/branches/%00.json"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        assert_null(lance_branch_of_ref_key(DATASET, keys[i]));
}

static void manifest_names_of_both_schemes_give_the_version(void **state)
{
    uint64_t version;
    bool is_v2;
    assert_true(
        lance_manifest_version("a/_versions/18446744073709551612.manifest", &version, &is_v2));
    assert_int_equal(version, 3);
    assert_true(is_v2);
    assert_true(lance_manifest_version("a/_versions/12.manifest", &version, &is_v2));
    assert_int_equal(version, 12);
    assert_false(is_v2);
    assert_true(lance_manifest_version("7.manifest", &version, NULL));
    assert_int_equal(version, 7);
}

static void other_file_names_are_no_manifests(void **state)
{
    static const char *const names[] = {"d12.manifest",
                                        ".manifest",
                                        "latest_version_hint.json",
                                        ".tmpAb12Cd",
                                        "12",
                                        "12.manifest#1",
                                        "1 2.manifest",
                                        "-1.manifest",
                                        "",
                                        "x/",
                                        "18446744073709551616.manifest",
                                        "99999999999999999999.manifest",
                                        "184467440737095516150.manifest"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        uint64_t version;
        assert_false(lance_manifest_version(names[i], &version, NULL));
    }
}

static void keys_and_versions_agree(void **state)
{
    static const uint64_t versions[] = {1, 2, 99, UINT64_MAX / 2, UINT64_MAX};
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        g_autofree char *key = lance_manifest_key(DATASET, NULL, versions[i]);
        uint64_t version;
        bool is_v2;
        assert_true(lance_manifest_version(key, &version, &is_v2));
        assert_true(is_v2);
        assert_true(version == versions[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_valid_branch_names),
        cmocka_unit_test(refuses_invalid_branch_names),
        cmocka_unit_test(a_path_below_tree_tells_its_branch),
        cmocka_unit_test(characters_that_are_no_letters_are_refused_for_new_branches_only),
        cmocka_unit_test(tag_names_have_no_slash),
        cmocka_unit_test(a_new_tag_is_ascii),
        cmocka_unit_test(keys_are_those_of_the_layout),
        cmocka_unit_test(ref_keys_name_their_branch),
        cmocka_unit_test(other_keys_name_no_branch),
        cmocka_unit_test(manifest_names_of_both_schemes_give_the_version),
        cmocka_unit_test(other_file_names_are_no_manifests),
        cmocka_unit_test(keys_and_versions_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

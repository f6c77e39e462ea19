/*
 * Which features of a table are passed on to its branches, and which are refused.
 */
#include "unit/unit.h"

#include <stdbool.h>
#include <string.h>

#include "lance/manifest.h"
#include "unit/lance/manifest_fixture.h"

/* The branch "first" of main, or an error. */
static int branch_main(const struct bytes *parent, uint64_t version, const char *uri,
                       struct bytes **ret, struct error *err)
{
    const struct manifest_branching request = {
        .branch = "first", .parent_uri = uri, .version = version, .now = {.tv_sec = 1700000000}};
    *err = (struct error){0};
    *ret = NULL;
    int code = manifest_branch(parent, &request, ret, err);
    assert_int_equal(err->code, code);
    assert_true((code == 0) == (*ret != NULL));
    return code;
}

/* ---- As the engine ---- */

static const struct {
    const char *name;
    uint64_t version, flags;
    bool has_indices;
} tables[] = {
    {"plain14", 2, 0, false},
    {"covering", 3, 128, true},
    {"mixed_versions", 2, 256, false},
    {"spilled_lineage", 7, 2048, false},
};

static struct bytes *branch_of_table(size_t index)
{
    auto_bytes struct bytes *parent = manifest_sample(tables[index].name);
    g_autofree char *uri = g_strconcat(tables[index].name, ".lance", NULL);
    struct bytes *result;
    struct error err;
    if (branch_main(parent, tables[index].version, uri, &result, &err))
        fail_msg("%s: %s", tables[index].name, err.text);
    return result;
}

static void branches_of_new_tables_equal_the_engine_s(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_autofree char *name = g_strconcat(tables[i].name, "_branch", NULL);
        auto_bytes struct bytes *theirs = manifest_sample(name);
        auto_bytes struct bytes *ours = branch_of_table(i);
        auto_bytes struct bytes *their_message = manifest_comparable(theirs);
        auto_bytes struct bytes *our_message = manifest_comparable(ours);
        if (!bytes_equal(our_message, their_message))
            fail_msg("the branch of %s differs from the engine's", tables[i].name);
        if (!tables[i].has_indices)
            continue;
        auto_bytes struct bytes *their_indices = indices_comparable(theirs);
        auto_bytes struct bytes *our_indices = indices_comparable(ours);
        assert_true(bytes_equal(our_indices, their_indices));
    }
}

static void flags_of_features_that_a_branch_has_are_passed_on(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        auto_bytes struct bytes *branch = branch_of_table(i);
        Lance__Manifest *manifest = manifest_unpacked(branch);
        uint64_t expected = tables[i].flags | 16;
        assert_int_equal(manifest->reader_feature_flags & expected, expected);
        assert_int_equal(manifest->writer_feature_flags & expected, expected);
        lance__manifest__free_unpacked(manifest, NULL);
    }
}

/* The parent's offset would point anywhere in the branch's file: Lance 14 takes a length from
 * there, and panics when it lies too far out. */
static void no_offset_of_the_parent_s_transaction_is_passed_on(void **state)
{
    auto_bytes struct bytes *parent = manifest_sample("plain14");
    Lance__Manifest *manifest = manifest_unpacked(parent);
    assert_true(manifest->has_transaction_section);
    lance__manifest__free_unpacked(manifest, NULL);

    auto_bytes struct bytes *branch = branch_of_table(0);
    manifest = manifest_unpacked(branch);
    assert_false(manifest->has_transaction_section);
    assert_false(manifest->has_old_transaction_section);
    lance__manifest__free_unpacked(manifest, NULL);
}

/* ---- Refused ---- */

/* What becomes of a manifest of version 1 with these flags. */
static int code_with_flags(uint64_t reader, uint64_t writer, struct error *err)
{
    Lance__Manifest manifest = LANCE__MANIFEST__INIT;
    manifest.has_version = manifest.has_reader_feature_flags = TRUE;
    manifest.has_writer_feature_flags = TRUE;
    manifest.version = 1;
    manifest.reader_feature_flags = reader;
    manifest.writer_feature_flags = writer;
    auto_bytes struct bytes *file = manifest_file(&manifest);
    struct bytes *branch;
    int code = branch_main(file, 1, "table.lance", &branch, err);
    bytes_unref(branch);
    return code;
}

static void known_flags_are_accepted_in_either_word(void **state)
{
    static const uint64_t flags[] = {1, 2, 4, 8, 16, 32, 128, 2048, 63 | 128 | 2048};
    struct error err;
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        assert_int_equal(code_with_flags(flags[i], 0, &err), 0);
        assert_int_equal(code_with_flags(0, flags[i], &err), 0);
        assert_int_equal(code_with_flags(flags[i] | 256, flags[i] | 256, &err), 0);
    }
}

static const struct {
    uint64_t flags;
    const char *named;
} refused[] = {
    {64, "data overlay files (64)"},
    {64 | 1, "data overlay files (64)"},
    {512, "a fragment reuse index with stable row ids (512)"},
    {1024, "a tagged fragment reuse index (1024)"},
    {4096, "a fragment tree (4096)"},
    {8192 | 128, "independent covering columns (8192)"},
    {16384, "managed blobs (16384)"},
    {32768, "field ids that are not used again (32768)"},
    {65536, "zone statistics in data files (65536)"},
    {131072, "clustering or metadata of fragments and indices (131072)"},
    {262144, "unknown features (262144)"},
    {64 | 1024 | 262144 | 524288,
     "data overlay files (64), a tagged fragment reuse index (1024), unknown features (786432)"},
    {(uint64_t)1 << 63, "unknown features (9223372036854775808)"},
};

static void other_reader_flags_are_unsupported_and_named(void **state)
{
    struct error err;
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        assert_int_equal(code_with_flags(refused[i].flags, 0, &err), ERR_UNSUPPORTED);
        assert_non_null(strstr(err.text, "reader flags: "));
        assert_non_null(strstr(err.text, refused[i].named));
    }
    assert_int_equal(code_with_flags(UINT64_MAX, UINT64_MAX, &err), ERR_UNSUPPORTED);
}

/* Making a branch is writing. */
static void other_writer_flags_are_unsupported_and_named(void **state)
{
    struct error err;
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        assert_int_equal(code_with_flags(0, refused[i].flags, &err), ERR_UNSUPPORTED);
        assert_non_null(strstr(err.text, "writer flags: "));
        assert_non_null(strstr(err.text, refused[i].named));
    }
}

static void mixed_versions_in_one_word_only_are_corrupt(void **state)
{
    struct error err;
    assert_int_equal(code_with_flags(256, 0, &err), ERR_CORRUPT);
    assert_int_equal(code_with_flags(0, 256, &err), ERR_CORRUPT);
}

static void a_table_with_overlays_is_unsupported(void **state)
{
    auto_bytes struct bytes *parent = manifest_sample("overlay");
    struct bytes *branch;
    struct error err;
    assert_int_equal(branch_main(parent, 2, "overlay.lance", &branch, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "data overlay files (64)"));
}

/* What a writer that forgot the flag left. */
static void overlays_without_their_flag_are_unsupported(void **state)
{
    auto_bytes struct bytes *sample = manifest_sample("overlay");
    Lance__Manifest *manifest = manifest_unpacked(sample);
    manifest->reader_feature_flags = manifest->writer_feature_flags = 0;
    auto_bytes struct bytes *parent = manifest_file(manifest);
    lance__manifest__free_unpacked(manifest, NULL);
    struct bytes *branch;
    struct error err;
    assert_int_equal(branch_main(parent, 2, "overlay.lance", &branch, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "fragment 0 has data overlay files"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches_of_new_tables_equal_the_engine_s),
        cmocka_unit_test(flags_of_features_that_a_branch_has_are_passed_on),
        cmocka_unit_test(no_offset_of_the_parent_s_transaction_is_passed_on),
        cmocka_unit_test(known_flags_are_accepted_in_either_word),
        cmocka_unit_test(other_reader_flags_are_unsupported_and_named),
        cmocka_unit_test(other_writer_flags_are_unsupported_and_named),
        cmocka_unit_test(mixed_versions_in_one_word_only_are_corrupt),
        cmocka_unit_test(a_table_with_overlays_is_unsupported),
        cmocka_unit_test(overlays_without_their_flag_are_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

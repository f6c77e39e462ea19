#include "unit/unit.h"

#include <string.h>

#include "lance/manifest.h"
#include "unit/lance/manifest_fixture.h"

static const struct timespec now = {.tv_sec = 1700000000, .tv_nsec = 5};

static struct manifest_branching branching(const char *parent_branch, uint64_t version)
{
    return (struct manifest_branching){
        .branch = "first",
        .parent_branch = parent_branch,
        .parent_uri = parent_branch ? "./db/indexed.lance/tree/first" : "./db/indexed.lance",
        .version = version,
        .now = now,
    };
}

static struct bytes *branched(const char *name, const char *parent_branch, uint64_t version)
{
    auto_bytes struct bytes *parent = manifest_sample(name);
    struct manifest_branching request = branching(parent_branch, version);
    struct bytes *result = NULL;
    struct error err;
    if (manifest_branch(parent, &request, &result, &err) != 0)
        fail_msg("%s", err.text);
    return result;
}

static int branch_code(const struct bytes *parent, uint64_t version)
{
    struct manifest_branching request = branching(NULL, version);
    struct bytes *result = NULL;
    struct error err = {.code = 0};
    int code = manifest_branch(parent, &request, &result, &err);
    assert_int_equal(err.code, code);
    assert_true((code == 0) == (result != NULL));
    bytes_unref(result);
    return code;
}

static void a_branch_equals_the_engine_s(void **state)
{
    auto_bytes struct bytes *ours = branched("indexed", NULL, 4);
    auto_bytes struct bytes *theirs = manifest_sample("branch");
    auto_bytes struct bytes *our_message = manifest_comparable(ours);
    auto_bytes struct bytes *their_message = manifest_comparable(theirs);
    assert_true(bytes_equal(our_message, their_message));
    auto_bytes struct bytes *our_indices = indices_comparable(ours);
    auto_bytes struct bytes *their_indices = indices_comparable(theirs);
    assert_true(bytes_equal(our_indices, their_indices));
}

static void a_branch_has_the_time_given_and_no_transaction(void **state)
{
    auto_bytes struct bytes *file = branched("plain", NULL, 2);
    Lance__Manifest *manifest = manifest_unpacked(file);
    assert_int_equal(manifest->timestamp->seconds, now.tv_sec);
    assert_int_equal(manifest->timestamp->nanos, now.tv_nsec);
    assert_false(manifest->has_transaction_section);
    assert_false(manifest->has_old_transaction_section);
    assert_false(manifest->has_transaction_file);
    assert_false(manifest->has_tag);
    assert_false(manifest->has_index_section);
    assert_int_equal(manifest->reader_feature_flags, 16);
    assert_int_equal(manifest->writer_feature_flags, 16);
    lance__manifest__free_unpacked(manifest, NULL);
}

static void a_branch_of_a_branch_keeps_base_ids(void **state)
{
    auto_bytes struct bytes *file = branched("branch_written", "first", 6);
    Lance__Manifest *manifest = manifest_unpacked(file);
    assert_int_equal(manifest->n_base_paths, 2);
    const Lance__BasePath *base = manifest->base_paths[1];
    assert_int_equal(base->id, 1);
    assert_int_equal(base->name.len, strlen("first"));
    assert_memory_equal(base->name.data, "first", base->name.len);
    assert_true(base->is_dataset_root);
    assert_int_equal(base->path.len, strlen("./db/indexed.lance/tree/first"));
    assert_int_equal(manifest->n_fragments, 2);
    assert_int_equal(manifest->fragments[0]->files[0]->base_id, 0);
    assert_int_equal(manifest->fragments[0]->deletion_file->base_id, 1);
    assert_int_equal(manifest->fragments[1]->files[0]->base_id, 1);
    lance__manifest__free_unpacked(manifest, NULL);

    Lance__IndexSection *indices = indices_unpacked(file);
    assert_int_equal(indices->n_indices, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(indices->indices[i]->has_base_id);
        assert_int_equal(indices->indices[i]->base_id, 0);
    }
    lance__index_section__free_unpacked(indices, NULL);
}

static void a_summary_tells_the_counts(void **state)
{
    auto_bytes struct bytes *file = manifest_sample("branch_written");
    struct manifest_summary summary;
    assert_int_equal(manifest_summarize(file, &summary, NULL), 0);
    assert_int_equal(summary.version, 6);
    assert_string_equal(summary.branch, "first");
    assert_int_equal(summary.fragments, 2);
    assert_int_equal(summary.base_paths, 1);
    assert_int_equal(summary.indices, 2);

    auto_bytes struct bytes *plain = manifest_sample("plain");
    assert_int_equal(manifest_summarize(plain, &summary, NULL), 0);
    assert_string_equal(summary.branch, "");
    assert_int_equal(summary.indices, 0);
}

static void a_wrong_version_or_branch_is_corrupt(void **state)
{
    auto_bytes struct bytes *main_manifest = manifest_sample("indexed");
    assert_int_equal(branch_code(main_manifest, 5), ERR_CORRUPT);
    auto_bytes struct bytes *of_branch = manifest_sample("branch");
    assert_int_equal(branch_code(of_branch, 4), ERR_CORRUPT);

    static const char *const parents[] = {"firs", "second", "first2"};
    for (size_t i = 0; i < G_N_ELEMENTS(parents); i++) {
        struct manifest_branching request = branching(parents[i], 4);
        struct bytes *result = NULL;
        assert_int_equal(manifest_branch(of_branch, &request, &result, NULL), ERR_CORRUPT);
        assert_int_equal(manifest_branch(main_manifest, &request, &result, NULL), ERR_CORRUPT);
        assert_null(result);
    }
}

static void external_files_of_a_fragment_are_unsupported(void **state)
{
    for (int field = 0; field < 3; field++) {
        Lance__Fragment fragment = LANCE__FRAGMENT__INIT;
        fragment.has_external_row_ids = field == 0;
        fragment.has_external_last_updated_at_versions = field == 1;
        fragment.has_external_created_at_versions = field == 2;
        Lance__Fragment *fragments[] = {&fragment};
        Lance__Manifest manifest = LANCE__MANIFEST__INIT;
        manifest.has_version = TRUE;
        manifest.version = 1;
        manifest.fragments = fragments;
        manifest.n_fragments = 1;
        auto_bytes struct bytes *file = manifest_file(&manifest);
        assert_int_equal(branch_code(file, 1), ERR_UNSUPPORTED);
    }
}

static void dictionaries_in_the_manifest_are_unsupported(void **state)
{
    Lance__Field field = LANCE__FIELD__INIT;
    field.has_dictionary = TRUE;
    Lance__Field *fields[] = {&field};
    Lance__Manifest manifest = LANCE__MANIFEST__INIT;
    manifest.has_version = TRUE;
    manifest.version = 1;
    manifest.fields = fields;
    manifest.n_fields = 1;
    auto_bytes struct bytes *file = manifest_file(&manifest);
    assert_int_equal(branch_code(file, 1), ERR_UNSUPPORTED);
}

/* A manifest of version 1 with these base paths and one data file. */
static int code_with_bases(const uint32_t *ids, size_t count, const uint32_t *file_base)
{
    Lance__BasePath bases[4];
    Lance__BasePath *base_paths[4];
    for (size_t i = 0; i < count; i++) {
        lance__base_path__init(&bases[i]);
        bases[i].has_id = ids[i] != 0;
        bases[i].id = ids[i];
        base_paths[i] = &bases[i];
    }
    Lance__DataFile data_file = LANCE__DATA_FILE__INIT;
    data_file.has_base_id = file_base != NULL;
    data_file.base_id = file_base ? *file_base : 0;
    Lance__DataFile *files[] = {&data_file};
    Lance__Fragment fragment = LANCE__FRAGMENT__INIT;
    fragment.files = files;
    fragment.n_files = 1;
    Lance__Fragment *fragments[] = {&fragment};
    Lance__Manifest manifest = LANCE__MANIFEST__INIT;
    manifest.has_version = TRUE;
    manifest.version = 1;
    manifest.fragments = fragments;
    manifest.n_fragments = 1;
    manifest.base_paths = base_paths;
    manifest.n_base_paths = count;
    auto_bytes struct bytes *file = manifest_file(&manifest);
    return branch_code(file, 1);
}

static void base_ids_without_base_path_are_corrupt(void **state)
{
    uint32_t zero = 0, seven = 7;
    assert_int_equal(code_with_bases((uint32_t[]){0, 7}, 2, NULL), 0);
    assert_int_equal(code_with_bases((uint32_t[]){0, 7}, 2, &zero), 0);
    assert_int_equal(code_with_bases((uint32_t[]){0, 7}, 2, &seven), 0);
    assert_int_equal(code_with_bases((uint32_t[]){1}, 1, &zero), ERR_CORRUPT);
    assert_int_equal(code_with_bases((uint32_t[]){0}, 1, &seven), ERR_CORRUPT);
    assert_int_equal(code_with_bases(NULL, 0, &zero), ERR_CORRUPT);
}

static void doubtful_base_paths_are_refused(void **state)
{
    assert_int_equal(code_with_bases((uint32_t[]){3, 3}, 2, NULL), ERR_CORRUPT);
    assert_int_equal(code_with_bases((uint32_t[]){UINT32_MAX}, 1, NULL), ERR_UNSUPPORTED);
    assert_int_equal(code_with_bases((uint32_t[]){UINT32_MAX - 1}, 1, NULL), 0);
}

/* Branches hostile bytes: that must return, and what it makes of them must parse. */
static int survive(const char *data, size_t size, const char *parent_branch, uint64_t version)
{
    auto_bytes struct bytes *file = bytes_new(data, size);
    struct manifest_branching request = branching(parent_branch, version);
    auto_bytes struct bytes *result = NULL;
    struct manifest_summary summary;
    int code = manifest_branch(file, &request, &result, NULL);
    assert_true((code == 0) == (result != NULL));
    if (code == 0)
        assert_int_equal(manifest_summarize(result, &summary, NULL), 0);
    return code;
}

static const struct {
    const char *name, *branch;
    uint64_t version;
} samples[] = {{"plain", NULL, 2},
               {"indexed", NULL, 4},
               {"branch_written", "first", 6},
               {"spilled_lineage", NULL, 7},
               {"overlay", NULL, 2}};

static void every_proper_prefix_is_refused(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
        auto_bytes struct bytes *file = manifest_sample(samples[i].name);
        for (size_t size = 0; size < file->size; size++)
            assert_int_equal(survive(file->data, size, samples[i].branch, samples[i].version),
                             ERR_CORRUPT);
    }
}

static void survive_changes(const char *name, const char *branch, uint64_t version,
                            const unsigned char *changes, size_t count)
{
    auto_bytes struct bytes *file = manifest_sample(name);
    g_autofree char *mutant = g_memdup2(file->data, file->size);
    for (size_t at = 0; at < file->size; at++) {
        for (size_t i = 0; i < count; i++) {
            mutant[at] = (char)(file->data[at] ^ changes[i]);
            survive(mutant, file->size, branch, version);
        }
        mutant[at] = file->data[at];
    }
}

static void every_change_of_a_byte_returns_cleanly(void **state)
{
    unsigned char changes[255];
    for (size_t i = 0; i < sizeof(changes); i++)
        changes[i] = (unsigned char)(i + 1);
    survive_changes("plain", NULL, 2, changes, sizeof(changes));
}

static void every_change_of_a_bit_returns_cleanly(void **state)
{
    static const unsigned char changes[] = {1, 2, 4, 8, 16, 32, 64, 128, 0xff};
    for (size_t i = 0; i < G_N_ELEMENTS(samples); i++)
        survive_changes(samples[i].name, samples[i].branch, samples[i].version, changes,
                        sizeof(changes));
}

/* Version 2, and a field of number 0 whose tag is encoded overlong. */
static void a_field_of_number_zero_is_corrupt(void **state)
{
    static const uint8_t field_zero[] = {0x18, 0x02, 0x85, 0x00, 1, 2, 3, 4};
    auto_bytes struct bytes *file = manifest_file_of(field_zero, sizeof(field_zero));
    assert_int_equal(branch_code(file, 2), ERR_CORRUPT);
}

static void every_missing_byte_returns_cleanly(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
        auto_bytes struct bytes *file = manifest_sample(samples[i].name);
        for (size_t at = 0; at < file->size; at++) {
            g_autofree char *mutant = g_memdup2(file->data, file->size);
            memmove(mutant + at, mutant + at + 1, file->size - at - 1);
            survive(mutant, file->size - 1, samples[i].branch, samples[i].version);
        }
    }
}

static void hostile_offsets_are_corrupt(void **state)
{
    static const uint64_t offsets[] = {
        1, 528, 529, UINT64_MAX, INT64_MAX, UINT64_MAX - 3, UINT32_MAX, (uint64_t)INT64_MAX + 1};
    auto_bytes struct bytes *file = manifest_sample("plain");
    for (size_t i = 0; i < G_N_ELEMENTS(offsets); i++) {
        g_autofree char *mutant = g_memdup2(file->data, file->size);
        uint64_t offset = GUINT64_TO_LE(offsets[i]);
        memcpy(mutant + file->size - MANIFEST_FOOTER_SIZE, &offset, sizeof(offset));
        assert_int_equal(survive(mutant, file->size, NULL, 2), ERR_CORRUPT);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(offsets); i++) {
        Lance__Manifest *manifest = manifest_unpacked(file);
        manifest->has_index_section = TRUE;
        manifest->index_section = offsets[i];
        auto_bytes struct bytes *hostile = manifest_file(manifest);
        assert_int_equal(branch_code(hostile, 2), ERR_CORRUPT);
        lance__manifest__free_unpacked(manifest, NULL);
    }
}

static void an_unknown_format_is_unsupported(void **state)
{
    auto_bytes struct bytes *file = manifest_sample("plain");
    g_autofree char *mutant = g_memdup2(file->data, file->size);
    mutant[file->size - 6] = 3;
    assert_int_equal(survive(mutant, file->size, NULL, 2), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_branch_equals_the_engine_s),
        cmocka_unit_test(a_branch_has_the_time_given_and_no_transaction),
        cmocka_unit_test(a_branch_of_a_branch_keeps_base_ids),
        cmocka_unit_test(a_summary_tells_the_counts),
        cmocka_unit_test(a_wrong_version_or_branch_is_corrupt),
        cmocka_unit_test(external_files_of_a_fragment_are_unsupported),
        cmocka_unit_test(dictionaries_in_the_manifest_are_unsupported),
        cmocka_unit_test(base_ids_without_base_path_are_corrupt),
        cmocka_unit_test(doubtful_base_paths_are_refused),
        cmocka_unit_test(every_proper_prefix_is_refused),
        cmocka_unit_test(every_change_of_a_byte_returns_cleanly),
        cmocka_unit_test(every_change_of_a_bit_returns_cleanly),
        cmocka_unit_test(a_field_of_number_zero_is_corrupt),
        cmocka_unit_test(every_missing_byte_returns_cleanly),
        cmocka_unit_test(hostile_offsets_are_corrupt),
        cmocka_unit_test(an_unknown_format_is_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

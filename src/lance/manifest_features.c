#include "lance/manifest_features.h"

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>

#define FLAG_MIXED_FILE_VERSIONS 256u

/* A flag has the same meaning in both words of a manifest: what readers must know, and what writers
 * must. Where a branch is made by copying the flag, all that the feature adds to the table is
 * either inside the manifest or in data files and indices, which have base ids. */
static const struct feature {
    uint64_t flag;
    bool branched;
    const char *name;
} features[] = {
    {1, true, "deletion files"},
    {2, true, "stable row ids"},
    {4, true, "a mark of old writers"},
    {8, true, "table configuration"},
    {MANIFEST_FLAG_BASE_PATHS, true, "base paths"},
    {32, true, "no transaction files"},
    {64, false, "data overlay files"},
    {128, true, "indices with covering columns"},
    {FLAG_MIXED_FILE_VERSIONS, true, "data files of several versions"},
    {512, false, "a fragment reuse index with stable row ids"},
    {1024, false, "a tagged fragment reuse index"},
    {2048, true, "row lineage in data files"},
    {4096, false, "a fragment tree"},
    {8192, false, "independent covering columns"},
    {16384, false, "managed blobs"},
    {32768, false, "field ids that are not used again"},
    {65536, false, "zone statistics in data files"},
    {131072, false, "clustering or metadata of fragments and indices"},
};

/* Adds what forkfs cannot branch of one word of flags to the text. */
static void append_unbranched(GString *text, uint64_t flags)
{
    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        const struct feature *feature = &features[i];
        if (flags & feature->flag && !feature->branched)
            g_string_append_printf(text, "%s%s (%" PRIu64 ")", text->len ? ", " : "", feature->name,
                                   feature->flag);
        flags &= ~feature->flag;
    }
    if (flags)
        g_string_append_printf(text, "%sunknown features (%" PRIu64 ")", text->len ? ", " : "",
                               flags);
}

static int check_flags(const char *whose, uint64_t flags, struct error *err)
{
    g_autoptr(GString) text = g_string_new(NULL);
    append_unbranched(text, flags);
    if (text->len == 0)
        return 0;
    return error_set(err, ERR_UNSUPPORTED,
                     "the table uses what forkfs cannot branch, by its %s flags: %s", whose,
                     text->str);
}

/* Readers and writers must agree on it; the engine opens no table in which they do not. */
static int check_mixed_versions(const Lance__Manifest *manifest, struct error *err)
{
    uint64_t differing = manifest->reader_feature_flags ^ manifest->writer_feature_flags;
    if (differing & FLAG_MIXED_FILE_VERSIONS)
        return error_set(err, ERR_CORRUPT,
                         "of the manifest's reader and writer flags only one has %u",
                         FLAG_MIXED_FILE_VERSIONS);
    return 0;
}

static int check_fragment(const Lance__Fragment *fragment, size_t index, struct error *err)
{
    if (fragment->has_external_row_ids || fragment->has_external_last_updated_at_versions ||
        fragment->has_external_created_at_versions)
        return error_set(err, ERR_UNSUPPORTED,
                         "fragment %zu keeps row ids or versions in files of their own", index);
    if (fragment->n_overlays > 0)
        return error_set(err, ERR_UNSUPPORTED, "fragment %zu has data overlay files", index);
    return 0;
}

int manifest_check_features(const Lance__Manifest *manifest, struct error *err)
{
    int code = check_flags("reader", manifest->reader_feature_flags, err);
    if (code == 0)
        code = check_flags("writer", manifest->writer_feature_flags, err);
    if (code == 0)
        code = check_mixed_versions(manifest, err);
    for (size_t i = 0; code == 0 && i < manifest->n_fields; i++)
        if (manifest->fields[i]->has_dictionary)
            code = error_set(err, ERR_UNSUPPORTED, "the table keeps dictionaries in its manifest");
    for (size_t i = 0; code == 0 && i < manifest->n_fragments; i++)
        code = check_fragment(manifest->fragments[i], i, err);
    return code;
}

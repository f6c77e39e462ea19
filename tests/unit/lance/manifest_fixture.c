#include "unit/lance/manifest_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "unit/unit.h"

struct bytes *manifest_sample(const char *name)
{
    const char *top = getenv("srcdir");
    g_autofree char *path =
        g_strdup_printf("%s/tests/data/manifests/%s.manifest", top ? top : ".", name);
    g_autofree char *data = NULL;
    gsize size;
    assert_true(g_file_get_contents(path, &data, &size, NULL));
    return bytes_new(data, size);
}

static uint32_t read_u32(const char *data)
{
    uint32_t value;
    memcpy(&value, data, sizeof(value));
    return GUINT32_FROM_LE(value);
}

static uint64_t read_u64(const char *data)
{
    uint64_t value;
    memcpy(&value, data, sizeof(value));
    return GUINT64_FROM_LE(value);
}

static const char *manifest_section(const struct bytes *file)
{
    return file->data + read_u64(file->data + file->size - MANIFEST_FOOTER_SIZE);
}

Lance__Manifest *manifest_unpacked(const struct bytes *file)
{
    const char *section = manifest_section(file);
    Lance__Manifest *manifest =
        lance__manifest__unpack(NULL, read_u32(section), (const uint8_t *)section + 4);
    assert_non_null(manifest);
    return manifest;
}

Lance__IndexSection *indices_unpacked(const struct bytes *file)
{
    Lance__Manifest *manifest = manifest_unpacked(file);
    assert_true(manifest->has_index_section);
    const char *section = file->data + manifest->index_section;
    Lance__IndexSection *indices =
        lance__index_section__unpack(NULL, read_u32(section), (const uint8_t *)section + 4);
    assert_non_null(indices);
    lance__manifest__free_unpacked(manifest, NULL);
    return indices;
}

static void append_u32(GByteArray *file, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    g_byte_array_append(file, (const guint8 *)&value, sizeof(value));
}

struct bytes *manifest_file_of(const void *message, size_t length)
{
    g_autoptr(GByteArray) file = g_byte_array_new();
    append_u32(file, length);
    g_byte_array_append(file, message, length);
    append_u32(file, 0);
    append_u32(file, 0);
    g_byte_array_append(file, (const guint8 *)"\0\0\2\0LANC", 8);
    return bytes_new(file->data, file->len);
}

struct bytes *manifest_file(const Lance__Manifest *manifest)
{
    size_t length = lance__manifest__get_packed_size(manifest);
    g_autofree uint8_t *message = g_malloc(length);
    lance__manifest__pack(manifest, message);
    return manifest_file_of(message, length);
}

struct bytes *manifest_comparable(const struct bytes *file)
{
    Lance__Manifest *manifest = manifest_unpacked(file);
    assert_non_null(manifest->timestamp);
    lance__timestamp__free_unpacked(manifest->timestamp, NULL);
    manifest->timestamp = NULL;
    manifest->has_old_transaction_section = manifest->has_transaction_section = FALSE;
    manifest->has_transaction_file = FALSE;
    manifest->index_section = 0;
    struct bytes *result = manifest_file(manifest);
    lance__manifest__free_unpacked(manifest, NULL);
    return result;
}

struct bytes *indices_comparable(const struct bytes *file)
{
    Lance__IndexSection *indices = indices_unpacked(file);
    struct bytes *result = bytes_allocate(lance__index_section__get_packed_size(indices));
    lance__index_section__pack(indices, (uint8_t *)result->data);
    lance__index_section__free_unpacked(indices, NULL);
    return result;
}

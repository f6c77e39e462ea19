/*
 * The messages of a manifest, put into a file whose lengths and places are right: with whole files
 * (fuzz_manifest.c) hardly any change of a message gets as far as its content.
 *
 * The first byte is the length of the index section; then come that section and the message.
 */
#include "fuzz/fuzz.h"

#include <glib.h>
#include <string.h>

#include "fuzz/manifest_properties.h"

/* Of field 6 of the message, a varint: where the index section is. A later one counts. */
#define INDEX_SECTION_AT_0 "\x30\x00"

static void append_number(GByteArray *file, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        g_byte_array_append(file, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

/* `with_indices`: there is an index section, at the beginning. */
static struct bytes *file_of(const uint8_t *data, size_t size, size_t indices, bool with_indices)
{
    g_autoptr(GByteArray) file = g_byte_array_new();
    const size_t message = size - indices, place = with_indices ? strlen(INDEX_SECTION_AT_0) : 0;
    append_number(file, indices, 4);
    g_byte_array_append(file, data, (guint)indices);
    const uint64_t position = file->len;
    append_number(file, message + place, 4);
    g_byte_array_append(file, data + indices, (guint)message);
    g_byte_array_append(file, (const uint8_t *)INDEX_SECTION_AT_0, (guint)place);
    append_number(file, position, 8);
    append_number(file, 0, 2);
    append_number(file, 2, 2);
    g_byte_array_append(file, (const uint8_t *)"LANC", 4);
    return bytes_new(file->data, file->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const size_t indices = MIN((size_t)data[0], size - 1);
    auto_bytes struct bytes *plain = file_of(data + 1, size - 1, indices, false);
    auto_bytes struct bytes *indexed = file_of(data + 1, size - 1, indices, true);
    manifest_check_properties(plain);
    manifest_check_properties(indexed);
    return 0;
}

/* Segments of Uni's write-ahead log: one without checksum is read as the same one with its own. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/blake3.h"
#include "base/error.h"
#include "catalog/uni/wal_segment.h"

#define MAGIC "UNIWAL2\n"

static struct bytes *with_checksum(const struct bytes *text)
{
    char sum[BLAKE3_HEX_LENGTH + 1];
    blake3_hex(text->data, text->size, sum);
    g_autoptr(GString) segment = g_string_new(MAGIC);
    g_string_append_printf(segment, "%s\n", sum);
    g_string_append_len(segment, text->data, (gssize)text->size);
    return bytes_new(segment->str, segment->len);
}

static enum wal_segment_content read_segment(const struct bytes *body)
{
    struct error error = {0};
    enum wal_segment_content content = wal_segment_read(body, 7, &error);
    HOLDS((content == WAL_SEGMENT_UNREADABLE) == (error.code != 0));
    return content;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    auto_bytes struct bytes *summed = with_checksum(body);
    g_autofree char *name = fuzz_text(data, size);
    enum wal_segment_content content = read_segment(body);
    uint64_t number;
    if (!g_str_has_prefix(body->data, MAGIC))
        HOLDS(read_segment(summed) == content);
    HOLDS(content == WAL_SEGMENT_UNREADABLE || fuzz_is_json(body) ||
          g_str_has_prefix(body->data, MAGIC));
    HOLDS(!wal_segment_number(name, &number) || wal_segment_is_one(name));
    return 0;
}

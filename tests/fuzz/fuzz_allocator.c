/* The id allocator: what is read is written with the same numbers. */
#include "fuzz/fuzz.h"

#include "base/error.h"
#include "catalog/format/documents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    struct allocator allocator = {0}, again = {0};
    struct error error = {0};
    int code = allocator_parse(body, &allocator, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    if (code)
        return 0;
    auto_bytes struct bytes *text = allocator_render(&allocator);
    HOLDS(fuzz_is_pretty(text));
    HOLDS(allocator_parse(text, &again, NULL) == 0);
    HOLDS(again.next_vid_batch == allocator.next_vid_batch);
    HOLDS(again.next_eid_batch == allocator.next_eid_batch);
    return 0;
}

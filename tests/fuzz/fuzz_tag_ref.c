/* Refs of tags: what is read is written with the same fields. */
#include "fuzz/fuzz.h"

#include "base/error.h"
#include "lance/branch_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    struct tag_ref *tag = NULL, *again = NULL;
    struct error error = {0};
    int code = tag_ref_parse(body, &tag, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    if (code)
        return 0;
    auto_bytes struct bytes *text = tag_ref_render(tag, (struct timespec){.tv_sec = 1700000000});
    HOLDS(fuzz_is_pretty(text));
    HOLDS(tag_ref_parse(text, &again, NULL) == 0);
    HOLDS(g_strcmp0(tag->branch, again->branch) == 0);
    HOLDS(tag->version == again->version && tag->manifest_size == again->manifest_size);
    tag_ref_free(again);
    tag_ref_free(tag);
    return 0;
}

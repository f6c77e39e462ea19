/* Manifests of Lance, as whole files. */
#include "fuzz/fuzz.h"
#include "fuzz/manifest_properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *file = fuzz_body(data, size);
    manifest_check_properties(file);
    return 0;
}

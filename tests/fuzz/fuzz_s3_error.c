/* Errors of an S3 server. */
#include "fuzz/fuzz.h"

#include <glib.h>

#include "store/s3/wire/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct s3_error_document document;
    s3_xml_initialize();
    bool is_one = s3_xml_parse_error((const char *)data, size, &document);
    const char *const texts[] = {document.code, document.message, document.region,
                                 document.endpoint};
    HOLDS(is_one == (document.code != NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        HOLDS(!texts[i] || (texts[i][0] && g_utf8_validate(texts[i], -1, NULL)));
    s3_error_document_clear(&document);
    return 0;
}

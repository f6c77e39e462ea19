/* Listings of an S3 server: each row has a key, and the same text always gives the same rows. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "store/s3/wire/s3_xml.h"

static void check_rows(const struct s3_list_page *page, const struct s3_list_page *again)
{
    HOLDS(page->rows->len == again->rows->len);
    for (guint i = 0; i < page->rows->len; i++) {
        const struct s3_wire_row *row = g_ptr_array_index(page->rows, i);
        const struct s3_wire_row *same = g_ptr_array_index(again->rows, i);
        HOLDS(row->key && row->key[0] && strcmp(row->key, same->key) == 0);
        HOLDS(row->modified_ns >= 0 && (!row->is_prefix || (!row->etag && row->size == 0)));
        HOLDS(g_strcmp0(row->etag, same->etag) == 0 && row->size == same->size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct s3_list_page page, again;
    struct error error = {0};
    s3_xml_initialize();
    int code = s3_xml_parse_listing((const char *)data, size, &page, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    HOLDS(s3_xml_parse_listing((const char *)data, size, &again, NULL) == code);
    if (code == 0) {
        HOLDS(page.truncated == again.truncated);
        HOLDS(!page.continuation || page.continuation[0]);
        check_rows(&page, &again);
    }
    s3_list_page_clear(&page);
    s3_list_page_clear(&again);
    return 0;
}

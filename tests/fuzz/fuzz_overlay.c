/*
 * Schema overlays: what a user may write is whole to everyone who reads it later, and keeps its
 * normal form.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/json_members.h"
#include "catalog/format/documents.h"
#include "catalog/format/overlay_document.h"

/* An overlay that a user has written, as it is stored. */
static void check_written(const struct bytes *stored)
{
    auto_bytes struct bytes *again = NULL, *normal = NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    HOLDS(fuzz_is_pretty(stored));
    HOLDS(overlay_document_check(stored, &again, NULL) == 0);
    HOLDS(overlay_document_normalise(stored, &normal, NULL) == 0);
    HOLDS(bytes_equal(stored, again) && bytes_equal(stored, normal));
    HOLDS(overlay_document_check_lists(stored, NULL) == 0);
    HOLDS(overlay_document_add_schemaless_types(stored, names, NULL) == 0);
    auto_bytes struct bytes *inherited = overlay_of_new_fork(names);
    g_autoptr(GPtrArray) inherited_names = g_ptr_array_new_with_free_func(g_free);
    HOLDS(overlay_document_check_lists(inherited, NULL) == 0);
    HOLDS(overlay_document_add_schemaless_types(inherited, inherited_names, NULL) == 0);
    HOLDS(inherited_names->len == names->len);
    for (guint i = 0; i < names->len; i++)
        HOLDS(strcmp(names->pdata[i], inherited_names->pdata[i]) == 0);
}

/* One that somebody else has stored. */
static void check_found(const struct bytes *body)
{
    auto_bytes struct bytes *normal = NULL, *again = NULL;
    if (overlay_document_normalise(body, &normal, NULL))
        return;
    HOLDS(fuzz_is_pretty(normal));
    HOLDS(overlay_document_normalise(normal, &again, NULL) == 0 && bytes_equal(normal, again));
    HOLDS(overlay_document_check_lists(body, NULL) == overlay_document_check_lists(normal, NULL));
}

/* The text for a data type alone, so that more of it is tried. */
static void check_data_type(const struct bytes *body)
{
    auto_json struct json_object *value = NULL;
    struct error error = {0};
    if (json_parse(body->data, body->size, &value, NULL) == 0)
        HOLDS(overlay_check_data_type(value, &error) == error.code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    auto_bytes struct bytes *stored = NULL;
    struct error error = {0};
    int code = overlay_document_check(body, &stored, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_INVALID));
    if (code == 0)
        check_written(stored);
    check_found(body);
    check_data_type(body);
    return 0;
}

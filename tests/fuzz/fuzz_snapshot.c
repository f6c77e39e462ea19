/* Snapshot manifests and the pointer to them: no name that is taken from one leaves its folder. */
#include "fuzz/fuzz.h"

#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "catalog/format/documents.h"
#include "store/store.h"

static void check_name(const char *id)
{
    g_autofree char *prefix = layout_snapshots_prefix(fuzz_layout());
    g_autofree char *key = layout_snapshot_key(fuzz_layout(), id);
    HOLDS(store_key_is_valid(key) && g_str_has_prefix(key, prefix));
    HOLDS(!strchr(key + strlen(prefix), '/'));
    HOLDS(strlen(key + strlen(prefix)) <= 255);
}

static void check_manifest(const struct bytes *body)
{
    struct snapshot *snapshot = NULL;
    struct error error = {0};
    int code = snapshot_parse(body, &snapshot, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    if (code)
        return;
    HOLDS(snapshot->id);
    if (snapshot->parent_id)
        check_name(snapshot->parent_id);
    snapshot_free(snapshot);
}

static void check_pointer(const struct bytes *body)
{
    g_autofree char *id = NULL;
    g_autofree char *again = NULL;
    struct error error = {0};
    int code = snapshot_pointer_parse(body, &id, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    HOLDS(code == 0 || !id);
    if (!id)
        return;
    check_name(id);
    auto_bytes struct bytes *trimmed = bytes_new_text(id);
    HOLDS(snapshot_pointer_parse(trimmed, &again, NULL) == 0 && strcmp(id, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    check_manifest(body);
    check_pointer(body);
    return 0;
}

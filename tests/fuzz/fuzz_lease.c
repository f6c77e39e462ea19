/* Leases of other mounts: what is read is written with the same content, and can be shown. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/error.h"
#include "base/printable.h"
#include "catalog/format/lease.h"

static void check_held(GHashTable *held, GHashTable *again)
{
    GHashTableIter iterator;
    void *id, *handles;
    g_hash_table_iter_init(&iterator, held);
    while (g_hash_table_iter_next(&iterator, &id, &handles)) {
        struct ulid parsed;
        HOLDS(ulid_parse(id, strlen(id), &parsed) && strcmp(parsed.text, id) == 0);
        HOLDS(g_hash_table_lookup(again, id) == handles);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    struct lease *lease = NULL, *again = NULL;
    struct error error = {0};
    int code = lease_parse(&fuzz_id, body, &lease, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    if (code)
        return 0;
    auto_bytes struct bytes *text = lease_render(lease);
    HOLDS(fuzz_is_pretty(text));
    HOLDS(lease_parse(&fuzz_id, text, &again, NULL) == 0);
    HOLDS(strcmp(lease->host, again->host) == 0 && printable_is(lease->host));
    HOLDS(lease->pid == again->pid && lease->sequence == again->sequence);
    HOLDS(lease_says_the_same(lease, again) && lease_says_the_same(again, lease));
    check_held(lease->held, again->held);
    lease_free(again);
    lease_free(lease);
    return 0;
}

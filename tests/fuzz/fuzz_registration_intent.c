/*
 * Intents to register datasets: whatever such an object says, what is taken back by it are branches
 * that carry the fork's id, and their keys are keys.
 *
 * The deletion itself is replaced by a look at what it is asked for (-Wl,--wrap=deletion_run).
 */
#include "fuzz/fuzz.h"

#include "catalog/change/deletion.h"
#include "catalog/edit/registration_intent.h"

static unsigned deletions;

int __wrap_deletion_run(struct catalog *catalog, struct deletion deletion,
                        struct operation *operation, struct error *err);
int __wrap_deletion_run(struct catalog *catalog, struct deletion deletion,
                        struct operation *operation, struct error *err)
{
    deletions++;
    HOLDS(deletion.extent == DELETION_OF_BRANCHES && ulid_equal(deletion.id, &fuzz_id));
    for (guint i = 0; i < deletion.branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(deletion.branches, i);
        HOLDS(layout_branch_is_of(pair->branch, &fuzz_id));
        fuzz_check_branch_keys(pair->dataset, pair->branch);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    struct catalog catalog = {0};
    struct error error = {0};
    deletions = 0;
    int code = registration_intents.check(&fuzz_id, body, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    HOLDS(registration_intents.recover(&catalog, &fuzz_id, NULL, body, NULL, NULL) == code);
    HOLDS(deletions == (code == 0 ? 1 : 0));
    return 0;
}

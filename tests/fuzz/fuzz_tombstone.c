/* Tombstones: what is read of one is shown as JSON, and deletes nothing outside of the fork. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "catalog/fork/deletion_branches.h"
#include "catalog/fork/tombstones.h"

static void check_document(const struct fork_entry *entry)
{
    auto_bytes struct bytes *document = fork_entry_document(entry);
    struct fork_entry *again = NULL;
    HOLDS(fuzz_is_pretty(document));
    HOLDS(fork_entry_parse_document(document, &again, NULL) == 0);
    HOLDS(strcmp(again->text, entry->text) == 0);
    HOLDS(ulid_equal(&again->id, &entry->id) && again->status == entry->status);
    HOLDS(fork_entry_same_datasets(again, entry));
    fork_entry_unref(again);
}

/* All that such a tombstone may delete is below branches that carry its id. */
static void check_branches(const struct fork_entry *entry)
{
    g_autoptr(GPtrArray) branches = deletion_branches_by_id(entry);
    if (deletion_check_names(branches, NULL))
        return;
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        HOLDS(layout_branch_is_of(pair->branch, &entry->id));
        fuzz_check_branch_keys(pair->dataset, pair->branch);
    }
}

/* As one of a list a tombstone is nested one level deeper than it was, which may be one too many
 * for serde, though not for JSON. */
static void check_json(const struct bytes *shown)
{
    struct error error = {0};
    if (json_check(shown->data, shown->size, &error))
        HOLDS(strstr(error.text, "nested too deeply"));
    else
        HOLDS(fuzz_is_pretty(shown));
}

/* `why`: NULL: nobody knows what keeps the fork. */
static void check_shown(struct bytes *body, const struct fork_entry *entry, const char *why)
{
    auto_registry struct registry *registry = NULL;
    struct kept_forks *kept = kept_forks_new();
    struct tombstones *tombstones = tombstones_new();
    struct error reason = {0};
    HOLDS(registry_parse(NULL, NULL, 0, NULL, &registry, NULL) == 0);
    if (why && entry) {
        error_set(&reason, ERR_NOT_EMPTY, "%s", why);
        kept_forks_put(kept, &entry->id, &reason);
    }
    tombstones_note_put(tombstones, "catalog/fork_tombstones/x.json", NULL, body);
    auto_bytes struct bytes *shown = tombstones_render(tombstones, registry, kept);
    check_json(shown);
    HOLDS(!entry || !entry->name || tombstones_name_is_taken(tombstones, entry->name));
    tombstones_free(tombstones);
    kept_forks_free(kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    struct fork_entry *entry = NULL;
    struct error error = {0};
    int code = fork_entry_parse_document(body, &entry, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    check_shown(body, entry, NULL);
    check_shown(body, entry, "a tag \"x\"\n");
    if (code == 0) {
        check_document(entry);
        check_branches(entry);
    }
    fork_entry_unref(entry);
    return 0;
}

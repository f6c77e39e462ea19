/*
 * Intents to make or remove a tag: whatever such an object says, recovery looks at refs of tags
 * only, and removes none of a tag that is whole.
 *
 * What would look at a store is replaced (-Wl,--wrap): the refs that a living fork has of a tag,
 * and, for a fork that is gone, the datasets and the refs in them.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "catalog/edit/tag_intent.h"
#include "catalog/edit/tag_refs.h"
#include "catalog/fork/deletion_branches.h"
#include "lance/branch_name.h"

#define DATASET "vertices_Person"

static unsigned calls;

int __wrap_tag_refs_delete_partial(struct tags *tags, const struct fork_entry *entry,
                                   const char *tag, size_t whole, struct operation *operation,
                                   struct error *err);
int __wrap_tag_refs_delete_partial(struct tags *tags, const struct fork_entry *entry,
                                   const char *tag, size_t whole, struct operation *operation,
                                   struct error *err)
{
    calls++;
    HOLDS(g_utf8_validate(tag, -1, NULL) && whole <= UINT32_MAX);
    return error_set(err, ERR_NOT_FOUND, "the fork has no such tag");
}

int __wrap_deletion_candidates(struct fork_point_reader *reader, struct operation *operation,
                               GPtrArray **ret, struct error *err);
int __wrap_deletion_candidates(struct fork_point_reader *reader, struct operation *operation,
                               GPtrArray **ret, struct error *err)
{
    *ret = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(*ret, g_strdup(DATASET));
    return 0;
}

int __wrap_store_run_all(struct store *store, struct store_set *set, int ignored,
                         struct operation *operation, struct error *err);
int __wrap_store_run_all(struct store *store, struct store_set *set, int ignored,
                         struct operation *operation, struct error *err)
{
    g_autofree char *root = layout_dataset_key(fuzz_layout(), DATASET);
    g_autofree char *prefix = lance_tag_refs_prefix(root);
    for (size_t i = 0; i < store_set_size(set); i++) {
        struct store_request *get = store_set_at(set, i);
        calls++;
        HOLDS(get->method == STORE_GET && store_key_is_valid(get->key));
        HOLDS(g_str_has_prefix(get->key, prefix) && !strchr(get->key + strlen(prefix), '/'));
        get->answer.code = ERR_NOT_FOUND;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    struct catalog catalog = {.layout = (struct layout *)fuzz_layout()};
    const struct fork_entry entry = {.id = fuzz_id};
    struct error error = {0};
    calls = 0;
    int code = tag_intents.check(&fuzz_id, body, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    HOLDS(tag_intents.recover(&catalog, &fuzz_id, &entry, body, NULL, NULL) == code);
    HOLDS(calls == (code == 0 ? 1 : 0));
    int of_gone = tag_intents.recover(&catalog, &fuzz_id, NULL, body, NULL, NULL);
    HOLDS(of_gone == code || of_gone == ERR_CORRUPT);
    return 0;
}

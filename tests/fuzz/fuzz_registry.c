/*
 * The registry: what is read is written again unchanged, and a change of one entry leaves all else
 * as it was, byte for byte.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "catalog/registry/registry.h"

#define NEW_FORK "made by the fuzzer"

static struct registry *parse(struct bytes *text, const struct registry *previous)
{
    struct registry *registry = NULL;
    HOLDS(registry_parse(text, "etag", 7, previous, &registry, NULL) == 0);
    return registry;
}

static void check_order(const struct registry *registry)
{
    for (guint i = 0; i < registry->entries->len; i++) {
        struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        const struct fork_entry *same_id = registry_find_id(registry, &entry->id);
        size_t first = 0;
        HOLDS(!entry->key || registry_find(registry, entry->key) == entry);
        HOLDS(same_id && ulid_equal(&same_id->id, &entry->id));
        HOLDS(same_id == entry || registry_id_is_ambiguous(registry, &entry->id));
        HOLDS(!entry->has_parent || registry_children(registry, &entry->parent_id, &first) > 0);
    }
}

static void tell_difference(const struct fork_entry *was, const struct fork_entry *is,
                            void *argument)
{
    (void)was;
    (void)is;
    ++*(size_t *)argument;
}

/* The document that forkfs would write in the place of the one that it has read. */
static void check_text(struct registry *registry)
{
    size_t differences = 0;
    HOLDS(fuzz_is_pretty(registry->text));
    auto_registry struct registry *again = parse(registry->text, NULL);
    auto_registry struct registry *later = parse(registry->text, registry);
    HOLDS(bytes_equal(again->text, registry->text));
    HOLDS(again->entries->len == registry->entries->len);
    registry_compare(registry, later, tell_difference, &differences);
    HOLDS(differences == 0);
    for (guint i = 0; i < registry->entries->len; i++)
        HOLDS(registry->entries->pdata[i] == later->entries->pdata[i]);
}

static const struct json_member *entry_in(const GArray *members, const struct fork_entry *entry)
{
    for (guint i = 0; i < members->len; i++) {
        const struct json_member *member = &g_array_index(members, struct json_member, i);
        if (member->key_source.length == strlen(entry->key_source) &&
            memcmp(member->key_source.text, entry->key_source, member->key_source.length) == 0)
            return member;
    }
    return NULL;
}

static bool is_the_text_of(const struct json_member *member, const struct fork_entry *entry)
{
    return member && member->value.length == entry->text_length &&
           memcmp(member->value.text, entry->text, entry->text_length) == 0;
}

/* Every entry of `before` but one stands in the text of `after` as it did; so does the rest. */
static void check_others(const struct registry *before, struct registry *after,
                         const struct fork_entry *except)
{
    g_autoptr(GArray) root = NULL;
    HOLDS(json_document_members(after->text, &root, NULL) == 0);
    g_autoptr(GArray) forks = json_split_members(json_find_member(root, "forks")->value);
    HOLDS(bytes_equal(before->head, after->head) && bytes_equal(before->tail, after->tail));
    for (guint i = 0; i < before->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(before->entries, i);
        HOLDS(entry == except || is_the_text_of(entry_in(forks, entry), entry));
    }
    check_text(after);
    check_order(after);
}

static struct registry *replaced(struct registry *registry, struct fork_entry *entry)
{
    struct registry_edit *edit = registry_edit_new(registry);
    registry_edit_replace(edit, entry);
    return registry_edit_finish(edit);
}

/* There and back. */
static void check_replacement(struct registry *registry, struct fork_entry *entry,
                              struct fork_entry *changed)
{
    auto_registry struct registry *after = replaced(registry, changed);
    auto_registry struct registry *back = replaced(after, entry);
    check_others(registry, after, entry);
    HOLDS(registry_find_id(after, &changed->id));
    HOLDS(bytes_equal(back->text, registry->text));
    fork_entry_unref(changed);
}

static void check_changes(struct registry *registry, struct fork_entry *entry)
{
    const struct timespec end = {.tv_sec = 1234567890, .tv_nsec = 5};
    struct fork_entry *tombstoned = fork_entry_with_status(entry, FORK_TOMBSTONED);
    HOLDS(tombstoned->status == FORK_TOMBSTONED && ulid_equal(&tombstoned->id, &entry->id));
    check_replacement(registry, entry, tombstoned);
    struct fork_entry *expiring = fork_entry_with_expiry(entry, &end);
    HOLDS(expiring->has_expiry && expiring->expires_at.tv_sec == end.tv_sec);
    check_replacement(registry, entry, expiring);
    check_replacement(registry, entry, fork_entry_with_expiry(entry, NULL));
    struct fork_entry *same = fork_entry_with_datasets(entry, entry->datasets);
    HOLDS(fork_entry_same_datasets(same, entry));
    check_replacement(registry, entry, same);
}

static void check_removal(struct registry *registry, struct fork_entry *entry)
{
    struct registry_edit *edit = registry_edit_new(registry);
    registry_edit_remove(edit, entry);
    auto_registry struct registry *without = registry_edit_finish(edit);
    check_others(registry, without, entry);
    edit = registry_edit_new(without);
    registry_edit_insert(edit, entry);
    auto_registry struct registry *back = registry_edit_finish(edit);
    HOLDS(bytes_equal(back->text, registry->text));
}

static void check_insertion(struct registry *registry)
{
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    const struct fork_description description = {
        .name = NEW_FORK, .id = fuzz_id, .parent_snapshot_id = "", .datasets = datasets};
    if (registry_find(registry, NEW_FORK))
        return;
    struct fork_entry *entry = fork_entry_new(&description);
    struct registry_edit *edit = registry_edit_new(registry);
    registry_edit_insert(edit, entry);
    auto_registry struct registry *with = registry_edit_finish(edit);
    fork_entry_unref(entry);
    check_others(registry, with, NULL);
    HOLDS(registry_find(with, NEW_FORK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    auto_registry struct registry *registry = NULL;
    struct error error = {0};
    int code = registry_parse(body, NULL, 0, NULL, &registry, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    if (code)
        return 0;
    check_text(registry);
    check_order(registry);
    check_insertion(registry);
    if (registry->entries->len == 0)
        return 0;
    struct fork_entry *entry = registry->entries->pdata[size % registry->entries->len];
    check_changes(registry, entry);
    check_removal(registry, entry);
    return 0;
}

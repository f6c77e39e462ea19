/*
 * Names of forks: as directory entries they are told apart, as keys of the registry they can be
 * read again, and shown they end no line.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/printable.h"
#include "catalog/registry/registry.h"
#include "fs/tree/entry_name.h"

/* The entry that a fork of this name would get can be found, by its name and as it appears. */
static void check_entry(const char *name)
{
    auto_registry struct registry *none = NULL;
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    char appears[ENTRY_NAME_SIZE];
    const struct fork_description description = {
        .name = name, .id = fuzz_id, .parent_snapshot_id = "", .datasets = datasets};
    HOLDS(registry_parse(NULL, NULL, 0, NULL, &none, NULL) == 0);
    struct fork_entry *entry = fork_entry_new(&description);
    struct registry_edit *edit = registry_edit_new(none);
    registry_edit_insert(edit, entry);
    auto_registry struct registry *registry = registry_edit_finish(edit);
    entry_name_of(entry, appears);
    HOLDS(fuzz_is_pretty(registry->text));
    HOLDS(registry_find(registry, name) == entry);
    HOLDS(entry_name_find(registry, appears) == entry);
    fork_entry_unref(entry);
}

static void check_encoding(const char *name)
{
    char encoded[ENTRY_NAME_SIZE];
    g_autofree char *decoded = NULL;
    entry_name_encode(name, encoded);
    HOLDS(encoded[0] && !strchr(encoded, '/'));
    HOLDS(strcmp(encoded, ".") != 0 && strcmp(encoded, "..") != 0);
    HOLDS(entry_name_decode(encoded, &decoded, NULL) == 0 && strcmp(decoded, name) == 0);
}

/* The name as an entry that somebody looks up. */
static void check_decoding(const char *entry)
{
    char encoded[ENTRY_NAME_SIZE];
    g_autofree char *name = NULL;
    struct error error = {0};
    int code = entry_name_decode(entry, &name, &error);
    HOLDS(error.code == code);
    HOLDS(code == 0 || code == ERR_INVALID || code == ERR_NAME_TOO_LONG);
    if (code)
        return;
    HOLDS(strlen(name) <= FORK_NAME_MAX);
    entry_name_encode(name, encoded);
    HOLDS(strcmp(encoded, entry) == 0);
}

static void check_printable(const char *text)
{
    g_autoptr(GString) line = g_string_new(NULL), field = g_string_new(NULL);
    printable_append(line, text);
    printable_append_field(field, text, " ");
    HOLDS(printable_is(line->str) && g_utf8_validate(line->str, -1, NULL));
    HOLDS(printable_is(field->str) && g_utf8_validate(field->str, -1, NULL));
    HOLDS(!strchr(field->str, ' '));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *name = fuzz_text(data, size);
    struct error error = {0};
    int code = fork_name_check(name, &error);
    HOLDS(error.code == code);
    HOLDS(code == 0 || code == ERR_INVALID || code == ERR_NAME_TOO_LONG);
    check_decoding(name);
    check_printable(name);
    if (code)
        return 0;
    HOLDS(printable_is(name) && strlen(name) <= FORK_NAME_MAX);
    check_encoding(name);
    check_entry(name);
    return 0;
}

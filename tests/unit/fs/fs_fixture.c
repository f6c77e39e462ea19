#include "unit/fs/fs_fixture.h"

#include <string.h>

#include "unit/unit.h"

struct ulid fixture_id(const char *text)
{
    struct ulid id;
    if (!ulid_parse(text, strlen(text), &id))
        fail_msg("%s is no ULID", text);
    return id;
}

static void append_fork(GString *text, const struct fixture_fork *fork)
{
    const char *quote = fork->parent ? "\"" : "";
    g_string_append_printf(text,
                           "\"%s\":{\"id\":\"%s\",\"name\":\"%s\",\"parent_fork_id\":%s%s%s,"
                           "\"parent_snapshot_id\":\"x\",\"created_at\":\"2026-08-01T12:34:56.5Z\","
                           "\"schema_version_at_creation\":1,\"datasets\":{\"edges\":\"e\"},"
                           "\"status\":\"%s\"}",
                           fork->key_source, fork->id, fork->key_source, quote,
                           fork->parent ? fork->parent : "null", quote, fork->status);
}

struct registry *fixture_registry(const struct fixture_fork *forks, size_t count)
{
    g_autoptr(GString) text = g_string_new("{\"forks\":{");
    for (size_t i = 0; i < count; i++) {
        g_string_append(text, i > 0 ? "," : "");
        append_fork(text, &forks[i]);
    }
    g_string_append(text, "}}");
    auto_bytes struct bytes *body = bytes_new_text(text->str);
    struct registry *registry = NULL;
    struct error err = {0};
    if (registry_parse(body, "1", INT64_C(1000000000) * 1000000000, NULL, &registry, &err))
        fail_msg("%s", err.text);
    return registry;
}

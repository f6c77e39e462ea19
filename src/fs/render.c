#include "fs/render.h"

#include <assert.h>
#include <stdio.h>

#include "base/json_text.h"

typedef void render_function(const struct render_sources *sources, const struct fork_entry *entry,
                             struct document *document);

#define NANOSECONDS INT64_C(1000000000)

struct timespec render_time(int64_t modified_ns, struct timespec unknown)
{
    if (modified_ns <= 0)
        return unknown;
    return (struct timespec){modified_ns / NANOSECONDS, modified_ns % NANOSECONDS};
}

static void render_registry(const struct render_sources *sources, const struct fork_entry *entry,
                            struct document *document)
{
    const struct registry *registry = sources->registry;
    document->body = bytes_ref(registry->text);
    document->newline = true;
    document->modified = render_time(registry->modified_ns, sources->mounted_at);
}

static void render_tombstones(const struct render_sources *sources, const struct fork_entry *entry,
                              struct document *document)
{
    document->body = catalog_tombstones(sources->catalog);
    document->newline = true;
    document->modified = render_time(sources->registry->modified_ns, sources->mounted_at);
}

static void render_errors(const struct render_sources *sources, const struct fork_entry *entry,
                          struct document *document)
{
    document->body = failures_render(sources->failures, &document->modified);
}

static void render_status(const struct render_sources *sources, const struct fork_entry *entry,
                          struct document *document)
{
    document->body = bytes_new_text(fork_status_name(entry->status));
    document->newline = true;
}

static void render_datasets(const struct render_sources *sources, const struct fork_entry *entry,
                            struct document *document)
{
    g_autoptr(GString) text = g_string_new("{");
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_string_append(text, i == 0 ? "\n  " : ",\n  ");
        json_append_string(text, pair->dataset);
        g_string_append(text, ": ");
        json_append_string(text, pair->branch);
    }
    g_string_append(text, entry->datasets->len > 0 ? "\n}\n" : "}\n");
    document->body = bytes_new(text->str, text->len);
}

static void render_info(const struct render_sources *sources, const struct fork_entry *entry,
                        struct document *document)
{
    document->body = fork_entry_document(entry);
    document->newline = true;
}

static void render_holders(const struct render_sources *sources, const struct fork_entry *entry,
                           struct document *document)
{
    document->body = holders_render(catalog_holders(sources->catalog), &entry->id);
}

/* An overlay of a fork that is not active cannot be opened, so it is not worth a request. */
static void render_overlay(const struct render_sources *sources, const struct fork_entry *entry,
                           struct document *document)
{
    int64_t modified_ns = 0;
    document->body = catalog_overlay_cached(sources->catalog, &entry->id, &modified_ns);
    document->newline = document->body != NULL;
    document->modified = render_time(modified_ns, document->modified);
    if (!document->body && entry->status != FORK_ACTIVE)
        document->body = bytes_new(NULL, 0);
}

static render_function *const functions[NODE_KINDS] = {
    [NODE_REGISTRY_JSON] = render_registry, [NODE_TOMBSTONES] = render_tombstones,
    [NODE_ERRORS] = render_errors,          [NODE_STATUS] = render_status,
    [NODE_DATASETS] = render_datasets,      [NODE_SCHEMA_JSON] = render_overlay,
    [NODE_INFO_JSON] = render_info,         [NODE_HOLDERS] = render_holders,
};

void render_file(enum node_kind kind, const struct render_sources *sources,
                 const struct fork_entry *entry, struct document *ret)
{
    assert(functions[kind]);
    ret->body = NULL;
    ret->newline = false;
    ret->modified = sources->mounted_at;
    if (entry && entry->changed_at.tv_sec > 0)
        ret->modified = entry->changed_at;
    functions[kind](sources, entry, ret);
}

int render_waiting(enum node_kind kind, const struct render_sources *sources,
                   const struct fork_entry *entry, struct operation *operation,
                   struct document *ret, struct error *err)
{
    render_file(kind, sources, entry, ret);
    if (ret->body)
        return 0;
    int code = catalog_overlay(sources->catalog, &entry->id, operation, &ret->body, err);
    if (code != 0)
        return code;
    int64_t modified_ns = 0;
    bytes_unref(catalog_overlay_cached(sources->catalog, &entry->id, &modified_ns));
    ret->newline = true;
    ret->modified = render_time(modified_ns, ret->modified);
    return 0;
}

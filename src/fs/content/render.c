#include "fs/content/render.h"

#include <assert.h>

#include "base/json_members.h"
#include "base/timestamp.h"
#include "fs/content/stats.h"
#include "fs/content/ttl.h"

typedef void render_function(const struct render_sources *sources, const struct tree_child *child,
                             struct document *document);

struct timespec render_time(int64_t modified_ns, struct timespec unknown)
{
    return modified_ns > 0 ? timespec_from_ns(modified_ns) : unknown;
}

static void render_registry(const struct render_sources *sources, const struct tree_child *child,
                            struct document *document)
{
    const struct registry *registry = sources->registry;
    document->body = bytes_ref(registry->text);
    document->newline = true;
    document->modified = render_time(registry->modified_ns, sources->mounted_at);
}

static void render_tombstones(const struct render_sources *sources, const struct tree_child *child,
                              struct document *document)
{
    document->body = catalog_tombstones(sources->catalog);
    document->newline = true;
    document->modified = render_time(sources->registry->modified_ns, sources->mounted_at);
}

static void render_errors(const struct render_sources *sources, const struct tree_child *child,
                          struct document *document)
{
    document->body = failures_render(sources->failures, &document->modified);
}

static void render_events(const struct render_sources *sources, const struct tree_child *child,
                          struct document *document)
{
    document->body = events_render(sources->events, &document->modified, NULL);
}

static void render_stats(const struct render_sources *sources, const struct tree_child *child,
                         struct document *document)
{
    document->body = stats_render(sources->catalog, sources->registry, sources->operations);
    document->modified = timestamp_now();
}

/* Each handle has answers of its own. */
static void render_batch(const struct render_sources *sources, const struct tree_child *child,
                         struct document *document)
{
    document->body = bytes_new(NULL, 0);
}

static void render_status(const struct render_sources *sources, const struct tree_child *child,
                          struct document *document)
{
    document->body = bytes_new_text(fork_status_name(child->entry->status));
    document->newline = true;
}

static void render_datasets(const struct render_sources *sources, const struct tree_child *child,
                            struct document *document)
{
    const GPtrArray *datasets = child->entry->datasets;
    auto_json struct json_object *object = json_object_new_object();
    for (guint i = 0; i < datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(datasets, i);
        json_object_object_add(object, pair->dataset, json_object_new_string(pair->branch));
    }
    document->body = json_value_render(object);
    document->newline = true;
}

static void render_info(const struct render_sources *sources, const struct tree_child *child,
                        struct document *document)
{
    document->body = fork_entry_document(child->entry);
    document->newline = true;
}

static void render_holders(const struct render_sources *sources, const struct tree_child *child,
                           struct document *document)
{
    document->body = holders_render(catalog_holders(sources->catalog), &child->entry->id);
}

static void show_overlay(const struct overlay *overlay, struct document *document)
{
    document->body = bytes_ref(overlay->text);
    document->newline = overlay->text->size > 0;
    document->modified = render_time(overlay->modified_ns, document->modified);
    document->version = g_strdup(overlay->version);
}

/* An overlay of a fork that is not active cannot be opened, so it is not worth a request. */
static void render_overlay(const struct render_sources *sources, const struct tree_child *child,
                           struct document *document)
{
    struct overlay *cached = NULL;
    if (!sources->overlay)
        cached = catalog_overlay_cached(sources->catalog, &child->entry->id);
    if (sources->overlay || cached)
        show_overlay(sources->overlay ? sources->overlay : cached, document);
    else if (child->entry->status != FORK_ACTIVE)
        document->body = bytes_new(NULL, 0);
    overlay_free(cached);
}

static void render_ttl(const struct render_sources *sources, const struct tree_child *child,
                       struct document *document)
{
    document->body = ttl_render(child->entry, timestamp_now());
}

static void render_versions(const struct render_sources *sources, const struct tree_child *child,
                            struct document *document)
{
    if (!child->tag)
        return;
    const GPtrArray *versions = child->tag->versions;
    auto_json struct json_object *object = json_object_new_object();
    for (guint i = 0; i < versions->len; i++) {
        const struct tag_version *pinned = g_ptr_array_index(versions, i);
        json_object_object_add(object, pinned->dataset, json_object_new_uint64(pinned->version));
    }
    document->body = json_value_render(object);
    document->newline = true;
}

static render_function *const functions[NODE_KINDS] = {
    [NODE_REGISTRY_JSON] = render_registry,
    [NODE_TOMBSTONES] = render_tombstones,
    [NODE_ERRORS] = render_errors,
    [NODE_STATUS] = render_status,
    [NODE_DATASETS] = render_datasets,
    [NODE_SCHEMA_JSON] = render_overlay,
    [NODE_INFO_JSON] = render_info,
    [NODE_HOLDERS] = render_holders,
    [NODE_TTL] = render_ttl,
    [NODE_VERSIONS] = render_versions,
    [NODE_BATCH] = render_batch,
    [NODE_EVENTS] = render_events,
    [NODE_STATS] = render_stats,
};

void render_file(const struct tree_child *child, const struct render_sources *sources,
                 struct document *ret)
{
    assert(functions[child->kind]);
    *ret = (struct document){.modified = sources->mounted_at};
    if (child->entry && child->entry->changed_at.tv_sec > 0)
        ret->modified = child->entry->changed_at;
    functions[child->kind](sources, child, ret);
}

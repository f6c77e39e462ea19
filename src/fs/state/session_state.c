#include "fs/state/session_state.h"

#include <string.h>

#include "fs/errno_map.h"

/* Only a kernel that is stuck takes so long. */
#define FLUSH_TIMEOUT_MS 1000

int view_open(struct view *view, fuse_req_t request, fuse_ino_t node_id, struct error *err)
{
    struct session *session = fuse_req_userdata(request);
    view->session = session;
    view->registry = catalog_registry(session->catalog);
    view->node = node_table_get(session->nodes, node_id);
    view->entry = NULL;
    view->tags = NULL;
    view->overlay = NULL;
    if (!view->node)
        return error_set(err, ERR_STALE, "the kernel asks for a node that it was never told of");
    view->entry = tree_entry(view->registry, view->node);
    if (view->node->has_fork && !view->entry)
        return error_set(err, ERR_STALE, "the fork %s does not exist any more",
                         view->node->fork_id.text);
    return 0;
}

void view_close(struct view *view)
{
    if (view->tags)
        g_ptr_array_unref(view->tags);
    registry_unref(view->registry);
    node_unref(view->node);
}

struct tree_place view_place(const struct view *view)
{
    return (struct tree_place){view->registry, view->node, view->entry, view->tags};
}

struct render_sources view_sources(const struct view *view)
{
    return (struct render_sources){
        .registry = view->registry,
        .catalog = view->session->catalog,
        .failures = view->session->failures,
        .events = view->session->events,
        .operations = view->session->operations,
        .mounted_at = view->session->attributes.mounted_at,
        .overlay = view->overlay,
    };
}

void reply_failure(fuse_req_t request, int code)
{
    fuse_reply_err(request, errno_of(code));
}

const char *counted_as(const char *operation, const struct node *node)
{
    if (!node || node->kind != NODE_TAGS)
        return operation;
    return strcmp(operation, "mkdir") == 0   ? "tag"
           : strcmp(operation, "rmdir") == 0 ? "untag"
                                             : operation;
}

void refuse(struct session *session, fuse_req_t request, const char *operation,
            const struct node *node, const char *name, const struct error *failure)
{
    g_autofree char *path = node ? node_path(node, name) : g_strdup(name ? name : "?");
    call_metrics_count(operation_counts_of(session->operations, counted_as(operation, node)),
                       failure->code);
    session_note_failure(session, operation, path, failure);
    reply_failure(request, failure->code);
}

void forget_attributes(struct session *session, const struct ulid *fork_id)
{
    g_autoptr(GPtrArray) nodes = node_table_of_fork(session->nodes, fork_id);
    for (guint i = 0; i < nodes->len; i++) {
        const struct node *node = g_ptr_array_index(nodes, i);
        if (node_rules(node->kind)->cached)
            notifier_attributes_changed(session->notifier, node->id);
    }
}

void wait_until_forgotten(struct session *session)
{
    notifier_flush(session->notifier, FLUSH_TIMEOUT_MS);
}

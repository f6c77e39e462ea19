/*
 * lookup, forget, readlink, statfs: from a name to a node, and the numbers of the whole.
 */
#include <string.h>

#include "fs/operations/call.h"
#include "fs/operations/entries.h"
#include "fs/operations/operations.h"
#include "fs/state/caller.h"

/* `df -i` shows this many when the number of forks is not limited. */
#define UNLIMITED_FORKS (UINT64_C(1) << 30)

static int find_child(const struct view *view, const char *name, struct tree_child *ret)
{
    const struct tree_place place = view_place(view);
    return tree_find(&place, name, ret) ? 0 : ERR_NOT_FOUND;
}

/* The kernel answers an mkdir of what it was shown by itself: EEXIST, which `mkdir -p` takes for
 * success. A fork that the mkdir is going to finish is not shown to it. */
static bool is_hidden(const struct call *call, const struct view *view,
                      const struct tree_child *child)
{
    enum node_kind kind = view->node->kind;
    return (kind == NODE_FORKS || kind == NODE_CHILDREN) && child->entry &&
           catalog_finishes_for_create(view->session->catalog, child->entry) &&
           caller_makes_directory(fuse_req_ctx(call->request)->pid, call->name);
}

static void lookup(struct call *call)
{
    auto_view struct view view = {0};
    auto_document struct document document = {0};
    struct tree_child child;
    int code = call_view(call, &view, NULL);
    if (code == 0 && call_fetches_tags(call, &view))
        return;
    if (code == 0)
        code = find_child(&view, call->name, &child);
    if (code == 0 && is_hidden(call, &view, &child))
        code = ERR_NOT_FOUND;
    if (code != 0)
        reply_failure(call->request, code);
    else if (call_renders(call, &view, &child, &document))
        entries_reply(&view, call->request, &child, &document);
}

void operation_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct call call = {
        .request = request, .node = parent, .run = lookup, .name = name, .looks_only = true};
    lookup(&call);
}

void operation_forget(fuse_req_t request, fuse_ino_t node, uint64_t lookups)
{
    struct session *session = fuse_req_userdata(request);
    node_table_forget(session->nodes, node, lookups);
    fuse_reply_none(request);
}

void operation_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    struct session *session = fuse_req_userdata(request);
    for (size_t i = 0; i < count; i++)
        node_table_forget(session->nodes, forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(request);
}

void operation_readlink(fuse_req_t request, fuse_ino_t node)
{
    auto_view struct view view = {0};
    g_autofree char *target = NULL;
    int code = view_open(&view, request, node, NULL);
    if (code == 0 && !S_ISLNK(node_rules(view.node->kind)->mode))
        code = ERR_INVALID;
    if (code == 0) {
        struct tree_child self;
        const struct tree_place place = view_place(&view);
        tree_self(&place, &self);
        target = tree_link_target(view.registry, &self);
        if (!target)
            code = ERR_STALE;
    }
    if (code == 0)
        fuse_reply_readlink(request, target);
    else
        reply_failure(request, code);
}

void operation_statfs(fuse_req_t request, fuse_ino_t node)
{
    struct session *session = fuse_req_userdata(request);
    auto_registry struct registry *registry = catalog_registry(session->catalog);
    struct statvfs status;
    memset(&status, 0, sizeof status);
    status.f_bsize = status.f_frsize = 4096;
    /* df hides a filesystem without blocks. */
    status.f_blocks = status.f_bfree = status.f_bavail = 1;
    uint64_t used = registry->entries->len;
    uint64_t limit = session->max_forks > 0 ? session->max_forks : UNLIMITED_FORKS;
    status.f_files = MAX(limit, used);
    status.f_ffree = status.f_favail = status.f_files - used;
    status.f_namemax = ENTRY_NAME_SIZE - 1;
    fuse_reply_statfs(request, &status);
}

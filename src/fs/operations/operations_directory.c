/*
 * opendir, readdir, readdirplus, releasedir: a directory is listed as it was when it was opened.
 */
#include <string.h>

#include "fs/operations/call.h"
#include "fs/operations/entries.h"
#include "fs/operations/operations.h"

/* A reply to readdir or readdirplus in the making. */
struct listing {
    const struct view *view;
    struct tree_place snapshot; /* what the handle lists */
    fuse_req_t request;
    bool plus; /* with attributes and nodes */
    char *buffer;
    size_t size;
    size_t used;
    GArray *entered; /* fuse_ino_t, nodes that the reply tells the kernel of */
};

void operation_opendir(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file)
{
    auto_view struct view view = {0};
    struct error err = {0};
    int code = view_open(&view, request, node, &err);
    if (code != 0) {
        refuse(fuse_req_userdata(request), request, "opendir", view.node, NULL, &err);
        return;
    }
    struct handles *handles = view.session->handles;
    struct handle *handle = handles_open_directory(handles, view.registry);
    file->fh = (uintptr_t)handle;
    if (fuse_reply_open(request, file) != 0)
        handles_close(handles, handle);
}

void operation_releasedir(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file)
{
    struct session *session = fuse_req_userdata(request);
    handles_close(session->handles, (struct handle *)(uintptr_t)file->fh);
    fuse_reply_err(request, 0);
}

void operation_fsyncdir(fuse_req_t request, fuse_ino_t node, int data_only,
                        struct fuse_file_info *file)
{
    /* What a listing shows is durable. */
    fuse_reply_err(request, 0);
}

static size_t entry_size(const struct listing *listing, const char *name)
{
    return listing->plus ? fuse_add_direntry_plus(listing->request, NULL, 0, name, NULL, 0)
                         : fuse_add_direntry(listing->request, NULL, 0, name, NULL, 0);
}

/* The entry has been seen to fit. */
static void append_entry(struct listing *listing, const char *name,
                         const struct fuse_entry_param *entry, off_t next)
{
    char *end = listing->buffer + listing->used;
    size_t room = listing->size - listing->used;
    listing->used += listing->plus
                         ? fuse_add_direntry_plus(listing->request, end, room, name, entry, next)
                         : fuse_add_direntry(listing->request, end, room, name, &entry->attr, next);
}

/* Number and type only: what a plain listing shows, and an entry that the kernel shall look up
 * itself. */
static void fill_type(struct fuse_entry_param *entry, const struct tree_child *child)
{
    memset(entry, 0, sizeof *entry);
    entry->attr.st_ino = attributes_inode(child);
    entry->attr.st_mode = node_rules(child->kind)->mode;
}

static void fill_child(struct listing *listing, const struct tree_child *child,
                       struct fuse_entry_param *entry)
{
    auto_document struct document document = {0};
    fill_type(entry, child);
    if (!listing->plus)
        return;
    if (node_kind_is_file(child->kind)) {
        struct render_sources sources = view_sources(listing->view);
        render_file(child, &sources, &document);
        if (!document.body)
            return;
    }
    entries_enter(listing->view, child, &document, entry);
    g_array_append_val(listing->entered, entry->ino);
}

/* "." and ".."; false when there is no room. */
static bool append_dots(struct listing *listing, off_t *offset)
{
    const struct view *view = listing->view;
    const struct node *nodes[] = {view->node, view->node->parent ? view->node->parent : view->node};
    for (; *offset < 2; (*offset)++) {
        const char *name = *offset == 0 ? "." : "..";
        struct tree_place place = view_place(view);
        struct tree_child self;
        struct fuse_entry_param entry;
        if (entry_size(listing, name) > listing->size - listing->used)
            return false;
        place.node = nodes[*offset];
        place.entry = tree_entry(view->registry, place.node);
        tree_self(&place, &self);
        fill_type(&entry, &self);
        append_entry(listing, name, &entry, *offset + 1);
    }
    return true;
}

/* Replaces a child of the snapshot by what it is now; false when it is gone. The kernel keeps what
 * a listing tells, so an old image must not bring a dropped fork back. */
static bool refresh_child(const struct listing *listing, struct tree_child *child)
{
    struct tree_child now;
    const struct tree_place place = view_place(listing->view);
    if (listing->snapshot.registry == place.registry && listing->snapshot.tags == place.tags)
        return true;
    if (child->kind == NODE_TAG && !place.tags)
        return true; /* the kernel asks again anyway before it uses a tag */
    if (!tree_find(&place, child->name, &now))
        return false;
    *child = now;
    return true;
}

static void fill_listing(struct listing *listing, off_t offset)
{
    if (!append_dots(listing, &offset))
        return;
    struct tree_child child;
    size_t position = (size_t)offset - 2;
    while ((position = tree_next(&listing->snapshot, position, &child))) {
        struct fuse_entry_param entry;
        if (!refresh_child(listing, &child))
            continue;
        if (entry_size(listing, child.name) > listing->size - listing->used)
            return;
        fill_child(listing, &child, &entry);
        append_entry(listing, child.name, &entry, (off_t)position + 2);
    }
}

static void reply_listing(struct listing *listing)
{
    struct node_table *nodes = listing->view->session->nodes;
    if (fuse_reply_buf(listing->request, listing->buffer, listing->used) == 0)
        return;
    for (guint i = 0; i < listing->entered->len; i++)
        node_table_forget(nodes, g_array_index(listing->entered, fuse_ino_t, i), 1);
}

static void fill_and_reply(const struct call *call, const struct view *view)
{
    struct handle *handle = (struct handle *)(uintptr_t)call->file->fh;
    g_autoptr(GPtrArray) tags = NULL;
    auto_registry struct registry *snapshot =
        handle_snapshot(handle, view->registry, view->tags, call->offset == 0, &tags);
    g_autofree char *buffer = g_malloc(call->size);
    g_autoptr(GArray) entered = g_array_new(FALSE, FALSE, sizeof(fuse_ino_t));
    struct listing listing = {
        .view = view,
        /* The fork may have other children in the snapshot, but it is the same. */
        .snapshot = {snapshot, view->node, view->entry, tags},
        .request = call->request,
        .plus = call->plus,
        .buffer = buffer,
        .size = call->size,
        .entered = entered,
    };
    fill_listing(&listing, call->offset);
    reply_listing(&listing);
}

static void list_directory(struct call *call)
{
    auto_view struct view view = {0};
    int code = call_view(call, &view, NULL);
    if (code != 0)
        reply_failure(call->request, code);
    else if (call->offset > 0 || !call_fetches_tags(call, &view))
        fill_and_reply(call, &view);
}

static void start_listing(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                          struct fuse_file_info *file, bool plus)
{
    struct call call = {.request = request,
                        .node = node,
                        .run = list_directory,
                        .file = file,
                        .size = size,
                        .offset = offset,
                        .plus = plus};
    list_directory(&call);
}

void operation_readdir(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                       struct fuse_file_info *file)
{
    start_listing(request, node, size, offset, file, false);
}

void operation_readdirplus(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                           struct fuse_file_info *file)
{
    start_listing(request, node, size, offset, file, true);
}

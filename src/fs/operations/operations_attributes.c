/*
 * getattr and setattr: mode, owner, times, size; of these only the size of what is written
 * changes.
 */
#include "fs/operations/call.h"
#include "fs/operations/entries.h"
#include "fs/operations/operations.h"
#include "fs/state/caller.h"

/* NULL: the request is about a path. */
static struct handle *handle_of(const struct call *call)
{
    return call->file ? (struct handle *)(uintptr_t)call->file->fh : NULL;
}

static struct write_buffer *buffer_of(const struct call *call)
{
    const struct handle *handle = handle_of(call);
    return handle ? handle->buffer : NULL;
}

/* Through a handle, a file is as long as what can be read from it: what was rendered when it was
 * opened, or what it has written. That is not for others who look at the file. */
static void reply_attributes(const struct call *call, const struct view *view,
                             const struct tree_child *self, const struct document *document)
{
    struct stat attributes;
    double timeout = entries_attribute_timeout(self->kind);
    entries_attributes(view, self, document, &attributes);
    struct write_buffer *buffer = buffer_of(call);
    if (buffer)
        attributes_set_size(&attributes, write_buffer_size(buffer));
    if (handle_of(call))
        timeout = 0;
    fuse_reply_attr(call->request, &attributes, timeout);
}

static void reply_no_attributes(const struct call *call, int code)
{
    struct session *session = fuse_req_userdata(call->request);
    struct stat attributes;
    if (handles_find_attributes(session->handles, call->node, &attributes))
        fuse_reply_attr(call->request, &attributes, 0); /* fstat of a file of a fork that is gone */
    else
        reply_failure(call->request, code);
}

/* The contents that the size is about. False: as call_renders(). */
static bool find_document(const struct call *call, const struct view *view,
                          const struct tree_child *self, struct document *ret)
{
    struct handle *handle = handle_of(call);
    if (!handle)
        return call_renders(call, view, self, ret);
    *ret = handle_document(handle);
    return true;
}

/* Looking at `stats` changes it. fstat() is told apart from stat() by the process only: the kernel
 * does not say which handle it is about. So a process that has the file open sees the length of
 * what it reads. */
static bool reply_as_opened(const struct call *call, const struct view *view)
{
    struct stat attributes;
    if (view->node->kind != NODE_STATS)
        return false;
    struct caller caller = caller_of_thread(fuse_req_ctx(call->request)->pid);
    if (!handles_find_own_attributes(view->session->handles, call->node, caller.process,
                                     &attributes))
        return false;
    fuse_reply_attr(call->request, &attributes, 0);
    return true;
}

static void get_attributes(struct call *call)
{
    auto_view struct view view = {0};
    auto_document struct document document = {0};
    struct tree_child self;
    int code = call_view(call, &view, NULL);
    if (code != 0) {
        reply_no_attributes(call, code);
        return;
    }
    /* The attributes of tags/ itself do not depend on what is in it. */
    if (view.node->kind != NODE_TAGS && call_fetches_tags(call, &view))
        return;
    if (reply_as_opened(call, &view))
        return;
    const struct tree_place place = view_place(&view);
    tree_self(&place, &self);
    if (find_document(call, &view, &self, &document))
        reply_attributes(call, &view, &self, &document);
}

void operation_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file)
{
    struct call call = {
        .request = request, .node = node, .run = get_attributes, .file = file, .looks_only = true};
    get_attributes(&call);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool changes_attributes(const struct stat *now, const struct stat *wanted, int what)
{
    return (what & FUSE_SET_ATTR_MODE && (wanted->st_mode ^ now->st_mode) & 07777) ||
           (what & FUSE_SET_ATTR_UID && wanted->st_uid != now->st_uid) ||
           (what & FUSE_SET_ATTR_GID && wanted->st_gid != now->st_gid) ||
           (what & FUSE_SET_ATTR_SIZE && wanted->st_size != now->st_size) ||
           (what & (FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW)) ||
           (what & FUSE_SET_ATTR_ATIME && !same_time(wanted->st_atim, now->st_atim)) ||
           (what & FUSE_SET_ATTR_MTIME && !same_time(wanted->st_mtim, now->st_mtim));
}

/* Only the size of what a handle writes can change. */
static int change_attributes(const struct call *call, const struct view *view,
                             const struct stat *now, struct error *err)
{
    struct write_buffer *buffer = buffer_of(call);
    int what = call->what;
    if (buffer && what & FUSE_SET_ATTR_SIZE) {
        int code = write_buffer_resize(buffer, call->wanted->st_size, err);
        if (code != 0)
            return code;
        what &= ~FUSE_SET_ATTR_SIZE;
    }
    if (!changes_attributes(now, call->wanted, what))
        return 0;
    if (view->session->read_only)
        return error_set(err, ERR_READ_ONLY, "the mount is read-only");
    return error_set(err, ERR_NOT_PERMITTED, "owner, mode, size and times cannot be changed");
}

static void set_attributes(struct call *call)
{
    auto_view struct view view = {0};
    auto_document struct document document = {0};
    struct tree_child self;
    struct stat now;
    struct error err = {0};
    int code = call_view(call, &view, &err);
    if (code == 0 && call_fetches_tags(call, &view))
        return;
    if (code == 0) {
        const struct tree_place place = view_place(&view);
        tree_self(&place, &self);
        if (!find_document(call, &view, &self, &document))
            return;
        entries_attributes(&view, &self, &document, &now);
        code = change_attributes(call, &view, &now, &err);
    }
    if (code == 0)
        reply_attributes(call, &view, &self, &document);
    else
        refuse(view.session, call->request, "setattr", view.node, NULL, &err);
}

void operation_setattr(fuse_req_t request, fuse_ino_t node, struct stat *wanted, int what,
                       struct fuse_file_info *file)
{
    struct call call = {.request = request,
                        .node = node,
                        .run = set_attributes,
                        .file = file,
                        .wanted = wanted,
                        .what = what};
    set_attributes(&call);
}

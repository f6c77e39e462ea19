/*
 * open, read, release: what a handle shows was rendered when it was opened.
 */
#include <fcntl.h>

#include "base/timestamp.h"
#include "fs/operations/call.h"
#include "fs/operations/entries.h"
#include "fs/operations/operations.h"
#include "fs/operations/operations_batch.h"
#include "fs/state/caller.h"

static bool wants_to_write(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

static int check_flags(const struct view *view, int flags, struct error *err)
{
    if (!wants_to_write(flags))
        return 0;
    if (view->session->read_only)
        return error_set(err, ERR_READ_ONLY, "the mount is read-only");
    if (!attributes_let_write(&view->session->attributes, view->node->kind))
        return error_set(err, ERR_ACCESS, "this file cannot be written");
    return 0;
}

static int hold_fork(const struct view *view, struct call *call, struct error *err)
{
    enum hold_rule rule = node_rules(view->node->kind)->hold;
    /* The status of any fork can be written: the mark of one that was half dropped is wanted, too.
     */
    bool must_hold = rule == HOLD_ALWAYS ||
                     (wants_to_write(call->file->flags) && view->node->kind != NODE_STATUS);
    if (call->hold || rule == HOLD_NEVER)
        return 0;
    struct caller caller = caller_of_thread(fuse_req_ctx(call->request)->pid);
    return catalog_hold(view->session->catalog, &view->entry->id, must_hold, caller.process,
                        caller.command, &call->hold, err);
}

/* What the handles of some files keep besides. */
static void equip_handle(const struct view *view, struct handle *handle, int flags)
{
    if (view->node->kind == NODE_BATCH) {
        handle->batch = batch_new(view->session->write_budget);
        handle->reads_answers = (flags & O_ACCMODE) != O_WRONLY;
    }
    handle->shows_events = view->node->kind == NODE_EVENTS;
    if (handle->shows_events)
        handle_render_events(handle, view->session->events);
}

/* Failures are counted where they are noted, see refuse(). */
static void count_open(struct session *session, const struct call *call)
{
    struct call_metrics *metrics = operation_counts_of(session->operations, "open");
    call_metrics_count(metrics, 0);
    call_metrics_time(metrics, monotonic_now_ns() - call->started_ns);
}

static void refuse_open(const struct call *call, const struct node *node, const struct error *err)
{
    struct session *session = fuse_req_userdata(call->request);
    if (call->hold)
        holders_release(catalog_holders(session->catalog), call->hold);
    refuse(session, call->request, "open", node, NULL, err);
}

/* Replies to an open. Takes over document and hold. */
static void reply_open(const struct view *view, struct call *call, const struct tree_child *self,
                       struct document *document)
{
    struct handles *handles = view->session->handles;
    struct fuse_file_info *file = call->file;
    struct write_buffer *buffer = NULL;
    struct stat attributes;
    struct error err;
    if (wants_to_write(file->flags) && view->node->kind != NODE_BATCH &&
        write_buffer_new(document, file->flags & O_TRUNC, view->session->write_budget, &buffer,
                         &err) != 0) {
        refuse_open(call, view->node, &err);
        return;
    }
    entries_attributes(view, self, document, &attributes);
    pid_t process = 0;
    if (view->node->kind == NODE_STATS) /* fstat wants to know, see operations_attributes.c */
        process = caller_of_thread(fuse_req_ctx(call->request)->pid).process;
    struct handle *handle = handles_open_file(handles, view->node->id, &attributes, process,
                                              document, buffer, call->hold);
    equip_handle(view, handle, file->flags);
    file->fh = (uintptr_t)handle;
    /* The page cache belongs to the file and would mix the contents of its handles. */
    file->direct_io = 1;
    file->noflush = !buffer && !handle->batch;
    count_open(view->session, call);
    if (fuse_reply_open(call->request, file) != 0)
        handles_close(handles, handle);
}

static void open_file(struct call *call)
{
    auto_view struct view view = {0};
    auto_document struct document document = {0};
    struct tree_child self;
    struct error err = {0};
    int code = call_view(call, &view, &err);
    if (code == 0 && call_fetches_tags(call, &view))
        return;
    if (code == 0)
        code = check_flags(&view, call->file->flags, &err);
    if (code == 0)
        code = hold_fork(&view, call, &err);
    if (code != 0) {
        refuse_open(call, view.node, &err);
        return;
    }
    const struct tree_place place = view_place(&view);
    tree_self(&place, &self);
    if (call_renders(call, &view, &self, &document))
        reply_open(&view, call, &self, &document);
}

void operation_open(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file)
{
    struct call call = {.request = request,
                        .node = node,
                        .run = open_file,
                        .file = file,
                        .started_ns = monotonic_now_ns()};
    open_file(&call);
}

static void read_document(fuse_req_t request, struct handle *handle, size_t size, off_t offset)
{
    auto_document struct document owned = handle_document(handle);
    const struct document *document = &owned;
    size_t total = document_size(document);
    size_t start = MIN((size_t)offset, total);
    size_t end = start + MIN(size, total - start);
    size_t body_end = MIN(end, document->body->size);
    struct iovec parts[2] = {{NULL, 0}, {NULL, 0}};
    int count = 0;
    if (body_end > start)
        parts[count++] = (struct iovec){document->body->data + start, body_end - start};
    if (end > document->body->size && end > start)
        parts[count++] = (struct iovec){(char *)"\n", 1};
    fuse_reply_iov(request, parts, count);
}

void operation_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info *file)
{
    const struct session *session = fuse_req_userdata(request);
    struct handle *handle = (struct handle *)(uintptr_t)file->fh;
    if (handle->batch) {
        batch_answer_read(request, handle, size);
        return;
    }
    if (!handle->buffer) {
        if (handle->shows_events && offset == 0)
            handle_render_events(handle, session->events);
        read_document(request, handle, size, offset);
        return;
    }
    auto_bytes struct bytes *text = write_buffer_read(handle->buffer, size, offset);
    fuse_reply_buf(request, text->data, text->size);
}

void operation_release(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file)
{
    struct session *session = fuse_req_userdata(request);
    struct handle *handle = (struct handle *)(uintptr_t)file->fh;
    pollers_remove(session->pollers, handle);
    handles_close(session->handles, handle);
    fuse_reply_err(request, 0);
}

#include <fcntl.h>

#include "fs/caller.h"
#include "fs/entries.h"
#include "fs/operations.h"
#include "fs/overlay_job.h"

static int check_flags(const struct view *view, int flags, struct error *err)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
    if (!writes)
        return 0;
    if (view->session->read_only)
        return error_set(err, ERR_READ_ONLY, "the mount is read-only");
    return error_set(err, ERR_ACCESS, "this file cannot be written");
}

static bool fork_exists(const struct view *view)
{
    auto_registry struct registry *registry = catalog_registry(view->session->catalog);
    return tree_entry(registry, view->node) != NULL;
}

static int hold_fork(const struct view *view, fuse_req_t request, struct hold **ret,
                     struct error *err)
{
    enum hold_rule rule = node_rules(view->node->kind)->hold;
    if (rule == HOLD_NEVER)
        return 0;
    struct caller caller = caller_of_thread(fuse_req_ctx(request)->pid);
    int code = catalog_hold(view->session->catalog, &view->entry->id, rule == HOLD_ALWAYS,
                            caller.process, caller.command, ret, err);
    /* Between closing the door and showing the fork as tombstoned: it is as good as tombstoned. */
    if (code == ERR_STALE && rule == HOLD_WHEN_ACTIVE && fork_exists(view))
        code = 0;
    return code;
}

/* Takes over document and hold. */
static void reply_open(const struct view *view, fuse_req_t request, struct fuse_file_info *file,
                       struct document *document, struct hold *hold)
{
    struct handles *handles = view->session->handles;
    struct stat attributes;
    entries_attributes(view, view->node->kind, view->entry, document, &attributes);
    struct handle *handle = handles_open_file(handles, view->node->id, &attributes, document, hold);
    file->fh = (uintptr_t)handle;
    /* The page cache belongs to the file and would mix the contents of its handles. */
    file->direct_io = 1;
    file->noflush = 1;
    if (fuse_reply_open(request, file) != 0)
        handles_close(handles, handle);
}

static void refuse_open(struct session *session, fuse_req_t request, const struct node *node,
                        struct hold *hold, const struct error *err)
{
    if (hold)
        holders_release(catalog_holders(session->catalog), hold);
    refuse(session, request, "open", node, NULL, err);
}

static void answer_open(struct overlay_job *overlay)
{
    struct job *job = &overlay->job;
    auto_view struct view view = {0};
    if (job->code == 0)
        job->code = view_open(&view, job->request, overlay->node->id, &job->error);
    if (job->code == 0)
        reply_open(&view, job->request, &overlay->file, &overlay->document, overlay->hold);
    else
        refuse_open(job->session, job->request, overlay->node, overlay->hold, &job->error);
}

void operation_open(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file)
{
    auto_view struct view view = {0};
    auto_document struct document document = {0};
    struct hold *hold = NULL;
    struct error err = {0};
    int code = view_open(&view, request, node, &err);
    if (code == 0)
        code = check_flags(&view, file->flags, &err);
    if (code == 0)
        code = hold_fork(&view, request, &hold, &err);
    if (code != 0) {
        refuse_open(fuse_req_userdata(request), request, view.node, hold, &err);
        return;
    }
    struct render_sources sources = view_sources(&view);
    render_file(view.node->kind, &sources, view.entry, &document);
    if (document.body)
        reply_open(&view, request, file, &document, hold);
    else
        overlay_job_start(&view, request, view.node->kind, hold, file, answer_open);
}

void operation_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info *file)
{
    const struct handle *handle = (struct handle *)(uintptr_t)file->fh;
    size_t total = document_size(&handle->document);
    /* The handle can be released by another thread as soon as the reply is out. */
    auto_bytes struct bytes *body = bytes_ref(handle->document.body);
    size_t start = MIN((size_t)offset, total);
    size_t end = start + MIN(size, total - start);
    size_t body_end = MIN(end, body->size);
    struct iovec parts[2] = {{NULL, 0}, {NULL, 0}};
    int count = 0;
    if (body_end > start)
        parts[count++] = (struct iovec){body->data + start, body_end - start};
    if (end > body->size && end > start)
        parts[count++] = (struct iovec){(char *)"\n", 1};
    fuse_reply_iov(request, parts, count);
}

void operation_flush(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file)
{
    /* Kernels before 5.16 do not know `noflush`; ENOSYS would stop flushes for the whole mount. */
    fuse_reply_err(request, 0);
}

void operation_fsync(fuse_req_t request, fuse_ino_t node, int data_only,
                     struct fuse_file_info *file)
{
    /* What a file shows is durable. */
    fuse_reply_err(request, 0);
}

void operation_release(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file)
{
    struct session *session = fuse_req_userdata(request);
    handles_close(session->handles, (struct handle *)(uintptr_t)file->fh);
    fuse_reply_err(request, 0);
}

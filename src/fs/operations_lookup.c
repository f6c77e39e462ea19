#include <string.h>

#include "fs/entries.h"
#include "fs/operations.h"
#include "fs/overlay_job.h"

/* `df -i` shows this many when the number of forks is not limited. */
#define UNLIMITED_FORKS (UINT64_C(1) << 30)

static int find_child(const struct view *view, const char *name, struct tree_child *ret)
{
    return tree_find(view->registry, view->node->kind, view->entry, name, ret) ? 0 : ERR_NOT_FOUND;
}

static void answer_lookup(struct overlay_job *job)
{
    auto_view struct view view = {0};
    struct tree_child child;
    int code = overlay_job_tolerate(job, "lookup");
    if (code == 0)
        code = view_open(&view, job->job.request, job->node->id, NULL);
    if (code == 0)
        code = find_child(&view, node_rules(job->kind)->name, &child);
    if (code == 0)
        entries_reply(&view, job->job.request, &child, &job->document);
    else
        reply_failure(job->job.request, code);
}

void operation_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    auto_view struct view view = {0};
    auto_document struct document document = {0};
    struct tree_child child;
    int code = view_open(&view, request, parent, NULL);
    if (code == 0)
        code = find_child(&view, name, &child);
    if (code != 0) {
        reply_failure(request, code);
        return;
    }
    if (node_kind_is_file(child.kind)) {
        struct render_sources sources = view_sources(&view);
        render_file(child.kind, &sources, child.entry, &document);
        if (!document.body) {
            overlay_job_start(&view, request, child.kind, NULL, NULL, answer_lookup);
            return;
        }
    }
    entries_reply(&view, request, &child, &document);
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

static void reply_attributes(const struct view *view, fuse_req_t request,
                             const struct document *document)
{
    struct stat attributes;
    entries_attributes(view, view->node->kind, view->entry, document, &attributes);
    fuse_reply_attr(request, &attributes, entries_attribute_timeout(view->node->kind));
}

static void answer_attributes(struct overlay_job *job)
{
    auto_view struct view view = {0};
    int code = overlay_job_tolerate(job, "getattr");
    if (code == 0)
        code = view_open(&view, job->job.request, job->node->id, NULL);
    if (code == 0)
        reply_attributes(&view, job->job.request, &job->document);
    else
        reply_failure(job->job.request, code);
}

/* Replies at once or, when the contents have to be fetched, later. */
static void send_attributes(const struct view *view, fuse_req_t request)
{
    auto_document struct document document = {0};
    if (node_kind_is_file(view->node->kind)) {
        struct render_sources sources = view_sources(view);
        render_file(view->node->kind, &sources, view->entry, &document);
        if (!document.body) {
            overlay_job_start(view, request, view->node->kind, NULL, NULL, answer_attributes);
            return;
        }
    }
    reply_attributes(view, request, &document);
}

void operation_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file)
{
    auto_view struct view view = {0};
    struct stat attributes;
    int code = view_open(&view, request, node, NULL);
    if (code == 0)
        send_attributes(&view, request);
    else if (handles_find_attributes(view.session->handles, node, &attributes))
        fuse_reply_attr(request, &attributes, 0); /* fstat of a file of a fork that is gone */
    else
        reply_failure(request, code);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool changes_attributes(const struct view *view, const struct stat *wanted, int what)
{
    auto_document struct document document = {0};
    if (node_kind_is_file(view->node->kind)) {
        struct render_sources sources = view_sources(view);
        render_file(view->node->kind, &sources, view->entry, &document);
    }
    struct stat now;
    entries_attributes(view, view->node->kind, view->entry, &document, &now);
    return (what & FUSE_SET_ATTR_MODE && (wanted->st_mode ^ now.st_mode) & 07777) ||
           (what & FUSE_SET_ATTR_UID && wanted->st_uid != now.st_uid) ||
           (what & FUSE_SET_ATTR_GID && wanted->st_gid != now.st_gid) ||
           (what & FUSE_SET_ATTR_SIZE && wanted->st_size != now.st_size) ||
           (what & (FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW)) ||
           (what & FUSE_SET_ATTR_ATIME && !same_time(wanted->st_atim, now.st_atim)) ||
           (what & FUSE_SET_ATTR_MTIME && !same_time(wanted->st_mtim, now.st_mtim));
}

void operation_setattr(fuse_req_t request, fuse_ino_t node, struct stat *wanted, int what,
                       struct fuse_file_info *file)
{
    auto_view struct view view = {0};
    struct error err = {0};
    int code = view_open(&view, request, node, &err);
    if (code == 0 && changes_attributes(&view, wanted, what))
        code = view.session->read_only ? error_set(&err, ERR_READ_ONLY, "the mount is read-only")
                                       : error_set(&err, ERR_NOT_PERMITTED,
                                                   "owner, mode, size and times cannot be changed");
    if (code == 0)
        send_attributes(&view, request);
    else
        refuse(view.session, request, "setattr", view.node, NULL, &err);
}

void operation_readlink(fuse_req_t request, fuse_ino_t node)
{
    auto_view struct view view = {0};
    int code = view_open(&view, request, node, NULL);
    if (code == 0 && !S_ISLNK(node_rules(view.node->kind)->mode))
        code = ERR_INVALID;
    if (code != 0) {
        reply_failure(request, code);
        return;
    }
    g_autofree char *target = tree_link_target(view.node->kind, view.entry);
    fuse_reply_readlink(request, target);
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
    status.f_files = UNLIMITED_FORKS;
    status.f_ffree = status.f_favail = UNLIMITED_FORKS - registry->entries->len;
    status.f_namemax = ENTRY_NAME_SIZE - 1;
    fuse_reply_statfs(request, &status);
}

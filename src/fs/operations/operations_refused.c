/*
 * What is refused, and why the kernel is told so: unlink, create, mknod, symlink, link, rename,
 * ioctl.
 */
#include <linux/fs.h>

#include "fs/operations/operations.h"
#include "fs/state/session_state.h"

#define RENAME_FLAGS (RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)

/* Answers a change that the mount never makes. */
static void refuse_change(fuse_req_t request, const char *operation, fuse_ino_t parent,
                          const char *name, const char *reason)
{
    auto_view struct view view = {0};
    struct error err = {0};
    struct session *session = fuse_req_userdata(request);
    if (view_open(&view, request, parent, &err) == 0) {
        if (session->read_only)
            error_set(&err, ERR_READ_ONLY, "the mount is read-only");
        else
            error_set(&err, ERR_NOT_PERMITTED, "%s", reason);
    }
    refuse(session, request, operation, view.node, name, &err);
}

void operation_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct session *session = fuse_req_userdata(request);
    auto_node struct node *directory = node_table_get(session->nodes, parent);
    if (directory)
        delete_guard_file_refused(session->delete_guard, fuse_req_ctx(request)->pid, directory);
    refuse_change(request, "unlink", parent, name, "the files of the mount cannot be deleted");
}

void operation_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *file)
{
    refuse_change(request, "create", parent, name, "files cannot be made here");
}

void operation_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                     dev_t device)
{
    refuse_change(request, "mknod", parent, name, "files cannot be made here");
}

void operation_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
    refuse_change(request, "symlink", parent, name, "links cannot be made here");
}

void operation_link(fuse_req_t request, fuse_ino_t node, fuse_ino_t new_parent,
                    const char *new_name)
{
    refuse_change(request, "link", new_parent, new_name, "links cannot be made here");
}

void operation_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
                      fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
    struct error err = {0};
    if (!(flags & ~RENAME_FLAGS)) {
        refuse_change(request, "rename", parent, name, "a fork keeps its name");
        return;
    }
    auto_view struct view view = {0};
    if (view_open(&view, request, parent, &err) == 0)
        error_set(&err, ERR_INVALID, "unknown flags 0x%x", flags);
    refuse(fuse_req_userdata(request), request, "rename", view.node, name, &err);
}

void operation_ioctl(fuse_req_t request, fuse_ino_t node, unsigned command, void *argument,
                     struct fuse_file_info *file, unsigned flags, const void *in, size_t in_size,
                     size_t out_size)
{
    /* Programs ask this way whether a file is a terminal: no failure that anybody has to read of.
     */
    fuse_reply_err(request, ENOTTY);
}

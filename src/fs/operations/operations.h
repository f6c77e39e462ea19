/*
 * The handlers of FUSE requests, split by what they are about. Each fetches the node, calls the
 * catalog, and replies; the rules are in the modules below.
 *
 * They run on libfuse's threads and answer from memory, but for mkdir, rmdir, commits, and whatever
 * needs an overlay or tags that were not read yet: these reply from the worker pool (job.h,
 * call.h).
 */
#ifndef FORKFS_FS_OPERATIONS_OPERATIONS_H
#define FORKFS_FS_OPERATIONS_OPERATIONS_H

#include "fs/fuse.h"

/* All handlers together. What is missing on purpose is answered ENOSYS by libfuse, which the kernel
 * turns into the fitting errno (xattr, fallocate, copy_file_range: EOPNOTSUPP) or into its own
 * generic implementation (lseek, locks) without ever asking again. */
const struct fuse_lowlevel_ops *operations_table(void);

/* operations_lookup.c: nodes */
void operation_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void operation_forget(fuse_req_t request, fuse_ino_t node, uint64_t lookups);
void operation_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets);
void operation_readlink(fuse_req_t request, fuse_ino_t node);
void operation_statfs(fuse_req_t request, fuse_ino_t node);

/* operations_attributes.c: what stat shows */
void operation_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file);
void operation_setattr(fuse_req_t request, fuse_ino_t node, struct stat *wanted, int what,
                       struct fuse_file_info *file);

/* operations_directory.c: listings */
void operation_opendir(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file);
void operation_readdir(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                       struct fuse_file_info *file);
void operation_readdirplus(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                           struct fuse_file_info *file);
void operation_releasedir(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file);
void operation_fsyncdir(fuse_req_t request, fuse_ino_t node, int data_only,
                        struct fuse_file_info *file);

/* operations_file.c: open files */
void operation_open(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file);
void operation_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info *file);
void operation_release(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file);

/* operations_events.c: waiting for news */
void operation_poll(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file,
                    struct fuse_pollhandle *poll);

/* operations_write.c: documents written, and committed by flush and fsync */
void operation_write(fuse_req_t request, fuse_ino_t node, const char *data, size_t size,
                     off_t offset, struct fuse_file_info *file);
void operation_flush(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file);
void operation_fsync(fuse_req_t request, fuse_ino_t node, int data_only,
                     struct fuse_file_info *file);

/* operations_change.c: forks and tags made and removed */
void operation_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode);
void operation_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);

/* operations_refused.c: what the mount does not do */
void operation_unlink(fuse_req_t request, fuse_ino_t parent, const char *name);
void operation_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *file);
void operation_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                     dev_t device);
void operation_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name);
void operation_link(fuse_req_t request, fuse_ino_t node, fuse_ino_t new_parent,
                    const char *new_name);
void operation_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
                      fuse_ino_t new_parent, const char *new_name, unsigned flags);
void operation_ioctl(fuse_req_t request, fuse_ino_t node, unsigned command, void *argument,
                     struct fuse_file_info *file, unsigned flags, const void *in, size_t in_size,
                     size_t out_size);

#endif

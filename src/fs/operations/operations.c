#include "fs/operations/operations.h"

static const struct fuse_lowlevel_ops table = {
    .lookup = operation_lookup,
    .forget = operation_forget,
    .forget_multi = operation_forget_multi,
    .getattr = operation_getattr,
    .setattr = operation_setattr,
    .readlink = operation_readlink,
    .statfs = operation_statfs,
    .opendir = operation_opendir,
    .readdir = operation_readdir,
    .readdirplus = operation_readdirplus,
    .releasedir = operation_releasedir,
    .fsyncdir = operation_fsyncdir,
    .open = operation_open,
    .read = operation_read,
    .poll = operation_poll,
    .write = operation_write,
    .flush = operation_flush,
    .fsync = operation_fsync,
    .release = operation_release,
    .mkdir = operation_mkdir,
    .rmdir = operation_rmdir,
    .unlink = operation_unlink,
    .create = operation_create,
    .mknod = operation_mknod,
    .symlink = operation_symlink,
    .link = operation_link,
    .rename = operation_rename,
    .ioctl = operation_ioctl,
};

const struct fuse_lowlevel_ops *operations_table(void)
{
    return &table;
}

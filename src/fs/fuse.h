/*
 * The one place that selects libfuse's interface version.
 */
#ifndef FORKFS_FS_FUSE_H
#define FORKFS_FS_FUSE_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#endif

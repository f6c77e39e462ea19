/*
 * The options with which libfuse mounts.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_FS_MOUNT_OPTIONS_H
#define FORKFS_FS_MOUNT_OPTIONS_H

#include <stdbool.h>

struct mount_options {
    const char *source;
    const char *further; /* comma-separated, taken as they are; or NULL */
    bool read_only;
    bool allow_other;
    bool debug;
};

/* The argument of -o, g_free(). Commas and backslashes of the source are escaped. */
char *mount_options_text(const struct mount_options *options);

#endif

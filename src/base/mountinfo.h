/*
 * The mounts that this process sees, as /proc/self/mountinfo (proc(5)) has them. Reading it asks no
 * file system anything, so it does not wait for one that hangs.
 *
 * No state; thread-safe.
 */
#ifndef FORKFS_BASE_MOUNTINFO_H
#define FORKFS_BASE_MOUNTINFO_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct mount_entry {
    uint64_t id;    /* of the mount, while it lasts; then another gets it */
    char *device;   /* "0:44", of the file system, while it is in use; as that */
    char *path;     /* where it is now, also after a directory above it was renamed */
    char *type;     /* "ext4", "fuse.forkfs" */
    char *source;   /* what is mounted, as whoever mounted it has named it */
    bool read_only; /* the mount, or all of the file system */
};

/* struct mount_entry, those mounted later behind; g_ptr_array_unref(). Lines that are not
 * understood are left out. ERR_IO and others when /proc cannot be read. */
int mountinfo_read(GPtrArray **ret, struct error *err);

/* As mountinfo_read(), of a text; for tests. */
GPtrArray *mountinfo_parse(const char *text);

/* The mount with that id, or NULL. */
const struct mount_entry *mountinfo_by_id(const GPtrArray *mounts, uint64_t id);
/* The mount that is seen at a path: the last one there; or NULL. */
const struct mount_entry *mountinfo_at(const GPtrArray *mounts, const char *path);

#endif

#include "fs/unmount.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "base/mountinfo.h"

static char *mark_of(const struct mount_entry *entry)
{
    return g_strdup_printf("%" G_GUINT64_FORMAT " %s", entry->id, entry->device);
}

char *unmount_mark(const char *path)
{
    g_autoptr(GPtrArray) mounts = NULL;
    if (mountinfo_read(&mounts, NULL) != 0)
        return NULL;
    const struct mount_entry *entry = mountinfo_at(mounts, path);
    return entry ? mark_of(entry) : NULL;
}

char *unmount_moved_path(const char *path, const char *mark)
{
    g_autoptr(GPtrArray) mounts = NULL;
    if (!mark || mountinfo_read(&mounts, NULL) != 0)
        return NULL;
    const struct mount_entry *entry = mountinfo_by_id(mounts, g_ascii_strtoull(mark, NULL, 10));
    g_autofree char *found = entry ? mark_of(entry) : NULL;
    bool has_moved = found && strcmp(found, mark) == 0 && strcmp(entry->path, path) != 0;
    return has_moved ? g_strdup(entry->path) : NULL;
}

/* The setuid program that libfuse mounts and unmounts with, too. */
static int unmount_as_user(const char *path, struct error *err)
{
    const char *words[] = {"fusermount3", "-u", "-z", "--", path, NULL};
    g_autofree char *complaint = NULL;
    g_autoptr(GError) failure = NULL;
    int status = 0;
    if (!g_spawn_sync(NULL, (char **)words, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL,
                      NULL, NULL, NULL, &complaint, &status, &failure))
        return error_set(err, ERR_IO, "cannot unmount %s: %s", path, failure->message);
    if (status == 0)
        return 0;
    return error_set(err, ERR_IO, "cannot unmount %s: %s", path, g_strchomp(complaint));
}

int unmount_path(const char *path, struct error *err)
{
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return 0;
    if (errno == EPERM)
        return unmount_as_user(path, err);
    return error_set_errno(err, errno, "cannot unmount %s", path);
}

#include "program/lock_owner.h"

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/mountinfo.h"

/* "1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF"; the device in hexadecimal. A lock that is
 * waited for has "->" behind its number. */
static pid_t line_owner(const char *line, dev_t device, ino_t inode)
{
    int pid;
    unsigned major_number, minor_number;
    uint64_t number;
    if (sscanf(line, "%*u: FLOCK %*s WRITE %d %x:%x:%" SCNu64, &pid, &major_number, &minor_number,
               &number) != 4)
        return 0;
    bool same = makedev(major_number, minor_number) == device && number == inode;
    return same && pid > 0 ? pid : 0;
}

pid_t lock_owner_pid(const char *locks, dev_t device, ino_t inode)
{
    g_auto(GStrv) lines = g_strsplit(locks, "\n", -1);
    pid_t pid = 0;
    for (char **line = lines; *line && pid == 0; line++)
        pid = line_owner(*line, device, inode);
    return pid;
}

static void append_process(GString *text, const struct stat *directory)
{
    g_autofree char *locks = NULL;
    if (!g_file_get_contents("/proc/locks", &locks, NULL, NULL))
        return;
    pid_t pid = lock_owner_pid(locks, directory->st_dev, directory->st_ino);
    if (pid == 0)
        return;
    g_autofree char *file = g_strdup_printf("/proc/%d/comm", (int)pid);
    g_autofree char *command = NULL;
    g_string_append_printf(text, ", pid %d", (int)pid);
    if (g_file_get_contents(file, &command, NULL, NULL))
        g_string_append_printf(text, ", %s", g_strchomp(command));
}

/* By name only: looking at what others have mounted could take for ever. */
static bool is_mount_of(const struct mount_entry *mount, const char *path)
{
    return strcmp(mount->type, "fuse.forkfs") == 0 && !mount->read_only &&
           strcmp(mount->source, path) == 0;
}

static void append_mount(GString *text, const char *path)
{
    g_autoptr(GPtrArray) mounts = NULL;
    if (mountinfo_read(&mounts, NULL) != 0)
        return;
    for (guint i = 0; i < mounts->len; i++) {
        const struct mount_entry *mount = g_ptr_array_index(mounts, i);
        if (is_mount_of(mount, path)) {
            g_string_append_printf(text, ", mounted at %s", mount->path);
            return;
        }
    }
}

char *lock_owner_text(const char *path)
{
    struct stat directory;
    g_autoptr(GString) text = g_string_new(NULL);
    if (stat(path, &directory) == 0)
        append_process(text, &directory);
    append_mount(text, path);
    return text->len > 0 ? g_strdup_printf(" (%s)", text->str + 2) : g_strdup("");
}

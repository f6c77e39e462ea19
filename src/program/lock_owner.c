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

/* 0: not known. */
static pid_t find_owner(const char *path)
{
    struct stat directory;
    g_autofree char *locks = NULL;
    if (stat(path, &directory) != 0 || !g_file_get_contents("/proc/locks", &locks, NULL, NULL))
        return 0;
    return lock_owner_pid(locks, directory.st_dev, directory.st_ino);
}

static void append_process(GString *text, pid_t pid)
{
    g_autofree char *file = g_strdup_printf("/proc/%d/comm", (int)pid);
    g_autofree char *command = NULL;
    g_string_append_printf(text, ", pid %d", (int)pid);
    if (g_file_get_contents(file, &command, NULL, NULL))
        g_string_append_printf(text, ", %s", g_strchomp(command));
}

static void add_arguments(pid_t pid, GHashTable *names)
{
    g_autofree char *file = g_strdup_printf("/proc/%d/cmdline", (int)pid);
    g_autofree char *words = NULL;
    gsize length;
    if (!g_file_get_contents(file, &words, &length, NULL))
        return;
    for (const char *word = words; word < words + length; word += strlen(word) + 1)
        g_hash_table_add(names, g_strdup(word));
}

/* What a process has opened, and what it was called with: a forkfs, what it has mounted, which is
 * another directory than `path` when it has come to that with links or prefixes. A set of names,
 * g_hash_table_unref(). */
static GHashTable *open_names(pid_t pid, const char *path)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *directory = g_strdup_printf("/proc/%d/fd", (int)pid);
    g_autoptr(GDir) files = g_dir_open(directory, 0, NULL);
    const char *number;
    g_hash_table_add(names, g_strdup(path));
    add_arguments(pid, names);
    while (files && (number = g_dir_read_name(files))) {
        g_autofree char *link = g_build_filename(directory, number, NULL);
        char *name = g_file_read_link(link, NULL);
        if (name)
            g_hash_table_add(names, name);
    }
    return names;
}

/* By name only: looking at what others have mounted could take for ever. */
static bool is_mount_of(const struct mount_entry *mount, GHashTable *names)
{
    return strcmp(mount->type, "fuse.forkfs") == 0 && !mount->read_only &&
           g_hash_table_contains(names, mount->source);
}

static void append_mount(GString *text, GHashTable *names)
{
    g_autoptr(GPtrArray) mounts = NULL;
    if (mountinfo_read(&mounts, NULL) != 0)
        return;
    for (guint i = 0; i < mounts->len; i++) {
        const struct mount_entry *mount = g_ptr_array_index(mounts, i);
        if (is_mount_of(mount, names)) {
            g_string_append_printf(text, ", mounted at %s", mount->path);
            return;
        }
    }
}

char *lock_owner_text(const char *path)
{
    pid_t pid = find_owner(path);
    g_autoptr(GHashTable) names = open_names(pid, path);
    g_autoptr(GString) text = g_string_new(NULL);
    if (pid != 0)
        append_process(text, pid);
    append_mount(text, names);
    return text->len > 0 ? g_strdup_printf(" (%s)", text->str + 2) : g_strdup("");
}

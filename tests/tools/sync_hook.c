/*
 * Syncs of directories that fail, in the program forkfs-faulty: __wrap_fsync() takes the place of
 * fsync() (ld --wrap).
 *
 * Environment: FORKFS_SYNC_FAULT=FILE. While there is that file, with the line "FIRST LAST
 * DIRECTORY", the syncs number FIRST to LAST of that directory fail with EIO, and when it ends in a
 * slash those of the directories below it, too. They are counted from 1 since the file was seen.
 */
#include <errno.h>
#include <glib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int __real_fsync(int fd);
int __wrap_fsync(int fd);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned count; /* guarded by lock */

static bool matches(const char *directory, const char *wanted)
{
    g_autofree char *as_prefix = g_strconcat(directory, "/", NULL);
    return g_str_has_suffix(wanted, "/") ? g_str_has_prefix(as_prefix, wanted)
                                         : strcmp(directory, wanted) == 0;
}

static bool is_due(const char *file, const char *directory)
{
    unsigned first, last;
    char wanted[PATH_MAX];
    g_autofree char *text = NULL;
    LOCK_SCOPE(&lock);
    if (!g_file_get_contents(file, &text, NULL, NULL)) {
        count = 0;
        return false;
    }
    if (sscanf(text, "%u %u %4095[^\n]", &first, &last, wanted) != 3 || !matches(directory, wanted))
        return false;
    count++;
    return count >= first && count <= last;
}

int __wrap_fsync(int fd)
{
    const char *file = getenv("FORKFS_SYNC_FAULT");
    char path[PATH_MAX];
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    struct stat status;
    ssize_t length = file ? readlink(link, path, sizeof path - 1) : -1;
    if (length < 0 || fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode))
        return __real_fsync(fd);
    path[length] = '\0';
    if (!is_due(file, path))
        return __real_fsync(fd);
    errno = EIO;
    return -1;
}

#include "program/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"

/* An absolute path with single slashes and none at the end; NULL when it is not absolute or has a
 * dot segment. */
static char *tidy_absolute(const char *path)
{
    if (path[0] != '/')
        return NULL;
    g_autoptr(GString) tidy = g_string_new(NULL);
    g_auto(GStrv) segments = g_strsplit(path, "/", -1);
    for (char **segment = segments; *segment; segment++) {
        if (strcmp(*segment, ".") == 0 || strcmp(*segment, "..") == 0)
            return NULL;
        if (**segment != '\0')
            g_string_append_printf(tidy, "/%s", *segment);
    }
    return g_strdup(tidy->len > 0 ? tidy->str : "/");
}

/* realpath() into GLib's memory; NULL and errno. */
static char *resolve_path(const char *path)
{
    char *resolved = realpath(path, NULL);
    if (!resolved)
        return NULL;
    char *copy = g_strdup(resolved);
    free(resolved);
    return copy;
}

int catalog_path_resolve(const char *given, char **ret, struct error *err)
{
    g_autofree char *path = tidy_absolute(given);
    if (!path)
        path = resolve_path(given);
    if (!path)
        return error_set_errno(err, errno, "catalog '%s'", given);
    if (!g_utf8_validate(path, -1, NULL))
        return error_set(err, ERR_INVALID,
                         "catalog '%s': the path is not UTF-8, which branch manifests demand",
                         path);
    *ret = g_steal_pointer(&path);
    return 0;
}

static int check_readable_directory(const char *path)
{
    auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    return faccessat(fd, ".", R_OK | X_OK, AT_EACCESS) < 0 ? errno : 0;
}

int local_metadata_resolve(const char *given, char **ret, struct error *err)
{
    *ret = NULL;
    if (!given)
        return 0;
    g_autofree char *path = tidy_absolute(given);
    if (!path)
        path = resolve_path(given);
    int failure = path ? check_readable_directory(path) : errno;
    if (failure == ENOTDIR)
        return error_set(err, ERR_INVALID, "local_metadata '%s' is no directory", given);
    if (failure)
        return error_set_errno(err, failure, "local_metadata '%s'", given);
    *ret = g_steal_pointer(&path);
    return 0;
}

static int mountpoint_failure(const char *mountpoint, int errno_value, struct error *err)
{
    if (errno_value == ENOTCONN)
        return error_set(err, ERR_INVALID,
                         "mountpoint '%s': a file system whose process is gone hangs there; run: "
                         "fusermount3 -u '%s'",
                         mountpoint, mountpoint);
    return error_set_errno(err, errno_value, "mountpoint '%s'", mountpoint);
}

/* Whether `path` is `directory` or lies below it; both resolved. */
static bool lies_in(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    if (strcmp(directory, "/") == 0)
        return true;
    return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* Neither may lie in the other. `path`: of the mountpoint, resolved. */
static int check_apart(const char *given, const char *path,
                       const struct mountpoint_neighbour *neighbour, struct error *err)
{
    if (!neighbour->path)
        return 0;
    g_autofree char *directory = resolve_path(neighbour->path);
    if (!directory)
        return error_set_errno(err, errno, "%s '%s'", neighbour->what, neighbour->path);
    if (lies_in(path, directory))
        return error_set(err, ERR_INVALID, "mountpoint '%s' lies in the %s '%s'", given,
                         neighbour->what, neighbour->path);
    if (lies_in(directory, path))
        return error_set(err, ERR_INVALID, "mountpoint '%s' would hide the %s '%s'", given,
                         neighbour->what, neighbour->path);
    return 0;
}

int mountpoint_resolve(const char *given, const struct mountpoint_neighbour *neighbour, char **ret,
                       struct error *err)
{
    struct stat status;
    struct statvfs file_system; /* the kernel may remember the stat of a dead mount, but not this */
    g_autofree char *path = resolve_path(given);
    if (!path || stat(path, &status) < 0 || statvfs(path, &file_system) < 0)
        return mountpoint_failure(given, errno, err);
    if (!S_ISDIR(status.st_mode))
        return error_set(err, ERR_INVALID, "mountpoint '%s' is no directory", given);
    int code = check_apart(given, path, neighbour, err);
    if (code == 0)
        *ret = g_steal_pointer(&path);
    return code;
}

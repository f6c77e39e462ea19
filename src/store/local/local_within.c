/*
 * Opening directories below a place that is somebody's own, without ever leaving it: no component
 * of the path may be a symbolic link, or have a file system mounted on it. Paths of any length.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

#if defined(SYS_openat2) && __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#else
#undef SYS_openat2
#endif

/* Of a path that the kernel takes, without the byte at its end. */
#define LONGEST_PATH 4095

#define OPEN_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)

/* ---- A name at a time, for kernels that cannot do better ---- */

/* ENOTDIR tells a link from a file no more than it has to. */
static int refuse_name(int fd, const char *name, int errno_value)
{
    struct stat status;
    bool is_link = errno_value == ENOTDIR && fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                   S_ISLNK(status.st_mode);
    errno = is_link ? ELOOP : errno_value;
    return -1;
}

/* The number of the mount that a file was reached by; false where nobody tells. It is told, too,
 * when there is no room for the handle, which nobody wants. */
static bool find_mount(int fd, int *ret)
{
    struct file_handle handle = {0};
    return name_to_handle_at(fd, "", &handle, ret, AT_EMPTY_PATH) == 0 || errno == EOVERFLOW;
}

/* 0 or an errno value: EXDEV for a mount, also one of another part of the same file system. */
static int check_same_mount(int above, int below)
{
    struct stat status_above, status_below;
    int mount_above, mount_below;
    if (fstat(above, &status_above) != 0 || fstat(below, &status_below) != 0)
        return errno;
    if (status_above.st_dev != status_below.st_dev)
        return EXDEV;
    bool are_told = find_mount(above, &mount_above) && find_mount(below, &mount_below);
    return are_told && mount_above != mount_below ? EXDEV : 0;
}

static int open_name(int fd, const char *name)
{
    int opened = TEMP_FAILURE_RETRY(openat(fd, name, OPEN_FLAGS | O_NOFOLLOW));
    if (opened < 0)
        return refuse_name(fd, name, errno);
    int failure = check_same_mount(fd, opened);
    if (failure == 0)
        return opened;
    close(opened);
    errno = failure;
    return -1;
}

static int open_names(int fd, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    int at = open_name(fd, names[0]);
    for (size_t i = 1; at >= 0 && names[i]; i++) {
        int next = open_name(at, names[i]);
        cleanup_close(&at);
        at = next;
    }
    return at;
}

/* ---- A path at a time ---- */

/* ENOSYS: the kernel, or who guards it, knows no such call. */
static int open_by_kernel(int fd, const char *path)
{
#ifdef SYS_openat2
    struct open_how how = {.flags = OPEN_FLAGS,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    return (int)TEMP_FAILURE_RETRY(syscall(SYS_openat2, fd, path, &how, sizeof how));
#else
    errno = ENOSYS;
    return -1;
#endif
}

/* `path` is one that the kernel takes. */
static int open_path(int fd, const char *path)
{
    int opened = open_by_kernel(fd, path);
    if (opened < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN))
        return open_names(fd, path);
    return opened;
}

/* Where the first part of a path ends that the kernel takes: at a '/' or at the end. */
static const char *end_of_part(const char *path)
{
    const char *end = path + strlen(path);
    if (end - path <= LONGEST_PATH)
        return end;
    for (end = path + LONGEST_PATH; end > path && *end != '/';)
        end--;
    return end > path ? end : strchrnul(path, '/'); /* a name that nothing can have */
}

int local_open_within(int fd, const char *path)
{
    int at = path[0] ? -1 : openat(fd, ".", OPEN_FLAGS), above = fd;
    while (path[0]) {
        const char *end = end_of_part(path);
        g_autofree char *part = g_strndup(path, (gsize)(end - path));
        at = open_path(above, part);
        if (above != fd)
            cleanup_close(&above);
        if (at < 0)
            break;
        above = at;
        path = *end ? end + 1 : end;
    }
    return at;
}

int local_open_own(struct local_store *store, const struct store_request *request, const char *key)
{
    g_autofree char *inside = local_parent(key + request->own);
    auto_close int fd = local_open_seen(store, request, key, request->own);
    return fd < 0 ? -1 : local_open_within(fd, inside);
}

int local_open_above(struct local_store *store, const char *key, size_t own)
{
    g_autofree char *outside = g_strndup(key, own ? own - 1 : 0);
    g_autofree char *inside = local_parent(key + own);
    auto_close int fd = TEMP_FAILURE_RETRY(openat(store->root, local_path(outside), OPEN_FLAGS));
    return fd < 0 ? -1 : local_open_within(fd, inside);
}

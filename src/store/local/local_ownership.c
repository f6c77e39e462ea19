/*
 * Whose the files and directories are that the local store makes: owner, group and mode are those
 * of what is replaced, or else of the directory that they are made in. So a mount by root leaves to
 * the owner of a database what is his, and a group that shares one goes on to do so.
 *
 * As far as the process may: owners are given by root only, groups by their members. Where the
 * group cannot be had, its rights are not given to another one.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

#define PERMISSIONS (S_IRWXU | S_IRWXG | S_IRWXO)
#define EXECUTION (S_IXUSR | S_IXGRP | S_IXOTH)

/* In a directory like /tmp, in which everybody may write, but not to what is another's. */
static mode_t mode_within(const struct stat *directory)
{
    mode_t mode = directory->st_mode & (S_ISGID | PERMISSIONS);
    return directory->st_mode & S_ISVTX ? mode & ~(mode_t)S_IWOTH : mode;
}

int local_ownership_of_file(struct local_store *store, const char *path, const char *directory,
                            struct local_ownership *ret)
{
    struct stat status;
    if (fstatat(store->root, path, &status, 0) == 0 && S_ISREG(status.st_mode)) {
        *ret = (struct local_ownership){status.st_uid, status.st_gid, status.st_mode & PERMISSIONS};
        return 0;
    }
    int failure = local_ownership_of_directory(store, directory, ret);
    ret->mode &= PERMISSIONS & ~(mode_t)EXECUTION;
    return failure;
}

int local_ownership_of_directory(struct local_store *store, const char *parent,
                                 struct local_ownership *ret)
{
    struct stat status;
    *ret = (struct local_ownership){0};
    if (fstatat(store->root, local_path(parent), &status, 0) != 0)
        return errno;
    *ret = (struct local_ownership){status.st_uid, status.st_gid, mode_within(&status)};
    return 0;
}

/* The rights of the group become those of all others. */
static mode_t without_group(mode_t mode)
{
    return (mode & ~(mode_t)(S_ISGID | S_IRWXG)) | ((mode & S_IRWXO) << 3);
}

void local_give(int fd, const struct local_ownership *ownership)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return;
    if ((status.st_uid != ownership->uid || status.st_gid != ownership->gid) &&
        (fchown(fd, ownership->uid, ownership->gid) == 0 ||
         fchown(fd, (uid_t)-1, ownership->gid) == 0) &&
        fstat(fd, &status) != 0)
        return;
    mode_t mode =
        status.st_gid == ownership->gid ? ownership->mode : without_group(ownership->mode);
    if ((status.st_mode & (S_ISGID | PERMISSIONS)) != mode)
        fchmod(fd, mode);
}

/*
 * Room for when the file system is full: a file with blocks of its own, into which a put writes
 * when there is no room for a temporary file, and which then changes places with what it replaces.
 * So what was replaced is the next reserve, and there is always one, whoever else takes what
 * becomes free. Where files cannot change places, or what is written goes elsewhere anyway (copy on
 * write), the reserve is used up.
 *
 * What is written into must not be in use: nobody may have it open or have linked to it, and that
 * it has changed places must be durable, or the next power failure would put it back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

#define ZFS_SUPER_MAGIC 0x2fc12fc1
#define BCACHEFS_SUPER_MAGIC 0xca451a4e
/* Of st_blocks. */
#define BLOCK 512

/* What is known of a reserve; absent from the table: nothing, it cannot be used. */
struct reserve {
    bool is_busy;    /* somebody is at work on it, perhaps one who was given up */
    bool is_settled; /* the file is ours to write into: where it lies is durable */
};

/* ---- Who works on it ---- */

static bool acquire(struct local_store *store, const char *key)
{
    LOCK_SCOPE(&store->reserves_lock);
    struct reserve *reserve = g_hash_table_lookup(store->reserves, key);
    if (!reserve) {
        reserve = g_new0(struct reserve, 1);
        g_hash_table_insert(store->reserves, g_strdup(key), reserve);
    }
    if (reserve->is_busy)
        return false;
    reserve->is_busy = true;
    return true;
}

/* By whoever has acquired it. */
static struct reserve *find(struct local_store *store, const char *key)
{
    LOCK_SCOPE(&store->reserves_lock);
    return g_hash_table_lookup(store->reserves, key);
}

static void release(struct local_store *store, const char *key)
{
    LOCK_SCOPE(&store->reserves_lock);
    ((struct reserve *)g_hash_table_lookup(store->reserves, key))->is_busy = false;
}

/* ---- The file ---- */

/* The directory that holds it, which must be no link. */
static int open_directory(struct local_store *store, const char *key)
{
    g_autofree char *directory = local_parent(key);
    return local_open_above(store, key, store_key_above(directory));
}

/* No directory but that one. */
static int make_directory(struct local_store *store, const char *key)
{
    struct stat status;
    g_autofree char *directory = local_parent(key);
    g_autofree char *above = local_parent(directory);
    if (fstatat(store->root, local_path(above), &status, 0) != 0)
        return -1;
    int failure = local_make_directories(store, directory);
    if (failure == 0)
        return open_directory(store, key);
    errno = failure;
    return -1;
}

static const char *name_of(const char *key)
{
    return key + store_key_above(key);
}

/* Whether nobody else has it open; where the kernel does not tell, nobody is expected to. Who opens
 * it at this moment makes the kernel signal that, in a way that does no harm. */
static bool is_unused(int fd)
{
    fcntl(fd, F_SETSIG, SIGURG);
    if (fcntl(fd, F_SETLEASE, F_WRLCK) != 0)
        return errno != EAGAIN;
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return true;
}

static bool copies_on_write(int fd)
{
    struct statfs status;
    if (fstatfs(fd, &status) != 0)
        return false;
    const unsigned long type = (unsigned long)status.f_type & 0xffffffff;
    return type == BTRFS_SUPER_MAGIC || type == NILFS_SUPER_MAGIC || type == F2FS_SUPER_MAGIC ||
           type == ZFS_SUPER_MAGIC || type == BCACHEFS_SUPER_MAGIC;
}

/* Whether what is written into the file comes to lie in its blocks, and does harm to nobody: it has
 * no other name by which it might be of use to somebody. Blocks that were never written are written
 * in place also where that is not the rule. */
static bool is_fit(int fd, struct stat *status)
{
    return fstat(fd, status) == 0 && S_ISREG(status->st_mode) && status->st_nlink == 1 &&
           (status->st_size == 0 || !copies_on_write(fd)) && is_unused(fd);
}

/* ---- Making and extending it ---- */

/* 0 or an errno value, also after part of it. */
static int write_zeros(int fd, off_t from, off_t to)
{
    static const char zeros[65536];
    while (from < to) {
        size_t length = (size_t)MIN(to - from, (off_t)sizeof zeros);
        ssize_t written = TEMP_FAILURE_RETRY(pwrite(fd, zeros, length, from));
        if (written < 0)
            return errno;
        from += written;
    }
    return 0;
}

/* What it held when it was an object is gone with that. */
static int blank(int fd, const struct stat *status)
{
    char first = 0;
    if (TEMP_FAILURE_RETRY(pread(fd, &first, 1, 0)) < 0)
        return errno;
    return first ? write_zeros(fd, 0, status->st_size) : 0;
}

/* Behind its end, so that the blocks stay with the file when it has a document's length. */
static int allocate(int fd, const struct stat *status, off_t size)
{
    if (status->st_blocks * BLOCK >= size)
        return 0;
    if (TEMP_FAILURE_RETRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, size)) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return errno;
    int failure = write_zeros(fd, status->st_size, size);
    if (failure == 0 && TEMP_FAILURE_RETRY(fsync(fd)) != 0) /* blocks may be found only now */
        failure = errno;
    return failure;
}

static int open_file(int directory, const char *name, int flags)
{
    return TEMP_FAILURE_RETRY(
        openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600));
}

/* What is there if it is fit for it, or else a new file. -1 with errno. */
static int open_or_make(int directory, const char *name, struct stat *status)
{
    int fd = open_file(directory, name, 0);
    if (fd >= 0 && is_fit(fd, status))
        return fd;
    if (fd >= 0)
        close(fd);
    if (unlinkat(directory, name, 0) != 0 && errno != ENOENT)
        return -1;
    fd = open_file(directory, name, O_CREAT | O_EXCL);
    if (fd >= 0 && fstat(fd, status) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* The directories of the reserve and of what it is for. 0 or an errno value. */
static int settle(struct local_store *store, const char *key, const char *target)
{
    g_autofree char *here = local_parent(key);
    g_autofree char *there = local_parent(target);
    int failure = local_sync_directory(store, here);
    return failure ? failure : local_sync_directory(store, there);
}

/* EXDEV: it could not change places with what it is for. */
static int check_place(struct local_store *store, const char *target, const struct stat *status)
{
    struct stat other;
    g_autofree char *directory = local_parent(target);
    if (fstatat(store->root, local_path(directory), &other, 0) != 0)
        return errno;
    return other.st_dev == status->st_dev ? 0 : EXDEV;
}

/* Where it lies is made durable before anything is written into it. */
static int prepare(struct local_store *store, const struct store_request *request, int fd,
                   const struct stat *status)
{
    struct local_ownership ownership;
    g_autofree char *target = local_target(store, request->key, true);
    g_autofree char *directory = local_parent(target);
    struct reserve *reserve = find(store, request->reserve);
    int failure = check_place(store, target, status);
    if (failure == 0)
        failure = local_ownership_of_file(store, target, directory, &ownership);
    if (failure == 0 && !reserve->is_settled)
        failure = settle(store, request->reserve, target);
    if (failure)
        return failure;
    reserve->is_settled = true;
    local_give(fd, &ownership); /* also so that its blocks count for whom the object's do */
    return blank(fd, status);
}

/* 0 or an errno value. *ret: bytes that it has. */
static int reserve_room(struct local_store *store, const struct store_request *request,
                        uint64_t *ret)
{
    struct stat status;
    auto_close int directory = open_directory(store, request->reserve);
    if (directory < 0 && errno == ENOENT)
        directory = make_directory(store, request->reserve);
    if (directory < 0)
        return errno;
    auto_close int fd = open_or_make(directory, name_of(request->reserve), &status);
    if (fd < 0)
        return errno;
    int failure = prepare(store, request, fd, &status);
    if (failure == 0)
        failure = allocate(fd, &status, (off_t)request->size);
    if (fstat(fd, &status) == 0)
        *ret = (uint64_t)status.st_blocks * BLOCK;
    return failure;
}

void local_reserve(struct local_store *store, const struct store_request *request,
                   struct store_answer *answer)
{
    if (!acquire(store, request->reserve)) {
        store_answer_fail(answer, ERR_HELD, "reserve %s: somebody is using it", request->reserve);
        return;
    }
    int failure = reserve_room(store, request, &answer->size);
    release(store, request->reserve);
    if (failure)
        local_fail(answer, request, failure, "keep room");
}

/* ---- Using it ---- */

int local_reserve_begin(struct local_store *store, const char *key)
{
    if (!acquire(store, key))
        return -1;
    const struct reserve *reserve = find(store, key);
    struct stat status;
    auto_close int directory = open_directory(store, key);
    auto_close int fd =
        reserve->is_settled && directory >= 0 ? open_file(directory, name_of(key), 0) : -1;
    if (fd >= 0 && is_fit(fd, &status)) {
        int result = fd;
        fd = -1;
        return result;
    }
    release(store, key);
    return -1;
}

int local_reserve_publish(struct local_store *store, const char *key, const char *target)
{
    auto_close int directory = open_directory(store, key);
    if (directory < 0)
        return errno;
    find(store, key)->is_settled = false;
    if (renameat2(directory, name_of(key), store->root, target, RENAME_EXCHANGE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return errno;
    return renameat(directory, name_of(key), store->root, target) == 0 ? 0 : errno;
}

void local_reserve_end(struct local_store *store, const char *key, const char *target)
{
    struct reserve *reserve = find(store, key);
    if (!reserve->is_settled)
        reserve->is_settled = settle(store, key, target) == 0;
    release(store, key);
}

bool local_reserve_give_up(struct local_store *store, const char *key)
{
    if (!acquire(store, key))
        return false;
    auto_close int directory = open_directory(store, key);
    bool had_one = directory >= 0 && unlinkat(directory, name_of(key), 0) == 0;
    find(store, key)->is_settled = false;
    release(store, key);
    return had_one;
}
